"""The cache of compiled kernels follows their sources."""

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import wiretally
from wiretally.core import jit

ROOT = Path(wiretally.__file__).parent


def folder(tmp_path, **environment):
    code = "from wiretally.core import jit; print(jit.cache_folder(), jit.FLAGS['cache'])"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)} | environment,
    )  # fmt: skip
    path, used = run.stdout.split()
    return Path(path), used == "True"


def test_the_cache_is_the_owners_and_can_be_moved(tmp_path):
    path, used = folder(tmp_path)
    assert used
    assert path.is_relative_to(tmp_path / ".cache" / "wiretally")
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    moved, used = folder(tmp_path, WIRETALLY_CACHE_DIR=str(tmp_path / "elsewhere"))
    assert used
    assert moved == tmp_path / "elsewhere" / path.name


def test_without_a_place_for_the_cache_it_still_runs(tmp_path):
    (tmp_path / "file").write_text("")
    _, used = folder(tmp_path, WIRETALLY_CACHE_DIR=str(tmp_path / "file" / "below"))
    assert not used


@pytest.mark.parametrize("room", jit.KERNEL_FOLDERS)
def test_an_edit_of_any_kernel_source_is_another_cache(room, tmp_path, monkeypatch):
    for name in jit.KERNEL_FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(jit, "ROOT", tmp_path)
    before = jit._fingerprint()
    assert jit._fingerprint() == before
    deepest = max((tmp_path / room).rglob("*.py"), key=lambda path: len(path.parts))
    deepest.write_text(deepest.read_text() + "\n")
    assert jit._fingerprint() != before


def test_bounds_are_checked():
    @jit.inline
    def beyond(values):
        return values[4]

    with pytest.raises(IndexError):
        beyond(np.zeros(4, np.int64))
