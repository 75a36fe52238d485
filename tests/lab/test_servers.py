"""Counting where TLS ends: over a real handshake, the ledger has the bytes that the client wrote and read."""

import asyncio
import json
import ssl

import h2.config
import h2.connection
import pytest
from wiretally.lab import sensors
from wiretally.lab.certificates import make_authority
from wiretally.lab.hosts import HOSTS, MISTAT, SENSORS
from wiretally.lab.servers import Ledger, ServerConnection, contexts

SITE = "www.quiet-travel.example"
DEVICE = sensors.Device.made_up(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("certificates")
    make_authority(path, [host.name for host in HOSTS])
    return path


def talk(folder, host, alpn, messages):
    """Send `messages` one after the other, each when the server has taken the last in; what it answered, and the ledger."""
    ledger_file = folder / "ledger.jsonl"

    def entries():
        return [json.loads(line) for line in ledger_file.read_text().splitlines()]

    async def main():
        loop = asyncio.get_running_loop()
        door, names = contexts(folder)
        with ledger_file.open("w", buffering=1) as file:
            ledger = Ledger(file)
            server = await loop.create_server(lambda: ServerConnection(names, ledger), "127.0.0.1", 0, ssl=door)
            trust = ssl.create_default_context(cafile=folder / "ca.pem")
            trust.set_alpn_protocols([alpn])
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust, server_hostname=host)
            tls = writer.get_extra_info("ssl_object")
            assert (tls.version(), tls.selected_alpn_protocol()) == ("TLSv1.3", alpn)
            sent, received = 0, b""
            async with asyncio.timeout(60):
                for message in messages:
                    writer.write(message)
                    sent += len(message)
                    while total(entries(), "up") < sent:  # noqa: ASYNC110  (what is waited for is in a file)
                        await asyncio.sleep(0.001)
                    answered = total(entries(), "down")  # who answers nothing has to end the connection
                    received += await reader.readexactly(answered - len(received)) if answered else await reader.read()
            writer.close()
            server.close()
            return received

    received = asyncio.run(main())
    return received, entries()


def total(entries, way):
    return sum(entry["bytes"] for entry in entries if entry.get("way") == way)


def post(path, body):
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_a_telemetry_post_is_counted_to_the_byte_and_understood(folder):
    event = sensors.page_event(DEVICE, "page_load_event_start", "https://a.example/", 1, 2)
    messages = [post(sensors.PATH, sensors.encode([event, event], 5)), post(sensors.PATH, sensors.encode([event], 9))]
    received, entries = talk(folder, SENSORS, "http/1.1", messages)
    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert total(entries, "up") == sum(map(len, messages))
    assert total(entries, "down") == len(received)
    posts = [entry for entry in entries if "post" in entry]
    assert [entry["post"] for entry in posts] == [2, 1]
    assert [entry["up_bytes"] for entry in posts] == [len(message) for message in messages]
    assert {entry["host"] for entry in entries} == {SENSORS}


def test_damaged_telemetry_is_refused_and_still_counted(folder):
    message = post(sensors.PATH, b"crc=1&gzip=1&data_list=AAAA")
    received, entries = talk(folder, SENSORS, "http/1.1", [message])
    assert received.startswith(b"HTTP/1.1 400")
    assert total(entries, "up") == len(message)
    assert not [entry for entry in entries if "post" in entry]


def test_heartbeats_are_no_posts_of_events(folder):
    received, entries = talk(folder, MISTAT, "http/1.1", [post(sensors.HEARTBEAT_PATH, sensors.heartbeat(DEVICE, 0))])
    assert received.startswith(b"HTTP/1.1 200")
    assert not [entry for entry in entries if "post" in entry]


def test_http2_counts_preface_and_frames(folder):
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    client.initiate_connection()
    fields = [(":method", "GET"), (":authority", SITE), (":scheme", "https"), (":path", "/rail/night-trains-2020")]
    client.send_headers(1, fields, end_stream=True)
    message = client.data_to_send()
    _, entries = talk(folder, SITE, "h2", [message])
    assert message.startswith(b"PRI * HTTP/2.0")
    assert total(entries, "up") == len(message)


def test_what_is_not_http_ends_the_connection_and_not_the_server(folder):
    received, entries = talk(folder, SITE, "http/1.1", [b"\x00nonsense\r\n\r\n"])
    assert received == b""
    assert total(entries, "up") == 13


def test_a_name_that_is_not_served_gets_no_handshake(folder):
    with pytest.raises(OSError):  # noqa: PT011  (asyncio reports the alert as a reset connection)
        talk(folder, "unknown.example", "http/1.1", [])
