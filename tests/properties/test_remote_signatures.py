"""What a service answers becomes the signature a node takes, for any key and any bytes.  eth_account is the oracle."""

import pytest
import rlp
from coincurve import PrivateKey
from eth_account import Account
from eth_utils import to_checksum_address
from hypothesis import assume, example, given
from hypothesis import strategies as st

from keeper.chain.signers.der import ORDER, address_of, point_of, signature_of, signature_of_words
from keeper.chain.signers.digest import DigestSigner, completed
from keeper.chain.signers.eip1559 import signed, unsigned
from keeper.chain.signers.gcp_kms import crc32c
from keeper.chain.signers.port import KeyUnusable, NotSigned, WrongSignature
from keeper.testing.key_services.held import HeldKey, Mood, der_of

KEYS = st.integers(1, ORDER - 1).map(lambda n: n.to_bytes(32, "big"))
#: Not a multiple of the order: of such a one, a key and its negative make mirrored signatures, so that one is both's.
DIGESTS = st.binary(min_size=32, max_size=32).filter(lambda digest: int.from_bytes(digest, "big") % ORDER)
NUMBERS = st.one_of(st.integers(1, ORDER - 1), st.integers(1, 2**16), st.integers(ORDER - 2**16, ORDER - 1))
TRANSACTIONS = st.fixed_dictionaries(
    {
        "chainId": st.integers(1, 2**63),
        "nonce": st.integers(0, 2**64 - 1),
        "to": st.one_of(st.just(""), st.binary(min_size=20, max_size=20).map(to_checksum_address)),
        "value": st.integers(0, 2**128),
        "data": st.binary(max_size=100),
        "gas": st.integers(0, 2**40),
        "maxFeePerGas": st.integers(0, 2**64),
        "maxPriorityFeePerGas": st.integers(0, 2**64),
    }
)


def point(key: bytes) -> bytes:
    return PrivateKey(key).public_key.format(compressed=False)[1:]


class Held:
    """A service that answers straight from the key."""

    name = "held"

    def __init__(self, held: HeldKey) -> None:
        self.held = held

    def point(self) -> bytes:
        return point_of(self.held.spki, self.name)

    def sign(self, digest: bytes, message: bytes) -> tuple[int, int]:
        return signature_of(self.held.der(digest), self.name)


@given(KEYS, TRANSACTIONS, st.booleans())
def test_digest_signer__any_key_and_transaction__the_oracles_bytes(key, transaction, high_s):
    """SIG-1: both libraries choose their nonce by RFC 6979, so a right v and a low s mean the very same bytes."""
    signer = DigestSigner(Held(HeldKey(key, Mood(high_s=high_s))), elapsed_s=lambda: 0.0)
    oracle = Account.from_key(key).sign_transaction(transaction)
    assert signer.address == Account.from_key(key).address
    ours = signer.sign(transaction)
    assert ours.raw == bytes(oracle.raw_transaction)
    assert ours.tx_hash == "0x" + bytes(oracle.hash).hex()


@given(KEYS, DIGESTS)
def test_completed__both_halves__one_low_s_and_the_right_parity(key, digest):
    """SIG-2: a signature and its mirror become one, with s in the lower half and the parity that recovers the key."""
    r, s = HeldKey(key).numbers(digest)
    low = completed(r, s, digest=digest, point=point(key), source="held")
    assert low == completed(r, ORDER - s, digest=digest, point=point(key), source="held")
    assert low[1] == min(s, ORDER - s) <= ORDER // 2


@given(KEYS, KEYS, DIGESTS)
def test_completed__another_key__refused_with_its_numbers(key, other, digest):
    """SIG-3: what does not recover to our key never becomes a transaction."""
    assume(key != other)
    r, s = HeldKey(other).numbers(digest)
    with pytest.raises(WrongSignature) as caught:
        completed(r, s, digest=digest, point=point(key), source="held")
    assert caught.value.fields["address"] == address_of(point(key))
    assert (caught.value.fields["r"], caught.value.fields["s"]) == (r, min(s, ORDER - s))


