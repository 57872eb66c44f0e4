"""A value that is never shown: keys, and addresses that carry credentials."""

from __future__ import annotations

from typing import Any, NoReturn, Self

from pydantic_core import CoreSchema, core_schema


class Secret:
    """A string that shows as `***` wherever it is printed, logged or dumped.  Only `reveal` gives it out."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The string itself.  Warning: do not format it into a message."""
        return self._value

    def __repr__(self) -> str:
        return "'***'"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, _handler: object) -> CoreSchema:
        """Read from a string; dump as `***`."""
        return core_schema.no_info_plain_validator_function(
            cls._of, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def _of(cls, value: Any) -> Secret:
        if isinstance(value, cls):
            return value
        if not isinstance(value, str) or not value:
            raise ValueError("a non-empty string belongs here")
        return cls(value)
