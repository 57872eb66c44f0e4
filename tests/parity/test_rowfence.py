"""What the fences on rows say to any smile, contract and mirror say alike, in every word (GUA-3)."""

from collections import Counter

import pytest

from keeper.risk.exact.rowfence import MARK_ROW, breach
from keeper.testing.anvil import AnvilChain
from keeper.testing.harness import Harness
from tests.parity.guard_fuzz import GAS, theirs
from tests.parity.hard_smiles import smiles

pytestmark = [pytest.mark.needs_anvil, pytest.mark.chain, pytest.mark.timeout(300)]

COUNT = 1_500
BATCH = 250


def test_rows__hard_smiles__the_contract_says_the_same() -> None:
    """GUA-3: on 1,500 smiles no difference; edges of convexity and rows that overflow are among them."""
    counted: Counter[str] = Counter()
    given = list(smiles(3, COUNT))
    with AnvilChain(accounts=1, extra=("--gas-limit", str(GAS))) as chain:
        harness = Harness(chain, gas=GAS)
        for start in range(0, COUNT, BATCH):
            batch = given[start : start + BATCH]
            reasons = harness.guard("rows", *([s.ask[i] for s in batch] for i in range(3)))
            for smile, reason in zip(batch, reasons, strict=True):
                found = breach(smile.bank, smile.strikes, smile.expiry, smile.sigmas_ppm)
                said = None if found is None else (found.error, found.numbers)
                assert said == (theirs(reason) if reason else None), smile
                counted[said[0] if said else "passes"] += 1
                counted["left out"] += 0 in smile.sigmas_ppm
                if said and said[0] == "ArrayOutOfBounds":
                    counted["the mark" if said[1][2] == MARK_ROW else f"row {said[1][2]}"] += 1
    assert min(counted[kind] for kind in ("passes", "ButterflyArbitrage", "left out")) > COUNT // 10, counted
    assert counted["ArrayOutOfBounds"] > COUNT // 40, counted
    assert sum(kind.startswith("row ") for kind in counted) >= 3, counted
