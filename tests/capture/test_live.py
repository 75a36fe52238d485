"""What is measured live is what is measured in a file of the same packets: every table, field by field."""

import subprocess
import threading
from pathlib import Path
from shutil import which

import numpy as np
import pytest
import wiretally
from crafting.link import HERE, THERE, ip, join, private_network, send, wait_until
from polars.testing import assert_frame_equal
from wiretally.bench.mix import generate
from wiretally.capture.interface import open_live
from wiretally.capture.live import Counters, LiveOptions
from wiretally.capture.stream import open_captures
from wiretally.core.packets import PacketBatch
from wiretally.dissect.dissector import Dissector

LEAKY = Path(wiretally.__file__).parent / "data" / "samples" / "leaky" / "capture.pcapng.zst"


@pytest.fixture(scope="module")
def mix(tmp_path_factory):
    path = tmp_path_factory.mktemp("mix") / "mix.pcap"
    with path.open("wb") as out:
        generate(out, "mix", 20_000)
    return path


def of_file(path):
    """The tables, the counters, and the packets' times."""
    dissector, times, frames = Dissector(), [], []
    with open_captures([str(path)]) as stream:
        for batch in stream:
            times.append(batch.packets["ts_ns"].copy())
            frames += [batch.buffer[p["at"] : p["at"] + p["captured"]].tobytes() for p in batch.packets]
            dissector.feed(batch)
    return dissector.tick(end=True), dissector.counters[0].copy(), np.concatenate(times), frames


def of_link(play, times, options):
    """The same of what `play` puts on the link, at the times of the file: a replay keeps their order, not their pace."""
    dissector, at = Dissector(), 0
    with open_live(HERE, options) as capture:

        def run():
            try:
                play()
                wait_until(lambda: capture.counters().seen >= len(times))  # tcpreplay does not wait until they have arrived
            finally:
                capture.stop()

        player = threading.Thread(target=run)
        player.start()
        for batch in capture.batches():
            if batch is not None:
                packets = batch.packets.copy()
                packets["ts_ns"] = times[at : at + len(packets)]
                at += len(packets)
                dissector.feed(PacketBatch(batch.buffer, packets))
        player.join()
        assert capture.counters() == Counters(len(times), 0, 0, len(times), 0)
    return dissector.tick(end=True), dissector.counters[0].copy()


def play(path, frames):
    """By tcpreplay where it is installed, else frame by frame."""
    if which("tcpreplay") and path.suffix == ".pcap":
        command = ["tcpreplay", "--quiet", "--topspeed", "--preload-pcap", f"--intf1={THERE}", str(path)]
        return lambda: subprocess.run(command, check=True, capture_output=True)
    return lambda: send(frames)


@pytest.mark.parametrize("snap", ["whole", "names"])
@pytest.mark.parametrize("name", ["leaky", "mix"])
def test_live_and_file_agree_in_every_field(name, snap, mix):
    path = LEAKY if name == "leaky" else mix
    tables, counters, times, frames = of_file(path)
    with private_network():
        join()
        live, live_counters = of_link(play(path, frames), times, LiveOptions(snap=snap))
    assert set(live) == set(tables)
    for table, frame in tables.items():
        assert_frame_equal(live[table], frame, check_row_order=False)
    assert tables["exchanges"].height > 0
    cut = 2  # column CUT of the counters: how many packets are not whole
    if snap == "names" and name == "mix":
        assert live_counters[cut] > 0
    live_counters[cut] = counters[cut]
    assert live_counters.tolist() == counters.tolist()


def test_intervals_add_up():
    gained = Counters(10, 3, 1, 7, 2, 5).since(Counters(4, 1, 1, 3, 0, 4))
    assert gained == (6, 2, 0, 4, 2, 1)
    assert Counters(None, None, 0, 5).since(Counters(None, None, 0, 2)) == Counters(None, None, 0, 3)


def test_the_link_is_gone_with_its_namespace():
    with private_network():
        join()
        ip("link", "show", HERE)
    assert subprocess.run(["ip", "link", "show", HERE], capture_output=True, check=False).returncode != 0
