"""Put random publications to the mirror and to the contract, and compare all they say.

    python -m tests.parity.guard_fuzz --pairs 100000 --seed 1

asks a pure harness of `FenceMath` on anvil in batches; each difference is printed with its pair's number and fails.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator

from eth_abi import decode

from keeper.abis import load
from keeper.policy.judge import judge
from keeper.policy.verdict import Judgement, Refusal
from keeper.protocols.abi import Abi
from keeper.testing.anvil import AnvilChain
from keeper.testing.harness import Harness
from tests.parity.guard_pairs import Chance, Pair, a_pair

#: Pairs of one call.
BATCH = 40
#: Gas of a call: anvil does not mind, and a pair with a joint move costs up to seven millions.
GAS = 2_000_000_000
#: The contract's errors whose first argument names the number, or the market; ours keep only the numbers.
NAMED = {"OutOfRange", "StepTooLarge", "BudgetExceeded", "Paused", "Frozen", "ArrayOutOfBounds"}
ERRORS = {key: e for name in ("RiskParameters", "RiskFile") for key, e in Abi(name, load(name).abi).errors.items()}


def theirs(reason: bytes) -> tuple[str, tuple[int, ...]]:
    """An error's name, and its numbers without the name or market it begins with."""
    entry = ERRORS[bytes(reason[:4])]
    values = decode([p["type"] for p in entry["inputs"]], bytes(reason[4:]))
    if entry["name"] in NAMED:
        values = values[1:]
    return entry["name"], tuple(int.from_bytes(v, "big") if isinstance(v, bytes) else v for v in values)


def said(refusal: Refusal | None) -> tuple[str, tuple[int, ...]] | None:
    """The same of ours."""
    return None if refusal is None else (refusal.error, refusal.numbers)


def differences(pair: Pair, ours: Judgement, verdict: dict) -> Iterator[str]:
    """Everything in which the two disagree about a pair."""
    if verdict["ok"] != ours.ok:
        yield f"ok {verdict['ok']} against {ours.ok}"
    whole = theirs(verdict["reason"]) if verdict["reason"] else None
    if whole != said(ours.refusal):
        yield f"whole {whole} against {said(ours.refusal)}"
    if verdict["nextAllowed"] != ours.next_allowed_s:
        yield f"next {verdict['nextAllowed']} against {ours.next_allowed_s} at {pair.now}"
    if len(verdict["items"]) != len(ours.items):
        yield f"{len(verdict['items'])} items against {len(ours.items)}"
        return
    for item, mine in zip(verdict["items"], ours.items, strict=True):
        refusal = mine.refusal
        what = mine.what if refusal is None else refusal.what
        got = theirs(item["reason"]) if item["reason"] else None
        expected = (mine.expiry, what, said(refusal), 0 if refusal is None else refusal.next_allowed_s)
        found = (item["expiry"], item["what"].rstrip(b"\0").decode(), got, item["nextAllowed"])
        if found != expected:
            yield f"item {found} against {expected}"


def classes(pair: Pair, ours: Judgement) -> Counter:
    """What of listings and of calendar order a pair is about."""
    found: Counter = Counter()
    fresh = [not any(s.ratio_ppm for s in f.smile) for f in pair.state.expiries]
    verdicts = {v.expiry: v.refusal for v in ours.items if v.expiry}
    for fence, wanted, new in zip(pair.state.expiries, pair.update.target.expiries, fresh, strict=True):
        refusal = verdicts.get(fence.expiry)
        if not verdicts or len(wanted.sigmas_ppm) != len(fence.smile):
            continue
        found["marks in order"] += bool(refusal is None and pair.spot and sum(map(bool, wanted.sigmas_ppm)) > 1)
        outs = [s.ratio_ppm == 0 and not sigma for s, sigma in zip(fence.smile, wanted.sigmas_ppm, strict=True)]
        found["a new expiry " + ("refused" if refusal else "left out" if all(outs) else "in")] += new
        found["new strikes of a known one " + ("left out" if any(outs) else "in")] += (
            not new and refusal is None and any(s.ratio_ppm == 0 for s in fence.smile)
        )
        if refusal is not None and refusal.error == "CalendarArbitrage":
            first, second = refusal.numbers
            other = first if second == fence.expiry else second
            side = "before" if other < fence.expiry else "after"
            kept = "what is kept" if verdicts[other] is not None else "another new one"
            found[f"gives way to {kept} {side}"] += 1
    return +found


def run(harness: Harness, pairs: int, seed: int, tell=lambda done: None) -> tuple[Counter, list[str]]:
    """What was said how often, and every difference."""
    chance, counted, different = Chance(seed), Counter(), []
    for start in range(0, pairs, BATCH):
        batch = [a_pair(chance) for _ in range(min(BATCH, pairs - start))]
        verdicts = harness.guard("judgeBatch", *([p.ask[part] for p in batch] for part in range(3)))
        for i, (pair, verdict) in enumerate(zip(batch, verdicts, strict=True)):
            ours = judge(pair.update, pair.state, pair.rules, pair.now, pair.live, spot=pair.spot)
            different += [f"pair {start + i} of seed {seed}: {what}" for what in differences(pair, ours, verdict)]
            counted["ok" if ours.ok else "refused whole" if ours.refusal else "in part"] += 1
            counted += classes(pair, ours)
            for refusal in filter(None, (ours.refusal, *(v.refusal for v in ours.items))):
                counted[f"{refusal.error} {refusal.what}".strip()] += 1
                counted["waiting helps"] += 0 < refusal.next_allowed_s < 1 << 63
        tell(start + len(batch))
    return counted, different


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()

    def tell(done: int) -> None:
        if done % (50 * BATCH) == 0:
            sys.stderr.write(f"{done:,} of {asked.pairs:,}\n")

    with AnvilChain(accounts=1, extra=("--gas-limit", str(GAS))) as chain:
        counted, different = run(Harness(chain, gas=GAS), asked.pairs, asked.seed, tell)
    for what, times in sorted(counted.items()):
        sys.stdout.write(f"{times:>9,}  {what}\n")
    for line in different[:20]:
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"{asked.pairs:,} pairs of seed {asked.seed}: {len(different)} differences\n")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
