"""Words: those that a person leaves behind with what they do, and figures in our own."""

from __future__ import annotations

from keeper.errors import BadInput

WAD = 10**18


def percent(share: float, form: str = ".2") -> str:
    """A fraction as a share with its unit set off, as everywhere: 0.0838 is `8.38 %`; `form` may ask for a sign."""
    return f"{share:{form}%}".replace("%", " %")


def usd(wad: int) -> str:
    """An amount in a sentence: cents, and the unit."""
    return f"{wad / WAD:,.2f} USD"


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
