"""Defects 9 and 13: false positives that cost the real one its place, and profit measured at the wrong address."""

from dataclasses import replace
from types import SimpleNamespace

import keeper.cycle
from keeper.abis import load
from keeper.chain.records import Log, Receipt
from keeper.domain.knobs import PolicyKnobs
from keeper.domain.tx import SignerRole, TxAttempt, TxIntent, TxRecord, TxState
from keeper.errors import Refused
from keeper.policy.decide import choose
from keeper.protocols.abi import Abi
from keeper.protocols.clearinghouse.deployment import CONTRACTS, Deployment
from keeper.protocols.clearinghouse.ids import account_id
from keeper.protocols.clearinghouse.views import Views
from keeper.protocols.clearinghouse.worth import HouseEconomy
from keeper.testing.builders import a_block
from keeper.testing.false_positives import FalsePositives
from tests.defects.frame import defect

WAD = 10**18
SENDER = "0x" + "aB" * 20
#: The account that the fee goes to: of another owner than the key that signs.
FEE_TO = account_id("0x" + "cd" * 20, 2)
FLAGGED, FEE = account_id("0x" + "ee" * 20), 60 * WAD


def waits_its_turn(patch):
    """Nothing stands by: what is refused has used up the block's room."""
    patch.setattr(keeper.cycle, "choose", lambda *args, **named: replace(choose(*args, **named), standby=()))


@defect(9, mutant=waits_its_turn)
def test_false_positives__five_hundred_and_worse__cost_the_real_one_nothing():
    """BCK-3: the real flag goes out in the block in which five hundred more urgent ones turn out to be none."""
    market = FalsePositives(false=500, policy=PolicyKnobs())
    market.live(100)
    assert market.flagged() == [market.real], "BCK-3"


def at_the_sender(patch):
    """The account of whoever signed is taken for the one that is paid."""
    patch.setattr(HouseEconomy, "_beneficiary", lambda _self, record: account_id(record.sender))


def topic(number):
    return number.to_bytes(32, "big")


def event(abi, name, topics, data):
    entry = next(e for e in abi._entries if e["type"] == "event" and e["name"] == name)
    signature = next(h for h, e in abi._events.items() if e is entry)
    return Log(
        address="0x" + "11" * 20 if abi.name == "LiquidationAuction" else "0x" + "22" * 20,
        topics=(signature, *map(topic, topics)), data=b"".join(topic(n % 2**256) for n in data),
        block_number=100, block_hash="", tx_hash="", index=0,
    )  # fmt: skip


class NoReads:
    """No node: the price of native currency is unknown, everything else is in the receipt."""

    def read_at(self, block, asked):
        return [Refused("no node") for _ in asked]


@defect(13, mutant=at_the_sender)
def test_profit__fee_to_another_account__measured_there():
    """PRF-2: what a flag brings is what the house's logs credit to the account named in the call."""
    abis = {name: Abi(name, load(name).abi) for name in ("LiquidationAuction", "ClearingHouse")}
    deployment = Deployment(
        chain_id=1, block=0, addresses=dict.fromkeys(CONTRACTS, "0x" + "33" * 20) | {
            "LiquidationAuction": "0x" + "11" * 20, "ClearingHouse": "0x" + "22" * 20,
        }, symbols={}, collaterals={}, liquidator_account=None,
    )  # fmt: skip
    logs = (
        event(abis["LiquidationAuction"], "Flagged", [FLAGGED, int(SENDER, 16)], [100 * WAD, 200 * WAD, FEE, 0, 7]),
        event(abis["ClearingHouse"], "CashChanged", [FLAGGED], [40 * WAD, 10**27]),
        event(abis["ClearingHouse"], "CashChanged", [FEE_TO], [FEE, 10**27]),
    )
    receipt = Receipt("0xaa", 100, a_block().hash, True, 300_000, 10**9, logs)
    intent = TxIntent(
        key="k", kind="flag", subject="s", role=SignerRole.LIQUIDATOR, to="0x" + "11" * 20,
        data=abis["LiquidationAuction"].call("flag", FLAGGED, FEE_TO), gas_limit=1, decided_at=a_block(99),
        deadline_s=0, why="",
    )  # fmt: skip
    attempt = TxAttempt(tx_hash="0xaa", raw=b"", max_fee_wei=1, priority_fee_wei=1, block_number=99)
    record = TxRecord(
        intent=intent, state=TxState.FINAL, sender=SENDER, nonce=0, attempts=(attempt,), mined=a_block(),
        mined_hash="0xaa", gas_used=300_000,
    )  # fmt: skip
    chain = SimpleNamespace(receipt=lambda _: receipt)
    economy = HouseEconomy(views=Views(NoReads(), deployment), chain=chain, deployment=deployment, native_symbol="ETH")
    found = economy.realise(record, a_block(101))
    assert (found.beneficiary, found.gain_usd) == (FEE_TO, FEE), "PRF-2"
    assert found.gas_wei == 300_000 * 10**9
    assert found.profit_usd is None, "gas without a price is unknown, not free"
