"""What came to nothing, what came of the rest, and which way each intent went out.

Written once and never edited.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from keeper.store.types import Int256, UInt256

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "refusals",
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False, comment="times in a row"),
        sa.Column("last_block", sa.BigInteger(), nullable=False),
        sa.Column("about", sa.String(length=64), nullable=False, comment="fingerprint of the subject's state"),
        sa.PrimaryKeyConstraint("kind", "subject", name=op.f("pk_refusals")),
    )
    op.create_table(
        "realised",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("at_s", sa.BigInteger(), nullable=False),
        sa.Column("beneficiary", UInt256(), nullable=True, comment="account that was to be credited"),
        sa.Column("gain_usd", Int256(), nullable=True, comment="wad; null is unknown"),
        sa.Column("gas_wei", UInt256(), nullable=False),
        sa.Column("native_usd", UInt256(), nullable=True, comment="wad; null is unknown"),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column(
            "via", sa.String(length=16), nullable=False, comment="public or relay; empty where no relay was tried"
        ),
        sa.Column("waited_blocks", sa.Integer(), nullable=True, comment="from the first signature to the block"),
        sa.ForeignKeyConstraint(["key"], ["intents.key"], name=op.f("fk_realised_key")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_realised")),
    )
    op.create_index(op.f("ix_realised_at_s"), "realised", ["at_s"], unique=False)
    op.create_table(
        "sends",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("via", sa.String(length=16), nullable=False, comment="public or relay"),
        sa.Column("block_number", sa.BigInteger(), nullable=False, comment="head when it first went out this way"),
        sa.ForeignKeyConstraint(["key"], ["intents.key"], name=op.f("fk_sends_key")),
        sa.PrimaryKeyConstraint("key", "via", name=op.f("pk_sends")),
    )
