"""`wiretally live`: an interface's packets, accounted for in a store as they pass."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from . import options as cli


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
    local: cli.Local = None,
    idle_gap: cli.IdleGap = None,
    flow_idle: cli.FlowIdle = None,
    max_flows: cli.MaxFlows = None,
    country_db: cli.CountryDb = None,
    asn_db: cli.AsnDb = None,
    second_db: cli.SecondDb = None,
    catalogue: cli.Catalogue = None,
    place: cli.Place = None,
    quiet: cli.Quiet = False,
) -> None:
    """Captures and accounts in real time, until it is told to end (Ctrl-C, SIGTERM). Others read the store meanwhile.

    Example: wiretally live --interface wlan0 --store home.db
    """
    import signal

    from ..capture.live import LiveOptions, open_live
    from ..dissect.dissector import Dissector
    from ..store.database import Store
    from . import pipeline, progress
    from .service import Retention, Service, stopper

    settings: Any = cli.given(
        local=local, idle_gap=idle_gap, flow_idle=flow_idle, max_flows=max_flows,
        country_db=country_db, asn_db=asn_db, second_db=second_db, catalogue=catalogue,
        place=cli.coordinates(place) if place else None,
    )  # fmt: skip
    warn = progress.warner(quiet=quiet)
    dissector = Dissector(pipeline.dissect_options(pipeline.DISSECTED, settings))
    attributor = pipeline.open_attributor(**settings)
    asked = LiveOptions(expression=expression, ring_bytes=ring_mb << 20, promiscuous=promiscuous, notify=warn)
    retention = Retention(keep_days, keep_mb << 20 if keep_mb else None)
    with Store(store, warn=warn) as kept, open_live(interface, asked) as capture:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stopper(capture))
        Service(capture, dissector, attributor, kept, retention).run()
        if not quiet:
            count = capture.counters()
            lost = "unknown" if count.dropped is None else f"{count.dropped:,}"
            typer.echo(f"wiretally: {count.delivered:,} packets, {lost} lost; {store}", err=True)
