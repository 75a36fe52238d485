"""What a bundle holds and how its numbers come about: the same steps when it is made and when it is checked.

Theory: a result can be checked if whoever doubts it has the inputs, the options, and the recipe. So the recipe stands in
the manifest, and one function, `computed`, turns recipe and files into results; making writes what it gives, checking
compares with it. Paths of the machine are replaced by names inside the bundle, so that they are nowhere in the results.

Rules: no clock: the same inputs, options and versions give the same bytes. With pseudonyms, notes and the paths of
visited addresses do not go into the bundle; their hosts go under the pseudonym that the capture has.
"""

from __future__ import annotations

import csv
import io
import json
import platform
import re
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..core.errors import InputError
from ..evidence import archive
from ..geo.catalogue import OWN_LIST
from ..measure import inputs
from ..store.cells import escaped
from ..store.layout import is_store
from ..store.output import Output
from . import pipeline
from .basis import versions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from .rewriting import Rewriting

CAPTURES, TABLES, RESULTS = "captures", "tables", "results"
SESSIONS, VISITS, README = "sessions.csv", "visits.csv", "README.txt"
COMPARE, PROBE = f"{RESULTS}/compare.json", f"{RESULTS}/probe.json"
STORED = ("flows", "exchanges", "tls", "dns", "capture")
READING = ("local", "idle_gap", "flow_idle", "max_flows", "place")  # options of reading that a recipe holds
DERIVED = frozenset({"two_one_sided_level"})  # said among the options, and none
NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")

ABOUT = """\
An evidence bundle of wiretally: captures, marked sessions, and what was computed from them.

    pip install 'wiretally[verify]'
    wiretally verify THIS.zip

unpacks it, checks every digest in bundle.json, computes every number anew and says which differ; with tshark installed
it also holds names and volumes against tshark's. bundle.json lists files, options, versions and databases.
"""


class Inputs:
    """Where a bundle's files come from: member name to path; made ready in a folder."""

    def __init__(self, folder: Path) -> None:
        """`folder`: for what has to be written first."""
        self.folder = folder
        self.members: dict[str, Path] = {}
        self.recipe: dict[str, Any] = {"captures": [], "tables": [], "sessions": SESSIONS, "visits": None, "reading": {}}
        self.pseudonyms: dict[str, Any] | None = None

    def put(self, name: str, content: bytes | str) -> None:
        """A file of the bundle that is made here."""
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.members[name] = target


def gathered(
    paths: Sequence[str], sessions: str | None, visits: str | None, folder: Path, rewriting: Rewriting | None,
    reading: Mapping[str, Any],
) -> Inputs:  # fmt: skip
    """The inputs as they go into the bundle: captures or a store's tables, sessions, visits."""
    made = Inputs(folder)
    made.recipe["reading"] = {name: reading[name] for name in READING if name in reading}
    stored = [path for path in paths if is_store(path)]
    if stored and (len(paths) > 1 or rewriting):
        why = "a store holds no packets to rewrite" if rewriting else "a store goes into a bundle by itself"
        raise InputError(f"{escaped(stored[0])}: {why}; export captures, or leave it out")
    if stored:
        _put_tables(made, stored[0])
    elif rewriting:
        name = f"{CAPTURES}/01-pseudonyms.pcapng.zst"
        (folder / CAPTURES).mkdir()
        made.pseudonyms = rewriting.write(str(folder / name))
        made.members[name] = folder / name
        made.recipe["captures"] = [name]
        if rewriting.networks:
            made.recipe["reading"]["local"] = rewriting.networks
    else:
        for number, path in enumerate(paths, 1):
            if not Path(path).is_file():
                raise InputError(f"{escaped(path)}: no file; a bundle needs captures that lie here")
            name = f"{CAPTURES}/{number:02d}-{_plain(Path(path).name)}"
            made.members[name] = Path(path)
            made.recipe["captures"].append(name)
    _put_marks(made, paths, sessions, visits, rewriting)
    made.put(README, ABOUT)
    return made


def _plain(name: str) -> str:
    return NOT_PLAIN.sub("-", name).replace("..", ".").strip(".-")[:80] or "capture"


def _put_tables(made: Inputs, path: str) -> None:
    """A store's tables as Parquet."""
    for name, frame in pipeline.read_tables(path, STORED).items():
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd", statistics=False)
        made.put(f"{TABLES}/{name}.parquet", buffer.getvalue())
        made.recipe["tables"].append(f"{TABLES}/{name}.parquet")


def _put_marks(
    made: Inputs, paths: Sequence[str], sessions: str | None, visits: str | None, rewriting: Rewriting | None
) -> None:
    """sessions.csv and visits.csv: as they are, or under pseudonyms; with addresses where it took the captures to know what is one device."""
    reading: Any = dict(made.recipe["reading"])
    marks = pipeline.by_device(list(paths), sessions, **reading).sessions
    if sessions is None or rewriting or marks != inputs.read_sessions(sessions, closed=False):
        device = rewriting.pseudonyms.device if rewriting else str
        rows = [(s.session, device(s.device), s.mode, _time(s.start), _time(s.end), "" if rewriting else s.notes) for s in marks]
        made.put(SESSIONS, _csv(inputs.SESSION_COLUMNS, rows))
    else:
        made.members[SESSIONS] = Path(sessions)
    if visits is None:
        return
    made.recipe["visits"] = VISITS
    seen = inputs.read_visits(visits)
    if rewriting:
        text = rewriting.pseudonyms.text
        made.put(VISITS, _csv(inputs.VISIT_COLUMNS, [
            (_time(v.time), v.session, _host_only(v.url, text), "" if v.pad is None else v.pad) for v in seen]))  # fmt: skip
    else:
        made.members[VISITS] = Path(visits)


