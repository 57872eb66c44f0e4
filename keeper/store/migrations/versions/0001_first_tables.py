"""The first tables: transactions, cycles, snapshots, progress, margin calls, oracle rounds.

Written once and never edited: what `keeper.store.tables` says today is reached by later migrations.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from keeper.store.types import Int256, UInt256

revision = "0001"
down_revision = None


def _sequence() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "cycles",
        sa.Column("seq", _sequence(), autoincrement=True, nullable=False),
        sa.Column("block_hash", sa.String(length=66), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("parent_hash", sa.String(length=66), nullable=False),
        sa.Column("block_time_s", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False, comment="canonical bytes of the CycleRecord"),
        sa.Column("orphaned", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_cycles")),
        sa.UniqueConstraint("block_hash", name=op.f("uq_cycles_block_hash")),
    )
    op.create_index(op.f("ix_cycles_block_number"), "cycles", ["block_number"], unique=False)
    op.create_table(
        "heartbeats",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("at_s", sa.BigInteger(), nullable=False),
        sa.Column("progress", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeats")),
    )
    op.create_table(
        "intents",
        sa.Column("seq", _sequence(), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("intent", sa.LargeBinary(), nullable=False, comment="canonical bytes of the TxIntent"),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("sender", sa.String(length=42), nullable=True),
        sa.Column("nonce", sa.BigInteger(), nullable=True),
        sa.Column("mined", sa.LargeBinary(), nullable=True, comment="canonical bytes of the BlockRef"),
        sa.Column("mined_hash", sa.String(length=66), nullable=True),
        sa.Column("gas_used", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_intents")),
        sa.UniqueConstraint("key", name=op.f("uq_intents_key")),
    )
    op.create_index(op.f("ix_intents_state"), "intents", ["state"], unique=False)
    op.create_index(
        "uq_intents_nonce",
        "intents",
        ["sender", "nonce"],
        unique=True,
        sqlite_where=sa.text("state IN ('final', 'reverted')"),
        postgresql_where=sa.text("state IN ('final', 'reverted')"),
    )
    op.create_index(
        "uq_intents_open",
        "intents",
        ["kind", "subject"],
        unique=True,
        sqlite_where=sa.text("state IN ('planned', 'signed', 'sent', 'mined')"),
        postgresql_where=sa.text("state IN ('planned', 'signed', 'sent', 'mined')"),
    )
    op.create_table(
        "notices",
        sa.Column("seq", _sequence(), autoincrement=True, nullable=False),
        sa.Column("account", UInt256(), nullable=False),
        sa.Column("block_hash", sa.String(length=66), nullable=False),
        sa.Column("block", sa.LargeBinary(), nullable=False, comment="canonical bytes of the BlockRef"),
        sa.Column("health_ppm", UInt256(), nullable=False),
        sa.Column("equity", Int256(), nullable=False),
        sa.Column("mm", UInt256(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_notices")),
        sa.UniqueConstraint("account", "block_hash", name=op.f("uq_notices_account_block_hash")),
    )
    op.create_index(op.f("ix_notices_ended"), "notices", ["ended"], unique=False)
    op.create_table(
        "price_history",
        sa.Column("underlying", UInt256(), nullable=False),
        sa.Column("at_s", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("price", UInt256(), nullable=False),
        sa.Column("block_hash", sa.String(length=66), nullable=False, comment="block that first showed this price"),
        sa.PrimaryKeyConstraint("underlying", "at_s", name=op.f("pk_price_history")),
    )
    op.create_index(op.f("ix_price_history_block_hash"), "price_history", ["block_hash"], unique=False)
    op.create_table(
        "snapshots",
        sa.Column("seq", _sequence(), autoincrement=True, nullable=False),
        sa.Column("block_hash", sa.String(length=66), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False, comment="zlib of the canonical bytes"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_snapshots")),
        sa.UniqueConstraint("block_hash", name=op.f("uq_snapshots_block_hash")),
    )
    op.create_table(
        "sync",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False, comment="always 1"),
        sa.Column("cursor", sa.LargeBinary(), nullable=False, comment="canonical bytes of the BlockRef"),
        sa.Column("state", sa.LargeBinary(), nullable=False, comment="zlib of the log index's canonical bytes"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync")),
    )
    op.create_table(
        "attempts",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False, comment="0 is the first attempt"),
        sa.Column("tx_hash", sa.String(length=66), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("max_fee_wei", UInt256(), nullable=False),
        sa.Column("priority_fee_wei", UInt256(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["key"], ["intents.key"], name=op.f("fk_attempts_key")),
        sa.PrimaryKeyConstraint("key", "position", name=op.f("pk_attempts")),
        sa.UniqueConstraint("tx_hash", name=op.f("uq_attempts_tx_hash")),
    )
