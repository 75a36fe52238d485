"""Machine code of kernels: loaded from object files and called.

Theory: Numba's native functions take a pointer for the result, one for an error, and then their arguments, arrays spread
out into (owner, parent, items, item size, data, shape…, strides…): `CPUCallConv` and `ArrayModel` of Numba. LLVM links
the object file into the process, as Numba's own cache does; nothing of Numba is needed for that.

Rules: results are int64s. A status other than 0 means that the kernel raised; the error is a constant of its code.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import json
import os
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import llvmlite.binding as llvm
import numpy as np

from .errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OK = 0  # RETCODE_OK
NOTHING = -1  # results: none


class _Error(ctypes.Structure):
    """Numba's excinfo: the pickled exception and its size."""

    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_int32))


def describe(args: tuple[Any, ...]) -> list[Any]:
    """The kinds of a call's arguments; TypeError for one that no kernel takes."""
    kinds: list[Any] = []
    for argument in args:
        if isinstance(argument, np.ndarray):
            if not argument.flags.c_contiguous:
                raise TypeError("kernels take C-contiguous arrays")
            kinds.append((argument.dtype, argument.ndim, argument.flags.writeable, argument.flags.aligned))
        elif isinstance(argument, int | np.integer):
            kinds.append(("int",))
        else:
            raise TypeError(f"kernels take arrays and integers, not {type(argument).__name__}")
    return kinds


def digest(kinds: list[Any]) -> str:
    """A name for these kinds that is the same in every process."""
    return hashlib.sha256(repr(kinds).encode()).hexdigest()[:12]


def compile_elsewhere(function: Callable[..., Any], kinds: list[Any], path: Path) -> None:
    """Has another process compile the kernel into `path`; raises with its last words where it cannot."""
    command = [sys.executable, "-m", "wiretally.core.compiler", function.__module__, function.__qualname__, str(path)]
    environment = os.environ | {"WIRETALLY_COMPILING": "1", "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    done = subprocess.run(command, input=pickle.dumps(kinds), capture_output=True, env=environment, check=False)
    if done.returncode or not path.exists():
        words = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise EnvironmentFault(f"kernel {function.__qualname__}: cannot be compiled: {words[-1]}")


@functools.cache
def _engine() -> Any:  # noqa: ANN401  (llvmlite has no types)
    """LLVM's linker in this process."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine()
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)


def load(path: Path, *, brief: bool) -> Callable[[tuple[Any, ...]], Any]:
    """The kernel in `path` as a function of its arguments; a brief one keeps the interpreter's lock."""
    head, code = path.read_bytes().split(b"\n", 1)
    header = json.loads(head)
    engine = _engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = engine.get_function_address(header["symbol"])
    count = header["results"]

    @functools.cache
    def prototype(words: int) -> Any:  # noqa: ANN401
        convention = ctypes.PYFUNCTYPE if brief else ctypes.CFUNCTYPE
        return convention(ctypes.c_int32, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * words)(address)

    def run(args: tuple[Any, ...]) -> Any:  # noqa: ANN401
        words: list[int] = []
        for argument in args:
            if isinstance(argument, np.ndarray):
                words += (0, 0, argument.size, argument.itemsize, argument.ctypes.data, *argument.shape, *argument.strides)
            else:
                words.append(int(argument))
        results = (ctypes.c_int64 * max(count, 1))()
        error = ctypes.POINTER(_Error)()
        status = prototype(len(words))(ctypes.addressof(results), ctypes.addressof(error), *words)
        if status != OK:
            raise _raised(error)
        if count == NOTHING:
            return None
        return tuple(results) if count else results[0]

    return run


def _raised(error: Any) -> BaseException:  # noqa: ANN401
    """The exception that a kernel's code holds as a constant."""
    if not error:
        return RuntimeError("a kernel failed without saying why")
    kind, values, _ = pickle.loads(ctypes.string_at(error.contents.data, error.contents.size))  # noqa: S301
    raised: BaseException = kind(*(values or ()))
    return raised
