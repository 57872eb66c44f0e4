"""A market whose ranges take their time."""

from keeper.abis import load
from keeper.demo.world import World
from keeper.protocols.abi import Abi

#: What a house is deployed with unless it says otherwise: maintenance by 2.5 % an hour, ranges by 1 %.
USUAL_PPM_PER_HOUR = 25_000


def slow_down(world: World, underlying: int, rate_ppm_per_hour: int = USUAL_PPM_PER_HOUR) -> None:
    """The demo's ranges arrive within hours, as its path is crammed; here they are to be met on their way."""
    abi = Abi("RiskParameters", load("RiskParameters").abi)
    call = {"to": world.deployment.addresses["RiskParameters"], "data": "0x" + abi.call("config", underlying).hex()}
    answer = bytes.fromhex(world.chain.request("eth_call", call, "latest").removeprefix("0x"))
    (config,) = abi.result("config", answer).values()
    changed = config | {"slewPpmPerHour": rate_ppm_per_hour}
    world.govern("RiskParameters", "setConfig", underlying, tuple(changed.values()))
