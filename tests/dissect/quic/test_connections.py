"""Connections that go on from another port or address: one flow, its totals together; and what is not followed."""

import numpy as np
import pytest
from crafting import quic
from crafting.packets import MS, PHONE, START, assert_sums_close, dissect, udp
from crafting.quic import SCID, SERVER_ID, crypto, frames_of, hello_message, initial, opaque, short
from wiretally.dissect.quic import connections
from wiretally.dissect.state import CONNECTION_WAYS, CONNECTIONS_FORGOTTEN, new_state

SECOND = 1000 * MS


def opening(server_id=SERVER_ID, dcid=quic.DCID):
    """Initial, the server's answer, the client's first request."""
    answer = initial(quic.ACK, dcid=SCID, scid=server_id, keys_of=dcid, side="server")
    return [(True, initial(crypto(hello_message()), dcid=dcid)), (False, answer), (True, short(100, server_id))]


def later(datagrams, after=SECOND, **ends):
    return frames_of(datagrams, start=START + after, **ends)


@pytest.mark.parametrize("ends", [{"port": 41_000}, {"phone": "192.168.7.99"}, {"phone": "192.168.7.99", "port": 1_234}])
@pytest.mark.parametrize("cuts", [(), (3,), (2, 4)])
def test_totals_stay_together_and_say_so(ends, cuts):
    items = frames_of(opening()) + later([(True, short(200)), (False, short(3000, SCID)), (True, short(50))], **ends)
    items += later([(True, short(7)), (False, short(11, SCID))], 2 * SECOND)  # back where it began
    answer = dissect(items, cuts=cuts)
    flow = answer.one("flows")
    assert (flow["local_ip"], flow["local_port"], flow["migrations"]) == (PHONE, 40_000, 1)
    assert (flow["up_app_bytes"], flow["down_app_bytes"]) == (357, 3011)
    assert (flow["up_packets"], flow["down_packets"]) == (5, 3)
    assert flow["name"] == "quic.example"
    assert_sums_close(answer, len(items))


def test_several_moves_are_counted():
    items = frames_of(opening())
    for n in range(1, 4):
        items += later([(True, short(10)), (False, short(20, SCID))], n * SECOND, port=41_000 + n)
    flow = dissect(items).one("flows")
    assert (flow["migrations"], flow["up_app_bytes"], flow["down_app_bytes"]) == (3, 130, 60)


def test_at_a_server_the_client_is_followed_too():
    items = frames_of([(not up, data) for up, data in opening()])
    items += [(START + SECOND, udp(short(70), up=False, port=40_000, remote_port=5_555))]
    flow = dissect(items).one("flows")
    assert (flow["migrations"], flow["down_app_bytes"]) == (1, 170)


@pytest.mark.parametrize("size", [3, 4, 20])
def test_ids_of_few_bytes_are_not_followed(size):
    own = b"\x5e" * size
    answer = dissect(frames_of(opening(own)) + later([(True, short(200, own))], port=41_000))
    assert answer.tables["flows"].height == (2 if size < 4 else 1)


@pytest.mark.parametrize(
    ("data", "ends"),
    [
        (short(200, b"\x5f" * 8), {}),  # an ID that was issued where nobody can see it: RFC 9000 §9.5
        (short(200), {"server": "198.51.100.7"}),
        (opaque(2, 100), {}),  # before the handshake is done nobody moves: RFC 9000 §9
        (b"\x41" + SERVER_ID, {}),  # too short for a packet
    ],
)
def test_what_is_another_flow(data, ends):
    answer = dissect(frames_of(opening()) + later([(True, data)], port=41_000, **ends))
    assert answer.tables["flows"].height == 2
    assert answer.tables["flows"]["migrations"].max() == 0


def test_another_device_is_not_joined():
    items = frames_of(opening()) + later([(True, short(200))], port=41_000, phone="192.168.7.99")
    time, frame = items[-1]
    items[-1] = (time, frame[:6] + b"\2other" + frame[12:])
    assert dissect(items).tables["flows"].height == 2


def test_an_id_that_two_flows_show_leads_nowhere():
    items = frames_of(opening()) + later(opening(dcid=b"\x99" * 8), MS, port=40_001)
    answer = dissect(items + later([(True, short(200))], port=41_000))
    assert answer.tables["flows"].height == 3
    assert answer.tables["flows"]["migrations"].max() == 0


def test_a_flow_that_has_ended_is_not_followed():
    items = frames_of(opening()) + later([(True, short(200))], 400 * SECOND, port=41_000)
    assert dissect(items).tables["flows"].height == 2
    moved = frames_of(opening()) + later([(True, short(1))], port=41_000) + later([(True, short(200))], 400 * SECOND, port=41_000)
    flows = dissect(moved).tables["flows"].sort("first_seen")
    assert flows["migrations"].to_list() == [1, None]
    assert flows["up_app_bytes"].to_list() == [101, 200 + 8 + 19]


def test_as_many_connections_as_have_one_place_and_one_more(monkeypatch):
    """The table itself: live connections of one row are kept up to CONNECTION_WAYS, then the one learned first goes."""
    monkeypatch.setattr(connections, "CONNECTION_SETS", 1)
    states = new_state(100, np.zeros((0, 4), np.uint64), 1)
    one = states[0]
    for place in range(CONNECTION_WAYS + 1):
        one["flows"][place]["alive"], one["cold"][place]["flow_id"] = 1, place + 1
        one["flows"][place]["last_ns"] = 100 - place
        connections.learn_connection(one, np.full(8, place, np.uint8), place, 1, 0, 8)
        assert one["counters"][CONNECTIONS_FORGOTTEN] == (place == CONNECTION_WAYS)
    kept = set(one["connections"][0]["slot"].tolist())
    assert kept == set(range(CONNECTION_WAYS + 1)) - {CONNECTION_WAYS - 1}
    one["flows"][0]["alive"] = 0  # a place of one that has ended is free
    connections.learn_connection(one, np.full(8, 77, np.uint8), 1, 1, 0, 8)
    assert one["counters"][CONNECTIONS_FORGOTTEN] == 1
