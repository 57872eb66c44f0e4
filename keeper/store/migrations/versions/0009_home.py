"""Whose memory a store is: the house that the newest stored block was seen in.

Where no stored block tells, whoever opens the store next says so.

Written once and never edited.
"""

from __future__ import annotations

import json
import zlib

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Apply."""
    home = op.create_table(
        "home",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False, comment="always 1"),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("house", sa.String(length=42), nullable=False, comment="checksummed address"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_home")),
    )
    connection = op.get_bind()
    snapshots = sa.table("snapshots", sa.column("seq", sa.BigInteger()), sa.column("payload", sa.LargeBinary()))
    newest = sa.select(snapshots.c.payload).order_by(snapshots.c.seq.desc()).limit(1)
    found = _told(connection.scalar(newest))
    if found is not None:
        connection.execute(sa.insert(home).values(id=1, chain_id=found[0], house=found[1]))


def downgrade() -> None:
    """Undo."""
    op.drop_table("home")


def _told(payload: bytes | None) -> tuple[int, str] | None:
    """Chain and house that a block's inputs name; None if there are none, or of a version that named none."""
    if payload is None:
        return None
    try:
        deployed = json.loads(zlib.decompress(bytes(payload)))["snapshot"].get("deployed")
    except (zlib.error, ValueError, KeyError, TypeError, AttributeError):
        return None  # damaged: whoever reads it says so
    if deployed is None:
        return None
    house = dict(deployed["contracts"]).get("ClearingHouse")
    return None if house is None else (int(deployed["chain_id"]), str(house))
