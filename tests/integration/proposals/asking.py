"""How propose and proposal are asked, and with what changes."""

from __future__ import annotations

import json

from tests.sites import ask

#: Where the way on a fork is not what is looked at.
QUICKLY = ("--engine", "embedded", "--no-simulate")


#: What some accounts do not survive.
HARD = """
title = "Count less of the ether"
summary = "It fell by half in a day."

[collateral.WETH]
haircut_ppm = "60 %"

[underlying.ETH.config]
short_min_ppm = "20 %"

[underlying.BTC.config]
short_min_ppm = "20 %"

[underlying.ETH.fence.psr]
max = "40 %"
"""


def asked(market, *args):
    """A command of whoever looks at the market."""
    return ask(*args, "-c", market.settings)


def written(market, text=HARD):
    """Changes, as a file.  Returns: its path."""
    path = market.folder / "CHANGES.toml"
    path.write_text(text)
    return str(path)


def differences(result):
    """New values, by what they are of and their names."""
    return {(d["of"], d["name"]): d["new"] for d in json.loads(result.stdout)["proposal"]["differences"]}
