"""Python against the contract: equity, MM and IM of every account at one block, to the wei."""

from __future__ import annotations

from typing import Any, Protocol

from keeper.demo.summary import ParityCheck
from keeper.demo.world import World
from keeper.domain.block import BlockRef
from keeper.domain.margin import Unpriced
from keeper.domain.report import MarginReport
from keeper.errors import Refused

#: `FileVersion.Live` of the contract.
LIVE = 0
#: Difference reported where one side has a number and the other none: no wei count is large enough.
INCOMPARABLE = 2**256


class Contract(Protocol):
    """The house's own view of an account."""

    def one(self, block: BlockRef, contract: str, function: str, *args: Any) -> Any:
        """The single output of one view at a block."""


def check_parity(world: World, views: Contract, report: MarginReport, *, block: BlockRef, index: int) -> ParityCheck:
    """Compare a report with `ClearingHouse.margin` for every account in it.

    An account that Python could not price must be one that the contract refuses to price.
    """
    largest, where = 0, ""
    for ours in report.accounts:
        try:
            theirs = views.one(block, "ClearingHouse", "margin", ours.account, LIVE)
        except Refused:
            difference = 0 if isinstance(ours, Unpriced) else INCOMPARABLE
        else:
            if isinstance(ours, Unpriced):
                difference = INCOMPARABLE
            else:
                difference = max(
                    abs(ours.equity - theirs["equity"]), abs(ours.mm - theirs["mm"]), abs(ours.im - theirs["im"])
                )
        if difference > largest:
            largest, where = difference, world.names.get(ours.account, f"{ours.account:#066x}")
    return ParityCheck(
        index=index, block=block.number, accounts=len(report.accounts), max_wei=largest, worst_account=where
    )
