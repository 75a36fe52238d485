"""Options that commands share, each written once: its name, its meaning, how its text is read."""

from __future__ import annotations

import ipaddress
import sys
from typing import Annotated, Literal

import typer

Files = Annotated[
    list[str],
    typer.Argument(metavar="FILE…", help="Captures (pcap, pcapng; also .gz, .xz, .zst); - is standard input."),
]
Output = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Where to write; - is standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no warnings.")]
Strict = Annotated[bool, typer.Option("--strict", help="A capture that is cut short is an error.")]


def network(text: str) -> str:
    """`text` where it is a network in CIDR notation."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a network: write it as 192.168.1.0/24") from error
    return text


def seconds(value: float | None) -> float | None:
    """`value` where it is a length of time."""
    if value is not None and not 0 < value < float("inf"):
        raise typer.BadParameter(f"{value} is not a number of seconds above 0")
    return value


def place(text: str | None) -> str | None:
    """`text` where it is LAT,LON in degrees."""
    if text is None:
        return None
    try:
        latitude, longitude = map(float, text.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a place: write it as 52.52,13.40") from error
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise typer.BadParameter(f"{text!r} is not on Earth: latitude is -90 to 90, longitude -180 to 180")
    return text


Local = Annotated[
    list[str] | None,
    typer.Option("--local", metavar="CIDR", callback=lambda values: [network(value) for value in values or []],
                 help="Network of the devices under observation; repeatable. Default: the private end."),
]  # fmt: skip
IdleGap = Annotated[
    float | None,
    typer.Option("--idle-gap", metavar="SECONDS", callback=seconds, help="Silence that ends an exchange. Default: 1."),
]
FlowIdle = Annotated[
    float | None,
    typer.Option("--flow-idle", metavar="SECONDS", callback=seconds,
                 help="Silence that ends a flow. Default: 3600 for TCP, 30 for DNS, 180 for the rest."),
]  # fmt: skip
MaxFlows = Annotated[
    int | None, typer.Option("--max-flows", min=1, metavar="N", help="Flows held at one time. Default: 262144.")
]
Packets = Annotated[
    int | None,
    typer.Option("--packets", min=1, max=64, metavar="N",
                 help="Tell the first N packets of each flow one by one, in first_packets; 16 is usual. Default: none."),
]  # fmt: skip
CountryDb = Annotated[
    str | None,
    typer.Option("--country-db", metavar="MMDB", help="Your own country database. Default: the bundled one."),
]
AsnDb = Annotated[
    str | None, typer.Option("--asn-db", metavar="MMDB", help="Your own network database. Default: the bundled one.")
]
SecondDb = Annotated[
    str | None,
    typer.Option("--second-db", metavar="MMDB", help="The second opinion on countries. Default: the bundled one."),
]
Catalogue = Annotated[
    list[str] | None,
    typer.Option("--catalogue", metavar="[CATEGORY=]FILE",
                 help="Your own list of hosts, which has the first word: hosts file, ||host^ rules, AdGuard's trackers.json, "
                      "CSV; repeatable. CATEGORY says what a list without one means."),
]  # fmt: skip
Alpha = Annotated[
    float | None, typer.Option("--alpha", min=1e-6, max=0.5, metavar="P", help="Share of false findings allowed. Default: 0.05.")
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", min=0, metavar="N", help="Of permutations and resampling: same seed, same numbers. Default: 1."),
]
Idle = Annotated[str | None, typer.Option("--idle", metavar="MODE", help="The mode in which nothing is visited. Default: idle.")]
Baseline = Annotated[str | None, typer.Option("--baseline", metavar="MODE", help="The mode compared with. Default: normal.")]
Compared = Annotated[str | None, typer.Option("--compared", metavar="MODE", help="The mode in question. Default: incognito.")]
Margin = Annotated[
    float | None,
    typer.Option("--margin", metavar="SHARE", min=0.01, max=0.9, help="`continues` is a ratio within 1 ± this. Default: 0.25."),
]
StopRatio = Annotated[
    float | None,
    typer.Option("--stop-ratio", metavar="SHARE", min=0.01, max=0.9, help="`stops` is a ratio surely below this. Default: 0.2."),
]
Per = Annotated[
    Literal["session", "minute", "visit"] | None,
    typer.Option("--per", help="What volumes are of. Default: session, or minute where lengths differ and visits do not say that browsing was the same."),
]
LeastShare = Annotated[
    float | None,
    typer.Option("--least-share", metavar="SHARE", min=0.05, max=1,
                 help="`not_locked` excludes that so many uploads follow visits. Default: 0.5."),
]  # fmt: skip
LeastSlope = Annotated[
    float | None,
    typer.Option("--least-slope", metavar="BYTES", min=0, help="Growth per character that `independent` must exclude. Default: 0.25."),
]
Place = Annotated[
    str | None,
    typer.Option("--place", metavar="LAT,LON", callback=place,
                 help="Where the access point stands: checks countries against round-trip times."),
]  # fmt: skip


def coordinates(text: str) -> tuple[float, float]:
    """LAT,LON that `place` has let through, in degrees."""
    latitude, longitude = map(float, text.split(","))
    return latitude, longitude


def refuse_binary_on_terminal(form: str, output: str) -> None:
    """Parquet on a screen is a mistake in the command."""
    if form == "parquet" and output == "-" and sys.stdout.isatty():
        raise typer.BadParameter("parquet is not for a terminal: name a file with --output")


def given(**options: object) -> dict[str, object]:
    """The options that were given: what is None, empty or off is left to its default."""
    return {name: value for name, value in options.items() if value is not None and value is not False and value != []}
