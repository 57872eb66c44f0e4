"""The one door to compiled kernels: inner loops that numpy cannot express without touching memory many times.

Each kernel is plain Python over arrays and scalars, decorated with `kernel`; numba compiles it on the first call and
keeps the machine code between processes.  Where numba is missing, `COMPILED` is False and callers take the numpy twin
that stands beside every use; both are tested equal, so a missing compiler costs time, never a different answer.

Kernels hold no Python objects, allocate little, and use no fast-math: the same inputs give the same bits on each run.

numba notices an edit of the file that a kernel is in, and not of a file whose kernels it has inlined.  So the machine
code is kept in a folder named after the sources of this whole package: an edit anywhere in it compiles anew.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
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
    return _compiled(function)


def inlined_kernel(function: F) -> F:
    """Compile a formula that other kernels call from their inner loops, and inline it there.

    A call that stays a call makes the loop around it do one element at a time instead of several at once.
    """
    return _compiled(function, forceinline=True)


def parallel_kernel(function: F) -> F:
    """The same as `kernel` over all cores: the loop that may be split is written with `prange`."""
    return _compiled(function, parallel=True)


def _compiled(function: F, **options: bool) -> F:
    if numba is None:
        return function
    # numba reads its cache folder when it decorates; other users of numba in this process keep theirs.
    theirs = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(Path(theirs or _HERE / "__pycache__") / f"kernels-{_SOURCES}")
    try:
        made: F = numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    finally:
        numba.config.CACHE_DIR = theirs
    return made


def _digest() -> str:
    """Short name of this package's sources as they are now."""
    texts = (path.name.encode() + path.read_bytes() for path in sorted(_HERE.glob("*.py")))
    return blake2b(b"\0".join(texts), digest_size=8).hexdigest()


_HERE: Final = Path(__file__).parent
_SOURCES: Final = _digest()

#: `range` of a loop whose rounds are independent of each other, for `parallel_kernel`.
prange: Any = range if numba is None else numba.prange
