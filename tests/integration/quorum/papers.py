"""How operators of a quorum of keepers ask: each with settings and a store of its own, over papers in a folder."""

from __future__ import annotations

from keeper.domain.updates import SignOff
from keeper.protocols.clearinghouse.preview import flat
from keeper.protocols.clearinghouse.quorum import Quorum
from keeper.risk.version import MODEL_VERSION
from keeper.store import open_store
from tests.sites import ask, tree_of

#: How many of the three keepers it takes.
TWO = 2


def config(house, who, *, floor=120_000, gate="off", share=50_000, signed_off=True):
    """One keeper's settings, with a store of this test's own that has its operator's word on the model."""
    name = f"{house.papers.name}-{who}.toml"
    path = house.site.folder / name
    if path.exists():
        return str(path)
    house.site.tuned(name, floor=floor, gate=gate, share=share, publisher=f"{who}.key")
    if not signed_off:
        return str(path)
    store = open_store(f"sqlite:///{path}.sqlite")
    now = house.world.chain.block().timestamp
    store.sign_off(SignOff(version=MODEL_VERSION, operator=who, reason="tried", at_s=now, evidence=""))
    store.close()
    return str(path)


def draft(house, *words, who="ann", name="paper.json", code=0):
    """A paper, and where it lies."""
    path = house.papers / name
    return tree_of("quorum", "draft", *words, "--out", path, "-c", config(house, who), code=code), path


def sign(house, path, who, *, code=0, inputs=()):
    """What a keeper sees of a paper that it signs, or why it does not."""
    return tree_of("quorum", "sign", path, "--sign", *inputs, "-c", config(house, who), code=code)


def send(house, *paths, who="eve", code=0, leaves=True):
    """Eve is no keeper: anyone carries signatures, and pays."""
    return tree_of("quorum", "send", *paths, *(["--send"] if leaves else []), "-c", config(house, who), code=code)


def through(house, path):
    """Two keepers sign a paper, anyone sends it, and it lands.  Returns: what the second one saw."""
    sign(house, path, "ann")
    seen = sign(house, path, "bob")
    assert send(house, path)["state"] == "sent"
    house.world.mine()
    return seen


def quorum_of(house):
    """The quorum as the keeper's own code speaks of it."""
    return Quorum(house.hand.abi("KeeperQuorum"), house.at, chain_id=house.world.chain.chain_id)


def told_of(quorum, call):
    """A call in words, as papers carry it."""
    words = quorum.words(call)
    terms = {"nonce": str(words.nonce), "validUntil": str(words.valid_until)}
    return dict(flat("", dict(words.arguments))) | terms


def shown(*args):
    """What a person reads."""
    return " ".join(ask(*args).output.split())


def says(house, contract, function, *args):
    """What a view of one of the house's contracts answers."""
    return house.hand.view(contract, house.world.deployment.addresses[contract], function, *args)
