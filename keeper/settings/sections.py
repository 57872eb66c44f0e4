"""The sections of the settings file.  The docstring under each key is its comment in the file `keeper init` writes."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from keeper.domain.action import SENT_KINDS
from keeper.domain.knobs import PolicyKnobs, RiskKnobs
from keeper.settings.keys import Keys
from keeper.settings.secret import Secret
from keeper.settings.section import Section

_WEI_PER_GWEI = 10**9
_WEI_PER_ETH = 10**18


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


class Chain(Section):
    """Where the chain is."""

    rpc_urls: Annotated[tuple[Secret, ...], BeforeValidator(_split), Field(min_length=1)] = (
        Secret("http://127.0.0.1:8545"),
    )
    """Endpoints of one chain, best first: http, https, ws and wss mixed.  One over a WebSocket also announces new
    blocks.  They often carry an API key, so they are never shown.  Two of different providers are worth having."""
    chain_id: int = Field(default=31337, ge=1)
    """Refuse to run if an endpoint says otherwise.  1 is Ethereum; 31337 a local test chain."""
    confirmations: int = Field(default=12, ge=0, le=10_000)
    """Blocks on top of a block before it counts as final."""
    settle_on: Literal["confirmations", "safe", "finalized"] = "confirmations"
    """When a mined transaction counts as final.  safe and finalized are the node's own tags; where it does not know
    them, confirmations stand in.  Actions are always taken on the head."""
    settle_on_by_action: Annotated[tuple[str, ...], BeforeValidator(_split)] = ()
    """KIND=RULE where a kind of action settles otherwise (publish=finalized, refresh=2); a number is confirmations."""
    reorg_depth: int = Field(default=64, ge=1, le=10_000)
    """Blocks that a reorg may replace: how many are remembered one by one, and how far below the head the account
    index is kept ready to be rolled back.  Never less than confirmations."""
    multicall: str = ""
    """Address of a Multicall3.  Empty: the deployment file's, else the usual address if the chain has code there."""
    poll_interval_s: float = Field(default=2.0, gt=0, le=600)
    """Seconds between two questions for a new block where no endpoint announces one."""
    request_timeout_s: float = Field(default=10.0, gt=0, le=600)
    """Seconds after which an endpoint counts as silent."""
    quorum: int = Field(default=0, ge=0, le=100)
    """Endpoints that must have the same block before anything is sent on it.  0 demands none; a contradiction between
    two endpoints stops sending all the same.  2 of 3 outvotes one that lies; 2 of 2 also stops when one is down."""
    max_head_age_s: int = Field(default=120, ge=0, le=86_400)
    """An endpoint whose newest block is further than this from the clock is not asked until it catches up.  0 leaves
    that alone, as do local test chains (1337, 31337), which make blocks when asked to."""
    max_head_lag_blocks: int = Field(default=5, ge=1, le=10_000)
    """An endpoint that is more blocks than this behind the best of the others is not asked until it catches up."""
    retries: int = Field(default=3, ge=0, le=20)
    """Further rounds over all endpoints where none answered, after pauses that double from a quarter of a second."""
    call_deadline_s: float = Field(default=20.0, gt=0, le=600)
    """Seconds after which no further endpoint is turned to for one question; the next block asks again."""
    batch_size: int = Field(default=100, ge=1, le=10_000)
    """Most requests in one array.  Endpoints that take fewer, or none, are found out and remembered."""

    @model_validator(mode="after")
    def _rules(self) -> Self:
        for pair in self.settle_on_by_action:
            kind, _, rule = pair.partition("=")
            if kind not in SENT_KINDS:
                raise ValueError(f"settle_on_by_action: no kind of action {kind!r}, there are {', '.join(SENT_KINDS)}")
            if rule not in ("confirmations", "safe", "finalized") and not (rule.isascii() and rule.isdecimal()):
                raise ValueError(
                    f"settle_on_by_action: {rule!r} is no rule: confirmations, safe, finalized or a number"
                )
        if self.multicall and not re.fullmatch("0x[0-9a-fA-F]{40}", self.multicall):
            raise ValueError("multicall is no address")
        if self.quorum > len(self.rpc_urls):
            raise ValueError(f"quorum {self.quorum} is more than the {len(self.rpc_urls)} of rpc_urls")
        return self


