"""The process that compiles kernels: the only place that meets Numba.

Theory: `native.compile_elsewhere` starts it with the kinds of a kernel's arguments on standard input. It imports the
kernel's module with `WIRETALLY_COMPILING=1`, so that every `@kernel` and `@inline` in it is Numba's, compiles that one
kernel and writes its object code: a line of JSON (symbol, results), then the code. Numba types and translates each
function; LLVM sees all of them together, once. (Left to itself Numba optimises every function with all that it calls,
and what is called again with each of its callers: two thirds of the time, for code that is thrown away.)

Rules: what it writes appears whole or not at all; two processes that want the same kernel wait for one another.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pickle
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import llvmlite.binding as llvm
import numba
from numba.core.codegen import JITCodeLibrary
from numba.core.registry import cpu_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FLAGS: dict[str, Any] = {"nogil": True, "boundscheck": True, "error_model": "numpy", "_nrt": False,
                         "no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # the last two: they need Numba to run  # fmt: skip

# Records that begin with the same fields may stand for one another: rows share the columns of their flow's ends.
warnings.filterwarnings("ignore", category=numba.NumbaExperimentalFeatureWarning)


def njit(function: Callable[..., Any]) -> Any:  # noqa: ANN401  (Numba has no types)
    """Numba's compiler with the project's flags."""
    return numba.njit(**FLAGS)(function)


def main() -> None:
    """`python -m wiretally.core.compiler MODULE NAME FILE`, with the arguments' kinds pickled on standard input."""
    module, name, target = sys.argv[1:]
    kinds = pickle.load(sys.stdin.buffer)  # noqa: S301  (from the process that started this one)
    path = Path(target)
    with _alone(path):
        if not path.exists():
            _write(path, *compiled(getattr(import_module(module), name), kinds))


class _Translated(JITCodeLibrary):
    """One function as Numba translated it, and which others it calls: neither linked, nor optimised, nor machine code."""

    def _optimize_functions(self, ll_module: object) -> None:
        """Later, together."""

    def finalize(self) -> None:
        """Nothing more is added to it."""
        self._finalized = True

    def linked(self) -> Any:  # noqa: ANN401
        """A module of this function and all that it calls, each once."""
        module, met, todo = self._final_module.clone(), {id(self)}, [*self._linking_libraries]
        while todo:
            library = todo.pop()
            if id(library) not in met:
                met.add(id(library))
                todo += library._linking_libraries  # noqa: SLF001  (of this class)
                module.link_in(library._final_module, preserve=True)  # noqa: SLF001
        return module


def compiled(dispatcher: Any, kinds: list[Any]) -> tuple[dict[str, Any], bytes]:  # noqa: ANN401
    """The header and the object code of one kernel; kinds: ("int",) or (dtype, dimensions, writable, aligned)."""
    codegen = cpu_target.target_context.codegen()
    codegen._library_class = _Translated  # noqa: SLF001  (Numba has no door there)
    codegen.set_env = _no_environment
    dispatcher.compile(tuple(_type(kind) for kind in kinds))
    (result,) = dispatcher.overloads.values()
    symbol = result.fndesc.llvm_func_name
    code = _machine_code(result.library.linked(), symbol)
    return {"symbol": symbol, "results": _results(result.signature.return_type)}, code


def _no_environment(_name: str, _environment: object) -> None:
    """What Numba keeps for calls from Python, of which there are none."""


def _machine_code(module: Any, entry: str) -> bytes:  # noqa: ANN401
    """Everything that `entry` needs, optimised for this processor; only `entry` can be called from outside."""
    for function in module.functions:
        if not function.is_declaration and function.name != entry:
            function.linkage = "internal"
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, codemodel="jitdefault",
        jit=True,
    )  # fmt: skip
    tuning = llvm.create_pipeline_tuning_options(3)
    tuning.loop_vectorization = tuning.slp_vectorization = True
    passes = llvm.create_pass_builder(machine, tuning)
    passes.getModulePassManager().run(module, passes)
    return bytes(machine.emit_object(module))


def _type(kind: Any) -> Any:  # noqa: ANN401
    if kind == ("int",):
        return numba.int64
    dtype, dimensions, writable, aligned = kind
    return numba.types.Array(numba.from_dtype(dtype), dimensions, "C", readonly=not writable, aligned=aligned)


def _results(kind: Any) -> int:  # noqa: ANN401
    """-1 for nothing, 0 for an integer, n for a tuple of n."""
    if kind == numba.types.none:
        return -1
    if kind == numba.int64:
        return 0
    if isinstance(kind, numba.types.UniTuple) and kind.dtype == numba.int64:
        return int(kind.count)
    raise TypeError(f"a kernel gives int64s, not {kind}")


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(path: Path, header: dict[str, Any], code: bytes) -> None:
    part = path.with_suffix(f".{os.getpid()}")
    part.write_bytes(json.dumps(header).encode() + b"\n" + code)
    part.replace(path)


if __name__ == "__main__":
    main()
