"""Shadow runs of a model, and how long one was before its model was signed off.

Written once and never edited.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "shadow_runs",
        sa.Column("number", _SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("model", sa.Integer(), nullable=False),
        sa.Column("symbol", sa.String(length=40), nullable=False, comment="empty: every underlying"),
        sa.Column("begun_s", sa.BigInteger(), nullable=False),
        sa.Column("first_block", sa.BigInteger(), nullable=False),
        sa.Column("last_block", sa.BigInteger(), nullable=False),
        sa.Column("last_hash", sa.String(length=66), nullable=False),
        sa.Column("blocks", sa.BigInteger(), nullable=False, comment="that were looked at"),
        sa.Column("numbers", sa.Text(), nullable=False, comment="live and shadow side by side, one line each"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_shadow_runs")),
    )
    with op.batch_alter_table("model_sign_offs") as batch:
        batch.add_column(
            sa.Column("shadowed_blocks", sa.BigInteger(), server_default=sa.text("0"), nullable=False, comment="before")
        )


def downgrade() -> None:
    """Undo; shadow runs are lost."""
    with op.batch_alter_table("model_sign_offs") as batch:
        batch.drop_column("shadowed_blocks")
    op.drop_table("shadow_runs")
