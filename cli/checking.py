"""Whether a bundle says what it should: digests, versions, every number computed anew, tshark's opinion.

Rules: digests come first, and where an input was changed nothing is computed from it: its numbers would say nothing.
Other versions or databases are named, and do not by themselves fail a bundle: numbers that differ do.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..capture.source import Source
from ..core.errors import InputError, WiretallyError
from ..evidence import archive, opinion
from ..evidence.differences import differences
from ..store.cells import escaped
from . import bundling, pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCHEMA = "wiretally.verify/1"
ELSEWHERE = frozenset({"/basis/versions", "/basis/databases"})  # compared by themselves
MOST_RESAMPLES, MOST_FLOWS, MOST_SECONDS = 200_000, 1 << 22, 1e7  # that a stranger's recipe may ask of this machine
OPINED = ("flows", "tls", "dns")
PLAIN = (b"\x0a\x0d\x0d\x0a", b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1")
ZIP = b"PK\x03\x04"


def is_bundle(path: str) -> bool:
    """Whether a file is a ZIP by its first bytes."""
    try:
        with Path(path).open("rb") as file:
            return file.read(4) == ZIP
    except OSError:
        return False


def checked(path: str, *, limit: int, databases: Mapping[str, Any], second: bool = True) -> dict[str, Any]:
    """The report on a bundle. Raises InputError, one line, for what is none."""
    with tempfile.TemporaryDirectory(prefix="wiretally-") as name, archive.Bundle(path, limit=limit) as bundle:
        folder = Path(name)
        manifest = bundle.manifest
        recipe = _recipe(manifest, bundle)
        faults = bundle.unpack(folder)
        with Path(path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        report: dict[str, Any] = {
            "schema": SCHEMA, "bundle": {"path": escaped(path), "sha256": digest}, "files": len(bundle.files),
            "changed": [fault._asdict() for fault in faults], "versions": [], "databases": [], "results": [],
            "unknown_options": [], "opinion": None,
        }  # fmt: skip
        report["versions"] = _unequal(manifest.get("versions"), bundling.packages())
        changed = {fault.name for fault in faults}
        files = {member: folder / member for member in bundle.files}
        needed = [*recipe["captures"], *recipe["tables"], bundling.SESSIONS, *([bundling.VISITS] if recipe["visits"] else [])]
        if not changed & set(needed):
            _recompute(report, manifest, recipe, files, databases)
            if second and recipe["captures"]:
                report["opinion"] = opined([str(files[each]) for each in recipe["captures"]], recipe["reading"])
    report["ok"] = not faults and all(not each["differences"] for each in report["results"]) and bool(report["results"])
    return report


def _recipe(manifest: Mapping[str, Any], bundle: archive.Bundle) -> dict[str, Any]:
    """The recipe, looked at: a bundle comes from strangers."""
    recipe = manifest.get("recipe")
    results, options = manifest.get("results"), manifest.get("options")
    try:
        ok = (
            isinstance(recipe, dict)
            and isinstance(options, dict)
            and all(name in bundle.files for name in [*recipe["captures"], *recipe["tables"], bundling.SESSIONS])
            and (recipe["captures"] or recipe["tables"])
            and recipe["visits"] in {None, bundling.VISITS}
            and (not recipe["visits"] or bundling.VISITS in bundle.files)
            and _is_bounded(recipe["reading"], options)
            and isinstance(results, list)
            and bundling.COMPARE in results
            and all(name in bundle.files for name in results)
        )
    except (KeyError, TypeError):
        ok = False
    if not ok or not isinstance(recipe, dict):
        raise InputError(f"{bundle.shown}: its recipe cannot be followed: made by another version, or changed")
    return recipe


def _is_bounded(reading: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
    """Whether a recipe asks for no more than a machine should do for a stranger."""
    if not set(reading) <= set(bundling.READING):
        return False
    local, place = reading.get("local", []), reading.get("place", [0, 0])
    seconds = [reading.get(name, 1) for name in ("idle_gap", "flow_idle")]
    return (
        isinstance(local, list)
        and all(isinstance(network, str) for network in local)
        and isinstance(place, list)
        and len(place) == 2
        and all(_is_number(each, -180, 180) for each in place)
        and all(_is_number(each, 0, MOST_SECONDS) for each in seconds)
        and _is_number(reading.get("max_flows", 1), 1, MOST_FLOWS)
        and all(isinstance(each, dict) and _is_number(each.get("resamples", 1), 1, MOST_RESAMPLES) for each in options.values())
    )


def _is_number(value: Any, low: float, high: float) -> bool:  # noqa: ANN401  (out of a file)
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _recompute(
    report: dict[str, Any], manifest: Mapping[str, Any], recipe: Mapping[str, Any], files: Mapping[str, Path],
    databases: Mapping[str, Any],
) -> None:  # fmt: skip
    statistics, report["unknown_options"] = bundling.statistics_of(manifest["options"])
    try:
        ours = bundling.computed(files, recipe, statistics, databases)
    except WiretallyError:
        raise
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise InputError(f"the recipe of the bundle cannot be followed here: {escaped(str(error))[:200]}") from None
    for name in manifest["results"]:
        try:
            theirs = json.loads(files[name].read_bytes())
        except (ValueError, RecursionError):
            theirs = None
        compared = differences(theirs, ours.get(name), ELSEWHERE)
        report["results"].append({
            "name": name, "values": compared.values, "rounded": compared.rounded,
            "differences": [each._asdict() for each in compared.differences],
        })  # fmt: skip
    mine = {each["name"]: each.get("sha256") for each in ours[bundling.COMPARE]["basis"]["databases"]}
    theirs = manifest.get("databases")
    listed = theirs if isinstance(theirs, list) else []
    report["databases"] = _unequal({each.get("name"): each.get("sha256") for each in listed if isinstance(each, dict)}, mine)


def _unequal(theirs: Any, ours: Mapping[str, Any]) -> list[dict[str, Any]]:  # noqa: ANN401  (out of a file)
    """What is of another version here."""
    known = theirs if isinstance(theirs, dict) else {}
    return [{"what": str(name), "theirs": known.get(name), "ours": ours.get(name)}
            for name in sorted({*known, *ours}, key=str) if known.get(name) != ours.get(name)]  # fmt: skip


def opined(paths: Sequence[str], reading: Mapping[str, Any]) -> dict[str, Any]:
    """Tshark's opinion of captures, packed ones too."""
    if opinion.available() is None:
        return opinion.second_opinion([], {})
    options: Any = {name: value for name, value in reading.items() if name != "place"}
    tables = pipeline.read_tables(paths, OPINED, **options)
    with ExitStack() as stack:
        return opinion.second_opinion([_unpacked(path, stack) for path in paths], tables)


def _unpacked(path: str, stack: ExitStack) -> str:
    """A capture that tshark can read: itself, or a copy without its compression."""
    with Path(path).open("rb") as file:
        if file.read(4) in PLAIN:
            return path
    copy = tempfile.NamedTemporaryFile(prefix="wiretally-", suffix=".pcap")  # noqa: SIM115  (the stack closes it)
    stack.enter_context(copy)
    source = Source(path)
    stack.callback(source.close)
    buffer = bytearray(1 << 20)
    while size := source.readinto(memoryview(buffer)):
        copy.write(buffer[:size])
    copy.flush()
    return copy.name
