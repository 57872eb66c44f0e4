"""A strike that was never listed: those are named that were meant most likely."""

import pytest

from keeper.ops.strikes_near import strikes_near


@pytest.mark.parametrize(
    ("strike", "there", "said"),
    [
        (1, (3_000, 2_000), "listed near it: 2000, 3000"),
        (2_950, (1_000, 2_000, 2_500, 3_000, 3_500, 4_000, 5_000),
         "listed near it: 1000, 2000, 2500, 3000, 3500, 4000; 7 strikes in all, 1000 to 5000"),
        (9_999, (1_000, 2_000, 2_500, 3_000, 3_500, 4_000, 5_000),
         "listed near it: 2000, 2500, 3000, 3500, 4000, 5000; 7 strikes in all, 1000 to 5000"),
        (1, (), "strikes are told by the blocks and inputs files of this store, and it has none of that expiry"),
    ],
)  # fmt: skip
def test_strikes_near__a_strike_that_is_not_listed__the_nearest_in_order(strike, there, said):
    """VER-5: whoever mistyped a strike finds it in one line, however many there are."""
    assert strikes_near(strike * 10**8, [one * 10**8 for one in there]) == said
