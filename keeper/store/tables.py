"""The tables.  Migrations in `keeper/store/migrations` build them; a test checks that both say the same.

What never changes after it was written is kept as canonical bytes (`keeper.domain.codec`), with the columns beside it
that we look things up by.  What moves has columns of its own.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from keeper.domain.tx import TxState
from keeper.store.types import Int256, UInt256

#: Names for constraints, so that a later migration can name what it drops.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: Insertion order.  SQLite only counts by itself in a column that is exactly INTEGER PRIMARY KEY.
_Sequence = BigInteger().with_variant(Integer(), "sqlite")

OPEN_STATES = tuple(state for state in TxState if state.is_open)

_is_open = text("state IN ('planned', 'signed', 'sent', 'mined')")
_used_its_nonce = text("state IN ('final', 'reverted')")

intents = Table(
    "intents",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=True),
    Column("key", String(200), nullable=False, unique=True),
    Column("kind", String(40), nullable=False),
    Column("subject", String(120), nullable=False),
    Column("intent", LargeBinary, nullable=False, comment="canonical bytes of the TxIntent"),
    Column("state", String(16), nullable=False, index=True),
    Column("sender", String(42)),
    Column("nonce", BigInteger),
    Column("mined", LargeBinary, comment="canonical bytes of the BlockRef"),
    Column("mined_hash", String(66)),
    Column("gas_used", BigInteger),
    Column("reason", Text, nullable=False, default=""),
    # One open intent per (kind, subject): two racing decisions cannot both be sent.
    Index("uq_intents_open", "kind", "subject", unique=True, sqlite_where=_is_open, postgresql_where=_is_open),
    # TX-1: at most one record per nonce ends FINAL (or REVERTED: that used the nonce too).
    Index(
        "uq_intents_nonce",
        "sender",
        "nonce",
        unique=True,
        sqlite_where=_used_its_nonce,
        postgresql_where=_used_its_nonce,
    ),
)

attempts = Table(
    "attempts",
    metadata,
    Column("key", ForeignKey("intents.key"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False, comment="0 is the first attempt"),
    Column("tx_hash", String(66), nullable=False, unique=True),
    Column("raw", LargeBinary, nullable=False),
    Column("max_fee_wei", UInt256, nullable=False),
    Column("priority_fee_wei", UInt256, nullable=False),
    Column("block_number", BigInteger, nullable=False),
    Column("cancels", Boolean, nullable=False, server_default=false(), comment="only uses up the nonce"),
)

cycles = Table(
    "cycles",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=True),
    Column("block_hash", String(66), nullable=False, unique=True),
    Column("block_number", BigInteger, nullable=False, index=True),
    Column("parent_hash", String(66), nullable=False),
    Column("block_time_s", BigInteger, nullable=False),
    Column("record", LargeBinary, nullable=False, comment="canonical bytes of the CycleRecord"),
    Column("orphaned", Boolean, nullable=False, default=False),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=True),
    Column("block_hash", String(66), nullable=False, unique=True),
    Column("payload", LargeBinary, nullable=False, comment="zlib of the canonical bytes"),
    Column("roster", BigInteger, nullable=True, comment="its accounts; null: they are in the payload"),
)

rosters = Table(
    "rosters",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=True),
    Column("base", BigInteger, nullable=True, comment="roster that this is a change of; null: whole"),
    Column("payload", LargeBinary, nullable=False, comment="zlib of the Roster's bytes, or the Change's"),
)

# Row 1 is a whole state, the rows after it continue it; the comment in the schema is from before there were any.
sync = Table(
    "sync",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="always 1"),
    Column("cursor", LargeBinary, nullable=False, comment="canonical bytes of the BlockRef"),
    Column("state", LargeBinary, nullable=False, comment="zlib of the log index's canonical bytes"),
)

home = Table(
    "home",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="always 1"),
    Column("chain_id", BigInteger, nullable=False),
    Column("house", String(42), nullable=False, comment="checksummed address"),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("at_s", BigInteger, nullable=False),
    Column("progress", BigInteger, nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=True),
    Column("account", UInt256, nullable=False),
    Column("block_hash", String(66), nullable=False),
    Column("block", LargeBinary, nullable=False, comment="canonical bytes of the BlockRef"),
    Column("health_ppm", UInt256, nullable=False),
    Column("equity", Int256, nullable=False),
    Column("mm", UInt256, nullable=False),
    Column("why", Text, nullable=False),
    Column("ended", Boolean, nullable=False, default=False, index=True),
    UniqueConstraint("account", "block_hash"),
)

price_history = Table(
    "price_history",
    metadata,
    Column("underlying", UInt256, primary_key=True),
    Column("at_s", BigInteger, primary_key=True, autoincrement=False),
    Column("price", UInt256, nullable=False),
    Column("block_hash", String(66), nullable=False, index=True, comment="block that first showed this price"),
)

refusals = Table(
    "refusals",
    metadata,
    Column("kind", String(40), primary_key=True),
    Column("subject", String(120), primary_key=True),
    Column("count", Integer, nullable=False, comment="times in a row"),
    Column("last_block", BigInteger, nullable=False),
    Column("about", String(64), nullable=False, comment="fingerprint of the subject's state"),
)

realised = Table(
    "realised",
    metadata,
    Column("key", ForeignKey("intents.key"), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("subject", String(120), nullable=False),
    Column("at_s", BigInteger, nullable=False, index=True),
    Column("beneficiary", UInt256, comment="account that was to be credited"),
    Column("gain_usd", Int256, comment="wad; null is unknown"),
    Column("gas_wei", UInt256, nullable=False),
    Column("native_usd", UInt256, comment="wad; null is unknown"),
    Column("note", Text, nullable=False, default=""),
    Column("via", String(16), nullable=False, default="", comment="public or relay; empty where no relay was tried"),
    Column("waited_blocks", Integer, comment="from the first signature to the block"),
)

sends = Table(
    "sends",
    metadata,
    Column("key", ForeignKey("intents.key"), primary_key=True),
    Column("via", String(16), primary_key=True, comment="public or relay"),
    Column("block_number", BigInteger, nullable=False, comment="head when it first went out this way"),
)

publication_inputs = Table(
    "publication_inputs",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=True),
    Column("hash", String(66), nullable=False, unique=True, comment="0x sha-256 of the file's bytes"),
    Column("underlying", UInt256, nullable=False),
    Column("symbol", String(40), nullable=False),
    Column("publication", BigInteger, nullable=False, comment="id that was decided"),
    Column("block_number", BigInteger, nullable=False),
    Column("model", Integer, nullable=False),
    Column("why", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False, comment="zlib of the file's bytes"),
    Index("ix_publication_inputs_symbol", "symbol", "publication"),
)

overrides = Table(
    "overrides",
    metadata,
    Column("number", _Sequence, primary_key=True, autoincrement=True),
    Column("underlying", UInt256, nullable=False),
    Column("parameter", String(20), nullable=False),
    Column("floor_ppm", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("operator", Text, nullable=False),
    Column("set_at_s", BigInteger, nullable=False),
    Column("expires_at_s", BigInteger, nullable=False),
    Column("cleared_at_s", BigInteger, comment="null while nobody took it back"),
    Column("cleared_by", Text, nullable=False),
    Column("cleared_why", Text, nullable=False, server_default="", comment="empty if nobody said"),
)

model_sign_offs = Table(
    "model_sign_offs",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=True),
    Column("version", Integer, nullable=False),
    Column("operator", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at_s", BigInteger, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("shadowed_blocks", BigInteger, nullable=False, server_default=text("0"), comment="before"),
    Column("knobs", String(66), nullable=False, server_default="", comment="0x sha-256"),
)

shadow_runs = Table(
    "shadow_runs",
    metadata,
    Column("number", _Sequence, primary_key=True, autoincrement=True),
    Column("model", Integer, nullable=False),
    Column("symbol", String(40), nullable=False, comment="empty: every underlying"),
    Column("begun_s", BigInteger, nullable=False),
    Column("first_block", BigInteger, nullable=False),
    Column("last_block", BigInteger, nullable=False),
    Column("last_hash", String(66), nullable=False),
    Column("blocks", BigInteger, nullable=False, comment="that were looked at"),
    Column("numbers", Text, nullable=False, comment="live and shadow side by side, one line each"),
    Column("knobs", String(66), nullable=False, server_default="", comment="0x sha-256"),
)
