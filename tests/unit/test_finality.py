"""When a transaction counts as final: by blocks on top, or by the node's tags, per kind of action (FNL-1, FNL-2)."""

from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from keeper.chain.errors import StaleBlock, Unreachable
from keeper.chain.sending.finality import Confirmations, TaggedFinality
from keeper.errors import Retry
from keeper.settings import Settings
from keeper.testing.builders import a_block
from keeper.wiring.finality import finality_of


class Tags:
    """An `Rpc` that knows the tags it is given; counts what it is asked."""

    def __init__(self, **heights):
        self.heights, self.asked = heights, []

    def block(self, which):
        self.asked.append(which)
        answer = self.heights.get(which, StaleBlock(f"no block {which}"))
        if isinstance(answer, Exception):
            raise answer
        return a_block(answer)


def test_confirmations__by_kind__others_take_the_default():
    rule = Confirmations(12, {"refresh": 2})
    assert rule.final_height("publish", a_block(100)) == 88
    assert rule.final_height("refresh", a_block(100)) == 98
    assert rule.final_height("publish", a_block(5)) < 0


def test_tagged__every_kind_at_one_head__each_tag_asked_once():
    """FNL-1: settling a hundred transactions costs one question a tag and block."""
    tags = Tags(safe=95, finalized=60)
    rule = TaggedFinality(tags, confirmations=12, default="safe", by_kind={"publish": "finalized", "refresh": 2})
    for _ in range(50):
        heights = [rule.final_height(kind, a_block(100)) for kind in ("flag", "publish", "refresh")]
        assert heights == [95, 60, 98]
    assert sorted(tags.asked) == ["finalized", "safe"], "FNL-1"
    tags.heights["safe"] = 96
    assert rule.final_height("bid", a_block(101)) == 96
    assert len(tags.asked) == 3


def test_tagged__another_endpoint_is_further__never_above_our_head():
    """The head that we act on bounds what can be final for us."""
    assert TaggedFinality(Tags(safe=120), confirmations=12, default="safe").final_height("flag", a_block(100)) == 100


@pytest.mark.parametrize("answer", [StaleBlock("no block finalized"), Unreachable("invalid params", code=-32602)])
def test_tagged__node_without_the_tag__confirmations_and_said_once(answer):
    """FNL-2: blocks on top stand in where the node does not know the tag."""
    rule = TaggedFinality(Tags(finalized=answer), confirmations=12, default="finalized")
    with capture_logs() as said:
        assert [rule.final_height("flag", a_block(n)) for n in (100, 101, 101)] == [88, 89, 89], "FNL-2"
    assert [line["event"] for line in said] == ["finality.tag_unknown"]


def test_tagged__tag_known_before__keeps_what_it_said_last():
    """FNL-2: a node that forgets its tag for a while brings nobody back to counting blocks, which is weaker."""
    tags = Tags(finalized=60)
    rule = TaggedFinality(tags, confirmations=12, default="finalized")
    assert rule.final_height("flag", a_block(100)) == 60
    del tags.heights["finalized"]
    assert rule.final_height("flag", a_block(101)) == 60, "FNL-2"


def test_tagged__node_silent__retry_not_a_guess():
    """Silence is not an answer about finality."""
    rule = TaggedFinality(Tags(finalized=Unreachable("timed out")), confirmations=12, default="finalized")
    with pytest.raises(Retry):
        rule.final_height("flag", a_block(100))


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        ({"confirmations": 5}, {"flag": 95, "publish": 95}),
        ({"settle_on": "safe"}, {"flag": 97, "publish": 97}),
        ({"settle_on": "safe", "settle_on_by_action": ["publish=finalized", "refresh=2"]}, {"flag": 97, "publish": 64}),
        ({"settle_on_by_action": "publish=confirmations, flag=0"}, {"flag": 100, "publish": 88}),
    ],
)
def test_settings__rules__as_written(chain, expected):
    rule = finality_of(Settings(chain=chain), Tags(safe=97, finalized=64))
    assert {kind: rule.final_height(kind, a_block(100)) for kind in expected} == expected


@pytest.mark.parametrize(
    "pairs", [["nobody=safe"], ["publish=soon"], ["publish"], ["margin_call=1"], ["publish=-1"], ["publish="]]
)
def test_settings__rules_that_are_none__refused(pairs):
    with pytest.raises(ValueError, match="settle_on_by_action"):
        Settings(chain={"settle_on_by_action": pairs})


@pytest.mark.parametrize(
    ("section", "values"),
    [("chain", {"multicall": "0x12"}), ("protocol", {"accepted_code": ["0x12"]}), ("chain", {"reorg_depth": 0})],
)
def test_settings__addresses_and_hashes_that_are_none__refused(section, values):
    with pytest.raises(ValueError, match=next(iter(values))):
        Settings(**{section: values})


def test_confirmations__need_no_node():
    """Counting asks nobody: the default costs nothing a block."""
    rule = finality_of(Settings(), SimpleNamespace())
    assert rule.final_height("flag", a_block(100)) == 88
