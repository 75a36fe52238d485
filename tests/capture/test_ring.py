"""What is put on a link comes out of the ring, byte for byte; what is lost is counted; outages are lived through."""

import socket
import struct
import threading
import time

import pytest
from crafting.link import ENDS, HERE, ROUTER, THERE, collect, frames, frames_of, ip, join, send, udp, until, wait_until
from wiretally.capture import ring
from wiretally.capture.interface import open_fanout, open_live
from wiretally.capture.live import LiveOptions
from wiretally.core.errors import CaptureError
from wiretally.core.packets import LINKTYPE_ETHERNET, PacketBatch

pytestmark = pytest.mark.usefixtures("network")
SMALL = LiveOptions(ring_bytes=1 << 20, block_bytes=1 << 16, retire_ms=10)


def test_frames_come_out_as_they_went_in(link):
    sent = [*frames(3_000), *frames(40, 1_500), ENDS + b"\x88\xb5" + b"x" * 65_000]
    before = time.time_ns()
    with open_live(HERE, LiveOptions(ring_bytes=8 << 20)) as capture:
        send(sent)
        capture.stop()
        found = collect(capture)
        assert capture.counters() == (len(sent), 0, 0, len(sent), 0, 0)
        assert [(one.name, one.linktype) for one in capture.interfaces] == [(HERE, LINKTYPE_ETHERNET)]
    assert frames_of(found) == sent
    times = [when for when, _, _ in found]
    assert times == sorted(times)
    assert before <= times[0] <= times[-1] <= time.time_ns()
    assert [wire for _, wire, _ in found] == list(map(len, sent))


def test_the_ring_goes_round(link):
    sent = frames(20_000, 200)  # 6 MiB with headers, through one of 1 MiB
    with open_live(HERE, SMALL) as capture:
        batches = capture.batches(0.05)
        for n in range(0, len(sent), 1_000):
            send(sent[n : n + 1_000])
            assert until(batches, lambda found: len(found) >= 1_000) == sent[n : n + 1_000]


def test_what_a_slow_reader_loses_is_counted(link):
    sent = frames(3_000, 500)
    with open_live(HERE, LiveOptions(ring_bytes=1 << 17, block_bytes=1 << 16)) as capture:
        send(sent)
        first = capture.interval()
        assert first.seen == len(sent)
        assert 0 < first.dropped < len(sent)
        assert first.freezes >= 1
        send(frames(10))
        assert capture.interval().seen == 10
        capture.stop()
        found = frames_of(collect(capture))
        total = capture.counters()
    assert total.seen == len(sent) + 10
    assert total.seen - total.dropped == total.delivered == len(found)
    assert found == sent[: len(found)]  # those that came before the ring was full
    assert capture.counters() == total  # also when closed


def test_a_slow_reader_goes_on_once_there_is_room(link):
    with open_live(HERE, LiveOptions(ring_bytes=1 << 17, block_bytes=1 << 16, retire_ms=10)) as capture:
        send(frames(3_000, 500))
        batches = capture.batches(0.2)
        while next(batches) is not None:
            pass
        send(frames(20))
        assert until(batches, lambda found: len(found) >= 20) == frames(20)
        capture.stop()
        assert [b for b in batches if b is not None] == []
        assert capture.counters().seen - capture.counters().dropped == capture.counters().delivered


def test_what_came_in_a_rest_is_no_backlog_and_what_came_since_is(link):
    with open_live(HERE, LiveOptions(ring_bytes=1 << 20, block_bytes=1 << 16, retire_ms=10)) as capture:
        batches = capture.batches(0.05)
        assert (next(batches), capture.backlog()) == (None, 0.0)
        for turn in range(1, 5):  # so far that the end of the ring lies inside what waits
            send(frames(400, 1_000))
            wait_until(lambda: capture._ring.waiting() >= 6)
            whole = capture.backlog()
            assert 1 / 8 < whole <= capture._ring.waiting() / 16  # a block may be handed over before it is full
            capture._rested = capture._ring.blocks
            assert capture.backlog() == 0
            capture._rested = 4
            assert 0 < capture.backlog() < whole
            until(batches, lambda found: len(found) >= 400)
            assert next(batches) is None
            assert (capture._rested, capture.backlog(), capture.counters().delivered) == (0, 0.0, turn * 400)


