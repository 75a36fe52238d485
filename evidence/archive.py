"""Bundles as ZIP files: written so that the same content gives the same bytes, read as if an enemy had written them.

Theory: a bundle is checked on a machine of somebody who does not trust its maker. So nothing is taken from the archive
but what its manifest lists, name by name, and no more bytes of a member than the manifest says; what does not fit ends
in one line before anything is unpacked. Each file has a digest, and one for each stretch of it, so that a change has a
place.

Rules: members in the order of their names behind the manifest; times, permissions and compression fixed (PKWARE
APPNOTE 6.3.10 §4.4). Names are relative, of plain characters, without links.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import stat
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self

from ..core.errors import InputError
from ..store.cells import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

SCHEMA = "wiretally.bundle/1"
MANIFEST = "bundle.json"
CHUNK = 1 << 16  # bytes between digests: how exactly a change has a place
MAX_MEMBERS = 10_000
MAX_MANIFEST = 64 << 20
MAX_RATIO = 2000  # of unpacked to packed: what zeros reach is about 1,000
MAX_NAME = 200
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*){0,3}")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that the format has: §4.4.6
UNIX, MODE = 3, 0o100644  # §4.4.2, §4.4.15
PACKED = (b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"\xfd7zXZ", b"BZh", b"\x04\x22\x4d\x18", b"PAR1")  # compressed already
LEVEL = 6


class Fault(NamedTuple):
    """A file of a bundle that is not what the manifest says; `places`: byte ranges that differ, end not included."""

    name: str
    expected: str
    found: str | None
    places: list[tuple[int, int]]


def digest(path: Path) -> dict[str, Any]:
    """Length and digests of a file, as the manifest has them."""
    whole = hashlib.sha256()
    chunks = []
    size = 0
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            whole.update(data)
            chunks.append(hashlib.sha256(data).hexdigest())
            size += len(data)
    return {"bytes": size, "sha256": whole.hexdigest(), "chunk_bytes": CHUNK, "chunks": chunks}


def write(file: IO[bytes], about: Mapping[str, Any], members: Mapping[str, Path]) -> None:
    """A bundle into an open binary file; `about` becomes the manifest, with the members' digests."""
    names = sorted(members)
    wrong = [name for name in names if not _is_plain(name)]
    if wrong:
        raise InputError(f"{escaped(wrong[0])}: no name for a bundle's file; use letters, digits, dots and hyphens")
    manifest = {"schema": SCHEMA, **about, "files": [{"name": name, **digest(members[name])} for name in names]}
    with zipfile.ZipFile(file, "w") as archive:
        _put(archive, MANIFEST, (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode())
        for name in names:
            _put(archive, name, members[name])


def _put(archive: zipfile.ZipFile, name: str, content: Path | bytes) -> None:
    info = zipfile.ZipInfo(name, EPOCH)
    info.create_system, info.external_attr = UNIX, MODE << 16
    head = content[:8] if isinstance(content, bytes) else content.open("rb").read(8)
    info.compress_type = zipfile.ZIP_STORED if head.startswith(PACKED) else zipfile.ZIP_DEFLATED
    info._compresslevel = LEVEL  # type: ignore[attr-defined]  # noqa: SLF001  (before 3.13 there is no other way)
    info.file_size = len(content) if isinstance(content, bytes) else content.stat().st_size
    with archive.open(info, "w") as member:
        if isinstance(content, bytes):
            member.write(content)
        else:
            with content.open("rb") as file:
                shutil.copyfileobj(file, member, 1 << 20)


class Bundle:
    """A bundle that is open for reading; a context manager. Raises InputError, one line, for whatever is no bundle."""

    def __init__(self, path: str, *, limit: int) -> None:
        """`limit`: the most bytes that may be unpacked."""
        self.shown = escaped(path)
        self._limit = limit
        try:
            self._archive = zipfile.ZipFile(path)
        except FileNotFoundError:
            raise InputError(f"{self.shown}: no such file; check the path") from None
        except (OSError, zipfile.BadZipFile, ValueError, RuntimeError) as error:
            raise InputError(f"{self.shown}: is no bundle: {escaped(str(error))}; get it again") from None
        try:
            self._members = self._listed()
            self.manifest = self._manifest()
            self.files: dict[str, dict[str, Any]] = {entry["name"]: entry for entry in self.manifest["files"]}
            self._check_sizes()
        except BaseException:
            self._archive.close()
            raise

    def __enter__(self) -> Self:
        """Open already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the file."""
        self._archive.close()

    def _refuse(self, why: str) -> InputError:
        return InputError(f"{self.shown}: {why}; nothing was unpacked")

    def _listed(self) -> dict[str, zipfile.ZipInfo]:
        members = self._archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise self._refuse(f"holds {len(members)} files, more than {MAX_MEMBERS}")
        found: dict[str, zipfile.ZipInfo] = {}
        for member in members:
            name = member.filename
            if name != member.orig_filename or not _is_plain(name):
                raise self._refuse(f"holds a file called {escaped(member.orig_filename)[:MAX_NAME]!r}, which no bundle does")
            if name in found:
                raise self._refuse(f"holds {name} twice")
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG) or member.is_dir():
                raise self._refuse(f"{name} is no plain file")
            if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise self._refuse(f"{name} is encrypted or packed in a way that bundles are not")
            found[name] = member
        return found

    def _manifest(self) -> dict[str, Any]:
        member = self._members.get(MANIFEST)
        if member is None or member.file_size > MAX_MANIFEST:
            raise self._refuse(f"has no {MANIFEST}, or one that is too large: is it a bundle?")
        try:
            text = b"".join(self._read(MANIFEST, member.file_size))
            manifest = json.loads(text)
            ok = manifest["schema"] == SCHEMA and all(_is_entry(entry) for entry in manifest["files"])
        except (ValueError, KeyError, TypeError, RecursionError, zlib.error, EOFError, OSError, zipfile.BadZipFile):
            raise self._refuse(f"{MANIFEST} cannot be read: it was changed, or is of another program") from None
        if not ok or not isinstance(manifest, dict):
            raise self._refuse(f"{MANIFEST} is not of the schema {SCHEMA}")
        return manifest

    def _check_sizes(self) -> None:
        listed = {MANIFEST, *self.files}
        if len(self.files) != len(self.manifest["files"]) or (more := set(self._members) - listed):
            raise self._refuse(f"holds {min(more) if len(self.files) == len(self.manifest['files']) else 'a file'} "
                               f"that {MANIFEST} does not list once")  # fmt: skip
        total = sum(entry["bytes"] for entry in self.files.values())
        for name, member in self._members.items():
            if member.file_size > MAX_RATIO * max(member.compress_size, 1) + CHUNK:
                raise self._refuse(f"{name} is packed {member.file_size // max(member.compress_size, 1)}-fold: a trap, or damage")
        if total > self._limit:
            raise self._refuse(f"would unpack to {total:,} bytes, more than {self._limit:,}; raise --limit-gb if that is right")

    def unpack(self, folder: Path) -> list[Fault]:
        """Puts the files into a folder and gives those that differ from the manifest; what is missing has no digest."""
        free = shutil.disk_usage(folder).free
        total = sum(entry["bytes"] for entry in self.files.values())
        if total > free:
            raise self._refuse(f"needs {total:,} bytes, and {free:,} are free in {folder}")
        faults = []
        for name, entry in self.files.items():
            if name not in self._members:
                faults.append(Fault(name, entry["sha256"], None, []))
                continue
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fault = self._copied(name, entry, target)
            if fault is not None:
                faults.append(fault)
        return faults

    def _copied(self, name: str, entry: Mapping[str, Any], target: Path) -> Fault | None:
        """Unpacks one file; where it differs."""
        whole = hashlib.sha256()
        places: list[tuple[int, int]] = []
        at, number = 0, 0
        with target.open("xb") as file:
            for data in self._read(name, entry["bytes"] + 1):
                file.write(data)
                whole.update(data)
                expected = entry["chunks"][number] if number < len(entry["chunks"]) else None
                if hashlib.sha256(data).hexdigest() != expected:
                    places.append((at, at + len(data)))
                at += len(data)
                number += 1
        if at < entry["bytes"]:
            places.append((at, entry["bytes"]))
        found = whole.hexdigest()
        if found == entry["sha256"] and at == entry["bytes"]:
            return None
        return Fault(name, entry["sha256"], found, _joined(places))

    def _read(self, name: str, limit: int) -> Iterator[bytes]:
        """A member in stretches of CHUNK, at most `limit` bytes; it ends where its packing is damaged."""
        try:
            with self._archive.open(self._members[name]) as member:
                member._expected_crc = None  # type: ignore[attr-defined]  # noqa: SLF001  (digests say more, and where)
                left = limit
                while left > 0 and (data := member.read(min(CHUNK, left))):
                    while len(data) < min(CHUNK, left) and (more := member.read(min(CHUNK, left) - len(data))):
                        data += more
                    left -= len(data)
                    yield data
        except (zlib.error, EOFError, zipfile.BadZipFile, OSError, RuntimeError):
            return


def _is_plain(name: str) -> bool:
    return len(name) <= MAX_NAME and NAME.fullmatch(name) is not None and ".." not in name


def _is_entry(entry: Any) -> bool:  # noqa: ANN401  (out of a file)
    """Whether a manifest's entry of a file is one."""
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("name"), str)
        and _is_plain(entry["name"])
        and entry["name"] != MANIFEST
        and isinstance(entry.get("bytes"), int)
        and entry["bytes"] >= 0
        and isinstance(entry.get("sha256"), str)
        and entry.get("chunk_bytes") == CHUNK
        and isinstance(entry.get("chunks"), list)
        and all(isinstance(chunk, str) for chunk in entry["chunks"])
    )


def _joined(places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Neighbouring ranges as one."""
    found: list[tuple[int, int]] = []
    for start, end in places:
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found
