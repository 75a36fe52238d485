"""The programs that are compared, and how each is asked for the same thing: flows with names, in a file.

Rules: a peer that this machine lacks is left out with the reason on the table, never silently. NFStream is installed
from the Python package index into an environment of its own, because its dependencies are none of ours.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .pcap_loop import library

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
NFSTREAM = "nfstream==6.6.0"
NFSTREAM_SCRIPT = (
    "import sys; from nfstream import NFStreamer\n"
    "if __name__ == '__main__': NFStreamer(source=sys.argv[1], n_dissections=20).to_csv(path=sys.argv[2])\n"
)


class Peer(NamedTuple):
    """`command(capture, output)` is the process; `named(output)` counts the rows with a server name in what it wrote."""

    name: str
    does: str
    command: Callable[[Path, Path], list[str]] | None
    missing: str = ""
    named: Callable[[Path], int] | None = None
    limit: int = 10**9  # packets above which it is left out: it would take minutes


def peers(work: Path, only: tuple[str, ...] | None = None) -> list[Peer]:
    """Everybody, the yardstick first; `only`: how the names begin. `work`: where NFStream's environment is made."""
    makers = {
        "libpcap": _loop,
        "read in": _blocks,
        "wiretally": _wiretally,
        "ndpiReader": _ndpi,
        "NFStream": lambda: _nfstream(work),
        "tshark": _tshark,
    }
    return [make() for name, make in makers.items() if not only or name.startswith(only)]


def wiretally_command() -> list[str]:
    """The command as installed beside this Python."""
    return [str(Path(sys.executable).with_name("wiretally"))]


def _loop() -> Peer:
    command = [sys.executable, "-I", "-S", str(HERE / "pcap_loop.py")]
    missing = "" if library() else "libpcap is not installed (Debian: libpcap0.8)"
    return Peer("libpcap, empty loop", "nothing", lambda capture, _: [*command, str(capture)], missing)


def _blocks() -> Peer:
    return Peer("read in 1 MiB blocks", "nothing", lambda capture, _: ["dd", f"if={capture}", "of=/dev/null", "bs=1M"])


def _wiretally() -> Peer:
    def command(capture: Path, output: Path) -> list[str]:
        options = ["--table", "flows", "--format", "parquet", "--quiet", "--output", str(output)]
        return [*wiretally_command(), "read", *options, str(capture)]

    def named(output: Path) -> int:
        import polars as pl

        return int(pl.read_parquet(output, columns=["sni"])["sni"].is_not_null().sum())

    does = "flows, names, owners; Parquet"
    missing = "" if Path(wiretally_command()[0]).exists() else "the command is not installed beside this Python"
    return Peer("wiretally read", does, command, missing, named)


def _ndpi() -> Peer:
    def command(capture: Path, output: Path) -> list[str]:
        return ["ndpiReader", "-q", "-i", str(capture), "-C", str(output)]

    def named(output: Path) -> int:
        return _named_in_csv(output, "ndpi_proto", ("TLS", "QUIC"), "server_name_sni")

    missing = "" if shutil.which("ndpiReader") else "not installed (Debian: libndpi-bin)"
    return Peer(f"ndpiReader {_ndpi_version()}".strip(), "flows, names; CSV", command, missing, named)


def _ndpi_version() -> str:
    if shutil.which("ndpiReader") is None:
        return ""
    text = subprocess.run(["ndpiReader", "-h"], capture_output=True, text=True, check=False).stdout
    return text.partition("nDPI ")[2].partition("\n")[0]


def _nfstream(work: Path) -> Peer:
    python, script = work / "nfstream-venv" / "bin" / "python", work / "run_nfstream.py"

    def command(capture: Path, output: Path) -> list[str]:
        return [str(python), str(script), str(capture), str(output)]

    def named(output: Path) -> int:
        return _named_in_csv(output, "application_name", ("TLS", "QUIC"), "requested_server_name")

    missing = _install_nfstream(python, script)
    return Peer("NFStream 6.6.0", "flows, names; CSV", command, missing, named)


def _install_nfstream(python: Path, script: Path) -> str:
    """Makes NFStream's environment where it is not there yet; says what went wrong."""
    script.write_text(NFSTREAM_SCRIPT, encoding="utf-8")
    if _succeeds([str(python), "-c", "import nfstream"]):
        return ""
    made = _succeeds([sys.executable, "-m", "venv", str(python.parent.parent)])
    if made and _succeeds([str(python), "-m", "pip", "install", "--quiet", NFSTREAM]):
        return ""
    return f"`pip install {NFSTREAM}` failed: no network, or no wheel for this Python"


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _tshark() -> Peer:
    fields = ("frame.time_epoch", "ip.src", "ip.dst", "tls.handshake.extensions_server_name", "dns.qry.name")

    def command(capture: Path, _: Path) -> list[str]:
        return [
            "tshark",
            "-n",
            "-r",
            str(capture),
            "-T",
            "fields",
            *(word for field in fields for word in ("-e", field)),
        ]

    missing = "" if shutil.which("tshark") else "not installed (Debian: tshark)"
    return Peer("tshark", "SNI, DNS; lines", command, missing, limit=1_500_000)


def _named_in_csv(path: Path, protocol: str, wanted: tuple[str, ...], name: str) -> int:
    """Rows of TLS and QUIC flows with a server name; `wanted`: how their protocol begins."""
    import polars as pl

    frame = pl.read_csv(path, columns=[protocol, name], infer_schema=False, truncate_ragged_lines=True)
    kind = pl.any_horizontal(pl.col(protocol).str.starts_with(word) for word in wanted)
    return frame.filter(kind & (pl.col(name).fill_null("") != "")).height
