"""`keeper keys test`: each key is tried, judged and named; one key's trouble stops no other."""

from dataclasses import dataclass, field

import pytest

from keeper.domain.tx import SignerRole
from keeper.errors import BadInput, Halt, KeeperError, Retry
from keeper.ops.keys import KeyVerdict, try_keys

A, B = "0x" + "a" * 40, "0x" + "b" * 40
PUBLISHER, LIQUIDATOR = SignerRole.PUBLISHER, SignerRole.LIQUIDATOR


@dataclass
class FakeKey:
    role: SignerRole
    address: str | KeeperError
    name: str = "keys.one"
    kind: str = "secret file"
    hot: bool = False
    challenges: list[bytes] = field(default_factory=list)

    def rehearse(self, challenge):
        self.challenges.append(challenge)
        if isinstance(self.address, KeeperError):
            raise self.address
        return self.address, 12.5


@dataclass
class FakeChain:
    publishers: tuple[str, ...] = (A,)
    problem: KeeperError | None = None
    wei: int = 10**18
    quorum: str = ""

    def balance(self, address):
        if self.problem:
            raise self.problem
        return self.wei

    def cost(self, role):
        return 3 * 10**17

    def may_publish(self, address):
        if self.problem:
            raise self.problem
        return address in self.publishers

    def publishing_quorum(self):
        return self.quorum


def tried(*keys, chain=None):
    challenges = iter(bytes([n]) * 32 for n in range(1, 99))
    return list(try_keys(keys, chain or FakeChain(), challenge=lambda: next(challenges)))


def test_try_keys__sound_keys__sign_with_their_figures():
    publisher, liquidator = tried(FakeKey(PUBLISHER, A), FakeKey(LIQUIDATOR, B, name="keys.two"))
    assert (publisher.verdict, liquidator.verdict) == (KeyVerdict.SIGNS, KeyVerdict.SIGNS)
    assert (publisher.address, publisher.took_ms, publisher.transactions) == (A, 12.5, 3)
    assert "may publish" in publisher.said
    assert not publisher.hint + liquidator.hint


def test_try_keys__role_with_a_quorum_of_keepers__signs_and_says_so():
    """QCL-5: it publishes with others; alone it would be unusable."""
    (alone,) = tried(FakeKey(PUBLISHER, A), chain=FakeChain(publishers=()))
    (with_others,) = tried(FakeKey(PUBLISHER, A), chain=FakeChain(publishers=(), quorum=B))
    assert (alone.verdict, with_others.verdict) == (KeyVerdict.UNUSABLE, KeyVerdict.SIGNS)
    assert f"quorum of keepers at {B}" in with_others.said


def test_try_keys__publishes_alone_beside_a_quorum__a_warning_with_the_call():
    """DQM-1: whoever has this one key needs no other."""
    (found,) = tried(FakeKey(PUBLISHER, A), chain=FakeChain(quorum=B))
    assert found.verdict is KeyVerdict.WARNING
    assert f"revokeRole(PUBLISHER_ROLE, {A})" in found.hint


def test_try_keys__each_signature__over_another_challenge():
    """A service cannot answer with a signature it made before."""
    keys = FakeKey(PUBLISHER, A), FakeKey(LIQUIDATOR, B, name="keys.two")
    tried(*keys)
    assert keys[0].challenges != keys[1].challenges


@pytest.mark.parametrize(
    ("problem", "verdict"),
    [
        (Retry("silent", hint="wait"), KeyVerdict.UNREACHABLE),
        (BadInput("no such key", hint="look"), KeyVerdict.UNUSABLE),
        (Halt("another key signed", hint="stop"), KeyVerdict.UNUSABLE),
    ],
)
def test_try_keys__one_fails__said_with_its_hint_and_the_next_is_tried(problem, verdict):
    first, second = tried(FakeKey(PUBLISHER, problem), FakeKey(LIQUIDATOR, B, name="keys.two"))
    assert (first.verdict, first.said, first.hint, first.address) == (verdict, problem.message, problem.hint, None)
    assert second.verdict is KeyVerdict.SIGNS


@pytest.mark.parametrize(
    ("key", "chain", "verdict", "said", "hint"),
    [
        (FakeKey(PUBLISHER, B), FakeChain(), KeyVerdict.UNUSABLE, "may not publish", "grantRole"),
        (FakeKey(LIQUIDATOR, A), FakeChain(), KeyVerdict.UNUSABLE, "may publish too", "another key"),
        (FakeKey(LIQUIDATOR, B), FakeChain(wei=10**17), KeyVerdict.WARNING, "pay for no transaction", "send ether"),
        (FakeKey(LIQUIDATOR, B, hot=True), FakeChain(), KeyVerdict.WARNING, "open in the environment", "keystore"),
        (FakeKey(LIQUIDATOR, B), FakeChain(problem=Retry("no node")), KeyVerdict.SIGNS, "was not asked: no node", ""),
    ],
)
def test_try_keys__something_about_it__judged_and_explained(key, chain, verdict, said, hint):
    """A key that signs can still be the wrong one; a node that does not answer says nothing about it."""
    (found,) = tried(key, chain=chain)
    assert found.verdict is verdict
    assert said in found.said
    assert hint in found.hint
    assert found.address == key.address


def test_try_keys__one_key_twice__the_second_refused_by_the_first_ones_name():
    first, second = tried(FakeKey(LIQUIDATOR, B), FakeKey(LIQUIDATOR, B, name="keys.two"))
    assert first.verdict is KeyVerdict.SIGNS
    assert second.verdict is KeyVerdict.UNUSABLE
    assert "the same key as keys.one" in second.said
