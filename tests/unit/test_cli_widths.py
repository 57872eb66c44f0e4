"""Answers at any width: what a person copies or counts is wrapped, never cut."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from keeper.cli.show.bidders import bidders_view, changes_view
from keeper.cli.show.findings import findings_view
from keeper.cli.show.keys import keys_view
from keeper.cli.show.nonces import nonces_view, repairs_view
from keeper.cli.show.tables import table
from keeper.domain.nonces import HeldNonce, KeyNonces, Repair, RepairKind
from keeper.domain.tx import SignerRole
from keeper.ops.bidders import Bidder, Change, Right
from keeper.ops.doctor.findings import Finding, Verdict
from keeper.ops.keys import KeyFinding, KeyVerdict
from keeper.testing.builders import a_block
from keeper.testing.counter_world import an_intent

WIDTHS = pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
ACCOUNT = ADDRESS.lower() + "0" * 24
#: As `keeper check` measures an endpoint, at its widest.
MEASURED = {
    "endpoint": "eth-mainnet.provider.example #2",
    "head": "23,456,789",
    "age": "1,234 s",
    "behind": "12,345",
    "answers in": "1,234 ms",
    "arrays": "yes",
    "by hash": "unknown",
    "new blocks": "announced",
}


def shown(view, width):
    out = Console(width=width, file=io.StringIO(), color_system=None)
    out.print(view)
    text = out.file.getvalue()
    assert "…" not in text.replace(", …", ""), text
    assert max(map(len, text.splitlines())) <= width
    return re.sub(r"[\s─]", "", text)


def a_key(**changed):
    held = HeldNonce(nonce=12, key="k", kind="flag", subject=ACCOUNT, state="sent", attempts=2, waited_blocks=9)
    facts = {"latest": 1_234_567, "pending": 1_234_570, "held": (held,), "gaps": (5, 6), "gap_count": 633}
    facts |= {"stuck_since": 23_456_789, "mined": (2, 3), "overtaken": (4,), "foreign_pending": 2, "abandoned": ()}
    return KeyNonces(address=ADDRESS, role=SignerRole.PUBLISHER, **(facts | changed))


@WIDTHS
def test_nonces_view__any_width__everything_said(width):
    """Key, role and every figure: this is read at night, in a narrow window."""
    text = shown(nonces_view([a_key()]), width)
    for part in (
        ADDRESS,
        "publisher",
        "1234567",
        "1234570",
        "633missing",
        "stucksinceblock23456789",
        "2foreignpending",
        "2minedandnotsettledyet",
        "4usedbyaforeigntransaction",
    ):
        assert part in text


@WIDTHS
@pytest.mark.parametrize("sent", [False, True])
def test_repairs_view__any_width__each_step_below_its_key(width, sent):
    """What was done, or what --send would do."""
    step = Repair(
        address=ADDRESS, nonce=1_234_567, kind=RepairKind.FILL, what="nobody holds it", done=True, said="went"
    )
    text = shown(repairs_view([step], sent=sent), width)
    assert ADDRESS + "nonce1234567:fill,nobodyholdsit" in text
    assert ("→went" in text) is sent
    assert ("keepernoncerepair--send" in text) is not sent


@WIDTHS
def test_bidders_views__any_width__account_address_and_calldata_to_copy_are_whole(width):
    """What is signed elsewhere is copied from here."""
    keys = (Bidder(address=ADDRESS, right=Right.OWNER), Bidder(address=ADDRESS, right=Right.NONE))
    text = shown(bidders_view(int(ACCOUNT, 16), ADDRESS, keys), width)
    assert ACCOUNT in text
    assert f"✓{ADDRESS}ownstheaccount!{ADDRESS}maynotbid" in text
    intent = replace(an_intent(ADDRESS, a_block()), data=bytes(range(100)))
    change = Change(key=ADDRESS, approved=True, by=ADDRESS, ours=False, intent=intent)
    text = shown(changes_view([change], sent=False), width)
    assert f"to{ADDRESS}data0x{intent.data.hex()}dryrun" in text


@WIDTHS
def test_findings_view__any_width__address_to_copy_is_whole(width):
    """So are an endpoint's figures, whatever goes below."""
    found = Finding(
        what="node x", verdict=Verdict.BAD, said="equity 0.00", hint=f"deposit to {ACCOUNT}", measured=MEASURED
    )
    text = shown(findings_view([found]), width)
    assert all(re.sub(r"\s", "", value) in text for name, value in MEASURED.items() if name != "endpoint"), text
    if width > 40:
        assert ACCOUNT in text


@WIDTHS
def test_keys_view__any_width__address_is_whole(width):
    """It is what gets funded."""
    one = KeyFinding(
        role=SignerRole.PUBLISHER,
        name="keys.publisher",
        kind="keystore",
        address=ADDRESS,
        verdict=KeyVerdict.SIGNS,
        said="signs",
        took_ms=1.0,
        balance_wei=10**18,
        transactions=20_000,
    )
    assert ADDRESS in shown(keys_view([one]), width)


@WIDTHS
def test_table__any_width__numbers_are_whole(width):
    """The one table of `keeper status` and the others: a number goes on below before it is cut."""
    made = table("accounts", "count", "", "equity", "maintenance", "initial")
    made.add_row("liquidatable", "100,000", "█" * 30, "1,234,567,890.12", "1,234,567,890.12", "−11,086,848,000 wei")
    shown(made, width)
