"""The live service on a link of its own: what it stores is what a file of the same packets gives, also when it is killed."""

import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
import wiretally
from crafting.link import HERE, THERE, join, private_network, send
from wiretally.bench.mix import generate
from wiretally.capture.stream import open_captures
from wiretally.core.schema import COUNTERS
from wiretally.store.reader import read_store

NAMES = [column.name for column in COUNTERS]
PATIENCE = 120.0  # seconds after which something will not come at all
FIRST_START = 600.0  # it loads every kernel before it begins, and they may have to be compiled


@pytest.fixture(scope="module")
def mix(tmp_path_factory):
    path = tmp_path_factory.mktemp("mix") / "mix.pcap"
    with path.open("wb") as out:
        generate(out, "mix", 12_000)
    return path


@pytest.fixture(scope="module")
def frames(mix):
    found = []
    with open_captures([str(mix)]) as stream:
        for batch in stream:
            found += [batch.buffer[p["at"] : p["at"] + p["captured"]].tobytes() for p in batch.packets]
    return found


RUNNING = []


@pytest.fixture(autouse=True)
def nothing_stays():
    """A test that fails leaves no service behind."""
    yield
    while RUNNING:
        process = RUNNING.pop()
        process.kill()
        process.wait()


class Running:
    """`wiretally live` as a process."""

    def __init__(self, store, *options):
        self.before = read_store(str(store), ("capture",))["capture"].height if store.exists() else 0
        command = [sys.executable, "-m", "wiretally.cli.main", "live", "-i", HERE, "--store", str(store), *options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.store = store
        RUNNING.append(self.process)

    def wait_until(self, happened, patience=PATIENCE):
        """Until `happened(connection)`; the store may not be there yet."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            assert self.process.poll() is None, self.process.stderr.read()
            try:
                with sqlite3.connect(f"file:{self.store}?mode=ro", uri=True) as connection:
                    if happened(connection):
                        return
            except sqlite3.OperationalError:
                pass
            time.sleep(0.05)
        pytest.fail("the service did not get there")

    def ready(self):
        self.wait_until(lambda connection: connection.execute("SELECT count(*) FROM capture").fetchone()[0] > self.before, FIRST_START)
        return self

    def stored(self, packets):
        """Until so many are accounted for."""
        self.wait_until(lambda connection: connection.execute("SELECT sum(packets) FROM capture").fetchone()[0] >= packets)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0
        return self.process.stderr.read()


def sums(found):
    """Packets and bytes by flows, by exchanges, by the account of the capture."""
    flows, exchanges, capture = found["flows"], found["exchanges"], found["capture"]
    return (
        flows.select(pl.sum_horizontal(pl.col("up_packets", "down_packets")).sum()).item(),
        exchanges.select(pl.sum_horizontal(pl.col("up_packets", "down_packets")).sum()).item(),
        int(capture["counted"].sum()),
    )


def test_what_is_stored_is_what_a_file_of_the_packets_gives(tmp_path, mix, frames):
    store, minutes = tmp_path / "home.db", tmp_path / "minutes.jsonl"
    with private_network():
        join()
        service = Running(store, "--output", str(minutes), "--format", "jsonl").ready()
        send(frames, THERE)
        said = service.end()
    assert f"{len(frames):,} packets, 0 lost" in said
    assert sum(json.loads(line)["packets"] for line in minutes.read_text().splitlines()) == len(frames)
    live, offline = wiretally.read(store), wiretally.read(mix)
    key = ["local_ip", "local_port", "remote_ip", "remote_port", "transport"]
    same = [*key, "name", "sni", "ja4", "owner", "country", *NAMES]
    counted = offline.flows.group_by(key).agg(pl.col(NAMES).sum()).sort(key)
    assert live.flows.group_by(key).agg(pl.col(NAMES).sum()).sort(key).equals(counted)
    assert set(live.flows.select(same[:10]).unique().rows()) == set(offline.flows.select(same[:10]).unique().rows())
    assert sorted(live.tls["sni"].to_list()) == sorted(offline.tls["sni"].to_list())
    assert sorted(live.dns["qname"].to_list()) == sorted(offline.dns["qname"].to_list())
    assert live.capture["dropped"].sum() == 0
    assert len(set(sums({"flows": live.flows, "exchanges": live.exchanges, "capture": live.capture}))) == 1
    assert live.devices["addresses"].explode().n_unique() == offline.devices["addresses"].explode().n_unique()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}, modes


def test_sessions_are_marked_meanwhile_and_compared(tmp_path, frames):
    store = tmp_path / "home.db"
    wiretally_ = [sys.executable, "-m", "wiretally.cli.main"]

    def mark(*words):
        return subprocess.run([*wiretally_, "session", *words, "--store", str(store)], capture_output=True, text=True, check=False)

    with private_network():
        join()
        service = Running(store).ready()
        device = wiretally.read(store)
        assert device.flows.height == 0
        send(frames[:200], THERE)
        service.wait_until(lambda _: read_store(str(store), ("flows",))["flows"].height > 0)
        refused = mark("start", "normal")
        assert refused.returncode == 1
        local = read_store(str(store), ("flows",))["flows"]["local_ip"][0]
        assert any(address in refused.stderr for address in read_store(str(store), ("flows",))["flows"]["local_ip"])
        for at, mode in ((200, "normal"), (400, "incognito")):
            assert mark("start", mode, "--device", local).returncode == 0
            send(frames[at : at + 200], THERE)
            service.stored(at + 200)
        assert "ended: incognito-1" in mark("stop").stdout
        result = wiretally.compare(store)
        service.end()
    assert [row["mode"] for row in result["sessions"]] == ["normal", "incognito"]
    assert mark("list").stdout.startswith("session,device,mode,start,end,notes\r\n") or mark("list").stdout.startswith("session,")


def test_what_is_recorded_gives_the_numbers_that_are_stored_times_included(tmp_path, frames):
    store, folder = tmp_path / "home.db", tmp_path / "evidence"
    with private_network():
        join()
        service = Running(store, "--record", str(folder)).ready()
        send(frames, THERE)
        said = service.end()
    assert f"{len(frames):,} packets recorded, 0 not" in said
    live, offline = wiretally.read(store), wiretally.read(sorted(folder.glob("*.pcapng*")))
    key = ["local_ip", "local_port", "remote_ip", "remote_port", "transport", "first_seen"]
    same = [*key, "last_seen", "service", "name", "sni", "ja4", "owner", "rtt_remote_ms", "app_exact", *NAMES]
    assert live.flows.select(same).sort(key).equals(offline.flows.select(same).sort(key))

    def cut(found):
        ends = found.flows.select("flow_id", *key)
        return found.exchanges.join(ends, on="flow_id").select(*key, "start", "end", "name", *NAMES).sort(*key, "start")

    assert cut(live).equals(cut(offline))
    assert live.dns.drop("id").sort("time", "qname").equals(offline.dns.drop("id").sort("time", "qname"))


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moment_it_keeps_what_was_kept_and_counts_nothing_twice(tmp_path, frames, seed):
    """SIGKILL under load, then again: sums agree, and what was there is still there.

    How long before the kill the last row is depends on the machine: `python -m wiretally.bench.service kill` measures it.
    """
    chance = random.Random(seed)
    store = tmp_path / "home.db"
    with private_network():
        join()
        before = 0
        for _ in range(2):
            service = Running(store).ready()
            stop = time.monotonic() + chance.uniform(1.6, 3.2)
            sent = 0
            while time.monotonic() < stop:
                at = sent % (len(frames) - 40)
                send(frames[at : at + 40], THERE)
                sent += 40
                time.sleep(0.01)
            service.process.kill()
            service.process.wait()
            service.process.stderr.close()
            with sqlite3.connect(store) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            flows, exchanges, counted = sums(read_store(str(store), ("flows", "exchanges", "capture")))
            assert flows == exchanges == counted
            assert before <= counted <= before + sent
            before = counted


def test_a_service_without_packets_or_interface(tmp_path):
    with private_network():
        done = subprocess.run(
            [sys.executable, "-m", "wiretally.cli.main", "live", "-i", "nothere0", "--store", str(tmp_path / "x.db")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("wiretally: nothere0: ")
    assert done.stderr.count("\n") == 1


def test_systemd_is_told(tmp_path, monkeypatch):
    import socket

    from wiretally.cli.systemd import notify

    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        notify("READY=1")
        assert receiver.recv(64) == b"READY=1"
    notify("WATCHDOG=1")  # nobody there any more: no harm
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify("READY=1")
    assert Path(address).exists()
    assert os.environ.get("NOTIFY_SOCKET") is None
