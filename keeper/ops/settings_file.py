"""Write the commented settings file."""

from __future__ import annotations

from pathlib import Path

from keeper.errors import BadInput
from keeper.settings import default_toml


def write_settings(path: Path, *, overwrite: bool) -> None:
    """Write every key with its meaning and default to `path`.

    Raises: `BadInput` if the file is there and `overwrite` is not set, or it cannot be written.
    """
    try:
        with path.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(default_toml())
    except FileExistsError:
        raise BadInput(f"{path} is already there", hint="choose another name, or overwrite it with --force") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}", hint="check the folder and its rights") from None
