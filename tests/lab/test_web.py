"""HTTP as the servers speak it: any cut of the bytes gives the same answers, checked against other implementations."""

import gzip
import itertools
from http import HTTPStatus

import h2.config
import h2.connection
import h2.events
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wiretally.lab.web import Http1, Http2, Response

BIG = bytes(range(256)) * 800  # more than the smallest window that a client may keep (RFC 9113 §6.5.2)


def echo(request):
    if request.target == "/big":
        return Response(HTTPStatus.OK, "image/png", BIG)
    if request.target == "/nothing":
        return Response(HTTPStatus.NO_CONTENT, "", b"")
    return Response(HTTPStatus.OK, "application/octet-stream", request.method.encode() + b" " + request.body)


REQUESTS = (
    b"POST /a HTTP/1.1\r\nHost: x.example\r\nContent-Length: 5\r\n\r\nhello"
    b"GET /b HTTP/1.1\r\nHost: x.example\r\n\r\n"
    b"POST /c HTTP/1.1\r\nhost: x.example\r\ncontent-length: 4\r\n\r\n\r\n\r\n"
)


@given(st.lists(st.integers(0, len(REQUESTS)), max_size=12))
def test_any_cut_of_http1_gives_the_same_bytes(cuts):
    whole = Http1(echo).receive(REQUESTS)
    edges = [0, *sorted(cuts), len(REQUESTS)]
    server = Http1(echo)
    assert b"".join(server.receive(REQUESTS[a:b]) for a, b in itertools.pairwise(edges)) == whole
    assert whole.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert b"POST hello" in whole


def test_a_request_knows_what_it_took_on_the_connection():
    seen = []

    def note(request):
        seen.append(request.up_bytes)
        return Response(HTTPStatus.OK, "", b"")

    Http1(note).receive(REQUESTS)
    assert sum(seen) == len(REQUESTS)


@pytest.mark.parametrize("data", [b"nonsense\r\n\r\n", b"x" * 70000, b"GET / HTTP/1.1\r\nContent-Length: z\r\n\r\n"])
def test_what_is_not_http_is_refused(data):
    with pytest.raises(ValueError):  # noqa: PT011  (any text: what matters is that nothing else is raised)
        Http1(echo).receive(data)


def test_text_goes_out_compressed():
    fields, body = Response(HTTPStatus.OK, "text/html; charset=utf-8", b"word " * 500).packed()
    assert ("content-encoding", "gzip") in fields
    assert gzip.decompress(body) == b"word " * 500


def test_http2_answers_through_small_windows():
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    server = Http2(echo)
    client.initiate_connection()
    client.receive_data(server.start())
    for number, (method, path) in enumerate([("GET", "/big"), ("POST", "/post"), ("GET", "/nothing")]):
        fields = [(":method", method), (":authority", "x.example"), (":scheme", "https"), (":path", path)]
        client.send_headers(1 + 2 * number, fields, end_stream=method == "GET")
    client.send_data(3, b"noise", end_stream=True)
    bodies, statuses = {}, {}
    for _ in range(1000):
        sent = client.data_to_send()
        if not sent:
            break
        for at in range(0, len(sent), 7):
            for event in client.receive_data(server.receive(sent[at : at + 7])):
                match event:
                    case h2.events.ResponseReceived():
                        statuses[event.stream_id] = dict(event.headers)[b":status"]
                    case h2.events.DataReceived():
                        bodies[event.stream_id] = bodies.get(event.stream_id, b"") + event.data
                        client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
    assert bodies == {1: BIG, 3: b"POST noise"}
    assert statuses == {1: b"200", 3: b"200", 5: b"204"}
