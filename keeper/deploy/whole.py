"""The whole use case of `scripts/deploy.py`: deploy or go on, hand over, verify."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from keeper import __version__
from keeper.chain.asking.rpc import Rpc
from keeper.chain.sending.fees import FeePolicy
from keeper.chain.signers import Signer
from keeper.deploy.handover import Accepting, hand_over
from keeper.deploy.house import Progress, deploy_house
from keeper.deploy.journal import Journal, ResumingHand
from keeper.deploy.spec import HouseSpec
from keeper.deploy.verify import Finding, verify
from keeper.domain import codec
from keeper.protocols.clearinghouse.deployment import Deployment


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What came of it."""

    deployment: Deployment
    left: Accepting | None
    """What an existing timelock must accept by a proposal of its own."""
    findings: tuple[Finding, ...]
    repeated: int
    """Transactions that an earlier run had done."""

    @property
    def holds(self) -> bool:
        """Whether everything is as it should be, except for what the timelock has yet to accept."""
        return all(one.holds for one in self.findings) or (
            self.left is not None
            and all(one.holds or one.what.startswith(("owner of", "DEFAULT_ADMIN_ROLE of")) for one in self.findings)
        )


def deploy_whole(
    spec: HouseSpec,
    rpc: Rpc,
    signer: Signer,
    *,
    fees: FeePolicy,
    journal: Path,
    multicall: bool = False,
    poll_interval_s: float = 1.0,
    progress: Progress = lambda *_: None,
    told: Callable[[str], None] = lambda _: None,
) -> Deployed:
    """Deploy, or go on where an earlier run was killed; give everything to the spec's timelock; look at it.

    Args:
        spec: what to deploy.
        rpc: where.
        signer: pays; the same in every run.
        fees: what may be paid.
        journal: file that makes it resumable; kept afterwards.
        multicall: as `deploy_house` takes it.
        poll_interval_s: between two looks for a receipt.
        progress: told of every step of the house.
        told: told of every step of the handover.

    Raises: as `deploy_house`, which looks at the whole spec first, `hand_over` and `Journal`.
    """
    about = {
        "spec": hashlib.sha256(codec.dumps(spec)).hexdigest(),
        "chain_id": rpc.chain_id,
        "deployer": signer.address,
        "multicall": multicall,
        "version": __version__,
    }
    hand = ResumingHand(rpc, signer, fees=fees, journal=Journal(journal, about=about), poll_interval_s=poll_interval_s)
    now_s = rpc.block().timestamp
    deployment = deploy_house(spec, hand, now_s=now_s, multicall=multicall, progress=progress)
    left = None
    if spec.timelock is not None:
        deployment, left = hand_over(deployment, hand, spec.timelock, told=told)
    return Deployed(deployment=deployment, left=left, findings=verify(deployment, hand, spec), repeated=hand.repeated)
