"""The JSON Schema of every document, made from the models that read them."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from keeper.documents.market import MarketDocument
from keeper.documents.portfolio import OrdersDocument, PortfolioDocument

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

#: What the parts are called in the schema's `$defs`.
DOCUMENTS: Final[dict[str, type[BaseModel]]] = {
    "market": MarketDocument,
    "portfolio": PortfolioDocument,
    "orders": OrdersDocument,
}


def schema() -> dict[str, Any]:
    """One schema that a market, a portfolio and a list of orders each satisfy; `$defs` holds each alone."""
    where, together = models_json_schema([(model, "validation") for model in DOCUMENTS.values()])
    return {
        "$schema": DIALECT,
        "title": "Documents of keeper margin",
        "description": "A market, a portfolio, or orders. An editor finds one of them at #/$defs/MarketDocument, "
        "PortfolioDocument and OrdersDocument.",
        "anyOf": [where[model, "validation"] for model in DOCUMENTS.values()],
        "$defs": together["$defs"],
    }
