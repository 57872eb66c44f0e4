"""Words that a person leaves behind with what they do: reasons, names."""

from __future__ import annotations

from keeper.errors import BadInput


def written(value: str, option: str) -> str:
    """The words without the spaces around them.

    Args:
        value: as the terminal hands it over, which may be half letters and zero bytes.
        option: that it was given with.

    Raises: `BadInput` if there are none, or they cannot be stored.
    """
    if not value.strip():
        name = option.removeprefix("--")
        raise BadInput(f"it needs {'an' if name[:1] in 'aeiou' else 'a'} {name}", hint=f"give it with {option}")
    try:
        value.encode()
    except UnicodeEncodeError:
        problem = True
    else:
        problem = "\0" in value
    if problem:
        raise BadInput(f"{option} holds what are no letters", hint="write it in UTF-8", value=ascii(value))
    return value.strip()