class Protocol(Section):
    """Which protocol is kept."""

    name: Literal["clearinghouse"] = "clearinghouse"
    """Adapter that reads it."""
    deployment_file: Path = Path("deployment.json")
    """JSON with the contracts' addresses and the block they were deployed in."""
    accepted_code: Annotated[tuple[str, ...], BeforeValidator(_split)] = ()
    """Hashes of contract code that you have looked at and accept beside what the deployment file names.  A contract
    that runs any other code is read and reported, but nothing is sent to it."""

    @model_validator(mode="after")
    def _hashes(self) -> Self:
        if any(not re.fullmatch("0x[0-9a-fA-F]{64}", code) for code in self.accepted_code):
            raise ValueError("accepted_code are hashes of 32 bytes, 0x and 64 hexadecimal digits")
        return self


class StoreSection(Section):
    """Where the keeper remembers."""

    url: Secret = Secret("sqlite:///keeper.sqlite")
    """sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE."""


class Fees(Section):
    """How much we may pay to be included."""

    max_fee_gwei: Decimal = Field(default=Decimal(200), gt=0)
    """Absolute ceiling per gas, in gwei.  A transaction that needs more waits."""
    priority_fee_gwei: Decimal = Field(default=Decimal(1), ge=0)
    """Tip per gas of a first attempt, in gwei."""
    max_spend_eth_per_day: Decimal = Field(default=Decimal("0.5"), gt=0)
    """Stop sending when the last 24 hours cost this much, in ether; publishing alone may use half of it."""
    replace_after_blocks: int = Field(default=3, ge=1, le=1_000)
    """Raise the fee of a transaction that has not mined after so many blocks."""
    stuck_after_blocks: int = Field(default=6, ge=1, le=10_000)
    """Give a key nothing new while its next transaction has not mined for so many blocks; other keys go on."""
    abandon_after_blocks: int = Field(default=50, ge=2, le=100_000)
    """Give up a transaction that has not mined after so many blocks: it is told, and its subject is decided anew."""

    @model_validator(mode="after")
    def _tip_below_ceiling(self) -> Self:
        if self.priority_fee_gwei > self.max_fee_gwei:
            raise ValueError("priority_fee_gwei is above max_fee_gwei")
        return self

    @model_validator(mode="after")
    def _patience_grows(self) -> Self:
        if max(self.replace_after_blocks, self.stuck_after_blocks) >= self.abandon_after_blocks:
            raise ValueError("abandon_after_blocks is not above replace_after_blocks and stuck_after_blocks")
        return self

    @property
    def max_fee_wei(self) -> int:
        """Ceiling per gas, rounded down."""
        return int(self.max_fee_gwei * _WEI_PER_GWEI)

    @property
    def priority_fee_wei(self) -> int:
        """Tip per gas, rounded down."""
        return int(self.priority_fee_gwei * _WEI_PER_GWEI)

    @property
    def max_spend_wei_per_day(self) -> int:
        """Daily spend, rounded down."""
        return int(self.max_spend_eth_per_day * _WEI_PER_ETH)


