"""What a test may do on this machine that users may not: found out by doing it, since root in a container often may not either."""

from __future__ import annotations

import contextlib
import functools
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@functools.cache
def may_have_namespaces() -> bool:
    """Whether a process may have a network, processes and mounts of its own."""
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "true"]
    return shutil.which("unshare") is not None and subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def small_disk(place: Path, size: str) -> Iterator[None]:
    """A file system of so many bytes at `place`; the test is left out where none may be mounted."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(place)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs a file system of its own: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)
