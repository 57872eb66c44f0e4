"""The transaction builder's file: its checksum is the application's own, its content is the calls."""

import json

from keeper.governance.items import Call
from keeper.governance.safe import builder_checksum, builder_file

#: A batch as Safe's own application once exported it, checksum included.
EXPORTED = """{"version":"1.0","chainId":"1","createdAt":1713949623894,"meta":{"name":"Transactions Batch",
"description":"","txBuilderVersion":"1.16.5","createdFromSafeAddress":"0xcdd57D11476c22d265722F68390b036f3DA48c21",
"createdFromOwnerAddress":"",
"checksum":"0x37b66d67757452f835ebc6540e283e27544d1414409577963593e7e535ce3ad9"},"transactions":[
{"to":"0x9f26d4C958fD811A1F59B01B86Be7dFFc9d20761","value":"0","data":null,"contractMethod":{"inputs":[
{"internalType":"address","name":"target","type":"address"},{"internalType":"uint256","name":"value","type":"uint256"},
{"internalType":"bytes","name":"data","type":"bytes"},
{"internalType":"bytes32","name":"predecessor","type":"bytes32"},
{"internalType":"bytes32","name":"salt","type":"bytes32"},{"internalType":"uint256","name":"delay","type":"uint256"}],
"name":"schedule","payable":false},"contractInputsValues":{"target":"0x9FFDF407cDe9a93c47611799DA23924Af3EF764F",
"value":"0","data":"0x3beb551700000000000000000000000061ff310ac15a517a846da08ac9f9abf2a0f9a2bf\
00000000000000000000000000000000000000000000000000000000000007d0\
0000000000000000000000000000000000000000000000000000000000001388",
"predecessor":"0x0","salt":"0x0","delay":"259200"}}]}"""

CALL = Call(
    target="0x9FFDF407cDe9a93c47611799DA23924Af3EF764F", value=0, data=b"\x12\x34", contract="ClearingHouse",
    signature="setFee(uint24)", arguments=("feePpm = 1",),
)  # fmt: skip


def test_checksum__file_of_the_application__its_own():
    """GOV-4: over a file that the application exported, our checksum is the one it wrote."""
    exported = json.loads(EXPORTED)
    assert builder_checksum(exported) == exported["meta"]["checksum"]


def test_checksum__one_byte_of_calldata__another():
    """The name is no part of it, the calls are."""
    batch = builder_file([CALL], safe=CALL.target, chain_id=1, name="a", description="", created_at_ms=1)
    renamed = {**batch, "meta": {**batch["meta"], "name": "b"}}
    assert builder_checksum(renamed) == batch["meta"]["checksum"]
    moved = {**batch, "transactions": [{**batch["transactions"][0], "data": "0x1235"}]}
    assert builder_checksum(moved) != batch["meta"]["checksum"]


def test_file__calls__target_value_and_data_as_text():
    """What the builder shows is what was generated."""
    batch = builder_file([CALL], safe=CALL.target, chain_id=10, name="a", description="b", created_at_ms=1)
    (one,) = batch["transactions"]
    assert (one["to"], one["value"], one["data"], batch["chainId"]) == (CALL.target, "0", "0x1234", "10")
