"""The mirror says to every publication what the contract says: verdict, reason, numbers, next allowed time (GUA-1)."""

import pytest

from keeper.testing.anvil import AnvilChain
from keeper.testing.harness import Harness
from tests.parity.guard_fuzz import GAS, run

pytestmark = [pytest.mark.needs_anvil, pytest.mark.chain, pytest.mark.timeout(300)]

#: What must have been met at least once, or the pairs are too tame to matter.
FENCED = ("psr", "vsrUp", "vsrDown", "sigmaAtm", "phi", "df")
MET = {
    "ok", "in part", "refused whole", "waiting helps", "Vetoed psr", "JointMove joint", "CalendarArbitrage calendar",
    "SmileOutOfBand smile", "Frozen", "Paused", "Expired", "TooEarly", "WrongId", "UnexpectedOld", "WrongStrikes",
    *(f"{error} {what}" for error in ("OutOfRange", "StepTooLarge", "BudgetExceeded") for what in FENCED),
    "ButterflyArbitrage rows", "ArrayOutOfBounds rows", "BadSpot", "marks in order",
    "StepTooLarge smile", "BudgetExceeded smile", "OutOfRange carry",
    *(f"a new expiry {fate}" for fate in ("refused", "left out", "in")),
    "new strikes of a known one left out", "new strikes of a known one in",
    *(f"gives way to {whom} {side}" for whom in ("what is kept", "another new one") for side in ("before", "after")),
}  # fmt: skip


def test_guard__random_fences_and_publications__the_contract_says_the_same() -> None:
    """GUA-1: no pair on which the two disagree, in any word, and every kind of refusal among them."""
    with AnvilChain(accounts=1, extra=("--gas-limit", str(GAS))) as chain:
        counted, different = run(Harness(chain, gas=GAS), 1_200, 5)
    assert different == []
    assert set(counted) >= MET, MET - set(counted)
