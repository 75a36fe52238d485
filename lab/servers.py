"""The servers of the lab's internet: TLS 1.3, every host behind its name, every byte written down.

Theory: ground truth is counted where TLS ends. Each connection's `data_received` gets exactly the plaintext that the
client put into TLS application data, HTTP framing included; what is handed to `write` is the other direction. Each
such event becomes a line of the ledger with the server's clock, and truth.py sums the lines by session.
Rules: the host is the one of the certificate chosen by SNI; what a client sends never stops a server.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import ssl
import sys
import time
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any

from h2.exceptions import ProtocolError

from . import sensors, sites
from .hosts import BY_NAME, HOSTS, SENSORS, Host
from .web import Http1, Http2, Request, Response, Speaker

PORT = 443
READY = "ready"


class Ledger:
    """Lines of JSON: `bytes` of one direction on a connection, or a telemetry `post` as the server understood it."""

    def __init__(self, file: IO[str]) -> None:
        """`file` should be line-buffered."""
        self._file = file

    def count(self, connection: int, host: str, peer: str, way: str, size: int) -> None:
        """`peer` is the phone's address; `way` is up (from it) or down."""
        self._write({"bytes": size, "way": way, "host": host, "peer": peer, "connection": connection})

    def post(self, host: str, peer: str, events: list[sensors.Event], up_bytes: int) -> None:
        """Telemetry that arrived whole: how many events, about which URLs (as far as they say), in how many bytes."""
        urls = [event.get("properties", {}).get("url") for event in events]
        self._write({"post": len(events), "urls": urls, "up_bytes": up_bytes, "host": host, "peer": peer})

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps({"time_ns": time.time_ns(), **entry}) + "\n")


class Telemetry:
    """What the vendor's hosts answer: 200 to what they understand."""

    def __init__(self, host: Host, peer: str, ledger: Ledger) -> None:
        """Posts of events are entered into `ledger`."""
        self._host = host
        self._peer = peer
        self._ledger = ledger

    def answer(self, request: Request) -> Response:
        """Check the form and acknowledge it."""
        if request.target == sensors.HEARTBEAT_PATH:
            return Response(HTTPStatus.OK, "application/json", b'{"status":"ok","delay":300000}')
        if self._host.role == "background":
            return Response(HTTPStatus.OK, "application/x-protobuf", b"\x08\x01")
        if request.target != sensors.PATH:
            return Response(HTTPStatus.NOT_FOUND, "text/plain", b"")
        try:
            events = sensors.decode(request.body)
        except ValueError as wrong:
            return Response(HTTPStatus.BAD_REQUEST, "text/plain", str(wrong).encode())
        self._ledger.post(self._host.name, self._peer, events, request.up_bytes)
        return Response(HTTPStatus.OK, "text/plain", b"")


class ServerConnection(asyncio.Protocol):
    """One TLS connection: counts, then hands on to the HTTP version that ALPN chose."""

    numbers = itertools.count(1)

    def __init__(self, names: dict[ssl.SSLContext, Host], ledger: Ledger) -> None:
        """`names`: which host each certificate's context stands for."""
        self._names = names
        self._ledger = ledger
        self._number = next(self.numbers)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The handshake is done: now the host and the protocol are known."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  (asyncio's own promise for streams)
        self._transport = transport
        tls: ssl.SSLObject = transport.get_extra_info("ssl_object")
        self._host = self._names[tls.context]
        self._peer: str = transport.get_extra_info("peername")[0]
        self._telemetry = Telemetry(self._host, self._peer, self._ledger)
        http2 = tls.selected_alpn_protocol() == "h2"
        self._speaker: Speaker = Http2(self._answer) if http2 else Http1(self._answer)
        self._send(self._speaker.start())

    def _answer(self, request: Request) -> Response:
        """Of the vendor's and the phone's own hosts, and of any that telemetry hides behind; else of a web site."""
        if self._host.role not in {"content", "third_party"} or request.target == sensors.PATH:
            return self._telemetry.answer(request)
        return sites.answer(request)

    def data_received(self, data: bytes) -> None:
        """Plaintext from the phone."""
        self._ledger.count(self._number, self._host.name, self._peer, "up", len(data))
        try:
            self._send(self._speaker.receive(data))
        except (ProtocolError, ValueError) as wrong:
            sys.stderr.write(f"{self._host.name}: {wrong}\n")
            self._transport.close()

    def _send(self, data: bytes) -> None:
        if data:
            self._ledger.count(self._number, self._host.name, self._peer, "down", len(data))
            self._transport.write(data)


def contexts(folder: Path) -> tuple[ssl.SSLContext, dict[ssl.SSLContext, Host]]:
    """A listening context that switches to each host's own by SNI, and which host each of those is."""
    own = {}
    for host in HOSTS:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(folder / f"{host.name}.pem")
        context.set_alpn_protocols(list(host.alpn))
        own[host.name] = context

    def choose(tls: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        if name not in own:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME  # RFC 6066 §3
        tls.context = own[name]
        return None

    door = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    door.minimum_version = ssl.TLSVersion.TLSv1_3
    door.load_cert_chain(folder / f"{HOSTS[0].name}.pem")
    door.sni_callback = choose
    return door, {context: BY_NAME[name] for name, context in own.items()}


async def serve(folder: Path, ledger: Ledger, *, http3: bool = False) -> None:
    """Listen on every address of the namespace until cancelled; `http3`: for telemetry over QUIC as well."""
    door, names = contexts(folder)
    if http3:
        await _serve_quic(folder, ledger)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ServerConnection(names, ledger), "0.0.0.0", PORT, ssl=door)  # noqa: S104
    sys.stdout.write(READY + "\n")
    sys.stdout.flush()
    await server.serve_forever()


async def _serve_quic(folder: Path, ledger: Ledger) -> None:
    """Telemetry's host over QUIC."""
    from .http3 import listen  # needs aioquic, which only one arm asks for

    host = BY_NAME[SENSORS]
    last_peer = ""

    def answer(request: Request) -> Response:
        return Telemetry(host, last_peer, ledger).answer(request)

    def count(stream: int, peer: str, way: str, size: int) -> None:
        nonlocal last_peer
        last_peer = peer
        ledger.count(-1 - stream, host.name, peer, way, size)

    await listen(host.address, folder / f"{host.name}.pem", answer, count)


def main() -> None:
    """`--certificates FOLDER --ledger FILE`."""
    parser = argparse.ArgumentParser(prog="wiretally.lab.servers")
    parser.add_argument("--certificates", type=Path, required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--http3", action="store_true", help="serve telemetry over QUIC as well")
    options = parser.parse_args()
    with options.ledger.open("w", encoding="utf-8", buffering=1) as file:
        asyncio.run(serve(options.certificates, Ledger(file), http3=options.http3))


if __name__ == "__main__":
    main()
