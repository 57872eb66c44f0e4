"""The answer to a market, a portfolio and perhaps orders: what is required before, and after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from keeper.documents.fit import check_fit
from keeper.documents.market import MarketDocument
from keeper.documents.names import parse
from keeper.documents.portfolio import OrdersDocument, PortfolioDocument
from keeper.documents.priced import Priced
from keeper.documents.quoted import with_quotes
from keeper.documents.read import Document, check, read_json
from keeper.documents.remarks import remarks
from keeper.documents.to_market import price_market
from keeper.documents.to_portfolio import portfolio_of
from keeper.documents.trade import Fill, traded
from keeper.errors import BadInput
from keeper.risk.kernel.margin import margin
from keeper.risk.kernel.portfolio import Holding, Portfolio
from keeper.risk.kernel.preset import Currency, Preset
from keeper.risk.kernel.requirement import Requirement, Unpriced


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What an account must hold under one preset, and what would change with its orders."""

    preset: str
    as_of: datetime
    before: Requirement | Unpriced
    after: Requirement | Unpriced | None = None
    """None where no orders were given."""
    sizes: Mapping[str, float] = field(default_factory=dict)
    """Of each position of `final`, by the name its lines have."""
    fills: tuple[Fill, ...] = ()
    """One per order; empty where an order has no price."""
    notes: tuple[str, ...] = ()
    """What the preset would look at and the market does not tell, or tells in vain."""

    @property
    def final(self) -> Requirement | Unpriced:
        """The account after its orders, if there are any."""
        return self.before if self.after is None else self.after


def evaluate(
    preset: Preset,
    market: MarketDocument,
    portfolio: PortfolioDocument,
    orders: OrdersDocument | None = None,
    *,
    folder: Path,
) -> Evaluation:
    """Value documents under a preset.

    Args:
        preset: the rule.
        market: prices at one time.
        portfolio: what the account holds.
        orders: taken as filled for the second half of the answer.
        folder: where the market's histories are relative to.

    Raises: `BadInput` naming the field that the preset needs and the documents do not have.
    """
    written = [lot.instrument for lot in portfolio.positions]
    written += [order.instrument for order in orders.orders] if orders else []
    names = [parse(text) for text in written]
    market = with_quotes(market, folder)
    check_fit(preset, market, portfolio, names)
    priced = price_market(market, folder, traded=names, in_coin=preset.currency is Currency.COIN)
    account = portfolio_of(portfolio, priced)
    before = _required(preset, account, priced)
    fills: tuple[Fill, ...] = ()
    after: Requirement | Unpriced | None = None
    if orders is not None:
        done = traded(portfolio, orders, priced)
        fills = () if isinstance(done, Unpriced) else done.fills
        account = done if isinstance(done, Unpriced) else portfolio_of(done.portfolio, priced)
        after = _required(preset, account, priced)
    return Evaluation(
        preset=preset.name,
        as_of=market.as_of,
        before=before,
        after=after,
        sizes={} if isinstance(account, Unpriced) else sizes_of(account),
        fills=fills,
        notes=remarks(preset, market, portfolio, names) + _notes(before if after is None else after),
    )


#: Of each kind of document its option, and what it is.
_KINDS: Final[Mapping[type[Document], tuple[str, str]]] = {
    MarketDocument: ("--market", "a market"),
    PortfolioDocument: ("--portfolio", "a portfolio"),
    OrdersDocument: ("--what-if", "a list of orders"),
}
D = TypeVar("D", bound=Document)


def evaluate_files(preset: Preset, market: Path, portfolio: Path, orders: Path | None = None) -> Evaluation:
    """`evaluate` of documents in files; histories are relative to the market's."""
    return evaluate(
        preset,
        _read(market, MarketDocument),
        _read(portfolio, PortfolioDocument),
        None if orders is None else _read(orders, OrdersDocument),
        folder=market.parent,
    )


def _read(path: Path, model: type[D]) -> D:
    """`read_document`; a sound document of another kind is called by its name.  Raises: `BadInput`."""
    tree = read_json(path)
    try:
        return check(tree, model, where=str(path))
    except BadInput as wrong:
        for kind, (option, said) in _KINDS.items():
            if kind is not model and _is_a(tree, kind):
                raise BadInput(
                    f"{path}: is {said}, not {_KINDS[model][1]}", hint=f"give it as {option}: are the files swapped?"
                ) from wrong
        raise


def _is_a(tree: Any, kind: type[Document]) -> bool:
    try:
        check(tree, kind, where="")
    except BadInput:
        return False
    return True


def _notes(required: Requirement | Unpriced) -> tuple[str, ...]:
    return () if isinstance(required, Unpriced) else required.notes


def _required(preset: Preset, account: Portfolio | Unpriced, priced: Priced) -> Requirement | Unpriced:
    return account if isinstance(account, Unpriced) else margin(priced.market, account, preset)


def compare_files(
    presets: Iterable[Preset],
    market: Path,
    portfolio: Path,
    orders: Path | None = None,
    *,
    begun: Callable[[Preset], None] = lambda _: None,
) -> dict[str, Evaluation | BadInput]:
    """`evaluate_files` under each preset; one that has no rule for the documents answers with its refusal.

    Args:
        presets: in the order of the answer.
        market: file of the market.
        portfolio: file of the account.
        orders: file of what-if orders.
        begun: told of each preset before it is looked at.

    Raises: `BadInput` if none of them has one.
    """
    found: dict[str, Evaluation | BadInput] = {}
    for preset in presets:
        begun(preset)
        try:
            found[preset.name] = evaluate_files(preset, market, portfolio, orders)
        except BadInput as refused:
            found[preset.name] = refused
    if not any(isinstance(one, Evaluation) for one in found.values()):
        raise next(one for one in found.values() if isinstance(one, BadInput))
    return found


def sizes_of(account: Portfolio) -> dict[str, float]:
    """Of each position, by the name its lines have."""
    return {one.name: one.amount if isinstance(one, Holding) else one.size for one in account.positions}
