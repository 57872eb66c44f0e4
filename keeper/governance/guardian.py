"""What a guardian may do, as calls for whoever holds the brake: no key of ours is needed, and nothing is sent.

pause    nothing of an underlying is published for 72 hours       RiskParameters.pause, the guardian's role
veto     what is on its way down stays, and a day of nothing lower RiskParameters.veto, the guardian's role
halt     no withdrawals, no trades that raise risk, for N hours    ClearingHouse.pause, the house's guardian
resume   the halt ends early                                       ClearingHouse.unpause, the house's guardian
freeze   nothing is published until thaw                           RiskParameters.freeze, governance alone
thaw     the freeze ends                                           RiskParameters.thaw, governance alone

Each call is tried on the state of one block, from whoever may make it: what the contract would say is known before
several owners of a Safe are woken up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from eth_utils import keccak, to_checksum_address

from keeper.chain.errors import Reverted
from keeper.errors import BadInput, Refused
from keeper.governance import safe
from keeper.governance.chain import SAFE, TIMELOCK, ZERO, ChainView
from keeper.governance.items import Call, make_call
from keeper.governance.route import safe_view
from keeper.protocols.abi import explain_revert

HOUR_S: Final = 3_600
#: How long the parameters' pause and veto last, and how long the guardian then rests.  Source: Controls.sol, PAUSE_S,
#: VETO_S, REST_S.
PAUSE_S, VETO_S, REST_S = 72 * HOUR_S, 24 * HOUR_S, 24 * HOUR_S
#: Ranges of an underlying, as a header and a target name them.
RANGES: Final = (("scan_range", "psrPpm"), ("vol_up", "vsrUpPpm"), ("vol_down", "vsrDownPpm"))
_PARAMETERS, _HOUSE = "RiskParameters", "ClearingHouse"


class Act(StrEnum):
    """What is to be done."""

    PAUSE = "pause"
    VETO = "veto"
    HALT = "halt"
    RESUME = "resume"
    FREEZE = "freeze"
    THAW = "thaw"

    @property
    def governed(self) -> bool:
        """Whether the guardian may not, and governance must."""
        return self in (Act.FREEZE, Act.THAW)


@dataclass(frozen=True, kw_only=True)
class Order:
    """One call, and what the contract says to it now."""

    says: str
    """What it does, and for how long."""
    call: Call
    refused: str
    """Why it would revert; empty if it goes through."""


@dataclass(frozen=True, kw_only=True)
class Orders:
    """Everything that is to be done at once, and by whom."""

    act: Act
    by: str
    """Address that may; empty if nobody does."""
    by_timelock: bool
    """Whether that is the timelock, which needs a proposal."""
    by_safe: bool
    """Whether it is a Safe."""
    block: int
    time_s: int
    orders: tuple[Order, ...]
    symbols: tuple[str, ...]
    chain_id: int
    safe_nonce: int = 0
    safe_tx_hash: str = ""
    """What the Safe's owners sign at its present nonce; empty where it is none, or several calls find no multi-send."""

    @property
    def holds(self) -> bool:
        """Whether every call goes through now."""
        return bool(self.by) and not any(one.refused for one in self.orders)


@dataclass(frozen=True, kw_only=True)
class Brake:
    """How one underlying stands with the guardian."""

    symbol: str
    frozen: bool
    paused_until_s: int
    """Unix seconds; 0 if it never was."""
    vetoed_until_s: int
    """Likewise, of the day in which nothing is lowered."""
    falling: tuple[tuple[str, int, int], ...]
    """Ranges on their way down: name, in force, target, ppm.  What a veto would stop."""


def orders_of(chain: ChainView, act: Act, *, symbols: Sequence[str] = (), hours: float = 72) -> Orders:
    """Calls that do it.

    Args:
        chain: the present.
        act: what.
        symbols: of which underlyings; all of them if empty.  A halt is of the whole house.
        hours: of a halt.

    Raises: `BadInput` for an underlying that is not listed or a halt that is too long; `Refused` or `Retry` if the node
        does not answer.
    """
    chosen: tuple[str, ...] = ()
    if act in (Act.HALT, Act.RESUME):
        by = _address(chain.one(_HOUSE, "guardian"))
        calls = [_of_house(chain, act, hours)]
    else:
        chosen = tuple(dict.fromkeys(symbols)) or tuple(chain.underlyings)
        by = _holder(chain, "DEFAULT_ADMIN_ROLE" if act.governed else "GUARDIAN_ROLE")
        calls = [_of_underlying(chain, act, symbol) for symbol in chosen]
    orders = tuple(Order(says=says, call=call, refused=_tried(chain, call, by)) for says, call in calls)
    lock = chain.deployment.addresses.get(TIMELOCK, "")
    nonce = _safe_nonce(chain, by)
    return Orders(
        act=act,
        by=by,
        by_timelock=bool(by) and by.lower() == lock.lower(),
        by_safe=nonce is not None,
        block=chain.block.number,
        time_s=chain.block.timestamp,
        orders=orders,
        symbols=chosen,
        chain_id=chain.rpc.chain_id,
        safe_nonce=nonce or 0,
        safe_tx_hash="" if nonce is None else _signed(chain, orders, by, nonce),
    )


def brakes_of(chain: ChainView) -> tuple[Brake, ...]:
    """How every underlying stands.  Raises: `Refused` or `Retry` if the node does not answer."""
    found = []
    for symbol, number in chain.underlyings.items():
        controls = chain.one(_PARAMETERS, "controls", number)
        found.append(
            Brake(
                symbol=symbol,
                frozen=bool(chain.one(_PARAMETERS, "frozen", number)),
                paused_until_s=int(controls["pausedUntil"]),
                vetoed_until_s=int(controls["noLooseningUntil"]),
                falling=_falling(chain, number),
            )
        )
    return tuple(found)


