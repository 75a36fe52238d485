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
from .hosts import BY_NAME, HOSTS, Host
from .web import Http1, Http2, Request, Response, Speaker

PORT = 443
READY = "ready"


class Ledger:
    """Lines of JSON: `bytes` of one direction on a connection, or a telemetry `post` as the server understood it."""

    def __init__(self, file: IO[str]) -> None:
        """`file` should be line-buffered."""
        self._file = file

    def count(self, connection: int, host: str, way: str, size: int) -> None:
        """`way` is up (from the phone) or down."""
        self._write({"bytes": size, "way": way, "host": host, "connection": connection})

    def post(self, host: str, events: list[sensors.Event], up_bytes: int) -> None:
        """Telemetry that arrived whole: how many events, about which URLs, in how many bytes."""
        urls = [event["properties"]["url"] for event in events]
        self._write({"post": len(events), "urls": urls, "up_bytes": up_bytes, "host": host})

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps({"time_ns": time.time_ns(), **entry}) + "\n")


class Telemetry:
    """What the vendor's hosts answer: 200 to what they understand."""

    def __init__(self, host: Host, ledger: Ledger) -> None:
        """Posts of events are entered into `ledger`."""
        self._host = host
        self._ledger = ledger

    def answer(self, request: Request) -> Response:
        """Check the form and acknowledge it."""
        if request.target == sensors.HEARTBEAT_PATH:
            return Response(HTTPStatus.OK, "application/json", b'{"status":"ok","delay":300000}')
        if request.target != sensors.PATH:
            return Response(HTTPStatus.NOT_FOUND, "text/plain", b"")
        try:
            events = sensors.decode(request.body)
        except ValueError as wrong:
            return Response(HTTPStatus.BAD_REQUEST, "text/plain", str(wrong).encode())
        self._ledger.post(self._host.name, events, request.up_bytes)
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
        vendor = self._host.role in {"telemetry", "telemetry_alternative", "heartbeat"}
        answer = Telemetry(self._host, self._ledger).answer if vendor else sites.answer
        self._speaker: Speaker = Http2(answer) if tls.selected_alpn_protocol() == "h2" else Http1(answer)
        self._send(self._speaker.start())

    def data_received(self, data: bytes) -> None:
        """Plaintext from the phone."""
        self._ledger.count(self._number, self._host.name, "up", len(data))
        try:
            self._send(self._speaker.receive(data))
        except (ProtocolError, ValueError) as wrong:
            sys.stderr.write(f"{self._host.name}: {wrong}\n")
            self._transport.close()

    def _send(self, data: bytes) -> None:
        if data:
            self._ledger.count(self._number, self._host.name, "down", len(data))
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


async def serve(folder: Path, ledger: Ledger) -> None:
    """Listen on every address of the namespace until cancelled."""
    door, names = contexts(folder)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: ServerConnection(names, ledger), "0.0.0.0", PORT, ssl=door)  # noqa: S104
    sys.stdout.write(READY + "\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    """`--certificates FOLDER --ledger FILE`."""
    parser = argparse.ArgumentParser(prog="wiretally.lab.servers")
    parser.add_argument("--certificates", type=Path, required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    options = parser.parse_args()
    with options.ledger.open("w", encoding="utf-8", buffering=1) as file:
        asyncio.run(serve(options.certificates, Ledger(file)))


if __name__ == "__main__":
    main()
