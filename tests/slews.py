"""A market whose numbers take their time."""

from keeper.abis import load
from keeper.demo.world import World
from keeper.deploy.market_spec import VolFenceSpec
from keeper.protocols.abi import Abi

#: What a house is deployed with unless it says otherwise: maintenance by 2.5 % an hour, ranges by 1 %.
USUAL_PPM_PER_HOUR = 25_000
USUAL = VolFenceSpec()


def slow_down(world: World, underlying: int, rate_ppm_per_hour: int = USUAL_PPM_PER_HOUR) -> None:
    """The demo's numbers arrive within hours, as its path is crammed; here they are to be met on their way."""
    forwards = {
        "phiStepPpb": USUAL.phi_step_ppb,
        "phiBudgetPpb": USUAL.phi_budget_ppb,
        "dfStepPpb": USUAL.df_step_ppb,
        "dfBudgetPpb": USUAL.df_budget_ppb,
    }
    _change(world, "volFences", "setVolFences", underlying, forwards)
    _change(world, "config", "setConfig", underlying, {"slewPpmPerHour": rate_ppm_per_hour})


def _change(world: World, getter: str, setter: str, underlying: int, values: dict[str, int]) -> None:
    abi = Abi("RiskParameters", load("RiskParameters").abi)
    call = {
        "to": world.deployment.addresses["RiskParameters"],
        "data": "0x" + abi.call(getter, underlying).hex(),
    }
    answer = bytes.fromhex(world.chain.request("eth_call", call, "latest").removeprefix("0x"))
    (now,) = abi.result(getter, answer).values()
    world.govern("RiskParameters", setter, underlying, tuple((now | values).values()))
