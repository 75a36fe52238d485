"""HTTP/3 (RFC 9114) for telemetry over QUIC: both ends, by aioquic's stack.

Theory: the vendor's code may use QUIC for what its web content never shows, so the measurement must find page reports
without record headers to count. The server's ledger gets the data of all QUIC streams from the phone, HTTP/3 and QPACK
framing included; QUIC's own frames and packet headers are not in it, so a tap counts a little more.
Rules: one connection per host, kept for as long as both ends live, made anew after it died; one request at a time.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, ProtocolNegotiated, QuicEvent, StreamDataReceived

from .web import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PORT = 443
IDLE_SECONDS = 600.0
POST_TIMEOUT = 10.0
USER_AGENT = b"okhttp/4.12.0"


class _Message:
    """The header fields and the body of one stream, as far as they have come."""

    def __init__(self) -> None:
        self.fields: dict[bytes, bytes] = {}
        self.body = b""

    def take(self, event: H3Event) -> bool:
        """Whether the message is whole now."""
        if isinstance(event, HeadersReceived):
            self.fields |= dict(event.headers)
            return event.stream_ended
        if isinstance(event, DataReceived):
            self.body += event.data
            return event.stream_ended
        return False


class ServerEnd(QuicConnectionProtocol):
    """One connection of the telemetry host: counts, then answers."""

    answer: Answer
    count: Callable[[int, str, str, int], None]

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  (aioquic's own)
        """As aioquic calls it."""
        super().__init__(*arguments, **options)
        self._http: H3Connection | None = None
        self._messages: dict[int, _Message] = {}

    def quic_event_received(self, event: QuicEvent) -> None:
        """Plaintext from the phone, and what is made of it."""
        if isinstance(event, ProtocolNegotiated):
            self._http = H3Connection(self._quic)
        if isinstance(event, StreamDataReceived):
            paths = self._quic._network_paths  # noqa: SLF001  (aioquic tells the peer nowhere else)
            self.count(event.stream_id, paths[0].addr[0] if paths else "", "up", len(event.data))
        if self._http is None:
            return
        for part in self._http.handle_event(event):
            stream: int = getattr(part, "stream_id", -1)
            if self._messages.setdefault(stream, _Message()).take(part):
                self._respond(self._http, stream, self._messages.pop(stream))

    def _respond(self, connection: H3Connection, stream: int, message: _Message) -> None:
        fields = {name.decode("ascii"): value.decode("latin-1") for name, value in message.fields.items()}
        request = Request(fields.get(":method", ""), fields.get(":authority", ""), fields.get(":path", ""), message.body,
                          len(message.body))  # fmt: skip
        response = self.answer(request)
        head, body = response.packed()
        connection.send_headers(stream, [(b":status", str(int(response.status)).encode("ascii")),
                                         *((name.encode("ascii"), value.encode("ascii")) for name, value in head)],
                                end_stream=not body)  # fmt: skip
        if body:
            connection.send_data(stream, body, end_stream=True)
        self.transmit()


async def listen(address: str, chain: Path, answer: Answer, count: Callable[[int, str, str, int], None]) -> None:
    """Serve one host at its address. `chain`: PEM of key and certificates. `count(stream, peer, way, bytes)`."""
    configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN, idle_timeout=IDLE_SECONDS)
    configuration.load_cert_chain(chain, chain)
    made = type("End", (ServerEnd,), {"answer": staticmethod(answer), "count": staticmethod(count)})
    await serve(address, PORT, configuration=configuration, create_protocol=cast("type[ServerEnd]", made))


class ClientEnd(QuicConnectionProtocol):
    """The phone's end: one request, its answer."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  (aioquic's own)
        """As aioquic calls it."""
        super().__init__(*arguments, **options)
        self._http = H3Connection(self._quic)
        self._waiting: dict[int, tuple[_Message, asyncio.Future[_Message]]] = {}
        self.ended = False

    async def request(self, fields: list[tuple[bytes, bytes]], body: bytes) -> int:
        """The status of the answer."""
        stream = self._quic.get_next_available_stream_id()
        answered: asyncio.Future[_Message] = asyncio.get_running_loop().create_future()
        self._waiting[stream] = (_Message(), answered)
        self._http.send_headers(stream, fields)
        self._http.send_data(stream, body, end_stream=True)
        self.transmit()
        message = await asyncio.wait_for(answered, POST_TIMEOUT)
        return int(message.fields[b":status"])

    def quic_event_received(self, event: QuicEvent) -> None:
        """Answers, and the end."""
        if isinstance(event, ConnectionTerminated):
            self.ended = True
            for _, answered in self._waiting.values():
                if not answered.done():
                    answered.set_exception(ConnectionError("the connection ended"))
        for part in self._http.handle_event(event):
            stream: int = getattr(part, "stream_id", -1)
            if stream in self._waiting:
                message, answered = self._waiting[stream]
                if message.take(part):
                    del self._waiting[stream]
                    answered.set_result(message)


class Http3Client:
    """Posts from a thread that knows nothing of event loops; the loop has a thread of its own."""

    def __init__(self, host: str, authority: str) -> None:
        """`authority`: PEM of the issuer to trust. Connects at the first post."""
        self._host, self._authority = host, authority
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._end: ClientEnd | None = None
        threading.Thread(target=self._loop.run_forever, name="quic", daemon=True).start()

    def post(self, path: str, body: bytes) -> bool:
        """Whether the server took it. A connection that died is made anew, once."""
        for _ in range(2):
            try:
                return asyncio.run_coroutine_threadsafe(self._post(path, body), self._loop).result(2 * POST_TIMEOUT)
            except (OSError, TimeoutError):
                self.close()
        return False

    def close(self) -> None:
        """Say goodbye."""
        self._end = None
        asyncio.run_coroutine_threadsafe(self._stack.aclose(), self._loop).result(POST_TIMEOUT)

    async def _post(self, path: str, body: bytes) -> bool:
        if self._end is None or self._end.ended:
            configuration = QuicConfiguration(alpn_protocols=H3_ALPN, idle_timeout=IDLE_SECONDS, server_name=self._host)
            configuration.load_verify_locations(cafile=self._authority)
            opened = connect(self._host, PORT, configuration=configuration, create_protocol=ClientEnd)
            self._end = cast("ClientEnd", await self._stack.enter_async_context(opened))
        fields = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", self._host.encode("ascii")),
                  (b":path", path.encode("ascii")), (b"user-agent", USER_AGENT),
                  (b"content-type", b"application/x-www-form-urlencoded"),
                  (b"content-length", str(len(body)).encode("ascii"))]  # fmt: skip
        return await self._end.request(fields, body) == HTTPStatus.OK
