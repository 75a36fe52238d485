"""Kernels: functions over arrays that run as machine code.

Theory: a kernel is compiled once per machine, by another process (`compiler.py`), and kept in a cache as an object
file; every later process only loads it (`native.py`). So neither the compiler's start-up nor its memory is ever paid by
whoever captures or reads. The cache lies in a folder named by the versions of the compiler and the processor; a kernel's
file is named by a hash of its module and of all that this imports: an edit anywhere there makes another one, and an
edit elsewhere costs nothing.

Rules: `@kernel` for what Python calls: arguments are C-contiguous arrays and integers, the result is nothing, an
integer or a tuple of integers (int64). `@inline` for what only kernels call; called from Python it is plain Python. Both
are typed as identity, so that mypy sees ordinary functions. `NUMBA_DISABLE_JIT=1` runs everything in plain Python
(tests, coverage). Bounds checks stay on: hostile packets end in an error that is caught, not in someone else's memory.
Kernels do not allocate: whoever calls them brings the scratch space.

`WIRETALLY_CACHE_DIR` moves the cache.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import re
import stat
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])

IMPORT = re.compile(rb"^[ \t]*from (\.+)([\w.]*) import (\([^)]*\)|.*)", re.MULTILINE)  # imports of ours are relative
COMPILING = os.environ.get("WIRETALLY_COMPILING") == "1"  # set in the process that compiles
PLAIN = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


def kernel(function: Function) -> Function:
    """Machine code in the place of `function`."""
    if PLAIN:
        return function
    if COMPILING:
        from .compiler import njit

        return cast("Function", njit(function))
    return cast("Function", functools.update_wrapper(Kernel(function, brief=False), function))


def brief_kernel(function: Function) -> Function:
    """As `kernel`, for what takes microseconds: it keeps the interpreter's lock, which costs more to get back."""
    made = kernel(function)
    if isinstance(made, Kernel):
        made.brief = True
    return made


def inline(function: Function) -> Function:
    """A part of the kernels that call it."""
    if COMPILING and not PLAIN:
        from .compiler import njit

        return cast("Function", njit(function))
    return function


class Kernel:
    """Finds or makes the machine code for the kinds of arguments that a call brings."""

    def __init__(self, function: Callable[..., Any], *, brief: bool) -> None:
        """Nothing is loaded before the first call."""
        self.function, self.brief = function, brief
        self._loaded: dict[tuple[Any, ...], Callable[[tuple[Any, ...]], Any]] = {}
        self._types: list[Any] = []  # kept, so that no other type gets the identity of one that `_loaded` knows

    def __call__(self, *args: Any) -> Any:  # noqa: ANN401  (whatever the kernel says)
        """Runs it; raises what the kernel raised."""
        key = tuple(_kind(argument) for argument in args)
        run = self._loaded.get(key)
        if run is None:
            self._types += [argument.dtype for argument in args if hasattr(argument, "dtype")]
            run = self._loaded[key] = self._load(args)
        return run(args)

    def _load(self, args: tuple[Any, ...]) -> Callable[[tuple[Any, ...]], Any]:
        from . import native

        kinds = native.describe(args)
        name = f"{self.function.__module__}.{self.function.__qualname__}"
        source = source_digest(Path(self.function.__code__.co_filename))
        path = cache_folder() / f"{name}-{native.digest(kinds)}-{source}.kernel"
        if not path.exists():
            native.compile_elsewhere(self.function, kinds, path)
        return native.load(path, brief=self.brief)


def _kind(argument: Any) -> Any:  # noqa: ANN401
    """What tells apart calls that need different code, quickly: an array's type by identity."""
    dtype = getattr(argument, "dtype", None)
    return int if dtype is None else (id(dtype), argument.ndim, argument.flags.writeable)


@functools.cache
def cache_folder() -> Path:
    """Where kernels of this compiler and processor live, the owner's alone; of this process where there is no place."""
    base = os.environ.get("WIRETALLY_CACHE_DIR")
    root = Path(base) if base else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wiretally"
    folder = root / f"kernels-{_fingerprint()}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if _is_ours(folder):
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="wiretally-kernels-"))


def _is_ours(folder: Path) -> bool:
    """Whether only we can put code there."""
    status = folder.stat()
    mine = status.st_uid == os.geteuid() if hasattr(os, "geteuid") else True
    return mine and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and os.access(folder, os.W_OK)


def _fingerprint() -> str:
    versions = [metadata.version(name) for name in ("numba", "llvmlite", "numpy")]
    digest = hashlib.sha256(f"{versions} {_processor()}".encode())
    for name in ("jit.py", "compiler.py", "native.py"):
        digest.update(Path(__file__).with_name(name).read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def source_digest(module: Path) -> str:
    """A name for the text of a module and of everything of ours that it imports, however far."""
    digest = hashlib.sha256()
    for text in sorted(sources(module).values()):
        digest.update(hashlib.sha256(text).digest())
    return digest.hexdigest()[:12]


def sources(module: Path) -> dict[Path, bytes]:
    """The module and everything of ours that it imports, however far: the text of each file."""
    found: dict[Path, bytes] = {}
    todo = [module.resolve()]
    while todo:
        path = todo.pop()
        if path in found or not path.is_file():
            continue
        found[path] = path.read_bytes()
        for dots, dotted, names in IMPORT.findall(found[path]):
            base = path.parents[len(dots) - 1].joinpath(*dotted.decode().split(".")) if dotted else path.parents[len(dots) - 1]
            todo += [base.with_name(base.name + ".py"), base / "__init__.py"]
            if base.is_dir():
                todo += [base / f"{name.decode()}.py" for name in re.findall(rb"\w+", names)]
    return found


def _processor() -> str:
    """What the machine code depends on: the instruction set, and the features that Linux lists."""
    found = {platform.machine()}
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        found |= {line for line in lines if line.split(":")[0].strip() in ("flags", "Features", "CPU part", "model")}
    except OSError:
        found.add(platform.processor())
    return " ".join(sorted(found))
