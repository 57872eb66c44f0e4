"""How each type hint is written and read: one small plan per hint, compiled on first use and kept.

Internal to `keeper.domain.codec`, which describes the form.
"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Callable, Mapping
from enum import Enum, IntEnum, StrEnum
from functools import cache
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

from keeper.errors import LawBroken
from keeper.units import Amount

Step = Callable[[Any], Any]


class Misfit(Exception):
    """A value does not fit its hint; `path` grows while it travels up."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = ""

    def under(self, step: str) -> Misfit:
        """The same, seen from one level further up."""
        self.path = step + ("." if self.path and not self.path.startswith("[") else "") + self.path
        return self

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}" if self.path else self.problem


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """One hint's two directions, between values and the trees that `json` knows."""

    encode: Step
    decode: Step


def _compile(hint: Any) -> Plan:
    if isinstance(hint, NewType):
        return plan_of(hint.__supertype__)
    if isinstance(hint, type) and get_origin(hint) is None:
        return _plan_of_class(hint)
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _union(args)
    if origin is tuple:
        return _sequence(plan_of(args[0])) if args[1:] == (...,) else _fixed([plan_of(arg) for arg in args])
    if origin is dict or origin is Mapping:
        return _mapping(_key_of(args[0]), plan_of(args[1]))
    if origin is Literal:
        return _literal(args)
    raise LawBroken(f"{hint!r} has no canonical form")


plan_of: Callable[[Any], Plan] = cache(_compile)
"""The plan of a type hint.  Raises: `LawBroken` if the hint has no canonical form."""


def _plan_of_class(cls: type) -> Plan:
    if cls in _SCALARS:
        return _SCALARS[cls]
    if cls is types.NoneType:
        return _literal((None,))
    if issubclass(cls, Amount):
        exact = _SCALARS[int]
        return Plan(lambda value: exact.encode(_instance(cls, value).raw), lambda tree: cls(exact.decode(tree)))
    if issubclass(cls, (StrEnum, IntEnum)):
        return Plan(lambda value: _instance(cls, value).value, lambda tree: _member(cls, tree))
    if hasattr(cls, "canonical"):
        return _canonical(cls)
    if dataclasses.is_dataclass(cls):
        return _record(cls)
    raise LawBroken(f"{cls.__name__} has no canonical form")


def _exactly(cls: type) -> Step:
    # Exactly, not isinstance: True is an int to Python, and a numpy scalar may be a float.
    def check(value: Any) -> Any:
        if type(value) is not cls:
            raise Misfit(f"{value!r} is not {cls.__name__}")
        return value

    return check


def _instance(cls: type, value: Any) -> Any:
    if not isinstance(value, cls):
        raise Misfit(f"{value!r} is not {cls.__name__}")
    return value


def _text(value: Any) -> str:
    return str(_instance(str, value))


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Misfit(f"{value!r} is not float")
    number = float(value)
    if not math.isfinite(number):
        raise Misfit(f"{value!r} is not a finite number")
    return number


def _unhex(tree: Any) -> bytes:
    text = _text(tree)
    if not text.startswith("0x"):
        raise Misfit(f"{text[:20]!r} is not 0x bytes")
    return bytes.fromhex(text[2:])


_SCALARS: dict[type, Plan] = {
    int: Plan(_exactly(int), _exactly(int)),
    bool: Plan(_exactly(bool), _exactly(bool)),
    str: Plan(_text, _exactly(str)),
    float: Plan(_finite, _finite),
    bytes: Plan(lambda value: "0x" + _instance(bytes, value).hex(), _unhex),
}


def _member(cls: type[Enum], tree: Any) -> Any:
    # By type too: IntEnum(True) and IntEnum(1.0) would both find the member 1.
    if type(tree) is not (int if issubclass(cls, int) else str) or tree not in {member.value for member in cls}:
        raise Misfit(f"{tree!r} is not one of {cls.__name__}")
    return cls(tree)


def _literal(allowed: tuple[Any, ...]) -> Plan:
    def check(value: Any) -> Any:
        if not any(type(value) is type(one) and value == one for one in allowed):
            raise Misfit(f"{value!r} is not one of {allowed}")
        return value

    return Plan(check, check)


def _sequence(item: Plan) -> Plan:
    def run(step: Step, values: Any) -> list[Any]:
        try:
            return [step(value) for value in values]
        except Misfit:
            return [_at(f"[{index}]", step, value) for index, value in enumerate(values)]  # again, to name the index

    return Plan(
        lambda value: run(item.encode, _instance(tuple, value)),
        lambda tree: tuple(run(item.decode, _instance(list, tree))),
    )


def _fixed(items: list[Plan]) -> Plan:
    def sized(values: Any) -> Any:
        if len(values) != len(items):
            raise Misfit(f"{len(values)} items where {len(items)} belong")
        return values

    def encode(value: Any) -> Any:
        pairs = zip(items, sized(_instance(tuple, value)), strict=True)
        return [_at(f"[{index}]", item.encode, one) for index, (item, one) in enumerate(pairs)]

    def decode(tree: Any) -> Any:
        pairs = zip(items, sized(_instance(list, tree)), strict=True)
        return tuple(_at(f"[{index}]", item.decode, one) for index, (item, one) in enumerate(pairs))

    return Plan(encode, decode)


