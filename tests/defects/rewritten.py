"""Functions that carry a defect: the keeper's own source with a few characters replaced."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

import pytest


def rewrite(patch: pytest.MonkeyPatch, function: Callable[..., Any], old: str, new: str) -> None:
    """Put a rewritten copy of a module's function in its place.

    Args:
        patch: undoes it.
        function: of a module, undecorated.
        old: what stands in its source, once; a source that moved on fails the test that relies on it.
        new: what somebody would have written.
    """
    module = sys.modules[function.__module__]
    source = inspect.getsource(function)
    assert source.count(old) == 1, f"{function.__qualname__} is not what the mutation was written for"
    copy = dict(vars(module))
    exec(compile("from __future__ import annotations\n" + source.replace(old, new), f"<{old!r}>", "exec"), copy)
    patch.setattr(module, function.__name__, copy[function.__name__])