def _host_only(url: str, text: Any) -> str:  # noqa: ANN401  (name to pseudonym)
    """The address without everything that says what was read there."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{text(parts.hostname)}/" if parts.hostname else ""
    except ValueError:
        return ""


def hosts_of(visits: str | None) -> list[str]:
    """The hosts of visited addresses: names that need a pseudonym even where no packet has them."""
    found = set()
    for visit in inputs.read_visits(visits) if visits else ():
        try:
            found.add(urlsplit(visit.url).hostname or "")
        except ValueError:
            continue
    return sorted(found - {""})


def _csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    writer.writerows([header, *rows])
    return page.getvalue()


def _time(ns: int | None) -> str:
    from datetime import UTC, datetime

    if ns is None:
        return ""
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def computed(
    files: Mapping[str, Path], recipe: Mapping[str, Any], statistics: Mapping[str, Mapping[str, Any]], databases: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Results by their name in the bundle, from its files and its recipe.

    `statistics`: options by result. `databases`: what else reading needs that is no part of the recipe: the user's own
    databases, who is told of progress. The probe is made where visits have pads.
    """
    from .basis import digests

    reading: Any = {**recipe["reading"], **databases}
    if "place" in reading:
        reading["place"] = tuple(reading["place"])
    captures = [str(files[name]) for name in recipe["captures"]]
    marks = inputs.read_sessions(str(files[SESSIONS]))
    visited = inputs.read_visits(str(files[VISITS])) if recipe["visits"] else None
    if recipe["tables"]:
        tables, digest = _tables(files, recipe["tables"]), None
    else:
        tables, digest = pipeline.read_tables(captures, pipeline.COMPARED, **reading), digests(captures)
    found = {COMPARE: pipeline.compare_tables(tables, marks, visited, statistics=statistics.get(COMPARE), digest=digest, **reading)}
    if any(visit.pad is not None for visit in visited or []):
        found[PROBE] = pipeline.probe_tables(
            tables, marks, visited or [], statistics=statistics.get(PROBE), digest=digest, **reading
        )
    return {name: _portable(result, {str(files[name]): name for name in recipe["captures"]}) for name, result in found.items()}


def _tables(files: Mapping[str, Path], names: Sequence[str]) -> dict[str, pl.DataFrame]:
    import polars as pl
    from polars.exceptions import PolarsError

    found = {}
    for name in names:
        try:
            found[Path(name).stem] = pl.read_parquet(files[name])
        except (PolarsError, OSError) as error:
            raise InputError(f"{name}: is no table: {escaped(str(error).partition(chr(10))[0])}; get the bundle again") from None
    return found


def _portable(result: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Without paths of this machine, and as JSON gives it back."""
    whole: dict[str, Any] = json.loads(json.dumps(result, ensure_ascii=False, allow_nan=False))
    for row in whole.get("capture", []):
        row["source"] = names.get(row["source"], row["source"])
    for database in whole.get("basis", {}).get("databases", []):
        database["path"] = Path(database["path"]).name if database.get("path") else None
        if database["type"] == OWN_LIST:
            database["build_date"] = None  # when its file was written, which is another day elsewhere
    return whole


def make(made: Inputs, statistics: Mapping[str, Mapping[str, Any]], databases: Mapping[str, Any], target: str) -> dict[str, Any]:
    """Computes the results and writes the bundle; the manifest without the list of files."""
    results = computed(made.members, made.recipe, statistics, databases)
    for name, result in results.items():
        made.put(name, json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    basis = results[COMPARE]["basis"]
    about = {
        "recipe": made.recipe, "results": sorted(results),
        "options": {name: result["basis"]["options"] for name, result in results.items()}, "seed": basis["seed"],
        "pseudonyms": made.pseudonyms, "databases": basis["databases"], "versions": packages(), "machine": platform.machine(),
    }  # fmt: skip
    with Output(target) as output, tempfile.TemporaryFile() as whole:  # a ZIP wants to seek
        archive.write(whole, about, made.members)
        whole.seek(0)
        while data := whole.read(1 << 20):
            output.write(data)
    return about


def packages() -> dict[str, str]:
    """The version of this package, of Python, and of every package that this one needs, however far away."""
    from importlib.metadata import PackageNotFoundError, distribution

    found = versions()
    waiting = ["wiretally"]
    while waiting:
        try:
            needed = distribution(waiting.pop()).requires or []
        except PackageNotFoundError:
            continue
        for text in needed:
            match = re.match(r"[A-Za-z0-9._-]+", text)
            if match is None or "extra ==" in text:
                continue
            name = match[0].lower().replace("_", "-")
            if name in found:
                continue
            try:
                found[name] = distribution(name).version
            except PackageNotFoundError:
                continue  # for another system
            waiting.append(name)
    return dict(sorted(found.items()))


def statistics_of(options: Mapping[str, Any]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The options of results that are known here, by result, and the names of those that are not."""
    from ..measure.comparison import CompareOptions
    from ..measure.probe import ProbeOptions

    found: dict[str, dict[str, Any]] = {}
    unknown = []
    for name, kind in ((COMPARE, CompareOptions), (PROBE, ProbeOptions)):
        theirs = options.get(name)
        known = {field.name for field in fields(kind)}
        chosen = theirs if isinstance(theirs, dict) else {}
        found[name] = {key: tuple(value) if isinstance(value, list) else value for key, value in chosen.items() if key in known}
        unknown += [key for key in chosen if key not in known and key not in DERIVED]
    return found, sorted(unknown)
