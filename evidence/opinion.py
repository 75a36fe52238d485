"""A second opinion: what tshark says of the same captures, beside what we say.

Theory: Wireshark's dissectors share no code with ours, so where both count the same, a doubter has two programs to
doubt. Names (of TLS and QUIC hellos, of DNS questions) come through pyshark, frame bytes per conversation from tshark
directly, because millions of packets are too many for objects.

Rules: a missing tshark or pyshark is said, and is no fault. Names from packets are compared, never run or opened.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

from ..core.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

NAMES = "tls.handshake.extensions_server_name || dns.qry.name"
FIELDS = ("frame.len", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "udp.srcport",
          "udp.dstport", "icmp.type", "icmpv6.type")  # fmt: skip
MAX_SHOWN = 20  # differences that are written out per question
PATIENCE = 3600.0

Ends = frozenset[tuple[str, int]]


def available() -> str | None:
    """The version of tshark, where it and pyshark are here."""
    try:
        from pyshark.tshark.tshark import get_tshark_version
    except ImportError:
        return None
    try:
        return str(get_tshark_version())
    except Exception:  # noqa: BLE001  (pyshark raises what it likes where tshark is missing)
        return None


def missing() -> str:
    """What to install."""
    return "tshark (package tshark) and pyshark (pip install 'wiretally[verify]')"


def second_opinion(paths: Sequence[str], tables: dict[str, pl.DataFrame]) -> dict[str, Any]:
    """The table of agreement for uncompressed captures; tables: flows, tls, dns as we read them."""
    version = available()
    if version is None:
        return {"tshark": None, "rows": [], "note": f"no second opinion: this machine lacks {missing()}"}
    hellos: Counter[tuple[Any, ...]] = Counter()
    asked: Counter[tuple[Any, ...]] = Counter()
    frames: Counter[tuple[Any, ...]] = Counter()
    sizes: Counter[tuple[Any, ...]] = Counter()
    for path in paths:
        for kind, key in _named(path):
            (hellos if kind == "tls" else asked)[key] += 1
        for key, size in _conversations(path):
            frames[key] += 1
            sizes[key] += size
    ours_frames, ours_sizes = _volumes(tables["flows"])
    rows = [
        _row("conversations", ours_frames.keys(), frames.keys()),
        _row("packets per conversation", ours_frames.items(), frames.items()),
        _row("bytes per conversation", ours_sizes.items(), sizes.items()),
        _row("names in hellos", _hello_names(tables["tls"]), hellos.keys()),
        _row("names asked of DNS", _questions(tables["dns"]), asked.keys()),
    ]
    return {"tshark": version, "rows": rows, "note": None}


def _row(what: str, ours: Any, theirs: Any) -> dict[str, Any]:  # noqa: ANN401  (iterables of hashable things)
    mine, other = set(ours), set(theirs)
    only_ours, only_theirs = sorted(map(_text, mine - other)), sorted(map(_text, other - mine))
    return {"what": what, "ours": len(mine), "tshark": len(other), "same": len(mine & other),
            "only_ours": only_ours[:MAX_SHOWN], "only_tshark": only_theirs[:MAX_SHOWN],
            "agree": not only_ours and not only_theirs}  # fmt: skip


def _text(thing: Any) -> str:  # noqa: ANN401
    """A key as somebody reads it."""
    if isinstance(thing, frozenset):
        return " – ".join(f"{address} {port}" for address, port in sorted(thing))
    if isinstance(thing, tuple):
        return " ".join(map(_text, thing))
    return str(thing)


def _volumes(flows: pl.DataFrame) -> tuple[Counter[tuple[Any, ...]], Counter[tuple[Any, ...]]]:
    """Packets and frame bytes of each TCP and UDP conversation."""
    frames: Counter[tuple[Any, ...]] = Counter()
    sizes: Counter[tuple[Any, ...]] = Counter()
    columns = ("transport", "local_ip", "local_port", "remote_ip", "remote_port", "up_packets", "down_packets", "up_wire_bytes",
               "down_wire_bytes")  # fmt: skip
    for kind, here, port, there, other, up, down, up_bytes, down_bytes in flows.select(columns).iter_rows():
        if kind in {"tcp", "udp"}:
            key = (kind, frozenset({(here, port), (there, other)}))
            frames[key] += up + down
            sizes[key] += up_bytes + down_bytes
    return frames, sizes


def _hello_names(tls: pl.DataFrame) -> set[tuple[Any, ...]]:
    columns = ("local_ip", "local_port", "remote_ip", "remote_port", "sni")
    return {(name.lower(), frozenset({(here, port), (there, other)}))
            for here, port, there, other, name in tls.select(columns).iter_rows() if name}  # fmt: skip


def _questions(dns: pl.DataFrame) -> set[tuple[Any, ...]]:
    columns = ("local_ip", "local_port", "remote_ip", "remote_port", "qname", "service")
    return {(name, frozenset({(here, port), (there, other)}))
            for here, port, there, other, name, kind in dns.select(columns).iter_rows() if name and kind == "dns"}  # fmt: skip


def _conversations(path: str) -> Iterator[tuple[tuple[Any, ...], int]]:
    """(conversation, frame length) of every TCP and UDP packet, by the innermost headers."""
    command = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "occurrence=l"]
    command += [word for name in FIELDS for word in ("-e", name)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace") as running:
        for line in running.stdout or ():
            size, src4, dst4, src6, dst6, tcp_from, tcp_to, udp_from, udp_to, icmp, icmp6 = line.rstrip("\n").split("\t")
            if icmp or icmp6 or not (tcp_from or udp_from):
                continue
            kind, source, target = ("tcp", tcp_from, tcp_to) if tcp_from else ("udp", udp_from, udp_to)
            ends = frozenset({(src4 or src6, int(source)), (dst4 or dst6, int(target))})
            yield (kind, ends), int(size)
        if running.wait(PATIENCE):
            raise EnvironmentFault(f"tshark ended with status {running.returncode} on a capture that we read; no second opinion")


def _named(path: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """("tls" or "dns", (name, conversation)) of every hello and DNS message."""
    import pyshark

    capture = pyshark.FileCapture(path, display_filter=NAMES, use_ek=True, keep_packets=False)
    try:
        for packet in capture:
            ends = _ends(packet)
            for layer in packet.layers:
                if ends is None or layer.layer_name not in {"tls", "quic", "dns"}:
                    continue
                for key, value in _fields(layer._fields_dict):  # noqa: SLF001  (pyshark's only way to all fields)
                    if key.endswith("handshake_extensions_server_name") and value:
                        yield "tls", (str(value).lower(), ends)
                    elif key.endswith("dns_qry_name") and value and layer.layer_name == "dns":
                        yield "dns", (str(value).lower(), ends)
    finally:
        capture.close()


def _fields(tree: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401  (JSON)
    """Every leaf with its key."""
    if isinstance(tree, list):
        for each in tree:
            yield from _fields(each)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            values = value if isinstance(value, list) else [value]
            for each in values:
                if isinstance(each, dict):
                    yield from _fields(each)
                else:
                    yield key, each


def _ends(packet: Any) -> Ends | None:  # noqa: ANN401
    """The two ends of a packet; None where it has no ports."""
    found: dict[str, str] = {}
    for layer in packet.layers:
        if layer.layer_name in {"ip", "ipv6", "tcp", "udp"}:
            for key, value in _fields(layer._fields_dict):  # noqa: SLF001
                found[key] = str(value)
    address = "ip_ip" if "ip_ip_src" in found else "ipv6_ipv6"
    port = "tcp_tcp" if "tcp_tcp_srcport" in found else "udp_udp"
    try:
        return frozenset({(found[f"{address}_src"], int(found[f"{port}_srcport"])),
                          (found[f"{address}_dst"], int(found[f"{port}_dstport"]))})  # fmt: skip
    except (KeyError, ValueError):
        return None