def test_a_batch_is_of_several_blocks_but_holds_little_of_the_ring(link):
    sent = frames(800, 1_000)
    with open_live(HERE, LiveOptions(ring_bytes=4 << 20, block_bytes=1 << 16, retire_ms=10)) as capture:
        batches = capture.batches(0.05)
        assert next(batches) is None
        send(sent)
        wait_until(lambda: capture._ring.waiting() >= 13)
        found, held = [], []
        while sum(map(len, found)) < len(sent):
            batch = next(batches)
            found.append([bytes(batch.buffer[p["at"] : p["at"] + p["captured"]]) for p in batch.packets])
            held.append(capture._held)
            assert capture.backlog() == pytest.approx(capture._ring.filled(beyond=held[-1]))
        assert [one for part in found for one in part] == sent
        assert max(held) == 4  # a sixteenth of 64 blocks
        assert next(batches) is None
        assert (sum(held), capture._ring.waiting(), capture._held) == (capture._ring._next, 0, 0)


def test_a_rest_is_short_after_one_that_filled_much(link):
    with open_live(HERE, LiveOptions(ring_bytes=1 << 20, block_bytes=1 << 16, retire_ms=10)) as capture:
        batches = capture.batches(0.05)
        for count, busy in ((300, True), (20, False)):
            send(frames(count, 1_000))
            time.sleep(0.03)
            capture._rest(capture._ring)
            assert capture._busy is busy
            until(batches, lambda found, count=count: len(found) == count)


def test_a_reader_that_leaves_holds_nothing(link):
    """Nor does the next one believe that blocks of its rest are still to come: it would not sleep until they do."""
    with open_live(HERE, SMALL) as capture:
        batches = capture.batches(0.05)
        send(frames(400, 1_000))
        assert until(batches, bool)
        capture._rested = 1
        batches.close()
        assert (capture._held, capture._rested) == (0, 0)
        assert capture.backlog() == capture._ring.filled()


def test_many_blocks_that_hold_little_are_no_backlog(link):
    """Each was handed over because its time was up: a pause of the reader is not yet too much to follow."""
    with open_live(HERE, LiveOptions(ring_bytes=1 << 20, block_bytes=1 << 16, retire_ms=8)) as capture:
        while capture._ring.waiting() < 9:
            send(frames(1, 60))
            time.sleep(0.01)
        assert 0 < capture.backlog() < 0.01
        assert capture.counters().dropped == 0


def test_silence_is_told_and_stop_ends_it():
    join()
    with open_live(HERE, SMALL) as capture:
        batches = capture.batches(0.02)
        assert [next(batches), next(batches)] == [None, None]
        threading.Timer(0.05, capture.stop).start()
        assert all(batch is None for batch in batches)


def test_stop_ends_it_while_more_comes_than_can_be_read(link):
    sent, ended = frames(200, 500), threading.Event()

    def flood():
        while not ended.is_set():
            send(sent)

    sender = threading.Thread(target=flood)
    with open_live(HERE, SMALL) as capture:
        sender.start()
        try:
            for number, batch in enumerate(capture.batches()):
                if number == 5:
                    capture.stop()
                assert number < 5 + 2 * (1 << 4), "goes on after the ring has been emptied"
                time.sleep(0.02 if batch is not None else 0)
        finally:
            ended.set()
            sender.join()
        assert capture.counters().waiting == 0


def test_who_was_away_while_it_ended_still_gives_out_what_came(link, monkeypatch):
    """A busy machine may leave the reader between its look at the ring and its look at the clock for longer than any patience."""
    monkeypatch.setattr(ring, "PATIENCE", 0.05)
    with open_live(HERE, SMALL) as capture:
        send(frames(20))
        capture.stop()
        look, away = capture._ring.ready, [0.3]

        def ready(most=1):
            found = [] if away else look(most)
            time.sleep(away.pop() if away else 0)
            return found

        monkeypatch.setattr(capture._ring, "ready", ready)
        assert frames_of(collect(capture)) == frames(20)
        assert capture.counters().waiting == 0


def test_closing_leaves_a_batch_that_is_still_held_alone(link):
    with open_live(HERE, SMALL) as capture:
        send(frames(5))
        held: PacketBatch = next(batch for batch in capture.batches() if batch is not None)
    assert held.buffer[held.packets[0]["at"] + 12] == 0x88


def test_an_interface_that_is_deleted_and_made_again(link):
    said = []
    options = LiveOptions(ring_bytes=1 << 20, block_bytes=1 << 16, expression="not udp", notify=said.append)
    with open_live(HERE, options) as capture:
        batches = capture.batches(0.05)
        send(frames(30))
        ip("link", "del", HERE)
        assert until(batches, lambda found: len(found) >= 30 and any("gone" in line for line in said)) == frames(30)
        until(batches, lambda _: capture._ring is None)
        join()
        until(batches, lambda _: any("is back" in line for line in said))
        send([udp(1, 2), *frames(20)])
        assert until(batches, lambda found: len(found) == 20) == frames(20)
        assert capture.counters() == (50, 0, 0, 50, 1, 0)
        assert len(capture.interfaces) == 1
    assert all("\n" not in line and line.startswith(HERE) for line in said)


