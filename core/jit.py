"""The one place that meets Numba.

Theory: a kernel is a function over arrays that is compiled once per machine and loaded from a cache afterwards. Numba's
own cache notices edits of a kernel's file only, not of the helpers it inlines from other files, and ignores the
bounds-check setting; so the cache lies in a folder named by a hash of every kernel source, the Numba version and the
flags, chosen before the first decorator runs.

Rules: `@kernel` for what Python calls, `@inline` for what only kernels call; both are typed as identity, so that mypy
sees ordinary functions. `NUMBA_DISABLE_JIT=1` runs the same code in plain Python (tests, coverage). Bounds checks stay
on: hostile packets end in an error that is caught, not in someone else's memory. Kernels do not allocate (`_nrt` off):
without reference counts they run several times faster; whoever calls them brings the scratch space.

`WIRETALLY_CACHE_DIR` moves the cache.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

FLAGS = {"nogil": True, "cache": True, "boundscheck": True, "error_model": "numpy", "_nrt": False}
ROOT = Path(__file__).resolve().parent.parent
KERNEL_FOLDERS = ("core", "capture", "dissect")


def cache_folder() -> Path:
    """Where compiled kernels of exactly these sources live."""
    base = os.environ.get("WIRETALLY_CACHE_DIR")
    root = Path(base) if base else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wiretally"
    return root / f"kernels-{_fingerprint()}"


def _fingerprint() -> str:
    digest = hashlib.sha256(f"{numba.__version__} {sorted(FLAGS.items())}".encode())
    for folder in KERNEL_FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _use_cache() -> bool:
    """Points Numba at the cache folder; without a writable folder kernels are compiled in every process."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return False
    numba.config.CACHE_DIR = str(folder)
    return os.access(folder, os.W_OK)


if not _use_cache():
    FLAGS["cache"] = False
# Records that begin with the same fields may stand for one another: rows share the columns of their flow's ends.
warnings.filterwarnings("ignore", category=numba.NumbaExperimentalFeatureWarning)


def kernel(function: Function) -> Function:
    """Compiles `function` at its first call; cached on disk, without the GIL, bounds-checked."""
    return cast("Function", numba.njit(**FLAGS)(function))


def inline(function: Function) -> Function:
    """Compiles `function` into the kernels that call it. LLVM decides about the inlining; it costs no cache file."""
    flags = {name: value for name, value in FLAGS.items() if name != "cache"}
    return cast("Function", numba.njit(**flags)(function))
