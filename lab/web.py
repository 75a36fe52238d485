"""HTTP/1.1 and HTTP/2 as a server speaks them, without sockets: bytes in, bytes out.

Both classes take what the TLS layer gives (`receive`) and return what it is to send, so that the caller can count every
byte of application data, framing included. HTTP/2 is the `h2` package's; HTTP/1.1 is what the lab needs of RFC 9112:
requests with a Content-Length or without a body, one after the other on a kept-alive connection.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple, Protocol

import h2.config
import h2.connection
import h2.events

MAX_HEAD = 64 * 1024
GZIP_TYPES = ("text/", "application/javascript", "application/json", "image/svg")
SMALLEST_GZIP = 256


class Request(NamedTuple):
    """`up_bytes` is what the request took on its connection where that is known (HTTP/1.1), else its body's length."""

    method: str
    host: str
    target: str
    body: bytes
    up_bytes: int


class Response(NamedTuple):
    """A status, a media type (empty: no body) and a body, sent compressed where that is usual."""

    status: int
    media_type: str
    body: bytes
    max_age: int = 0

    def packed(self) -> tuple[list[tuple[str, str]], bytes]:
        """The header fields and the body as sent."""
        body = self.body
        fields = [("server", "nginx")]
        if self.media_type:
            fields.append(("content-type", self.media_type))
        if self.media_type.startswith(GZIP_TYPES) and len(body) >= SMALLEST_GZIP:
            body = gzip.compress(body, compresslevel=6, mtime=0)
            fields.append(("content-encoding", "gzip"))
        fields.append(("cache-control", f"max-age={self.max_age}" if self.max_age else "no-store"))
        fields.append(("access-control-allow-origin", "*"))
        if self.status != HTTPStatus.NO_CONTENT:
            fields.append(("content-length", str(len(body))))
        return fields, body


Answer = Callable[[Request], Response]


class Speaker(Protocol):
    """One side of one connection."""

    def start(self) -> bytes:
        """What the server sends first."""

    def receive(self, data: bytes) -> bytes:
        """Take application data in; what is to be sent because of it."""


class Http1:
    """HTTP/1.1 (RFC 9112)."""

    def __init__(self, answer: Answer) -> None:
        """`answer` is called once per complete request."""
        self._answer = answer
        self._pending = b""

    def start(self) -> bytes:
        """Nothing: the client speaks first."""
        return b""

    def receive(self, data: bytes) -> bytes:
        """Answer each request that `data` completes. Raises `ValueError` on what is not HTTP."""
        self._pending += data
        out = b""
        while (end := self._pending.find(b"\r\n\r\n")) >= 0:
            line, *rest = self._pending[:end].decode("latin-1").split("\r\n")
            method, target, _ = line.split(" ", 2)
            fields = {name.strip().lower(): value.strip() for name, _, value in (each.partition(":") for each in rest)}
            stop = end + 4 + int(fields.get("content-length", "0"))
            if len(self._pending) < stop:
                break
            request = Request(method, fields.get("host", ""), target, self._pending[end + 4 : stop], stop)
            self._pending = self._pending[stop:]
            out += self._render(self._answer(request))
        if len(self._pending) > MAX_HEAD and b"\r\n\r\n" not in self._pending:
            message = "lab: a request head without an end"
            raise ValueError(message)
        return out

    @staticmethod
    def _render(response: Response) -> bytes:
        fields, body = response.packed()
        status = f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"
        head = "\r\n".join([status, *(f"{name.title()}: {value}" for name, value in fields)])
        return f"{head}\r\nConnection: keep-alive\r\n\r\n".encode("ascii") + body


class _Stream:
    """A request that is coming in, then a body that is going out."""

    def __init__(self, fields: dict[str, str]) -> None:
        self.fields = fields
        self.body = b""
        self.outgoing = b""


class Http2:
    """HTTP/2 (RFC 9113)."""

    def __init__(self, answer: Answer) -> None:
        """`answer` is called once per complete request."""
        self._answer = answer
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self._connection = h2.connection.H2Connection(config)
        self._streams: dict[int, _Stream] = {}

    def start(self) -> bytes:
        """The server's SETTINGS."""
        self._connection.initiate_connection()
        return self._connection.data_to_send()

    def receive(self, data: bytes) -> bytes:
        """Answer each request that `data` completes, as far as the client's windows allow."""
        for event in self._connection.receive_data(data):
            match event:
                case h2.events.RequestReceived(stream_id=int(number), headers=fields):
                    self._streams[number] = _Stream({str(name): str(value) for name, value in fields or []})
                case h2.events.DataReceived(stream_id=int(number), data=bytes(body), flow_controlled_length=int(size)):
                    if number in self._streams:
                        self._streams[number].body += body
                    self._connection.acknowledge_received_data(size, number)
                case h2.events.StreamEnded(stream_id=int(number)):
                    self._respond(number)
                case h2.events.StreamReset(stream_id=int(number)):
                    self._streams.pop(number, None)
        for number in list(self._streams):
            self._push_out(number)
        return self._connection.data_to_send()

    def _respond(self, number: int) -> None:
        stream = self._streams[number]
        fields = stream.fields
        response = self._answer(
            Request(fields[":method"], fields[":authority"], fields[":path"], stream.body, len(stream.body))
        )
        head, stream.outgoing = response.packed()
        no_body = not stream.outgoing
        self._connection.send_headers(number, [(":status", str(response.status)), *head], end_stream=no_body)
        if no_body:
            del self._streams[number]

    def _push_out(self, number: int) -> None:
        """Send as much of a body as fits; the rest follows when the window opens."""
        stream = self._streams[number]
        while stream.outgoing:
            room = min(self._connection.local_flow_control_window(number), self._connection.max_outbound_frame_size)
            if room <= 0:
                return
            part, stream.outgoing = stream.outgoing[:room], stream.outgoing[room:]
            self._connection.send_data(number, part, end_stream=not stream.outgoing)
            if not stream.outgoing:
                del self._streams[number]