def follows(capture):
    """Whether the ring is bound to the interface as it is now."""
    return capture._ring is not None and capture._ring.device.number == socket.if_nametoindex(HERE)


def test_an_interface_made_again_before_anyone_looked(link):
    with open_live(HERE, SMALL) as capture:
        batches = capture.batches(0.05)
        ip("link", "del", HERE)
        join()
        assert not follows(capture)
        until(batches, lambda _: follows(capture))
        send(frames(3))
        assert until(batches, lambda found: len(found) >= 3) == frames(3)
        assert capture.counters().outages == 1


def test_a_group_comes_back_together(link):
    captures = open_fanout(HERE, SMALL, 2)
    devices = [bytes((2, 0, 0, 0, 0, n)) for n in range(20)]
    sent = [frame for device in devices for frame in frames(5, ends=ROUTER + device)]
    try:
        batches = [capture.batches(0.05) for capture in captures]
        ip("link", "del", HERE)
        join()
        found = [[], []]
        wait_until(lambda: [next(one) for one in batches] and all(map(follows, captures)))
        send(sent)
        for n, capture in enumerate(captures):
            capture.stop()
            for batch in batches[n]:
                rows = batch.packets if batch is not None else ()
                found[n] += [bytes(batch.buffer[p["at"] : p["at"] + p["captured"]]) for p in rows]
    finally:
        for capture in captures:
            capture.close()
    assert sorted(found[0] + found[1]) == sorted(sent)
    assert all(found)


def test_packets_that_the_receiver_joined_are_told(link):
    """A packet of TCP that stands for many, as receivers with GRO make them: struct virtio_net_hdr in front of it."""
    ip("link", "set", HERE, "mtu", "1500")
    said = []
    head = struct.pack(">BBHHHBBH8s", 0x45, 0, 20_000 - 14, 1, 0, 64, 6, 0, bytes(8))
    frame = (ENDS + b"\x08\x00" + head + struct.pack(">HHIIBBHHH", 1, 2, 1, 1, 0x50, 0x10, 99, 0, 0)).ljust(20_000, b"-")
    options = LiveOptions(ring_bytes=1 << 20, block_bytes=1 << 16, notify=said.append)
    with open_live(HERE, options) as capture, socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.setsockopt(263, 15, 1)  # PACKET_VNET_HDR
        sock.bind((THERE, 0))
        for _ in range(3):
            sock.send(struct.pack("=BBHHHH", 1, 1, 54, 1_400, 34, 16) + frame)
        send(frames(2, 1_400))
        found = collect(capture, 5)
        assert capture.counters().joined == 3
    assert [wire for _, wire, _ in found] == [20_000] * 3 + [1_400, 1_401]
    assert len(said) == 1
    assert said[0].endswith(f"ethtool -K {HERE} gro off lro off")


def test_an_interface_that_goes_down_and_up(link):
    said = []
    with open_live(HERE, LiveOptions(ring_bytes=1 << 20, block_bytes=1 << 16, notify=said.append)) as capture:
        batches = capture.batches(0.05)
        ip("link", "set", HERE, "down")
        until(batches, lambda _: said)
        ip("link", "set", HERE, "up")
        assert until(batches, lambda found: send(frames(1), arrive=False) or len(found) >= 3)[:1] == frames(1)
        assert capture.counters().outages == 1
    assert ["gone down" in said[0], "up again" in said[1]] == [True, True]


def test_an_interface_that_is_down_is_waited_for():
    ip("link", "add", HERE, "type", "veth", "peer", "name", THERE)
    said = []
    with open_live(HERE, LiveOptions(ring_bytes=1 << 20, block_bytes=1 << 16, notify=said.append)) as capture:
        assert "is down" in said[0]
        for name in (HERE, THERE):
            ip("link", "set", name, "up")
        until(capture.batches(0.05), lambda found: send(frames(1), arrive=False) or found)
    ip("link", "set", HERE, "down")
    with pytest.raises(CaptureError, match="must be up"):
        open_live(HERE, LiveOptions(expression="udp"))
    with pytest.raises(CaptureError, match="down"):
        open_fanout(HERE, LiveOptions(), 2)
