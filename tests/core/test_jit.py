"""The cache of compiled kernels follows their sources."""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import wiretally
from wiretally.core import jit, native
from wiretally.core.errors import EnvironmentFault
from wiretally.dissect import intern
from wiretally.dissect.state import new_state

ROOT = Path(wiretally.__file__).parent


def folder(tmp_path, **environment):
    code = "from wiretally.core import jit; print(jit.cache_folder())"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": os.environ.get("PYTHONPATH", "")} | environment,
    )  # fmt: skip
    return Path(run.stdout.strip())


def test_the_cache_is_the_owners_and_can_be_moved(tmp_path):
    path = folder(tmp_path)
    assert path.is_relative_to(tmp_path / ".cache" / "wiretally")
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    moved = folder(tmp_path, WIRETALLY_CACHE_DIR=str(tmp_path / "elsewhere"))
    assert moved == tmp_path / "elsewhere" / path.name


def test_a_cache_that_others_may_write_to_is_not_used(tmp_path):
    path = folder(tmp_path)
    path.chmod(0o777)
    assert not folder(tmp_path).is_relative_to(tmp_path)


def test_without_a_place_for_the_cache_it_still_runs(tmp_path):
    (tmp_path / "file").write_text("")
    path = folder(tmp_path, WIRETALLY_CACHE_DIR=str(tmp_path / "file" / "below"))
    assert path.is_dir()
    assert not path.is_relative_to(tmp_path)
    path.rmdir()


@pytest.mark.parametrize(
    ("edited", "another"),
    [("core/wire.py", True), ("dissect/packet_pass.py", True), ("dissect/tls/record.py", True), ("dissect/frames.py", False)],
)
def test_an_edit_of_what_a_kernel_imports_is_another_kernel(edited, another, tmp_path):
    for name in ("core", "dissect"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    before = jit.source_digest(tmp_path / "dissect" / "packet_pass.py")
    jit.source_digest.cache_clear()
    assert jit.source_digest(tmp_path / "dissect" / "packet_pass.py") == before
    jit.source_digest.cache_clear()
    (tmp_path / edited).write_text((tmp_path / edited).read_text() + "\n")
    assert (jit.source_digest(tmp_path / "dissect" / "packet_pass.py") != before) == another


@pytest.mark.parametrize("module", ["dissect.packet_pass", "dissect.messages", "dissect.community", "capture.pcapng", "capture.blocks"])
def test_nothing_that_a_kernel_loads_is_left_out(module):
    code = f"import json, sys, wiretally.{module}; print(json.dumps([str(m.__file__) for n, m in sys.modules.items() if n.startswith('wiretally.')]))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {Path(name).resolve() for name in json.loads(run.stdout)}
    known = set(jit.sources(ROOT / (module.replace(".", "/") + ".py")))
    assert {path for path in loaded - known if path.name != "__init__.py"} == set()


@pytest.mark.skipif(jit.PLAIN, reason="plain Python has no machine code")
class TestKernels:
    """On a real kernel: the number of a name."""

    def test_what_no_kernel_takes_is_refused(self):
        with pytest.raises(TypeError, match="contiguous"):
            native.describe((np.zeros(8, np.uint8)[::2],))
        with pytest.raises(TypeError, match="str"):
            native.describe(("text",))

    def test_bounds_are_checked_and_the_error_is_the_kernels(self):
        names = new_state(16, np.zeros((0, 4), np.uint64), 1)
        names["names"]["mask"] = len(names["names"]["slots"][0])  # beyond the last slot
        names["names"]["key"] = 1
        words = [np.frombuffer(number.to_bytes(8, "big"), np.uint8) for number in range(64)]
        with pytest.raises(IndexError):
            [intern.number_of(names, word) for word in words]

    def test_a_kernel_that_cannot_be_compiled_says_so_in_one_line(self, tmp_path):
        with pytest.raises(EnvironmentFault, match=r"^kernel digest: cannot be compiled: [^\n]+$"):
            native.compile_elsewhere(native.digest, native.describe((1,)), tmp_path / "file.kernel")

    def test_two_processes_that_want_the_same_kernel_get_it(self, tmp_path):
        code = (
            "import numpy as np\nfrom wiretally.dissect import intern\nfrom wiretally.dissect.state import new_state\n"
            "print(intern.number_of(new_state(16, np.zeros((0, 4), np.uint64), 1), np.zeros(3, np.uint8)))"
        )
        environment = os.environ | {"WIRETALLY_CACHE_DIR": str(tmp_path)}
        running = [
            subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        assert [process.communicate()[0].strip() for process in running] == ["1", "1"]
        assert len(list(tmp_path.rglob("*number_of*.kernel"))) == 1
