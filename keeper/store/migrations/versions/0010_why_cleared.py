"""Why an operator took a floor back.

Written once and never edited.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("overrides") as batch:
        batch.add_column(
            sa.Column("cleared_why", sa.Text(), server_default="", nullable=False, comment="empty if nobody said")
        )


def downgrade() -> None:
    """Undo; the reasons are lost, the floors and who took them back stay."""
    with op.batch_alter_table("overrides") as batch:
        batch.drop_column("cleared_why")
