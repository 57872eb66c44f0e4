"""`keeper override`."""

from __future__ import annotations

import getpass
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import typer

from keeper.cli.negatives import Negatives
from keeper.cli.options import DEFAULT_CONFIG, Config, Json, settings_of
from keeper.cli.show.answer import answer, console
from keeper.cli.show.overrides import cleared_line, override_tree, overrides_tree, overrides_view
from keeper.cli.waiting import waiting
from keeper.control.overrides import clear_floor, set_floor
from keeper.domain.overrides import Override
from keeper.errors import BadInput, KeeperError
from keeper.offline import recall, tickers
from keeper.settings import Settings

SHAPE = Negatives
EXAMPLE = """keeper override set ETH.scan_range 18% --for 24h --reason "a fork is announced"
keeper override list
keeper override clear 3 --reason "the fork is over"
keeper override list --all"""


class Step(StrEnum):
    """What to do about floors."""

    SET = "set"
    LIST = "list"
    CLEAR = "clear"


def override(
    step: Annotated[
        Step,
        typer.Argument(
            help="set PARAMETER SHARE: set a floor. list: tell all. clear NUMBER: take one back.", show_default=False
        ),
    ],
    what: Annotated[
        str, typer.Argument(metavar="PARAMETER|NUMBER", help="As in ETH.scan_range; for clear a number.")
    ] = "",
    share: Annotated[str, typer.Argument(metavar="SHARE", help="As in 18% or 180000ppm.")] = "",
    *,
    lasts: Annotated[str, typer.Option("--for", metavar="TIME", help="30m, 24h, 7d; 90 days at most.")] = "24h",
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, to set or clear. It is kept and shown.")
    ] = "",
    operator: Annotated[str, typer.Option("--operator", metavar="NAME", help="Who; your login if left out.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="For list: lapsed and cleared ones too.")] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Set, list or clear a floor under a parameter by hand.

    While it stands no lower value is aimed at: the target is raised to it, and shown with it, its operator and its
    reason. It still moves inside fences and through the impact gate. It lapses by itself; a range that it held up is
    lowered once loosen_after_s has passed since, however long a lower target had been there. Parameters are
    TICKER.NAME with scan_range, vol_up, vol_down, and volatility, which lifts every expiry at the money. None is
    ever forgotten: list --all tells who set what, when and why, and who took it back, when and why. Of several under
    one parameter the highest counts, and each other one says so; one above what the fences allow is held at their end,
    and says so.

    A floor begins and ends by the chain's time, so the newest block is asked for it; where no node answers, this
    machine's clock is taken and said on stderr.

    The running keeper sees it with its next block. Exit codes: 0 when done; 2 for whatever cannot be used.
    """
    settings = settings_of(config)
    store = recall(settings)
    found: tuple[Override, ...]
    cleared: Override | None = None
    who, (now, doubt) = operator or _login(), _now(settings)
    try:
        symbols = tickers(settings, store)
        if step is Step.SET:
            found = (
                set_floor(
                    store,
                    symbols,
                    what=what,
                    floor=share,
                    lasts=lasts,
                    reason=reason,
                    operator=who,
                    now_s=now,
                ),
            )
        elif step is Step.CLEAR:
            if not what.isascii() or not what.isdecimal() or len(what) > 18:  # beyond the store's integers
                raise BadInput(f"{what!r} is no floor's number", hint="see keeper override list")
            clear_floor(store, int(what), operator=who, reason=reason, now_s=now)
            cleared = next(one for one in store.overrides() if one.number == int(what))
            found = store.overrides(at_s=now)
        else:
            found = store.overrides(at_s=None if everything else now)
        told: Mapping[int, str] = {}
        reasons = store.cleared_why()
        if any(one.stands(now) for one in found):
            from keeper.ops.floors import remarks  # noqa: PLC0415 - reading a stored block brings numpy along

            told = remarks(store, found, now_s=now)
    finally:
        store.close()
    if doubt:
        typer.echo(doubt, err=True)
    if as_json:
        one = {} if cleared is None else {"cleared": override_tree(cleared, symbols, reasons, now_s=now)}
        answer(overrides_tree(found, symbols, told, reasons, now_s=now) | one)
    else:
        if cleared is not None:
            console().print(cleared_line(cleared, symbols, reasons))
        console().print(overrides_view(found, symbols, told, reasons, now_s=now))


def _now(settings: Settings) -> tuple[int, str]:
    """Unix seconds by which floors begin and end, and why these are not the chain's; empty if they are."""
    from keeper.wiring.moment import head_time_s  # noqa: PLC0415 - an RPC client is slow to import

    try:
        with waiting(settings):
            return head_time_s(settings), ""
    except KeeperError as error:
        now = int(time.time())
        said = "counted by this machine's clock, while floors begin and end by the chain's"
        return now, f"no node tells the chain's time ({error.message}): {said}"


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a password file
        return ""