def guardians_of(chain: ChainView) -> dict[str, str]:
    """Who may do what, by the act; empty where nobody does."""
    house, parameters = _address(chain.one(_HOUSE, "guardian")), _holder(chain, "GUARDIAN_ROLE")
    admin = _holder(chain, "DEFAULT_ADMIN_ROLE")
    return {act: admin if act.governed else house if act in (Act.HALT, Act.RESUME) else parameters for act in Act}


def builder_json(found: Orders) -> dict[str, Any]:
    """The file that a Safe's transaction builder imports."""
    return safe.builder_file(
        [one.call for one in found.orders],
        safe=found.by,
        chain_id=found.chain_id,
        name=f"{found.act} {' '.join(found.symbols)}".strip(),
        description="; ".join(one.says for one in found.orders),
        created_at_ms=found.time_s * 1000,
    )


def changes_toml(found: Orders) -> str:
    """What governance would propose: a CHANGES.toml for `keeper propose`."""
    frozen = "true" if found.act is Act.FREEZE else "false"
    tables = "".join(f'\n[[frozen]]\nunderlying = "{symbol}"\nfrozen = {frozen}\n' for symbol in found.symbols)
    says = "; ".join(one.says for one in found.orders)
    return f'title = "{str(found.act).capitalize()} {", ".join(found.symbols)}"\nsummary = "{says}."\n{tables}'


def _of_house(chain: ChainView, act: Act, hours: float) -> tuple[str, Call]:
    if act is Act.RESUME:
        return "the halt ends; a day must pass before the next one", make_call(chain, _HOUSE, "unpause")
    longest, lasts_s = int(chain.one(_HOUSE, "MAX_PAUSE_S")), round(hours * HOUR_S)
    if not 0 < lasts_s <= longest:
        raise BadInput(f"a halt of {hours:g} hours is not possible", hint=f"at most {longest // HOUR_S} hours")
    says = f"no withdrawals and no trades that raise risk, in any market, for {hours:g} hours; liquidation goes on"
    return says, make_call(chain, _HOUSE, "pause", lasts_s)


def _of_underlying(chain: ChainView, act: Act, symbol: str) -> tuple[str, Call]:
    if symbol not in chain.underlyings:
        raise BadInput(f"there is no underlying {symbol}", hint=f"there are {', '.join(chain.underlyings)}")
    number = chain.underlyings[symbol]
    says = {
        Act.PAUSE: f"nothing of {symbol} is published for {PAUSE_S // HOUR_S} hours; trading and liquidation go on",
        Act.VETO: f"no range of {symbol} falls any further: {_way_down(chain, number)}; nothing lower for a day",
        Act.FREEZE: f"nothing of {symbol} is published until governance thaws it; trading and liquidation go on",
        Act.THAW: f"{symbol} may be published again",
    }[act]
    return says, make_call(chain, _PARAMETERS, str(act), number)


def _falling(chain: ChainView, number: int) -> tuple[tuple[str, int, int], ...]:
    target = chain.view("RiskFile", "slew", number)["target"]
    live = chain.one("RiskFile", "header", number, 0)
    return tuple((name, live[key], target[key]) for name, key in RANGES if live[key] > target[key])


def _way_down(chain: ChainView, number: int) -> str:
    rows = [f"{name} stays at {old / 1e4:g} % (was on its way to {new / 1e4:g} %)" for name, old, new
            in _falling(chain, number)]  # fmt: skip
    return ", ".join(rows) or "none is on its way down"


def _tried(chain: ChainView, call: Call, by: str) -> str:
    """What the contract says to the call now, from whoever may make it; empty if it goes through."""
    if not by:
        return "nobody holds the role"
    try:
        chain.rpc.call_at(chain.block, call.target, call.data, sender=by)
    except Reverted as error:
        return explain_revert(error.data, map(chain.abi, (_PARAMETERS, _HOUSE)))
    return ""


def _holder(chain: ChainView, name: str) -> str:
    """Somebody who holds a role of the parameters: the address that is known otherwise first, then by the log."""
    role = bytes(32) if name == "DEFAULT_ADMIN_ROLE" else keccak(text=name)

    def holding(candidates: Iterable[str]) -> str:
        held = (one for one in candidates if one and chain.one(_PARAMETERS, "hasRole", role, one))
        return next(held, "")

    known = chain.deployment.addresses
    likely = (known.get(TIMELOCK, ""), known.get(SAFE, "")) if not any(role) else (chain.one(_HOUSE, "guardian"),)
    if found := holding(likely):
        return to_checksum_address(found)
    granted = chain.events(_PARAMETERS, "RoleGranted", at=chain.address(_PARAMETERS), since=chain.deployment.block)
    latest = reversed([event["account"] for event in granted if event["role"] == role])
    return _address(holding(dict.fromkeys(latest)))


def _address(given: str) -> str:
    return to_checksum_address(given) if given and given != ZERO else ""


def _safe_nonce(chain: ChainView, at: str) -> int | None:
    """Its next nonce; None if it is no Safe."""
    if not at or not chain.has_code(at):
        return None
    try:
        safe_view(chain, at, "getThreshold")
        return int(safe_view(chain, at, "nonce"))
    except (BadInput, Refused):
        return None


def _signed(chain: ChainView, orders: Sequence[Order], at: str, nonce: int) -> str:
    if len(orders) > 1 and not chain.has_code(safe.MULTI_SEND):
        return ""
    tx = safe.safe_tx([one.call for one in orders], nonce=nonce)
    return "0x" + safe.safe_tx_hash(tx, safe=at, chain_id=chain.rpc.chain_id).hex()
