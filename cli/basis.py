"""What a result rests on: the captures' digests and the versions of what computed it."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

COMPUTED_BY = ("numpy", "numba", "polars", "scipy", "maxminddb", "publicsuffixlist")


def digests(paths: Sequence[str]) -> dict[str, str | None]:
    """SHA-256 of each path, in hexadecimal; None for what is no ordinary file (standard input, an address)."""
    found: dict[str, str | None] = {}
    for path in paths:
        found[path] = None
        if Path(path).is_file():
            with Path(path).open("rb") as file:
                found[path] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def versions() -> dict[str, str]:
    """Of this package, of Python and of the libraries that numbers pass through."""
    found = {"wiretally": __version__, "python": platform.python_version()}
    for name in COMPUTED_BY:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
