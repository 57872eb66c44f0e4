"""What was listed and refused holds nobody up: the reader knows that it is in no file, and the keeper brings it in."""

import pytest

from keeper.deploy.house import ROLES
from keeper.testing.memory_store import MemoryStore
from tests.defects.houses import watching
from tests.integration.test_parameter_story import ETH, HOUR, OWNER, Story

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

DAY = 86_400
NEW = 2_900 * 10**8
LIVE = 0


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """A house in which a strike and an expiry were listed since the last publication."""
    story = Story(tmp_path_factory.mktemp("left_out"))
    story.publishes()
    for role in ("LISTER_ROLE", "PUBLISHER_ROLE"):
        story.do("grantRole", ROLES[role], story.house.chain.accounts[OWNER])
    (u,) = seen(story).underlyings
    (fence,) = u.publication.expiries
    story.do("listStrikes", ETH, fence.expiry, [NEW])
    numbers = (fence.sigma_ppm, fence.phi_ppb, fence.df_ppb)
    story.do("listExpiry", ETH, fence.expiry + DAY, list(u.listings[0].strikes), *numbers)
    story.grow_older(hours=3)
    return story


def seen(story):
    return story.keeper.reader.read(story.house.chain.block())


def by_hand(story, *sigmas):
    """Publish what is in force with the new strike at the first of these volatilities, the new expiry at the others."""
    snapshot = seen(story)
    (u,) = snapshot.underlyings
    state, vols = u.publication, {v.strike: v.sigma_ppm for v in u.live.strikes[0][1]}
    week, later = state.expiries
    set_ = {one.name: one.current for one in state.fences}
    listed = u.listings[0].strikes
    rows = [
        (week.expiry, week.phi_ppb, week.df_ppb, week.sigma_ppm, [vols.get(k, sigmas[0]) for k in listed]),
        (later.expiry, later.phi_ppb, 10**9 + 1, later.sigma_ppm, list(sigmas[1:])),
    ]
    head = (state.last_id + 1, snapshot.block.timestamp + HOUR, b"\7" * 32, bytes.fromhex(state.digest[2:]))
    story.do("publish", ETH, (*head, set_["psr"], set_["vsr_up"], set_["vsr_down"], rows))


def in_the_contract(story, u):
    """Strikes that the contract has rows of, by its own words."""
    views, block = story.keeper.views, story.house.chain.block()
    epoch = views.one(block, "RiskFile", "header", ETH, LIVE)["epoch"]
    return {
        (one.expiry, k)
        for one in u.listings
        for k in one.strikes
        if views.at(block, "RiskFile", "strikeArray", ETH, one.expiry, k, LIVE)["epoch"] == epoch
    }


def in_the_file(u):
    return {(expiry, vol.strike) for expiry, vols in u.live.strikes for vol in vols}


def test_listings_refused__in_no_file_and_the_keeper_brings_them_in(story) -> None:
    """OUT-9: the reader's file has what the contract's has, through a refusal and after it; every strike of both
    expiries is in force with the keeper's next publication, and an old log read anew tells the same."""
    by_hand(story, 1_390_000, 700_000, 700_000)  # a hump amid 2,800 and 3,000; a discount above 1
    (u,) = seen(story).underlyings
    assert in_the_file(u) == in_the_contract(story, u), "OUT-9"
    assert {k for _, k in in_the_file(u)} == {2_800 * 10**8, 3_000 * 10**8}, "OUT-9: neither is in"
    assert len({e for e, _ in in_the_file(u)}) == 1, "OUT-9"
    push = story.publishes()
    assert "not in the file" in push.why or "come into the file" in push.why, push.why
    (u,) = seen(story).underlyings
    assert in_the_file(u) == in_the_contract(story, u), "OUT-9"
    assert in_the_file(u) == {(one.expiry, k) for one in u.listings for k in one.strikes}, "OUT-9: all are in"
    anew = watching(story.house, MemoryStore(), reorg_depth=8)
    (again,) = anew.reader.read(story.house.chain.block()).underlyings
    assert again.live == u.live, "OUT-9"
