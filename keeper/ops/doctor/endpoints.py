"""Whether the endpoints answer, agree and keep time."""

from __future__ import annotations

from collections.abc import Iterator

from keeper.domain.block import BlockRef
from keeper.errors import KeeperError
from keeper.ops.doctor.findings import Finding, Verdict, bad, good
from keeper.ops.doctor.site import LOCAL_CHAINS, NodeLook, Site

#: Seconds between the head's time and ours that are worth a word, and that are too many.
DRIFT_WORTH_A_WORD_S, DRIFT_TOO_LARGE_S = 60, 900


def nodes(site: Site, found: list[BlockRef], now_s: int) -> Iterator[Finding]:
    """Each endpoint by itself, and how far it is behind the best; heads that were seen go into `found`."""
    seen: list[tuple[str, NodeLook | KeeperError]] = []
    for node in site.nodes():
        try:
            seen.append((node.name, node.look()))
        except KeeperError as error:
            seen.append((node.name, error))
    found += [look.head for _, look in seen if isinstance(look, NodeLook)]
    best = max((head.number for head in found), default=0)
    for name, look in seen:
        if isinstance(look, KeeperError):
            hint = look.hint or "check chain.rpc_urls, that the node runs, and that this machine may reach it"
            yield bad(f"node {name}", look.message, hint)
        else:
            yield _node(site, name, look, behind=best - look.head.number, age_s=now_s - look.head.timestamp)


def _node(site: Site, name: str, look: NodeLook, *, behind: int, age_s: int) -> Finding:
    measured = {
        "endpoint": name,
        "head": f"{look.head.number:,}",
        "age": f"{age_s:,} s",
        "behind": f"{behind:,}" if behind else "–",
        "answers in": f"{look.latency_s * 1e3:,.0f} ms",
        "arrays": "yes" if look.arrays else "one by one",
        "by hash": {True: "yes", False: "number + check", None: "?"}[look.by_hash],
        "new blocks": {True: "announced", False: "polled (refused)", None: "polled"}[look.pushes],
    }
    verdict, said, hint = Verdict.GOOD, f"chain {site.chain_id}, head {look.head.number:,}", ""
    old = site.max_head_age_s is not None and abs(age_s) > site.max_head_age_s
    if old or (site.max_head_lag_blocks is not None and behind > site.max_head_lag_blocks):
        verdict = Verdict.WARNING
        said += f", {age_s:,} s old" if old else f", {behind:,} blocks behind"
        said += ": rotated out until it catches up"
        hint = "if it stays like that, ask its operator, or remove it from chain.rpc_urls"
    return Finding(what=f"node {name}", verdict=verdict, said=said, hint=hint, measured=measured)


def vouched(site: Site, head: BlockRef) -> Iterator[Finding]:
    """Whether enough of them have this block."""
    vouching = site.vouching(head)
    if not vouching.said:
        return  # one endpoint alone agrees with itself
    if vouching.enough:
        yield good("endpoints agree", vouching.said)
    else:
        hint = "nothing is sent meanwhile: see to the silent one, or find out which provider is wrong and remove it"
        yield bad("endpoints agree", vouching.said, hint)


def clock(head: BlockRef, now_s: int, chain_id: int) -> Finding:
    """This machine's clock against the newest block's."""
    late = now_s - head.timestamp
    if abs(late) < DRIFT_WORTH_A_WORD_S:
        return good("clock", f"{late} s from the head's time")
    said = f"the head is {late:,} s old" if late > 0 else f"the head is {-late:,} s ahead of this machine's clock"
    if chain_id in LOCAL_CHAINS:
        return Finding(what="clock", verdict=Verdict.WARNING, said=f"{said}; fine on a test chain")
    verdict = Verdict.BAD if abs(late) > DRIFT_TOO_LARGE_S else Verdict.WARNING
    hint = "wait until the node is synced, or set this machine's clock (timedatectl)"
    return Finding(what="clock", verdict=verdict, said=said, hint=hint)
