"""Floors under parameters that operators set by hand.

Written once and never edited.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from keeper.store.types import UInt256

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "overrides",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("underlying", UInt256(), nullable=False),
        sa.Column("parameter", sa.String(length=20), nullable=False),
        sa.Column("floor_ppm", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("set_at_s", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_s", sa.BigInteger(), nullable=False),
        sa.Column("cleared_at_s", sa.BigInteger(), nullable=True, comment="null while nobody took it back"),
        sa.Column("cleared_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_overrides")),
    )
