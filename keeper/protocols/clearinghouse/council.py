"""The quorum of keepers of a clearing house, as its contract has it at one block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from eth_abi.abi import encode
from eth_hash.auto import keccak
from eth_keys.datatypes import Signature as KeySignature
from eth_keys.exceptions import BadSignature
from eth_utils import ValidationError, to_checksum_address

from keeper.domain.block import BlockRef
from keeper.domain.council import Council, LaneNonce, Order, RoleHolder
from keeper.domain.market import ExpiryTarget, UnderlyingTarget
from keeper.domain.reads import Call, CodeHash
from keeper.domain.riskfile import ExpiryParams, Ranges
from keeper.errors import BadInput, Refused
from keeper.protocols.clearinghouse.deployment import QUORUM, Deployment
from keeper.protocols.clearinghouse.preview import flat
from keeper.protocols.clearinghouse.published import Search
from keeper.protocols.clearinghouse.quorum import KINDS, Lane, Quorum, Words, list_of, message_of
from keeper.protocols.clearinghouse.views import View, Views

PARAMETERS: Final = "RiskParameters"
HOUSE: Final = "ClearingHouse"
ROLES: Final = ("PUBLISHER_ROLE", "EMERGENCY_ROLE", "GUARDIAN_ROLE", "LISTER_ROLE", "BREAKER_ROLE")
#: Names of calls that a person writes shorter.
_SHORT: Final = {"setStateAddOn": "addon", "setFundingRate": "funding", "stageExpiries": "expiries"}
#: Answer of a wallet that stands by a signature.  Source: ERC-1271.
_STANDS: Final = bytes.fromhex("1626ba7e")
_CALLS: Final = (1 << 64) - 1
#: Half of the order of secp256k1: a contract takes no higher s.
_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


class HouseCouncil:
    """`keeper.control.quorum.CouncilChain` of the clearing house.

    Args:
        views: the contracts' views.
        deployment: names the quorum's contract.

    Raises: `BadInput` if the deployment names none.
    """

    def __init__(self, views: Views, deployment: Deployment) -> None:
        if not views.knows(QUORUM):
            raise BadInput(
                "the deployment has no quorum of keepers",
                hint=f"name its {QUORUM} among the addresses of the deployment file",
            )
        self._views, self._deployment, self.address = views, deployment, views.address(QUORUM)
        self._quorum = Quorum(views.abis[QUORUM], self.address, chain_id=deployment.chain_id)
        self.chain_id = deployment.chain_id

    def council(self, block: BlockRef) -> Council:
        """See `CouncilChain.council`."""
        asked = ("keepers", "publishQuorum", "tightenQuorum")
        nonce = View(QUORUM, "nonce", (Lane.PUBLISH, 0))
        self._views.gather(block, [*(View(QUORUM, function) for function in asked), nonce])
        keepers, to_publish, to_tighten = (self._views.one(block, QUORUM, function) for function in asked)
        return Council(
            address=self.address,
            keepers=tuple(to_checksum_address(one) for one in keepers),
            to_publish=to_publish,
            to_tighten=to_tighten,
            list_=list_of(self._views.one(block, QUORUM, "nonce", Lane.PUBLISH, 0)),
        )

    def nonces(self, block: BlockRef) -> tuple[LaneNonce, ...]:
        """See `CouncilChain.nonces`."""
        asked = [(lane, u) for u in sorted(self._deployment.symbols) for lane in Lane]
        self._views.gather(block, [View(QUORUM, "nonce", one) for one in asked])
        return tuple(
            LaneNonce(lane=lane.name.lower(), symbol=self._symbol(u), list_=list_of(nonce), calls=nonce & _CALLS)
            for lane, u in asked
            for nonce in (self._views.one(block, QUORUM, "nonce", lane, u),)
        )

    def roles(self, block: BlockRef, search: Search, names: Mapping[str, str]) -> tuple[RoleHolder, ...]:
        """Everybody who holds a role of the parameters' contract at a block.

        Args:
            block: which.
            search: over that contract's events.
            names: what we know an address as.
        """
        hashes = {keccak(role.encode()): role for role in ROLES}
        topic = self._views.abis[PARAMETERS].topic("RoleGranted")
        topics = ["0x" + (topic or b"").hex(), ["0x" + one.hex() for one in hashes]]
        granted = dict.fromkeys(
            (log.topics[1], to_checksum_address(log.topics[2][-20:]))
            for log in search.logs(self._deployment.block, block.number, topics)
        )
        self._views.gather(block, [View(PARAMETERS, "hasRole", one) for one in granted])
        known = {where.lower(): name for name, where in self._deployment.addresses.items()} | {
            where.lower(): name for where, name in names.items()
        }
        held = [one for one in granted if self._views.one(block, PARAMETERS, "hasRole", *one)]
        found = [RoleHolder(role=hashes[r], holder=who, name=known.get(who.lower(), "")) for r, who in held]
        return tuple(sorted(found, key=lambda one: (ROLES.index(one.role), one.holder)))

    # --- orders -------------------------------------------------------------------------------------------------------

    def draft(self, function: str, *args: Any, underlying: int, valid_until: int, block: BlockRef) -> bytes:
        """See `CouncilChain.draft`."""
        nonce = self._next(function, underlying, block)
        return self._quorum.call(function, *args, nonce=nonce, valid_until=valid_until)

    def publication(
        self, data: bytes, *, valid_until: int, block: BlockRef, function: str = "publish", count: int | None = None
    ) -> bytes:
        """See `CouncilChain.publication`."""
        asked = self._views.abis[PARAMETERS].arguments("publish", data)
        entry = self._views.abis[PARAMETERS].inputs("publish")[1]
        p = asked["p"] | {"expiries": asked["p"]["expiries"][:count]}
        values = tuple(_plain(p, entry["components"]))
        return self.draft(
            function, asked["underlying"], values, underlying=asked["underlying"], valid_until=valid_until, block=block
        )

    def rows(self, underlying: int, expiries: Sequence[ExpiryTarget], *, valid_until: int, block: BlockRef) -> bytes:
        """See `CouncilChain.rows`."""
        values = [
            (e.params.expiry, e.params.phi_ppb, e.params.df_ppb, e.params.sigma_atm_ppm, list(e.sigmas_ppm))
            for e in expiries
        ]
        return self.draft(
            "stageExpiries", underlying, values, underlying=underlying, valid_until=valid_until, block=block
        )

    def _next(self, function: str, underlying: int, block: BlockRef) -> int:
        return int(self._views.one(block, QUORUM, "nonce", KINDS[function].lane, underlying))

    def order(self, call: bytes) -> Order:
        """See `CouncilChain.order`."""
        words = self._quorum.words(call)
        published = words.arguments.get("p")
        return Order(
            function=words.kind.function,
            what=_SHORT.get(words.kind.function, words.kind.function),
            role=words.kind.role,
            emergency=words.kind.lane is Lane.TIGHTEN,
            underlying=words.underlying,
            symbol=self._symbol(words.underlying),
            nonce=words.nonce,
            list_=list_of(words.nonce),
            valid_until=words.valid_until,
            arguments=words.arguments,
            target=None if published is None else _target(words.underlying, published),
            rows=_rows(words.arguments["expiries"] if published is None else published["expiries"])
            if published is not None or words.kind.function == "stageExpiries"
            else (),
            inputs_hash="" if published is None else "0x" + published["inputsHash"].hex(),
        )

    def decoded(self, call: bytes) -> dict[str, str]:
        """See `CouncilChain.decoded`."""
        words = self._quorum.words(call)
        return dict(flat("", dict(words.arguments))) | {"nonce": str(words.nonce), "validUntil": str(words.valid_until)}

    def typed(self, call: bytes) -> dict[str, Any]:
        """See `CouncilChain.typed`."""
        return self._quorum.typed(call)

    def hashes(self, call: bytes) -> tuple[bytes, bytes]:
        """See `CouncilChain.hashes`."""
        return message_of(self._quorum.typed(call))

    def objections(self, call: bytes, block: BlockRef) -> Iterator[str]:
        """See `CouncilChain.objections`."""
        words = self._quorum.words(call)
        order, now = self.order(call), block.timestamp
        lane = View(QUORUM, "nonce", (words.kind.lane, words.underlying))
        role = keccak(words.kind.role.encode())
        holds = View(PARAMETERS, "hasRole", (role, self.address))
        digests = View(PARAMETERS, "targetDigest", (words.underlying,))
        last = View(PARAMETERS, "lastPublication", (words.underlying,))
        self._views.gather(block, [lane, holds, digests, last])
        digest = self._views.read(block, Call(self.address, self._quorum.digest_call(call)))
        if digest != self._digest(call):
            yield f"the contract at {self.address} hashes it to 0x{digest.hex()}, this keeper to another: do not sign"
        nonce = self._views.one(block, QUORUM, "nonce", *lane.args)
        if order.list_ != list_of(nonce):
            yield (
                f"the keepers or their quorum were set anew since it was drafted (list {order.list_}, now "
                f"{list_of(nonce)}): nothing drafted or signed before counts"
            )
        elif words.nonce != nonce:
            yield f"its nonce {words.nonce & _CALLS} is not the next one of this lane, {nonce & _CALLS}: it was used"
        if now > words.valid_until:
            yield f"it expired {now - words.valid_until} s ago"
        if not self._views.one(block, PARAMETERS, "hasRole", role, self.address):
            yield f"the quorum does not hold {words.kind.role} of {PARAMETERS}, so the call reverts"
        house = words.arguments.get("house")
        if house is not None and house.lower() != self._views.address(HOUSE).lower():
            yield f"it sets the funding rate of the house at {house}, this deployment's is {self._views.address(HOUSE)}"
        yield from self._of_publication(words, block)

    def _of_publication(self, words: Words, block: BlockRef) -> Iterator[str]:
        published = words.arguments.get("p")
        if published is None:
            return
        digest = bytes(self._views.one(block, PARAMETERS, "targetDigest", words.underlying))
        if digest != published["expectedOld"]:
            yield (
                f"it was made against the target 0x{published['expectedOld'].hex()[:8]}…, the chain's is "
                f"0x{digest.hex()[:8]}…: another publication, or a veto, came in between"
            )
        last = self._views.at(block, PARAMETERS, "lastPublication", words.underlying)["id"]
        if published["id"] != last + 1:
            yield f"its id is {published['id']}, the next one is {last + 1}"
        if block.timestamp > published["validUntil"]:
            yield f"its publication expired {block.timestamp - published['validUntil']} s ago"

    def last_target(self, underlying: int, block: BlockRef) -> str:
        """0x digest of the last set target."""
        return "0x" + bytes(self._views.one(block, PARAMETERS, "targetDigest", underlying)).hex()

    # --- signatures ---------------------------------------------------------------------------------------------------

    def vouches(self, signer: str, call: bytes, signature: bytes, block: BlockRef) -> bool:
        """See `CouncilChain.vouches`."""
        # As the contract decides it (OpenZeppelin's SignatureChecker): where there is code, the code has the word.
        if self.is_wallet(signer, block):
            return self._wallet_vouches(signer, call, signature, block)
        return _recovered(self._digest(call), signature) == signer

    def is_wallet(self, signer: str, block: BlockRef) -> bool:
        """See `CouncilChain.is_wallet`."""
        return self._views.read(block, CodeHash(signer)) != b""

    def digest(self, call: bytes) -> bytes:
        """See `CouncilChain.digest`."""
        return self._digest(call)

    def _wallet_vouches(self, signer: str, call: bytes, signature: bytes, block: BlockRef) -> bool:
        asked = keccak(b"isValidSignature(bytes32,bytes)")[:4] + encode(
            ["bytes32", "bytes"], [self._digest(call), signature]
        )
        try:
            return self._views.read(block, Call(signer, asked))[:4] == _STANDS
        except Refused:
            return False

    def signed(self, call: bytes, signatures: Mapping[str, bytes]) -> bytes:
        """See `CouncilChain.signed`."""
        return self._quorum.signed(call, signatures)

    def inner(self, call: bytes) -> tuple[str, bytes]:
        """See `CouncilChain.inner`."""
        words = self._quorum.words(call)
        if words.kind.function != "setFundingRate":
            return self._views.address(PARAMETERS), self._views.abis[PARAMETERS].call(words.kind.function, *words.raw)
        house, *arguments = words.raw
        return to_checksum_address(house), self._views.abis[HOUSE].call(words.kind.function, *arguments)

    def _digest(self, call: bytes) -> bytes:
        return keccak(b"\x19\x01" + b"".join(self.hashes(call)))

    def _symbol(self, underlying: int) -> str:
        return self._deployment.symbols.get(underlying, f"underlying {underlying}")


def _recovered(digest: bytes, signature: bytes) -> str:
    """Whose key signed, as strictly as the contract takes it (OpenZeppelin's ECDSA); empty if nobody's did."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        return ""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if s > _HALF_ORDER:
        return ""
    try:
        found = KeySignature(vrs=(signature[64] - 27, r, s)).recover_public_key_from_msg_hash(digest)
    except (BadSignature, ValidationError):
        return ""
    return str(found.to_checksum_address())


def _plain(value: Mapping[str, Any], components: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
    """A decoded struct as the values that an encoder takes."""
    for one in components:
        inner = value[one["name"]]
        if one["type"] == "tuple[]":
            yield [tuple(_plain(row, one["components"])) for row in inner]
        else:
            yield list(inner) if one["type"].endswith("[]") else inner


def _target(underlying: int, p: Mapping[str, Any]) -> UnderlyingTarget:
    return UnderlyingTarget(
        underlying=underlying,
        ranges=Ranges(psr_ppm=p["psrPpm"], vsr_up_ppm=p["vsrUpPpm"], vsr_down_ppm=p["vsrDownPpm"]),
        expiries=_rows(p["expiries"]),
        realised_vol=0.0,
        reasons=(),
    )


def _rows(expiries: Sequence[Mapping[str, Any]]) -> tuple[ExpiryTarget, ...]:
    return tuple(
        ExpiryTarget(
            params=ExpiryParams(
                expiry=e["expiry"], phi_ppb=e["phiPpb"], df_ppb=e["dfPpb"], sigma_atm_ppm=e["sigmaAtmPpm"]
            ),
            sigmas_ppm=tuple(e["sigmaPpm"]),
        )
        for e in expiries
    )