@given(KEYS, DIGESTS, NUMBERS, NUMBERS)
def test_completed__any_numbers__refused_or_recovering(key, digest, r, s):
    """SIG-3: numbers from nowhere are refused too, whether or not r is the X of a point."""
    with pytest.raises(WrongSignature):
        completed(r, s, digest=digest, point=point(key), source="held")


@given(NUMBERS, NUMBERS)
@example(1, 1)
@example(0x80, 0xFF)
@example(ORDER - 1, ORDER - 1)
def test_signature_of__short_and_high_numbers__read_back(r, s):
    """SIG-4: r and s of any length, with the zero before a first bit that is set, in DER and as words."""
    assert signature_of(der_of(r, s), "held") == (r, s)
    assert signature_of_words(r.to_bytes(32, "big") + s.to_bytes(32, "big"), "held") == (r, s)


@given(NUMBERS, NUMBERS, st.integers(1, 5))
def test_signature_of__more_leading_zeros__the_same_numbers(r, s, zeros):
    """SIG-4: what a careless encoder pads is still the number; recovery decides, not the padding."""
    parts = b"".join(
        b"\x02" + bytes([len(n) + zeros]) + b"\x00" * zeros + n
        for n in (x.to_bytes(x.bit_length() // 8 + 1, "big") for x in (r, s))
    )
    assert signature_of(b"\x30" + bytes([len(parts)]) + parts, "held") == (r, s)


@given(st.binary(max_size=90))
@example(b"")
@example(b"\x30")
@example(bytes.fromhex("3006020100020101"))  # r = 0
@example(bytes.fromhex("3006020101020100"))  # s = 0
@example(bytes.fromhex("30060201ff020101"))  # negative
@example(bytes.fromhex("300602010102010100"))  # something after its end
@example(bytes.fromhex("30080201010201010500"))  # something inside its end
@example(bytes.fromhex("3080020101020101"))  # indefinite length
@example(bytes.fromhex("3004020002 00".replace(" ", "")))  # empty numbers
@example(b"\x30\x46" + (b"\x02\x21\x00" + ORDER.to_bytes(32, "big")) * 2)  # the order itself
def test_signature_of__any_bytes__numbers_in_range_or_not_signed(der):
    """SIG-5: bytes that are no signature are asked for again; they never end as another exception."""
    try:
        r, s = signature_of(der, "held")
    except NotSigned:
        return
    assert 0 < r < ORDER
    assert 0 < s < ORDER


@given(KEYS, DIGESTS, st.integers(0, 71))
def test_signature_of__cut_short__not_signed(key, digest, length):
    """SIG-5: a signature that lost its end is never read as a shorter one."""
    der = HeldKey(key).der(digest)
    with pytest.raises(NotSigned):
        signature_of(der[: min(length, len(der) - 1)], "held")


@given(KEYS)
def test_point_of__any_key__its_address(key):
    """SIG-6: the address is read off the public key a service shows."""
    assert address_of(point_of(HeldKey(key).spki, "held")) == Account.from_key(key).address


@given(st.binary(max_size=100), st.integers(0, 87), st.integers(1, 255))
def test_point_of__damaged__refused(noise, place, change):
    """SIG-6: noise, and a public key with any byte changed, is refused, or is a key of another address."""
    spki = bytearray(HeldKey(b"\x11" * 32).spki)
    spki[place] ^= change
    for damaged in (noise, bytes(spki)):
        try:
            found = point_of(damaged, "held")
        except (NotSigned, KeyUnusable):
            continue
        assert found != point(b"\x11" * 32)


@given(TRANSACTIONS, st.integers(0, 1), NUMBERS, NUMBERS)
def test_signed__any_numbers__the_unsigned_fields_and_three_more(transaction, y_parity, r, s):
    """SIG-7: what is broadcast holds what was hashed, and only the signature comes after it."""

    raw = signed(transaction, y_parity=y_parity, r=r, s=s).raw
    before, after = rlp.decode(unsigned(transaction)[1:]), rlp.decode(raw[1:])
    assert raw[:1] == b"\x02"
    assert after[:-3] == before
    assert [int.from_bytes(part, "big") for part in after[-3:]] == [y_parity, r, s]


def test_crc32c__published_vectors():
    """Source: RFC 3720, B.4, and the check value of CRC-32C."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"\x00" * 32) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
