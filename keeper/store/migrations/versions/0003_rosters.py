"""Accounts of a block by what changed; reports of cycles as their summaries.

Inputs stored before keep their accounts with them and replay as ever.  Records of cycles are rewritten: of each report
the summary and its digest stay, which a replay gives again, and the margins of every single account go.

Written once and never edited.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from keeper.domain.margin import AccountMargin, Unpriced
from keeper.domain.plans import plan_of
from keeper.domain.report import MarginReport

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "rosters",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("base", sa.BigInteger(), nullable=True, comment="roster that this is a change of; null: whole"),
        sa.Column("payload", sa.LargeBinary(), nullable=False, comment="zlib of the Roster's bytes, or the Change's"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_rosters")),
    )
    op.add_column(
        "snapshots",
        sa.Column("roster", sa.BigInteger(), nullable=True, comment="its accounts; null: they are in the payload"),
    )
    cycles = sa.table("cycles", sa.column("seq", sa.BigInteger()), sa.column("record", sa.LargeBinary()))
    connection = op.get_bind()
    for seq in list(connection.scalars(sa.select(cycles.c.seq))):
        record = json.loads(connection.execute(sa.select(cycles.c.record).where(cycles.c.seq == seq)).scalar_one())
        report = record["decision"]["report"]
        if "accounts" in report and isinstance(report["accounts"], list):
            record["decision"]["report"] = _summary(report)
            written = json.dumps(record, separators=(",", ":")).encode("ascii")
            connection.execute(sa.update(cycles).where(cycles.c.seq == seq).values(record=written))


def _summary(report: dict[str, Any]) -> Any:
    margins = plan_of(tuple[AccountMargin | Unpriced, ...])
    tables = {name: margins.decode(report[name]) for name in ("accounts", "refreshed", "previous")}
    return plan_of(MarginReport).encode(MarginReport(**tables))
