"""HTTP/3 between the lab's two ends: a post arrives, is answered and counted; a dead end says no."""

import asyncio
import threading

import pytest

pytest.importorskip("aioquic", reason="aioquic is not installed")

from wiretally.lab import http3
from wiretally.lab.certificates import make_authority
from wiretally.lab.web import Response


@pytest.fixture
def far(tmp_path, monkeypatch):
    """A server on this machine in a thread: (port, what it was asked, what it counted, the authority)."""
    authority = make_authority(tmp_path, ["localhost"])
    asked, counted = [], []
    loop = asyncio.new_event_loop()

    def answer(request):
        asked.append(request)
        return Response(200 if request.target == "/sa" else 404, "text/plain", b"ok")

    async def begin():
        made = {}
        serve = http3.serve

        async def note(address, port, **options):
            made["server"] = await serve(address, 0, **options)

        monkeypatch.setattr(http3, "serve", note)
        await http3.listen("127.0.0.1", tmp_path / "localhost.pem", answer, lambda *row: counted.append(row))
        return made["server"]._transport.get_extra_info("sockname")[1]

    connect = http3.connect
    monkeypatch.setattr(http3, "connect", lambda _, port, **options: connect("127.0.0.1", port, **options))  # "localhost" may be ::1
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    port = asyncio.run_coroutine_threadsafe(begin(), loop).result(60)
    monkeypatch.setattr(http3, "PORT", port)
    yield asked, counted, str(authority.certificate)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)


def test_posts_over_one_connection_arrive_and_are_counted(far):
    asked, counted, authority = far
    client = http3.Http3Client("localhost", authority)
    assert client.post("/sa", b"x" * 5000)
    assert client.post("/sa", b"y")
    assert not client.post("/elsewhere", b"z")
    client.close()
    assert [(request.method, request.host, request.body) for request in asked] == [
        ("POST", "localhost", b"x" * 5000), ("POST", "localhost", b"y"), ("POST", "localhost", b"z")]  # fmt: skip
    assert {(peer, way) for _, peer, way, _ in counted} == {("127.0.0.1", "up")}
    assert 5002 < sum(size for *_, size in counted) < 6000


def test_a_server_that_nobody_trusts_gets_nothing(far, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    asked, _, _ = far
    client = http3.Http3Client("localhost", str(make_authority(other, ["localhost"]).certificate))
    assert not client.post("/sa", b"x")
    client.close()
    assert asked == []
