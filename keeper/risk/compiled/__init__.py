"""The one door to compiled kernels: inner loops that numpy cannot express without touching memory many times.

Each kernel is plain Python over arrays and scalars, decorated with `kernel`; numba compiles it on the first call and
keeps the machine code between processes.  Where numba is missing, `COMPILED` is False and callers take the numpy twin
that stands beside every use; both are tested equal, so a missing compiler costs time, never a different answer.

Kernels hold no Python objects, allocate little, and use no fast-math: the same inputs give the same bits on each run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

numba: Any
try:
    import numba
except ImportError:  # pragma: no cover - a test hides numba in a child process
    numba = None

F = TypeVar("F", bound=Callable[..., Any])

#: Whether kernels run as machine code here.  Off without numba, and when numba itself is told not to compile.
COMPILED: Final[bool] = numba is not None and not numba.config.DISABLE_JIT


def kernel(function: F) -> F:
    """Compile one inner loop, on its first call, for one core; cached between processes."""
    if numba is None:
        return function
    compiled: F = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return compiled


def inlined_kernel(function: F) -> F:
    """Compile a formula that other kernels call from their inner loops, and inline it there.

    A call that stays a call makes the loop around it do one element at a time instead of several at once.
    """
    if numba is None:
        return function
    compiled: F = numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)(function)
    return compiled


def parallel_kernel(function: F) -> F:
    """The same over all cores: the loop that may be split is written with `prange`."""
    if numba is None:
        return function
    compiled: F = numba.njit(cache=True, nogil=True, parallel=True, error_model="numpy")(function)
    return compiled


#: `range` of a loop whose rounds are independent of each other, for `parallel_kernel`.
prange: Any = range if numba is None else numba.prange
