"""What publications were made from, and which models may push.

Written once and never edited.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from keeper.store.types import UInt256

revision = "0005"
down_revision = "0004"

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "publication_inputs",
        sa.Column("seq", _SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("hash", sa.String(length=66), nullable=False, comment="0x sha-256 of the file's bytes"),
        sa.Column("underlying", UInt256(), nullable=False),
        sa.Column("symbol", sa.String(length=40), nullable=False),
        sa.Column("publication", sa.BigInteger(), nullable=False, comment="id that was decided"),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("model", sa.Integer(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False, comment="zlib of the file's bytes"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_publication_inputs")),
        sa.UniqueConstraint("hash", name=op.f("uq_publication_inputs_hash")),
    )
    op.create_index(op.f("ix_publication_inputs_symbol"), "publication_inputs", ["symbol", "publication"], unique=False)
    op.create_table(
        "model_sign_offs",
        sa.Column("seq", _SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_s", sa.BigInteger(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_model_sign_offs")),
    )
