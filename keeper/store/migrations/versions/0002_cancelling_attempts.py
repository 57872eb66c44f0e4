"""Attempts say whether they only use up their nonce.

Written once and never edited.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Apply.  What was signed before this revision never cancelled anything."""
    op.add_column(
        "attempts",
        sa.Column("cancels", sa.Boolean(), nullable=False, server_default=sa.false(), comment="only uses up the nonce"),
    )
