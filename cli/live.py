"""`wiretally live`: an interface's packets, accounted for in a store as they pass."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from . import options as cli

if TYPE_CHECKING:
    from ..geo.attributor import Attributor

Snap = Literal["whole", "names"]
Minutely = Literal["text", "jsonl", "csv"]


def live(
    interface: Annotated[str, typer.Option("--interface", "-i", metavar="IF", help="The one that the devices are behind.")],
    store: Annotated[str, typer.Option(metavar="FILE", help="Where everything is kept; made if it is not there.")],
    expression: Annotated[
        str, typer.Option("--filter", metavar="EXPRESSION", help="What to capture, as for tcpdump. Default: everything.")
    ] = "",
    ring_mb: Annotated[int, typer.Option(min=2, max=2048, metavar="MB", help="Memory for packets that wait.")] = 64,
    promiscuous: Annotated[bool, typer.Option(help="Also frames that are for other stations.")] = False,
    keep_days: Annotated[
        float | None, typer.Option(min=0.0, metavar="DAYS", help="Delete what is older. Default: nothing.")
    ] = None,
    keep_mb: Annotated[
        int | None, typer.Option(min=1, metavar="MB", help="Delete the oldest when the store is larger. Default: no limit.")
    ] = None,
    snap: Annotated[
        Snap, typer.Option(help="names: of QUIC data only the headers are copied; changes no table but `truncated`.")
    ] = "whole",
    record: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Also keep the packets: pcapng files, compressed, with their digests.")
    ] = None,
    record_file_mb: Annotated[int, typer.Option(min=1, metavar="MB", help="Size at which the next file is begun.")] = 100,
    record_mb: Annotated[
        int | None, typer.Option(min=1, metavar="MB", help="Delete the oldest files when they are larger. Default: no limit.")
    ] = None,
    local: cli.Local = None,
    local_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="Networks as for --local, one a line; read again at SIGHUP.")
    ] = None,
    idle_gap: cli.IdleGap = None,
    flow_idle: cli.FlowIdle = None,
    max_flows: cli.MaxFlows = None,
    country_db: cli.CountryDb = None,
    asn_db: cli.AsnDb = None,
    second_db: cli.SecondDb = None,
    catalogue: cli.Catalogue = None,
    place: cli.Place = None,
    form: Annotated[Minutely, typer.Option("--format", help="Of --output.")] = "text",
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="The account of each minute as it is over; - is standard output. Default: nowhere.")
    ] = None,
    quiet: cli.Quiet = False,
) -> None:
    """Captures and accounts in real time, until it is told to end (Ctrl-C, SIGTERM). Others read the store meanwhile.

    Example: wiretally live --interface wlan0 --store home.db
    """
    import signal
    from contextlib import ExitStack

    from . import memory

    memory.prepare()

    from ..capture.interface import open_live
    from ..capture.live import LiveOptions
    from ..capture.record import Recorder
    from ..dissect.dissector import Dissector
    from ..store.database import Store
    from ..store.marks import told
    from . import attribution, pipeline, progress
    from .minutes import Minutes
    from .service import Retention, Service
    from .warm import warm

    settings: Any = cli.given(
        idle_gap=idle_gap, flow_idle=flow_idle, max_flows=max_flows,
        country_db=country_db, asn_db=asn_db, second_db=second_db, catalogue=catalogue,
        place=cli.coordinates(place) if place else None,
    )  # fmt: skip
    warn = progress.warner(quiet=quiet)

    def settle() -> tuple[Attributor, tuple[str, ...]]:
        """What SIGHUP reads again: databases and catalogue, local networks."""
        return attribution.open_attributor(**settings), (*(local or ()), *(networks(local_file) if local_file else ()))

    attributor, near = settle()
    dissector = Dissector(pipeline.dissect_options(pipeline.DISSECTED, settings | {"local": near}))
    warm(attributor)
    memory.give_back()
    asked = LiveOptions(expression=expression, ring_bytes=ring_mb << 20, promiscuous=promiscuous, snap=snap, notify=warn)
    retention = Retention(keep_days, keep_mb << 20 if keep_mb else None)
    with ExitStack() as stack:
        kept = stack.enter_context(Store(store, warn=warn, attributed=attributor.attributed))
        capture = stack.enter_context(open_live(interface, asked))
        service = Service(capture, dissector, kept, retention, warn)
        service.reload = settle
        if output is not None:
            service.told = stack.enter_context(Minutes(form, output, warn)).tell
        if record:
            service.recorder = stack.enter_context(Recorder(
                record, capture.interfaces, file_bytes=record_file_mb << 20, most_bytes=record_mb << 20 if record_mb else None,
                comments=lambda: told(store), warn=warn))  # fmt: skip
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: capture.stop())
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, lambda *_: service.ask_reload())
        service.run()
        if not quiet:
            count = capture.counters()
            lost = "unknown" if count.dropped is None else f"{count.dropped:,}"
            progress.say(f"{count.delivered:,} packets, {lost} lost; {store}")
    if service.recorder is not None and (service.recorder.lost or not quiet):
        progress.say(f"{service.recorder.recorded:,} packets recorded, {service.recorder.lost:,} not; {record}")


def networks(path: str) -> tuple[str, ...]:
    """The networks in a file, one a line; what follows # is a remark."""
    from ..capture.report import shown
    from ..core.errors import InputError

    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(path)}: cannot be read: {error}") from error
    found = []
    for number, line in enumerate(lines, 1):
        if text := line.partition("#")[0].strip():
            try:
                found.append(str(ipaddress.ip_network(text, strict=False)))
            except ValueError as error:
                raise InputError(f"{shown(path)}:{number}: {shown(text)}: not a network: write it as 192.168.1.0/24") from error
    return tuple(found)
