"""Digests of the knobs with which a model ran in the shadow, and with which it was signed off.

Written once and never edited.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Apply."""
    for table in ("shadow_runs", "model_sign_offs"):
        with op.batch_alter_table(table) as batch:
            batch.add_column(
                sa.Column("knobs", sa.String(length=66), server_default="", nullable=False, comment="0x sha-256")
            )


def downgrade() -> None:
    """Undo; the digests are lost."""
    for table in ("shadow_runs", "model_sign_offs"):
        with op.batch_alter_table(table) as batch:
            batch.drop_column("knobs")
