"""Documents to start from, written where a person can change them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from keeper.errors import BadInput


def example_names() -> tuple[str, ...]:
    """File names of the examples."""
    return tuple(sorted(one.name for one in files("keeper.documents").joinpath("examples").iterdir() if one.is_file()))


def write_examples(folder: Path) -> tuple[Path, ...]:
    """Write every example into a folder, which is made if it is not there.

    Raises: `BadInput` if one of them is there already, or the folder cannot be written.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        targets = {name: folder / name for name in example_names()}
        there = next((path for path in targets.values() if path.exists()), None)
        if there is not None:
            raise BadInput(f"{there} is there already", hint="name another folder: nothing is overwritten")
        for name, path in targets.items():
            path.write_bytes(files("keeper.documents").joinpath("examples", name).read_bytes())
            written.append(path)
    except OSError as error:
        raise BadInput(f"{folder}: cannot be written: {error}", hint="name a folder that may be written") from None
    return tuple(written)
