"""A node's refusal read for what it wants."""

import pytest

from keeper.chain.errors import AlreadyKnown, Underpriced, Unfunded, translate
from keeper.chain.records import FeeHistory
from keeper.chain.sending.fees import FeeOffer, FeePolicy
from keeper.chain.sending.node_rules import NodeRule, is_about_replacing

REFUSALS = {
    "replacement transaction underpriced": NodeRule(),
    "INTERNAL_ERROR: could not replace existing tx": NodeRule(),
    "ReplacementNotAllowed": NodeRule(),
    "Replacement transaction underpriced: needs a 30% bump": NodeRule(bump_ppm=300_000),
    "replacement transaction underpriced, must be at least 12.5 percent higher": NodeRule(bump_ppm=125_000),
    "replacement transaction underpriced: new tx gas fee cap 5 < 7 queued + 100% replacement penalty": NodeRule(
        bump_ppm=1_000_000, max_fee_wei=14
    ),
    "replacement transaction underpriced: new tx gas tip cap 5 <= 7 queued + 100% replacement penalty": NodeRule(
        bump_ppm=1_000_000, priority_fee_wei=14
    ),
    "transaction underpriced: gas tip cap 1, minimum needed 1000000000": NodeRule(priority_fee_wei=10**9),
    "transaction gas price below minimum: gas tip cap 0, minimum needed 25000000000": NodeRule(
        priority_fee_wei=25 * 10**9
    ),
    "max fee per gas less than block base fee: address 0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC, "
    "maxFeePerGas: 1, baseFee: 875000000": NodeRule(max_fee_wei=875_000_000),
    "FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1, CurrentBaseFee: 7": NodeRule(max_fee_wei=7),
    "already known": NodeRule(),
    "fee cap 99999999999999% absurd replacement": NodeRule(),
}


@pytest.mark.parametrize(("words", "rule"), REFUSALS.items(), ids=lambda one: one[:40] if isinstance(one, str) else "")
def test_parse__words_of_a_node__its_numbers_or_zeros(words, rule):
    assert NodeRule.parse(words) == rule


@pytest.mark.parametrize("words", [words for words in REFUSALS if "eplac" in words and "absurd" not in words])
def test_translate__replacement_refused__underpriced_and_about_the_nonce(words):
    """Every node's way to say it is one class of ours, told apart from a low base fee."""
    error = translate({"code": -32000, "message": words}, method="eth_sendRawTransaction")
    assert isinstance(error, Underpriced)
    assert is_about_replacing(error.message)


def test_translate__base_fee_above_the_offer__underpriced_and_not_about_the_nonce():
    words = "max fee per gas less than block base fee: address 0x00, maxFeePerGas: 1, baseFee: 7"
    error = translate({"code": -32000, "message": words}, method="eth_sendRawTransaction")
    assert isinstance(error, Underpriced)
    assert not is_about_replacing(error.message)


def test_translate__no_funds_and_known_already__have_their_classes():
    funds = {"code": -32000, "message": "insufficient funds for gas * price + value: balance 0, tx cost 1, overshot 1"}
    assert isinstance(translate(funds, method="eth_sendRawTransaction"), Unfunded)
    known = {"code": -32000, "message": "INTERNAL_ERROR: existing tx with same hash"}
    assert isinstance(translate(known, method="eth_sendRawTransaction"), AlreadyKnown)


HISTORY = FeeHistory(10**9, (10**9,))
FEES = FeePolicy(max_fee_wei=100 * 10**9, max_priority_fee_wei=20 * 10**9)
LAST = FeeOffer(10 * 10**9 + 1, 2 * 10**9 + 1)


@pytest.mark.parametrize("rule", [*REFUSALS.values(), NodeRule(bump_ppm=5_000_000), NodeRule(max_fee_wei=10**12)])
def test_bump__with_a_nodes_rule__obeys_it_or_makes_no_offer(rule):
    """Rule, legal bump and caps hold together or there is no offer."""
    offer = FEES.bump(LAST, HISTORY, rule=rule)
    if offer is None:
        assert rule.max_fee_wei > FEES.max_fee_wei or rule.priority_fee_wei > FEES.max_priority_fee_wei
        return
    least = 1_000_000 + max(100_000, rule.bump_ppm)
    assert offer.max_fee_wei * 1_000_000 >= LAST.max_fee_wei * least
    assert offer.priority_fee_wei * 1_000_000 >= LAST.priority_fee_wei * least
    assert rule.max_fee_wei <= offer.max_fee_wei <= FEES.max_fee_wei
    assert rule.priority_fee_wei <= offer.priority_fee_wei <= FEES.max_priority_fee_wei


def test_ceiling__worth__is_a_fee_cap_over_all_its_gas():
    """An action worth 1 gwei per gas is never offered more, whatever the operator allows."""
    assert FEES.ceiling_wei(gas=100, worth_wei=None) == FEES.max_fee_wei
    assert FEES.ceiling_wei(gas=100, worth_wei=100 * 10**9 + 99) == 10**9
    assert FEES.ceiling_wei(gas=100, worth_wei=-5) == 0
    assert FEES.bump(LAST, HISTORY, ceiling_wei=LAST.max_fee_wei) is None


def test_outbid__unknown_foreign_fees__doubles_up_to_both_caps_and_ends_there():
    offer, tries = LAST, 0
    while (after := FEES.outbid(offer, HISTORY, ceiling_wei=FEES.max_fee_wei)) is not None:
        assert after.max_fee_wei >= offer.max_fee_wei
        assert after.priority_fee_wei >= offer.priority_fee_wei
        offer, tries = after, tries + 1
    assert offer == FeeOffer(FEES.max_fee_wei, FEES.max_priority_fee_wei)
    assert tries < 8
