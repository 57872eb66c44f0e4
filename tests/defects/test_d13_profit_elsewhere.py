"""Defect 13: profit was measured at whoever signed, which sees only the gas leave; the fee went to another account."""

from dataclasses import replace
from types import SimpleNamespace

from keeper.abis import load
from keeper.chain.records import Log, Receipt
from keeper.domain.tx import SignerRole, TxAttempt, TxIntent, TxRecord, TxState
from keeper.domain.worth import Realised
from keeper.errors import Refused
from keeper.protocols.abi import Abi
from keeper.protocols.clearinghouse.deployment import CONTRACTS, Deployment
from keeper.protocols.clearinghouse.ids import account_id
from keeper.protocols.clearinghouse.views import Views
from keeper.protocols.clearinghouse.worth import HouseEconomy
from keeper.testing.builders import a_block
from tests.defects.frame import defect

WAD = 10**18
SENDER = "0x" + "aB" * 20
#: The account that the fee goes to: of another owner than the key that signs.
FEE_TO = account_id("0x" + "cd" * 20, 2)
FLAGGED, FEE = account_id("0x" + "ee" * 20), 60 * WAD
#: Flagged in the same transaction, by somebody for somebody.
OTHER = account_id("0x" + "dd" * 20)


def at_the_sender(patch):
    """`profit = balance(bot) - before`: the account of whoever signed is taken for the one that is paid."""
    patch.setattr(HouseEconomy, "_beneficiary", lambda _self, record: account_id(record.sender))


def without_gas(patch):
    """`gas_usd = gas * (price or 0)`: gas that nobody could price is free, and every flag a profit."""
    patch.setattr(Realised, "gas_usd", property(lambda found: found.gas_wei * (found.native_usd or 0) // WAD))


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


def realised():
    """A flag whose fee went to `FEE_TO`; in the same transaction the signer's own account was paid something else."""
    abis = {name: Abi(name, load(name).abi) for name in ("LiquidationAuction", "ClearingHouse")}
    deployment = Deployment(
        chain_id=1, block=0, addresses=dict.fromkeys(CONTRACTS, "0x" + "33" * 20) | {
            "LiquidationAuction": "0x" + "11" * 20, "ClearingHouse": "0x" + "22" * 20,
        }, symbols={}, collaterals={}, liquidator_account=None,
    )  # fmt: skip
    auction, house = abis["LiquidationAuction"], abis["ClearingHouse"]
    logs = (
        event(house, "CashChanged", [account_id(SENDER)], [9_000 * WAD, 10**27]),
        event(auction, "Flagged", [OTHER, int(SENDER, 16)], [100 * WAD, 200 * WAD, 7 * WAD, 0, 7]),
        event(auction, "Flagged", [FLAGGED, int(SENDER, 16)], [100 * WAD, 200 * WAD, FEE, 0, 7]),
        event(house, "CashChanged", [FLAGGED], [40 * WAD, 10**27]),
        event(house, "CashChanged", [FEE_TO], [FEE, 10**27]),
    )
    receipt = Receipt("0xaa", 100, a_block().hash, True, 300_000, 10**9, logs, data_fee_wei=5 * 10**12)
    intent = TxIntent(
        key="k", kind="flag", subject="s", role=SignerRole.LIQUIDATOR, to="0x" + "11" * 20,
        data=auction.call("flag", FLAGGED, FEE_TO), gas_limit=1, decided_at=a_block(99), deadline_s=0, why="",
    )  # fmt: skip
    attempt = TxAttempt(tx_hash="0xaa", raw=b"", max_fee_wei=1, priority_fee_wei=1, block_number=99)
    record = TxRecord(
        intent=intent, state=TxState.FINAL, sender=SENDER, nonce=0, attempts=(attempt,), mined=a_block(),
        mined_hash="0xaa", gas_used=300_000,
    )  # fmt: skip
    chain = SimpleNamespace(receipt=lambda _: receipt)
    economy = HouseEconomy(views=Views(NoReads(), deployment), chain=chain, deployment=deployment, native_symbol="ETH")
    return economy.realise(record, a_block(101))


@defect(13, mutant=at_the_sender)
def test_profit__fee_to_another_account__measured_there():
    """PRF-2: what a flag brings is what the house's logs credit to the account named in the call, and nothing else."""
    found = realised()
    assert (found.beneficiary, found.gain_usd) == (FEE_TO, FEE), "PRF-2"


@defect(13, mutant=without_gas)
def test_profit__gas_included__and_unknown_where_it_has_no_price():
    """PRF-2: all that the signer paid counts, a rollup's data fee too; what cannot be priced is not free."""
    found = realised()
    assert found.gas_wei == 300_000 * 10**9 + 5 * 10**12
    assert found.profit_usd is None, "PRF-2"
    assert replace(found, native_usd=2_000 * WAD).profit_usd == FEE - 2_000 * found.gas_wei, "PRF-2"
