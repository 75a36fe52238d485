"""What datagrams say without keys: application bytes, clocks, flags; and what is not QUIC."""

import pytest
from crafting import quic
from crafting.packets import dissect, ethernet, ipv4, udp
from crafting.quic import SCID, SERVER_ID, V1, V2, crypto, frames_of, hello_message, initial, opaque, short
from crafting.quic_vectors import SHORT

FIRST = initial(crypto(hello_message()))
ANSWER = initial(quic.ACK, dcid=SCID, scid=SERVER_ID, keys_of=quic.DCID, side="server") + opaque(2, 100, dcid=SCID,
                                                                                                  scid=SERVER_ID)  # fmt: skip


def flow_of(*datagrams, **options):
    return dissect(frames_of(datagrams, **options)).one("flows")


def test_short_headers_carry_data_and_handshakes_do_not():
    flow = flow_of((True, FIRST), (False, ANSWER), (True, opaque(2, 60) + short(40)), (True, short(500)),
                   (False, short(1000, SCID)), (False, short(7, SCID)))  # fmt: skip
    assert (flow["up_app_bytes"], flow["down_app_bytes"]) == (540, 1007)
    assert flow["up_payload_bytes"] > flow["up_app_bytes"] + 1200
    assert (flow["service"], flow["app_exact"], flow["zero_rtt"], flow["migrations"]) == ("quic", False, False, 0)


def test_the_length_of_connection_ids_is_learned_from_their_owners():
    for size in (0, 4, 20):
        own = b"\x5e" * size
        server = initial(quic.ACK, dcid=SCID, scid=own, keys_of=quic.DCID, side="server")
        flow = flow_of((True, FIRST), (False, server), (True, short(300, own)), (False, short(90, SCID)))
        assert (flow["up_app_bytes"], flow["down_app_bytes"]) == (300, 90)


def test_after_a_retry_the_server_may_choose_again():
    flow = flow_of((True, FIRST), (False, quic.retry(scid=b"\x11" * 18)),
                   (True, initial(crypto(hello_message()), dcid=b"\x11" * 18)), (False, ANSWER), (True, short(50)))  # fmt: skip
    assert flow["up_app_bytes"] == 50


def test_early_data_counts_and_is_flagged():
    early = opaque(1, 2 + 200 + 16, dcid=quic.DCID)
    flow = flow_of((True, FIRST + early), (True, early), (False, ANSWER))
    assert (flow["up_app_bytes"], flow["zero_rtt"]) == (400, True)
    flow = flow_of((True, FIRST), (True, opaque(1, 118, dcid=quic.DCID, version=V2)), (False, ANSWER))
    assert (flow["up_app_bytes"], flow["zero_rtt"]) == (100, True)


def test_an_initial_behind_early_data_is_opened():
    first = initial(crypto(hello_message()), size=900)
    answer = dissect(frames_of([(True, opaque(1, 318, dcid=quic.DCID) + first)]))
    assert answer.one("tls")["sni"] == "quic.example"
    assert answer.one("flows")["up_app_bytes"] == 300


def test_zeros_behind_the_last_packet_are_padding():
    flow = flow_of((True, initial(crypto(hello_message()), size=700) + bytes(500)), (False, ANSWER))
    assert flow["up_app_bytes"] == 0


def test_the_packet_number_is_assumed_and_little_is_wrong_with_that():
    """RFC 9001 §A.5: one byte of frames, no connection ID, a packet number of three bytes."""
    server = initial(quic.ACK, dcid=SCID, scid=b"", keys_of=quic.DCID, side="server")
    assert flow_of((True, FIRST), (False, server), (True, SHORT[V1]))["up_app_bytes"] == 1 + 1


def test_a_packet_shorter_than_its_header_counts_nothing():
    assert flow_of((True, FIRST), (False, ANSWER), (True, b"\x41" + SERVER_ID + bytes(3)))["up_app_bytes"] == 0


