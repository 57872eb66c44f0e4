"""What an action is worth, what it costs, what became of it: the words of profit and loss.

Amounts named `_usd` are wad USD, signed where a loss is possible; `_wei` is native currency.  None is unknown, which is
never zero and never infinite.  The *beneficiary* is the account of the protocol that is credited, not the key that
signs: a flag's fee goes to `fee_to`, a bid's slice to the bidder.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: Ways in which signed bytes leave: everybody's pool, or a private relay.
PUBLIC: Final = "public"
PRIVATE: Final = "relay"


class Standing(StrEnum):
    """On which side of its cost an action stands."""

    DUTY = "duty"
    """It earns nothing by nature (publish, refresh, settle, un-flag, …); the day's gas pays for it."""
    PROFIT = "profit"
    """It brings its beneficiary at least what its gas costs."""
    LOSS = "loss"
    """It costs more than it brings; only the day's loss budget may pay the difference."""
    UNKNOWN = "unknown"
    """Worth, gas price or the price of the native currency is not known."""


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What an action brings if it succeeds now, before gas."""

    beneficiary: int | None
    """Account that is credited; None if nobody is."""
    gain_usd: int | None
    """Credit to the beneficiary; None if it cannot be told."""
    at_risk_usd: int
    """The protocol's own interest: what its worst scenario would cost the fund if nobody acted before it."""
    why: str
    """How it was figured, or why it could not be."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether an action is worth its gas, and how much gas it may use."""

    kind: str
    subject: str
    go: bool
    standing: Standing
    gain_usd: int | None
    gas_usd: int | None
    """Expected cost at today's gas price."""
    at_risk_usd: int
    worth_wei: int | None
    """Most gas money it may cost, subsidy included; None: only the absolute caps bound it."""
    subsidy_wei: int
    """Part of `worth_wei` that the operator's loss budget pays."""
    why: str
    """One line for a person."""


@dataclass(frozen=True, kw_only=True)
class Economics:
    """What gas costs, and what the last day's actions already lost: an input of the cycle."""

    gas_price_wei: int | None
    """Wei per gas expected in the next block; None if it could not be asked."""
    gas: tuple[tuple[str, int], ...]
    """(kind, gas that such an action uses), ascending by kind."""
    lost_usd: int
    """Sum of the realised losses of the last 24 hours, each action by itself: a profit does not refill the budget."""
    unpriced_gas_wei: int
    """Gas money of the last 24 hours that could not be told in USD then; it counts in full at today's price."""
    pledged_wei: int
    """Subsidies of transactions that are still open, or whose outcome is not measured yet."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An action that came to nothing, time after time."""

    kind: str
    subject: str
    count: int
    """Times in a row."""
    last_block: int
    """Height at which it was refused last."""
    about: str
    """Fingerprint of the subject's state then; a changed state starts anew."""


@dataclass(frozen=True, kw_only=True)
class Realised:
    """What a final transaction really brought and cost, measured at the beneficiary."""

    key: str
    """The intent's."""
    kind: str
    subject: str
    at_s: int
    """Time of the block it mined in, unix seconds."""
    beneficiary: int | None
    """Account that was to be credited; None for a duty."""
    gain_usd: int | None
    """Credit to the beneficiary in the protocol's own logs; 0 if it reverted or was a duty; None if it is unknown."""
    gas_wei: int
    """Gas used times the price really paid, with the data fee of a rollup."""
    native_usd: int | None
    """Price of one whole unit of native currency at that block; None if the oracle had none."""
    note: str = ""
    """What a person should know: why something is unknown, what of a publication was refused."""
    via: str = ""
    """`PRIVATE` if it mined before it was public, `PUBLIC` if it had to be; empty where no relay was tried."""
    waited_blocks: int | None = None
    """Blocks from its first signature to the one it mined in; None if it never mined."""

    @property
    def gas_usd(self) -> int | None:
        """Cost, rounded up; None if the native currency had no price."""
        return None if self.native_usd is None else -(-self.gas_wei * self.native_usd // 10**18)

    @property
    def profit_usd(self) -> int | None:
        """Gain less gas; None if either is unknown."""
        gas = self.gas_usd
        return None if gas is None or self.gain_usd is None else self.gain_usd - gas