def _key_of(hint: Any) -> Plan:
    plan = plan_of(hint)
    base: Any = hint.__supertype__ if isinstance(hint, NewType) else hint
    if issubclass(base, int):

        def number(text: str) -> Any:
            if not text.removeprefix("-").isdecimal() or str(int(text)) != text:
                raise Misfit(f"key {text!r} is not a whole number")
            return plan.decode(int(text))

        return Plan(lambda key: str(int(plan.encode(key))), number)
    return plan


def _mapping(key: Plan, item: Plan) -> Plan:
    def encode(value: Any) -> Any:
        pairs = _instance(Mapping, value).items()
        tree = {key.encode(name): _at(f"[{name!r}]", item.encode, one) for name, one in pairs}
        return dict(sorted(tree.items()))

    def decode(tree: Any) -> Any:
        return {key.decode(name): _at(f"[{name!r}]", item.decode, one) for name, one in _instance(dict, tree).items()}

    return Plan(encode, decode)


def _canonical(cls: Any) -> Plan:
    """A class that is written as another value: `canonical` is that value's hint, two methods are the two ways."""
    plan = plan_of(cls.canonical)
    return Plan(
        lambda value: plan.encode(_instance(cls, value).to_canonical()),
        lambda tree: cls.from_canonical(plan.decode(tree)),
    )


def _record(cls: Any) -> Plan:
    # Hints are resolved on first use, not here: a record may contain itself.
    @cache
    def fields() -> list[tuple[str, Plan, bool]]:
        hints = get_type_hints(cls)
        missing = dataclasses.MISSING
        return sorted(
            (field.name, plan_of(hints[field.name]), field.default is missing and field.default_factory is missing)
            for field in dataclasses.fields(cls)
        )

    def encode(value: Any) -> Any:
        if type(value) is not cls:
            raise Misfit(f"{type(value).__name__} is not {cls.__name__}")
        tree, name = {}, ""
        try:
            for name, plan, _ in fields():
                tree[name] = plan.encode(getattr(value, name))
        except Misfit as misfit:
            raise misfit.under(name) from None
        return tree

    def decode(tree: Any) -> Any:
        known = fields()
        found = {name: _at(name, plan.decode, tree[name]) for name, plan, _ in known if name in _instance(dict, tree)}
        if unknown := sorted(set(tree) - set(found)):
            raise Misfit("unknown field").under(unknown[0])
        for name, _, required in known:
            if required and name not in found:
                raise Misfit("missing field").under(name)
        return cls(**found)

    return Plan(encode, decode)


def _is_record(hint: Any) -> bool:
    return isinstance(hint, type) and dataclasses.is_dataclass(hint) and not issubclass(hint, Amount)


def _number_or_names(args: tuple[Any, ...]) -> Plan | None:
    """`int | Mapping[…]`, which JSON tells apart by itself; None for any other union."""
    mappings = [arg for arg in args if get_origin(arg) in (dict, Mapping)]
    if len(args) != 2 or int not in args or len(mappings) != 1:
        return None
    number, names = plan_of(int), plan_of(mappings[0])
    return Plan(
        lambda value: (names if isinstance(value, Mapping) else number).encode(value),
        lambda tree: (names if isinstance(tree, dict) else number).decode(tree),
    )


def _union(args: tuple[Any, ...]) -> Plan:
    if (either := _number_or_names(args)) is not None:
        return either
    records = {arg.__name__: arg for arg in args if _is_record(arg)}
    others = [arg for arg in args if arg is not types.NoneType and arg not in records.values()]
    if len(others) + bool(records) > 1 or len({*records}) + len(others) + (types.NoneType in args) != len(args):
        raise LawBroken(f"{' | '.join(map(str, args))}: a union may mix records and None, or one plain type and None")
    optional = types.NoneType in args
    if others or len(records) == 1:  # Optional: no tag needed
        plan = plan_of((others or list(records.values()))[0])
        encode, decode = plan.encode, plan.decode
    else:
        plans = {name: plan_of(record) for name, record in records.items()}

        def encode(value: Any) -> Any:
            name = type(value).__name__
            if type(value) is not records.get(name):
                raise Misfit(f"{name} is not one of {', '.join(sorted(records))}")
            return {"@": name, **plans[name].encode(value)}  # "@" sorts before every field name

        def decode(tree: Any) -> Any:
            fields = dict(_instance(dict, tree))
            name = fields.pop("@", None)
            if name not in plans:
                raise Misfit(f"{name!r} is not one of {', '.join(sorted(records))}").under("@")
            return plans[name].decode(fields)

    return Plan(
        lambda value: None if value is None and optional else encode(value),
        lambda tree: None if tree is None and optional else decode(tree),
    )


def _at(step: str, run: Step, value: Any) -> Any:
    try:
        return run(value)
    except Misfit as misfit:
        raise misfit.under(step) from None