class Relay(Section):
    """A private way to block builders, so that nobody copies a flag or a bid from the public pool."""

    url: Secret | None = None
    """Where it is asked; leave it out to send everything publicly.  It may carry a key, so it is never shown."""
    method: Literal["eth_sendRawTransaction", "eth_sendPrivateTransaction"] = "eth_sendRawTransaction"
    """eth_sendRawTransaction: an RPC endpoint that keeps what it gets to itself.  eth_sendPrivateTransaction: a relay
    that is told the last block for it.  One that wants each request signed with a key is not supported."""
    auth_file: Path | None = None
    """File with headers for every request, one Name: value a line, for a relay that wants to know who asks."""
    kinds: Annotated[tuple[Literal["flag", "bid"], ...], BeforeValidator(_split)] = ("flag", "bid")
    """What goes out privately.  Everything else has nothing to hide."""
    fallback_after_blocks: int = Field(default=5, ge=1, le=1_000)
    """Blocks without inclusion after which it goes to the public pool as well; from then on it is public for good."""
    when_down: Literal["public", "wait"] = "public"
    """If the relay cannot be asked: public sends to the public pool at once, wait tries the relay again next block."""
    request_timeout_s: float = Field(default=3.0, gt=0, le=60)
    """Seconds after which the relay counts as down."""


class Quotes(Section):
    """Where quoted volatilities come from.  What they must pass before they are used is in [risk.implied]."""

    source: Literal["none", "file", "http"] = "none"
    """none: volatilities are realised.  file: a file that something else keeps fresh.  http: Deribit's public API, or
    a server that answers like it."""
    file: Path = Path("quotes.json")
    """For file: an answer of that API saved as it came, or a table; keeper surface --help names the columns."""
    url: Secret = Secret("https://www.deribit.com/api/v2/public/get_book_summary_by_currency")
    """For http: asked with ?currency=NAME&kind=option.  It may carry a key, so it is never shown."""
    names: Annotated[tuple[str, ...], BeforeValidator(_split)] = ()
    """TICKER=NAME where the source calls an underlying by another name (WETH=ETH), TICKER= where it has no quotes."""
    poll_every_s: int = Field(default=30, ge=1, le=86_400)
    """Seconds between two looks at the source."""
    request_timeout_s: float = Field(default=5.0, gt=0, le=60)
    """Seconds after which the source counts as silent.  Blocks never wait for it, but the start does, once."""
    max_per_expiry: int = Field(default=16, ge=5, le=200)
    """Most quotes of one expiry that are used, and stored with each block."""

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if any(name.count("=") != 1 or name.startswith("=") for name in self.names):
            raise ValueError("names are TICKER=NAME")
        return self


class Jobs(Section):
    """What runs beside the block loop."""

    heartbeat_every_s: int = Field(default=30, ge=1, le=3_600)
    """Seconds between two heartbeats."""
    reconcile_every_s: int = Field(default=300, ge=1, le=86_400)
    """Seconds between two comparisons of our accounts with the contract's own views."""
    reconcile_sample: int = Field(default=25, ge=1, le=100_000)
    """Accounts compared each time."""
    housekeeping_every_s: int = Field(default=3_600, ge=1, le=604_800)
    """Seconds between two clean-ups of the store."""
    snapshots_kept: int = Field(default=50_000, ge=1)
    """Blocks that can be replayed; older snapshots are dropped.  Cycles and transactions are never dropped."""


class Model(Section):
    """When a version of the model may push."""

    shadow_blocks: int = Field(default=300, ge=1, le=1_000_000)
    """Blocks over which keeper shadow must have held it beside the live parameters, in one run over every underlying,
    before keeper model sign-off takes a word for it."""


class Log(Section):
    """What the keeper says on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least important event shown."""
    format: Literal["console", "json"] = "console"
    """console for a person, json for a collector."""


class Settings(Section):
    """Everything an operator decides."""

    chain: Chain = Chain()
    protocol: Protocol = Protocol()
    store: StoreSection = StoreSection()
    keys: Keys = Keys()
    fees: Fees = Fees()
    relay: Relay = Relay()
    quotes: Quotes = Quotes()
    risk: RiskKnobs = RiskKnobs()
    policy: PolicyKnobs = PolicyKnobs()
    jobs: Jobs = Jobs()
    model: Model = Model()
    log: Log = Log()
