"""Prove that a keeper could run, and say for each thing that is wrong what to do about it.

The checks go from the outside in: a node that answers, the right chain, the contracts on it, the keys and what they may
do, prices, quotes, memory.  One that cannot be made because an earlier one failed is skipped, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from keeper.domain.block import BlockRef
from keeper.domain.tx import SignerRole
from keeper.ops.doctor import endpoints, hands, market, memory
from keeper.ops.doctor.findings import Finding, guard, needs
from keeper.ops.doctor.site import Contracts, Site


def examine(site: Site, *, now_s: int) -> Iterator[Finding]:
    """Make every check, in order.  What a check raises becomes a finding; nothing is raised.

    Args:
        site: what is to be checked.
        now_s: this machine's clock, unix seconds.
    """
    head: BlockRef | None = None
    found: list[BlockRef] = []
    yield from guard("node", lambda: endpoints.nodes(site, found, now_s))
    if found:
        head = max(found, key=lambda block: block.number)
        yield endpoints.clock(head, now_s, site.chain_id)
        # Asked about a block that each has had the time to see.
        yield from guard("endpoints", lambda: endpoints.vouched(site, min(found, key=lambda block: block.number)))
    contracts: list[Contracts] = []
    yield from guard("contracts", lambda: market.deployed(site, head, contracts))
    here = (contracts[0], head) if contracts and head else None
    keys: dict[SignerRole, Sequence[str]] = {}
    yield from guard("keys", lambda: hands.configured(site, keys))
    for role, own in keys.items():
        for which, address in enumerate(own, start=1):
            nth = f" {which}" if which > 1 else ""
            judge = partial(hands.key, role, address, nth=nth, cap_wei=site.daily_cap_wei)
            yield from needs(here, f"{role} key{nth}", judge)
    yield from needs(here, "liquidator account", partial(hands.own_account, site.liquidator_account, keys))
    yield from needs(here, "oracle prices", partial(market.priced, site.knobs[1].addon_peg_symbol))
    yield from guard("quotes", lambda: market.quoted(site, now_s))
    yield from guard("store", lambda: memory.remembered(site))
