"""A proposal as one record, which is also the file that `keeper proposal check` reads.

The text that goes on chain carries the changes as they were written, so that anyone who finds the proposal there can
generate its calls again and compare.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eth_utils import to_checksum_address

from keeper.domain import codec
from keeper.errors import BadInput
from keeper.governance.apart import apart_items
from keeper.governance.chain import ZERO, ChainView
from keeper.governance.changes import Changes
from keeper.governance.items import Call, Difference, Item, setter_items
from keeper.governance.route import Route
from keeper.governance.steps import Ids, Step, ids_of, steps_of, views_of

_ADDRESS: Final = re.compile(r"\b0x[0-9a-fA-F]{40}\b")
_FENCED: Final = re.compile(r"^```toml\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Calls, ids and transactions, and the state that they were made for."""

    title: str
    changes: str
    """CHANGES.toml as it was written."""
    description: str
    """The text that goes on chain."""
    chain_id: int
    block: int
    """Block whose state the old values are of."""
    block_hash: str
    time_s: int
    """Unix seconds of that block."""
    route: Route
    ids: Ids
    calls: tuple[Call, ...]
    differences: tuple[Difference, ...]
    steps: tuple[Step, ...]
    code: dict[str, str]
    """Hash of the code at every address that a call or a step goes to or names: a feed, a token, who gets a role; and
    at the contracts of its way.  Where there is none yet, of nothing: a key that is a contract later is another."""
    views: tuple[Step, ...] = ()
    """Calls that tell where it stands; nothing is sent for these."""
    settled: tuple[str, ...] = ()
    """What was wanted and is so already."""

    def save(self, path: Path) -> None:
        """Write the file."""
        tree = json.loads(codec.dumps(self))
        path.write_text(json.dumps(tree, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def load_proposal(path: Path) -> Proposal:
    """Read a file.  Raises: `BadInput`."""
    try:
        return codec.loads(Proposal, path.read_bytes())
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read: {error.strerror}", hint="name a proposal.json of keeper propose"
        ) from error
    except BadInput as error:
        hint = f"name a proposal.json of keeper propose; {error.hint}"
        raise BadInput(f"{path}: {error.message}", hint=hint, **error.fields) from error


def build(changes: Changes, chain: ChainView, route: Route) -> Proposal:
    """Generate a proposal against the state after one block.

    Raises: `BadInput` if a change is unknown or does not fit, or everything is as wanted already.
    """
    items = items_of(changes, chain, route)
    moving = [item for item in items if item.moves or not item.differences]
    if not any(item.moves for item in moving):
        raise BadInput("everything is as these changes want it already", hint="nothing is left to propose")
    calls = tuple(call for item in moving for call in item.calls)
    description = describe(changes)
    steps = steps_of(chain, route, calls, description)
    spoken_to = {one.target for one in calls} | {step.call.target for step in steps} | set(route.contracts)
    return Proposal(
        title=changes.title,
        changes=changes.source,
        description=description,
        chain_id=chain.rpc.chain_id,
        block=chain.block.number,
        block_hash=chain.block.hash,
        time_s=chain.block.timestamp,
        route=route,
        ids=ids_of(route, calls, description, chain_id=chain.rpc.chain_id),
        calls=calls,
        differences=tuple(d for item in moving for d in item.differences if d.moves),
        steps=steps,
        views=views_of(chain, route, calls, description),
        code={address: chain.code_hash(address) for address in sorted(spoken_to | _named(calls))},
        settled=tuple(f"{d.of}: {d.name} is {d.new_shown}" for item in items for d in item.differences if not d.moves),
    )


def _named(calls: Sequence[Call]) -> set[str]:
    """Addresses among the arguments, but for nobody's."""
    found: set[str] = {
        to_checksum_address(at) for call in calls for words in call.arguments for at in _ADDRESS.findall(words)
    }
    return found - {ZERO}


def items_of(changes: Changes, chain: ChainView, route: Route) -> tuple[Item, ...]:
    """Every wanted change against the chain.  Raises: as `build`."""
    return (*setter_items(changes, chain), *apart_items(changes, chain, executor=route.executor))


def describe(changes: Changes) -> str:
    """The text that goes on chain: title, summary, and the changes themselves."""
    source = changes.source.strip()
    return f"# {changes.title}\n\n{changes.summary}\n\n```toml\n{source}\n```\n"


def changes_in(description: str) -> str:
    """The changes that a description carries.  Raises: `BadInput` if it carries none."""
    found = _FENCED.search(description)
    if found is None:
        raise BadInput(
            "the proposal's text carries no changes to generate its calls from",
            hint="it was not made by keeper propose: check it with the file it was made from",
        )
    return found[1]


def same_calls(ours: Sequence[Call], theirs: Sequence[Call]) -> bool:
    """Whether they do the same: target, value and calldata, in order."""
    return [(c.target, c.value, c.data) for c in ours] == [(c.target, c.value, c.data) for c in theirs]
