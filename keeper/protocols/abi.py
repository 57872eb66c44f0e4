"""ABI tables: logs and reverts decoded, calls encoded, with eth-abi and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from eth_abi.abi import decode, encode
from eth_hash.auto import keccak

Entry = Mapping[str, Any]


def type_of(parameter: Entry) -> str:
    """Canonical type of an ABI parameter; structs become tuples."""
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(type_of(c) for c in parameter["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


def signature_of(entry: Entry) -> str:
    """`name(type,…)` of a function, event or error."""
    return f"{entry['name']}({','.join(type_of(i) for i in entry['inputs'])})"


def named(parameters: Sequence[Entry], values: Iterable[Any]) -> dict[str, Any]:
    """Values by parameter name; structs as dicts, arrays as tuples."""
    return {p["name"] or str(i): _shape(p, v) for i, (p, v) in enumerate(zip(parameters, values, strict=True))}


def _shape(parameter: Entry, value: Any) -> Any:
    kind: str = parameter["type"]
    if kind == "tuple":
        return named(parameter["components"], value)
    if kind.startswith("tuple"):
        return tuple(named(parameter["components"], v) for v in value)
    return value


@dataclass(frozen=True)
class Event:
    """A decoded log."""

    contract: str
    name: str
    args: dict[str, Any]


class Abi:
    """Calls, events and errors of one contract."""

    def __init__(self, name: str, entries: Sequence[Entry]) -> None:
        self.name = name
        self._entries = entries

    @cached_property
    def _functions(self) -> dict[str, tuple[bytes, list[str], Entry]]:
        return {
            e["name"]: (keccak(signature_of(e).encode())[:4], [type_of(i) for i in e["inputs"]], e)
            for e in self._entries
            if e["type"] == "function"
        }

    @cached_property
    def _events(self) -> dict[bytes, Entry]:
        return {keccak(signature_of(e).encode()): e for e in self._entries if e["type"] == "event"}

    @cached_property
    def errors(self) -> dict[bytes, Entry]:
        """Custom errors by selector."""
        return {keccak(signature_of(e).encode())[:4]: e for e in self._entries if e["type"] == "error"}

    def __contains__(self, function: str) -> bool:
        return function in self._functions

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its functions."""
        return tuple(self._functions)

    def inputs(self, function: str) -> Sequence[Entry]:
        """Parameters of a function.  Raises: `KeyError` if there is none of that name."""
        inputs: Sequence[Entry] = self._functions[function][2]["inputs"]
        return inputs

    def function_of(self, selector: bytes) -> Entry | None:
        """The function that calldata begins with; None if it is none of ours."""
        return next((entry for own, _, entry in self._functions.values() if own == selector), None)

    def signature(self, function: str) -> str:
        """`name(type,…)` of a function.  Raises: `KeyError` likewise."""
        return signature_of(self._functions[function][2])

    def call(self, function: str, *args: Any) -> bytes:
        """Calldata."""
        selector, types, _ = self._functions[function]
        return selector + encode(types, args)

    def arguments(self, function: str, data: bytes) -> dict[str, Any]:
        """Arguments of a call by name: what `call` put in.  Raises: `ValueError` if it is a call of something else."""
        selector, types, entry = self._functions[function]
        if data[:4] != selector:
            raise ValueError(f"not a call of {self.name}.{function}")
        return named(entry["inputs"], decode(types, data[4:]))

    def result(self, function: str, data: bytes) -> dict[str, Any]:
        """Returned values by name (by position where unnamed)."""
        outputs = self._functions[function][2]["outputs"]
        return named(outputs, decode([type_of(o) for o in outputs], data))

    def topic(self, event: str) -> bytes | None:
        """Hash of an event's signature; None if the contract has no such event."""
        return next((topic for topic, entry in self._events.items() if entry["name"] == event), None)

    def event(self, topics: Sequence[bytes], data: bytes) -> Event | None:
        """Decode a log; None if the contract's ABI does not know it."""
        entry = self._events.get(topics[0]) if topics else None
        if entry is None:
            return None
        indexed = [i for i in entry["inputs"] if i["indexed"]]
        plain = [i for i in entry["inputs"] if not i["indexed"]]
        args = {p["name"]: decode([type_of(p)], t)[0] for p, t in zip(indexed, topics[1:], strict=True)}
        args |= named(plain, decode([type_of(p) for p in plain], data))
        return Event(self.name, entry["name"], args)


def explain_revert(data: bytes, abis: Iterable[Abi]) -> str:
    """A revert in words: `BelowInitial(account=…, equity=…, im=…)`, `Error: text`, `Panic 0x11`, or the raw bytes."""
    if not data:
        return "reverted without a reason (out of gas, or a call to an address without code)"
    selector, body = data[:4], data[4:]
    if selector == keccak(b"Error(string)")[:4]:
        return f"Error: {decode(['string'], body)[0]}"
    if selector == keccak(b"Panic(uint256)")[:4]:
        return f"Panic {decode(['uint256'], body)[0]:#x}"
    for abi in abis:
        entry = abi.errors.get(selector)
        if entry is not None:
            args = named(entry["inputs"], decode([type_of(i) for i in entry["inputs"]], body))
            return f"{entry['name']}({', '.join(f'{k}={_text(v)}' for k, v in args.items())})"
    return f"unknown error 0x{data.hex()}"


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        stripped = value.rstrip(b"\0")
        return stripped.decode() if stripped.isascii() and stripped.decode().isprintable() else "0x" + value.hex()
    return f"{value:#x}" if isinstance(value, int) and value >= 1 << 128 else str(value)
