"""A proposal as the governor's own log has it: for whoever has its number and no file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from eth_abi.abi import decode
from eth_utils import to_checksum_address

from keeper.chain.records import Log
from keeper.errors import BadInput, KeeperError, Refused
from keeper.governance.chain import GOVERNOR, ChainView
from keeper.governance.changes import parse_changes
from keeper.governance.items import Call, words_of
from keeper.governance.proposal import Proposal, build, changes_in
from keeper.governance.route import Route, Way, route_of
from keeper.governance.steps import ids_of, steps_of, views_of
from keeper.protocols.abi import named, signature_of, type_of


def find_proposal(chain: ChainView, given: Mapping[str, Any], number: int) -> Proposal:
    """The proposal of a governor with this number: calls and text from its log, old values from the block before it.

    Args:
        chain: today.
        given: as `route_of` takes it.
        number: the governor's.

    Raises: `BadInput` if there is none, or its text carries no changes.
    """
    route = route_of(chain, given)
    if route.way is not Way.GOVERNOR:
        raise BadInput(
            "only a governor keeps proposals by number", hint="give --governor, or the file that keeper propose wrote"
        )
    log, args = _created(chain, route, number)
    description = str(args["description"])
    changes = parse_changes(changes_in(description), name="the proposal's text")
    calls = tuple(
        _call(chain, to_checksum_address(target), value, data)
        for target, value, data in zip(args["targets"], args["values"], args["calldatas"], strict=True)
    )
    then = ChainView(chain.rpc, chain.deployment, chain.rpc.block(log.block_number - 1))
    fresh = _at_the_time(then, given, description)
    return Proposal(
        title=changes.title,
        changes=changes.source,
        description=description,
        chain_id=chain.rpc.chain_id,
        block=then.block.number,
        block_hash=then.block.hash,
        time_s=then.block.timestamp,
        route=route,
        ids=ids_of(route, calls, description, chain_id=chain.rpc.chain_id),
        calls=calls,
        differences=fresh.differences if fresh else (),
        steps=steps_of(chain, route, calls, description),
        views=views_of(chain, route, calls, description),
        code=fresh.code if fresh else {},
        settled=fresh.settled if fresh else (),
    )


def _created(chain: ChainView, route: Route, number: int) -> tuple[Log, Mapping[str, Any]]:
    abi = chain.abi(GOVERNOR)
    topic = abi.topic("ProposalCreated")
    assert topic is not None
    try:
        logs = chain.rpc.logs(chain.deployment.block, chain.block.number, [route.governor], ["0x" + topic.hex()])
    except Refused as error:
        raise BadInput(
            f"the node does not search its logs so far: {error.message}", hint="give the proposal's file instead"
        ) from error
    for log in logs:
        found = abi.event(log.topics, log.data)
        if found is not None and found.args["proposalId"] == number:
            return log, found.args
    raise BadInput(f"the governor {route.governor} has no proposal {number}", hint="compare chain, governor and number")


def _at_the_time(then: ChainView, given: Mapping[str, Any], description: str) -> Proposal | None:
    """The proposal generated on the state it was made on; None where the node has forgotten that state."""
    try:
        found = build(parse_changes(changes_in(description)), then, route_of(then, given))
    except KeeperError:
        return None
    return replace(found, description=description)


def _call(chain: ChainView, target: str, value: int, data: bytes) -> Call:
    """A call in words, as far as the target is ours."""
    known: dict[str, str] = {to_checksum_address(at): name for name, at in chain.deployment.addresses.items()}
    name = known.get(target, "")
    bare = Call(target=target, value=value, data=data, contract=name, signature="0x" + data[:4].hex(), arguments=())
    if not name:
        return bare
    entry = chain.abi(name).function_of(data[:4])
    if entry is None:
        return bare
    values = decode([type_of(one) for one in entry["inputs"]], data[4:])
    words = tuple(f"{key} = {words_of(one)}" for key, one in named(entry["inputs"], values).items())
    return replace(bare, signature=signature_of(entry), arguments=words)
