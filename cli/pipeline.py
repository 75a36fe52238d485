"""The one place that wires the rooms: captures in, tables or a comparison out.

Theory: packets run from a source through the dissector; every `TICK_PACKETS` packets, or `TICK_ROWS` rows, it gives up
what has become known, flows are attributed, and the frames go on at once, so that memory does not grow with the capture.
Frames are made in a second thread, while the first takes more packets. `frames` is that stream; `read` gathers it, the
command line writes it to a sink.

Rules: nothing is computed that no table asked for. An option that is not given is left to the room that it is for.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Unpack

from ..core.errors import InputError
from ..core.schema import TABLES, polars_schema
from .attribution import open_attributor, told, without_places

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from os import PathLike

    import polars as pl

    from ..dissect.dissector import DissectOptions
    from ..dissect.rows import Taken
    from ..geo.attributor import Attributor
    from ..measure.inputs import Session, Visit
    from ..measure.naming import Resolved
    from .observations import Observations
    from .read_options import ReadOptions

    Paths = str | PathLike[str] | Sequence[str | PathLike[str]]

TICK_PACKETS, TICK_ROWS = 200_000, 1 << 14  # whichever comes first: rarer ticks cost memory, more frequent ones time
COMPARED = ("flows", "exchanges", "dns", "capture")
DISSECTED = frozenset({"flows", "exchanges", "tls", "dns", "http", "announced"})
OF_DEVICES = frozenset({"flows", "dns", "announced"})  # what the devices table is made from


def frames(
    paths: Paths, tables: Collection[str], attributor: Attributor | None = None, **options: Unpack[ReadOptions]
) -> Iterator[tuple[str, pl.DataFrame]]:
    """(table, rows) in the order in which they become known; several per table, none where it stays empty.

    With an `attributor` flows say where and who; distances then rest on the round trips seen until the tick.
    """
    from concurrent.futures import Future, ThreadPoolExecutor

    from ..capture.stream import open_captures
    from ..dissect.dissector import Dissector
    from ..measure.hidden import Hidden
    from ..store.cells import escaped
    from ..store.layout import is_store
    from .devices import Devices
    from .rows import capture_rows

    listed = _listed(paths)
    joins = attributor and without_places(listed, attributor, options.get("warn", _ignore))
    if any(map(is_store, listed)):
        yield from _stored(listed, tables, attributor, options.get("warn", _ignore))
        return
    devices = Devices() if "devices" in tables else None
    asked = DISSECTED.intersection(tables) | (OF_DEVICES if devices else set()) | ({"aliases"} if attributor else set())
    dissector = Dissector(dissect_options(asked, options))
    progress = options.get("progress")
    hidden = Hidden()

    def made(taken: Taken) -> list[tuple[str, pl.DataFrame]]:
        found = []
        told = dissector.tables(taken)
        if attributor:
            attributor.learn(told.pop("aliases"))  # before the flows: an alias is told before it is used
        for name, frame in told.items():
            if not frame.height:
                continue
            if devices:
                devices.take(name, frame)
            if name == "flows" and name in tables:
                hidden.add(frame)
            if name in tables:
                found.append((name, _whole(name, joins.join(frame) if name == "flows" and joins else frame)))
        return found

    waiting: Future[list[tuple[str, pl.DataFrame]]] | None = None
    with (
        open_captures(listed, strict=options.get("strict", False)) as stream,
        ThreadPoolExecutor(1, "frames") as maker,
    ):
        since = 0
        for batch in stream:
            dissector.feed(batch)
            since += len(batch.packets)
            if since >= TICK_PACKETS or dissector.waiting >= TICK_ROWS:
                since = 0
                if waiting:
                    yield from waiting.result()
                waiting = maker.submit(made, dissector.take())
            if progress:
                progress(stream)
        if waiting:
            yield from waiting.result()
        for taken in dissector.drain():
            yield from made(taken)
        if devices:
            yield "devices", devices.rows()
        if "capture" in tables:
            yield "capture", capture_rows(stream.sources, dissector.counters)
        for line in (*stream.warnings, *map(escaped, hidden.encrypted())):
            options.get("warn", _ignore)(line)


def _stored(
    listed: list[str], tables: Collection[str], attributor: Attributor | None, warn: Callable[[str], None]
) -> Iterator[tuple[str, pl.DataFrame]]:
    """The same from a live store, which may be written meanwhile."""
    from ..measure.hidden import Hidden
    from ..store.cells import escaped
    from ..store.reader import read_store
    from .devices import Devices

    if len(listed) > 1:
        raise InputError(f"{listed[0]}: a store is read by itself, not together with other files")
    wanted = {*tables, *(("flows", "announced") if "devices" in tables else ()), *(("dns",) if attributor else ())}
    found = read_store(listed[0], wanted)
    if attributor:
        attributor.learn(found["dns"])
    if "devices" in tables:
        devices = Devices()
        for name in ("flows", "announced"):
            devices.take(name, found[name])
        found["devices"] = devices.rows()
    for name, frame in found.items():
        if name in tables and frame.height:
            yield name, _whole(name, attributor.join(frame) if name == "flows" and attributor else frame)
    if "flows" in tables:
        hidden = Hidden()
        hidden.add(found["flows"])
        for line in hidden.encrypted():
            warn(escaped(line))


def read(path: Paths, **options: Unpack[ReadOptions]) -> Observations:
    """Every table of one capture, or of several as one stream in time order; see `ReadOptions`.

    Raises a subclass of `WiretallyError` whose text is one line where something cannot be read at all.
    """
    from .observations import Observations

    warnings: list[str] = []
    warn = options.get("warn", _ignore)

    def keep(line: str) -> None:
        warnings.append(line)
        warn(line)

    options["warn"] = keep
    attributor = open_attributor(**options)
    found = _gathered(frames(path, TABLES, **options), TABLES)
    attributor.learn(found["dns"])
    found["flows"] = without_places(_listed(path), attributor, keep).join(found["flows"])
    for line in told(attributor, found["capture"]["last_seen"].max()):
        keep(line)
    return Observations(**found, warnings=tuple(warnings))


def read_tables(paths: Paths, tables: Collection[str], **options: Unpack[ReadOptions]) -> dict[str, pl.DataFrame]:
    """Some of the tables, nothing attributed."""
    return _gathered(frames(paths, tables, **options), tables)


def compare(
    paths: Paths,
    sessions: str | PathLike[str] | None = None,
    visits: str | PathLike[str] | None = None,
    *,
    statistics: Mapping[str, Any] | None = None,
    **options: Unpack[ReadOptions],
) -> dict[str, Any]:
    """What was uploaded in the one mode and in the other: the result of `docs/reference/compare.md` as a dictionary.

    `sessions`, `visits`: the user's CSV files; of a store the sessions marked in it are taken where none are given. `statistics`: fields of `measure.CompareOptions`; `options`: see
    `ReadOptions`. Raises a subclass of `WiretallyError` where an input cannot be understood.
    """
    found, who, visited, digest = _asked(paths, sessions, visits, options)
    return _renamed(compare_tables(found, who.sessions, visited, statistics=statistics, digest=digest, **options), who)


def probe(
    paths: Paths,
    sessions: str | PathLike[str] | None = None,
    visits: str | PathLike[str] | None = None,
    *,
    statistics: Mapping[str, Any] | None = None,
    **options: Unpack[ReadOptions],
) -> dict[str, Any]:
    """The length probe: the result of `docs/reference/probe.md` as a dictionary.

    `sessions`, `visits`: the user's CSV files, as for `compare`; visits need pads. `statistics`: fields of
    `measure.ProbeOptions`. Raises a subclass of `WiretallyError` where an input cannot be understood.
    """
    if visits is None:
        raise InputError("--visits: name the file that says which page was visited when, and how long its pad was")
    found, who, visited, digest = _asked(paths, sessions, visits, options)
    return _renamed(probe_tables(found, who.sessions, visited or [], statistics=statistics, digest=digest, **options), who)


def _asked(
    paths: Paths, sessions: str | PathLike[str] | None, visits: str | PathLike[str] | None, options: ReadOptions
) -> tuple[dict[str, pl.DataFrame], Resolved, list[Visit] | None, dict[str, str | None]]:
    """Tables, sessions by device, visits, the captures' digests.

    The user's files are read first, since they are soon read.
    """
    from ..measure import inputs, naming
    from ..store.layout import is_store
    from .basis import digests

    listed = _listed(paths)
    marks = inputs.read_sessions(str(sessions), closed=False) if sessions is not None else marked(listed)
    visited = inputs.read_visits(str(visits)) if visits is not None else None
    stored = any(map(is_store, listed))
    tables = (*COMPARED, "devices") if stored or naming.ask_for_devices(marks) else COMPARED
    found = _gathered(frames(listed, tables, **options), tables)
    who = naming.resolved(marks, naming.Directory(found.get("devices")), lenient=stored)
    if stored:
        who = naming.still_kept(who, found["exchanges"], found["capture"])
    return found, who, visited, digests([path for path in listed if not is_store(path)])  # a store goes on


def by_device(paths: Paths, sessions: str | PathLike[str] | None, **options: Unpack[ReadOptions]) -> Resolved:
    """The sessions by device, for whoever keeps them apart from the tables that say what is one."""
    from ..measure import inputs, naming
    from ..store.layout import is_store

    listed = _listed(paths)
    marks = inputs.read_sessions(str(sessions), closed=False) if sessions is not None else marked(listed)
    stored = any(map(is_store, listed))
    tables = ("devices", "exchanges", "capture") if stored else ("devices",) if naming.ask_for_devices(marks) else ()
    found = _gathered(frames(listed, tables, **options), tables) if tables else {}
    who = naming.resolved(marks, naming.Directory(found.get("devices")), lenient=stored)
    return naming.still_kept(who, found["exchanges"], found["capture"]) if stored else who


def _renamed(result: dict[str, Any], who: Resolved) -> dict[str, Any]:
    """The result with the names that the user gave where it says which device, and what has to be said of the sessions."""
    for row in (*result.get("sessions", ()), *result.get("timeline", {}).get("bins", ())):
        row["device"] = who.named.get(row["device"], row["device"])
    result["basis"]["warnings"] += who.told
    return result


def compare_tables(
    found: Mapping[str, pl.DataFrame],
    marks: Sequence[Session],
    visited: Sequence[Visit] | None,
    *,
    statistics: Mapping[str, Any] | None = None,
    digest: Mapping[str, str | None] | None = None,
    **options: Unpack[ReadOptions],
) -> dict[str, Any]:
    """The same from tables (flows not yet attributed, exchanges, capture); `digest`: of the captures by their names."""
    from ..measure import comparison

    chosen = comparison.CompareOptions(**(statistics or {}))
    return _measured(
        found, lambda flows: comparison.compare(flows, found["exchanges"], marks, visited, found["capture"], chosen), digest, options
    )


def probe_tables(
    found: Mapping[str, pl.DataFrame],
    marks: Sequence[Session],
    visited: Sequence[Visit],
    *,
    statistics: Mapping[str, Any] | None = None,
    digest: Mapping[str, str | None] | None = None,
    **options: Unpack[ReadOptions],
) -> dict[str, Any]:
    """The probe from tables, as `compare_tables`."""
    from ..measure import probe as probing

    chosen = probing.ProbeOptions(**(statistics or {}))
    return _measured(
        found, lambda flows: probing.probe(flows, found["exchanges"], marks, visited, found["capture"], chosen), digest, options
    )


def _measured(
    found: Mapping[str, pl.DataFrame],
    measure: Callable[[pl.DataFrame], dict[str, Any]],
    digest: Mapping[str, str | None] | None,
    options: ReadOptions,
) -> dict[str, Any]:
    """What `measure` makes of attributed flows, with what it rests on: captures, databases, versions."""
    from ..store.cells import times_as_text
    from .basis import versions

    attributor = open_attributor(**options)
    if "dns" in found:
        attributor.learn(found["dns"])
    hidden: list[str] = []
    joins = without_places(list(found["capture"]["source"]), attributor, hidden.append)
    result = measure(joins.join(found["flows"]))
    rows = times_as_text(found["capture"]).to_dicts()
    result["capture"] = [row | {"sha256": (digest or {}).get(row["source"])} for row in rows]
    result["basis"] |= {"databases": attributor.databases, "versions": versions()}
    result["basis"]["warnings"] += [*told(attributor, found["capture"]["last_seen"].max()), *hidden]
    return result


def marked(listed: list[str]) -> list[Session]:
    """The sessions that were marked in a store."""
    from ..measure.inputs import Session
    from ..store.layout import is_store
    from ..store.reader import read_marks

    if len(listed) != 1 or not is_store(listed[0]):
        raise InputError("--sessions: name the file that says which minutes were which mode")
    found = [Session(*row) for row in read_marks(listed[0])]
    if not found:
        raise InputError(f"{listed[0]}: no session is marked in it; use `wiretally session start`, or give --sessions")
    return found


def where(
    targets: str | Sequence[str], *, rtt_ms: float | None = None, **options: Unpack[ReadOptions]
) -> pl.DataFrame:
    """Place, network, owner and category of addresses and names, a row each, and what each of them rests on.

    `rtt_ms`: a round trip to the addresses, measured at `place`.
    """
    import polars as pl

    from ..geo import where as geo

    asked = [targets] if isinstance(targets, str) else list(targets)
    kinds: dict[str, Any] = dict.fromkeys(geo.COLUMNS, pl.String()) | {
        "asn": pl.UInt32(), "max_distance_km": pl.Float64(), "possible_countries": pl.List(pl.String())
    }  # fmt: skip
    return pl.DataFrame(geo.where(asked, open_attributor(**options), rtt_ms), schema=kinds)


def _gathered(stream: Iterator[tuple[str, pl.DataFrame]], tables: Collection[str]) -> dict[str, pl.DataFrame]:
    import polars as pl

    parts: dict[str, list[pl.DataFrame]] = {name: [pl.DataFrame(schema=polars_schema(TABLES[name]))] for name in tables}
    for name, frame in stream:
        parts[name].append(frame)
    return {name: pl.concat(pieces) for name, pieces in parts.items()}


def _whole(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with every column of its table, in order; those that nobody filled are null."""
    import polars as pl

    schema = polars_schema(TABLES[name])
    return frame.select(
        pl.col(column) if column in frame.columns else pl.lit(None, kind).alias(column)
        for column, kind in schema.items()
    )


def dissect_options(tables: Collection[str], options: ReadOptions) -> DissectOptions:
    """The dissector's settings by the names that users know."""
    from ..dissect.dissector import DissectOptions
    from ..geo.resolvers import resolvers

    given: dict[str, Any] = {"tables": frozenset(tables), "resolvers": resolvers()}
    for network in options.get("local", ()):
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError as error:
            raise InputError(f"--local {network}: not a network: write it as 192.168.1.0/24") from error
    theirs = {"local": ("local",), "idle_gap": ("idle_gap",), "flow_idle": ("idle_tcp", "idle_other", "idle_dns"), "max_flows": ("max_flows",), "packets": ("first_packets",)}  # fmt: skip
    for ours, names in theirs.items():
        if ours in options:
            value = options[ours]  # type: ignore[literal-required]
            given |= dict.fromkeys(names, tuple(value) if ours == "local" else value)
    return DissectOptions(**given)


def _listed(paths: Paths) -> list[str]:
    return [str(path) for path in ([paths] if isinstance(paths, str) or not hasattr(paths, "__iter__") else paths)]


def _ignore(_: object) -> None:
    """What becomes of something that nobody asked for."""