def test_cut_packets_count_by_their_headers():
    frames = frames_of([(True, FIRST), (False, ANSWER), (True, short(900)), (True, FIRST + opaque(1, 118))])
    cut = [(time, frame[:128] if n == 2 else frame[: 42 + 1200] if n == 3 else frame, len(frame))
           for n, (time, frame) in enumerate(frames)]  # fmt: skip
    flow = dissect(cut).one("flows")
    assert flow["up_app_bytes"] == 900  # what lies behind the cut in the last one is not known
    assert flow["up_payload_bytes"] == dissect(frames).one("flows")["up_payload_bytes"]


@pytest.mark.parametrize("answer", [ANSWER, quic.retry(), quic.negotiation(), short(30, SCID)])
def test_the_clock_runs_from_the_clients_initial_to_the_first_answer(answer):
    flow = flow_of((True, FIRST), (True, FIRST), (False, answer), (False, ANSWER), (True, opaque(2, 60) + short(40)))
    assert flow["rtt_remote_ms"] == 2.0
    assert flow["rtt_local_ms"] is None
    assert flow["tls_setup_ms"] == 4.0


def test_at_a_server_the_clock_is_the_local_one():
    flow = flow_of((False, FIRST), (True, ANSWER), (False, short(40)))
    assert (flow["rtt_remote_ms"], flow["rtt_local_ms"], flow["tls_setup_ms"]) == (None, 1.0, 2.0)
    assert flow["sni"] == "quic.example"


def test_no_clock_where_the_beginning_was_not_seen():
    flow = flow_of((False, ANSWER), (True, opaque(2, 60) + short(40)), (False, short(10, SCID)))
    assert (flow["rtt_remote_ms"], flow["rtt_local_ms"], flow["tls_setup_ms"]) == (None, None, None)
    assert (flow["up_app_bytes"], flow["down_app_bytes"]) == (40, 10)


@pytest.mark.parametrize("cuts", [(), (1,), (1, 2)])
def test_a_clock_that_the_server_started_is_stopped_when_the_client_is_known(cuts):
    padded = initial(quic.ACK, dcid=quic.DCID, scid=SERVER_ID, keys_of=b"other id", side="server")
    frames = frames_of([(False, padded), (True, FIRST), (False, ANSWER), (True, short(40))])
    flow = dissect(frames, cuts=cuts).one("flows")
    assert (flow["rtt_remote_ms"], flow["rtt_local_ms"], flow["tls_setup_ms"]) == (None, None, None)
    assert flow["sni"] == "quic.example"


@pytest.mark.parametrize("version", quic.SALTS)
def test_every_version_is_recognised(version):
    assert flow_of((True, initial(crypto(hello_message()), version=version)))["service"] == "quic"


@pytest.mark.parametrize(
    "data",
    [
        initial(crypto(hello_message()), version=0x1A2A3A4A, size=1199),  # a client's Initial is longer
        initial(crypto(hello_message()), version=0x1A2A3A4A, dcid=bytes(7)),  # and its ID too
        b"\x80" + FIRST[1:],  # no fixed bit
        b"\xc0\0\0\0\2" + FIRST[5:],
        quic.negotiation() + bytes(20),
    ],
)
def test_what_is_not_quic(data):
    flow = flow_of((True, data))
    assert (flow["service"], flow["up_app_bytes"]) == (None, len(data))


def test_short_headers_on_the_port_of_quic_are_flagged_where_the_beginning_is_missing():
    assert not flow_of((True, short(100)))["app_exact"]
    assert dissect([(0, udp(short(100), remote_port=5000))]).one("flows")["app_exact"]
    assert flow_of((True, b"\x01" + bytes(40)))["app_exact"]


def test_a_fragmented_initial_is_read_when_it_is_whole():
    whole = udp(FIRST, remote_port=443)[34:]
    ends = ("192.168.7.20", "93.184.216.34")
    pieces = [ethernet(ipv4(whole[:800], 17, *ends, identification=7, fragment=0x2000)),
              ethernet(ipv4(whole[800:], 17, *ends, identification=7, fragment=100))]  # fmt: skip
    assert dissect([(n, piece) for n, piece in enumerate(pieces)]).one("tls")["sni"] == "quic.example"
