"""The service on packets made by hand: steps of the clock, overload, settings read again, a capture that ends."""

import gc
import time
import weakref

import numpy as np
import polars as pl
import pytest
from crafting.packets import SECOND, START, batch, client_hello, udp
from crafting.packets import Connection as Tcp
from wiretally.capture.live import Counters, LiveCapture, LiveOptions
from wiretally.cli import service as module
from wiretally.cli.attribution import open_attributor
from wiretally.cli.clocks import Clocks
from wiretally.cli.pipeline import DISSECTED
from wiretally.cli.service import Retention, Service
from wiretally.core.errors import InputError
from wiretally.core.packets import Interface
from wiretally.dissect.dissector import DissectOptions, Dissector
from wiretally.store.database import Store
from wiretally.store.reader import read_store

HOUR = 3600 * SECOND
ALL = ("flows", "exchanges", "tls", "dns", "capture")


class Scripted(LiveCapture):
    """A capture that gives out what it is told, and says how full its ring is; callables run between two batches."""

    def __init__(self, script):
        super().__init__("test0", LiveOptions())
        self.interfaces.append(Interface("test0", 1, "test0"))
        self.script, self.share, self.given = script, 0.0, 0

    def batches(self, timeout=1.0):
        for step in self.script:
            if callable(step):
                step()
                yield None
            else:
                made = batch(step)
                self.given += len(step)
                yield made

    def backlog(self):
        return self.share

    def counters(self):
        return Counters(self.given, 0, 0, self.given)

    def stop(self):
        self.script = []

    def close(self):
        pass


@pytest.fixture(scope="module")
def attributor():
    return open_attributor()


@pytest.fixture
def run(tmp_path, attributor, monkeypatch):
    """Runs a service on a script; its store's tables and what it said. Every look at the clock is a tick."""
    monkeypatch.setattr(module, "TICK", 0.0)

    def run(script, *, clocks=None, prepare=None, local=()):
        said, path = [], str(tmp_path / "a.db")
        capture = Scripted(script)
        with Store(path, warn=said.append, attributed=attributor.attributed) as store:
            service = Service(capture, Dissector(DissectOptions(tables=DISSECTED, local=local)), store,
                              Retention(), said.append, clocks)  # fmt: skip
            if prepare:
                prepare(service, capture)
            service.run()
            steps = store._connection.execute("SELECT step_ns FROM clock_steps").fetchall()
        return read_store(path, ALL), said, [step for (step,) in steps]

    return run


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_stepped_clock_loses_nothing_and_counts_nothing_twice(run, step):
    connection = Tcp(START).open().send(client_hello("one.example"))
    before = list(connection.items)
    connection.items.clear()
    for _ in range(5):
        connection.send(b"x" * 100)
    after = [(at + step, frame) for at, frame in connection.items]
    wall = [START]
    clocks = Clocks(lambda: wall[0], lambda: 0)

    def move():
        wall[0] += step

    found, said, steps = run([before[:2], before[2:] + after[:0], move, after[:2], after[2:]], clocks=clocks)
    assert steps == [step]
    assert "stepped by" in said[0]
    flow = found["flows"].row(0, named=True)
    assert found["flows"].height == 1
    assert flow["up_packets"] + flow["down_packets"] == len(before) + len(after) == found["capture"]["counted"].sum()
    assert found["exchanges"].select(pl.sum_horizontal("up_packets", "down_packets").sum()).item() == len(before) + len(after)
    assert 0 <= (flow["last_seen"] - flow["first_seen"]).total_seconds() < 1
    assert abs(flow["last_seen"].timestamp() - (START + step) / 1e9) < 60
    assert flow["up_gap_std_ms"] < 1000


def test_overload_leaves_out_in_order_and_says_so_in_the_account(run):
    calls = iter((0.0, 0.6, 0.8, 0.8, 0.8, 0.8))
    connections = [Tcp(START + n * SECOND, port=41_000 + n).open().send(client_hello(f"n{n}.example")).close() for n in range(4)]

    def prepare(service, capture):
        capture.backlog = lambda: next(calls, 0.8)

    found, said, _ = run([connection.items for connection in connections], prepare=prepare)
    flows = found["flows"].sort("first_seen")
    assert flows["sni"].to_list() == ["n0.example", "n1.example", "n2.example", None]
    assert flows["community_id"].is_null().to_list()[-1]
    assert flows.select(pl.sum_horizontal("up_packets", "down_packets").sum()).item() == 4 * 7
    assert found["capture"]["degraded"].drop_nulls().to_list()[-1] == "payload"
    assert found["capture"]["dropped"].sum() == 0
    assert ["Community ID" in said[0], "payloads are not parsed" in said[1]] == [True, True]


def test_settings_are_read_again_and_a_fault_in_them_changes_nothing(run, attributor):
    def one(port):
        return [(START, udp(b"x" * 30, port=port, remote_port=9))]

    def prepare(service, capture):
        answers, asked = iter((("93.184.216.0/24",), None)), []

        def reload():
            networks = next(answers)
            asked.append(networks)
            if networks is None:
                raise InputError("networks: cannot be read")
            return attributor, networks

        def script():
            yield one(1)
            for port in (2, 3):
                yield service.ask_reload
                while len(asked) < port - 1:
                    yield lambda: time.sleep(0.001)
                yield one(port)

        service.reload, capture.script = reload, script()

    found, said, _ = run([], prepare=prepare, local=("192.168.7.0/24",))
    flows = found["flows"].sort("local_port")
    assert dict(zip(flows["local_ip"], flows["remote_port"], strict=True)) in (
        {"93.184.216.34": 3, "192.168.7.20": 9}, {"93.184.216.34": 2, "192.168.7.20": 9})  # fmt: skip
    assert sum(flows["local_ip"] == "93.184.216.34") == 2
    assert said == ["databases and local networks have been read again", "nothing is changed: networks: cannot be read"]


def test_what_was_read_before_goes_while_the_keeper_does_nothing(run, attributor):
    """It is mapped, and the keeper lets go of what is mapped: of an address where meanwhile something else may be."""

    class Before:
        def __init__(self):
            self.itself = self

        def attributed(self, tables):
            return attributor.attributed(tables)

    busy, found = [], []

    def prepare(service, capture):
        keep, before = service._keep, Before()
        service.store.attributed = before.attributed
        old = weakref.ref(before)

        def slow(new):
            busy.append(1)
            time.sleep(0.02)
            keep(new)
            busy.pop()

        def reload():
            found.append(len(busy))
            return attributor, ()

        def script():
            yield service.ask_reload
            while not found:
                yield lambda: time.sleep(0.001)
            found.append(old())

        service._keep, service.reload, capture.script = slow, reload, script()

    gc.disable()
    try:
        run([], prepare=prepare)
    finally:
        gc.enable()
    assert found == [0, None]


def test_names_are_thinned_while_it_runs(run, monkeypatch):
    monkeypatch.setattr(module, "MANY_NAMES", 8)
    script = [Tcp(START + n * SECOND, port=42_000 + n).open().send(client_hello(f"n{n}.example", n)).close().items for n in range(20)]
    found, _, _ = run(script)
    assert sorted(found["tls"]["sni"].to_list()) == sorted(f"n{n}.example" for n in range(20))
    assert found["flows"]["name"].null_count() == 0
    assert np.unique(found["flows"]["ja4"].to_list()).size == found["tls"]["ja4"].n_unique()


def test_memory_is_given_back_while_retention_goes_on_deleting(run, monkeypatch):
    given_back = []
    monkeypatch.setattr(module, "PRUNE_EVERY", 0.0)
    monkeypatch.setattr(module, "LIGHTEN_EVERY", 0.0)
    monkeypatch.setattr(module.memory, "give_back", lambda: given_back.append(True))
    monkeypatch.setattr(Store, "prune", lambda *_, **__: 1)
    run([Tcp(START + n * SECOND, port=41_000 + n).open().items for n in range(3)])
    assert given_back


def test_memory_is_given_back_after_each_fold(run, monkeypatch):
    given_back = []
    monkeypatch.setattr(module.memory, "give_back", lambda: given_back.append(True))
    monkeypatch.setattr("wiretally.store.database.FOLD_EVERY", 0.0)
    run([Tcp(START + n * SECOND, port=41_000 + n).open().items for n in range(3)])
    assert given_back
    given_back.clear()
    monkeypatch.setattr("wiretally.store.database.FOLD_EVERY", 1e9)
    run([Tcp(START + n * SECOND, port=41_000 + n).open().items for n in range(3)])
    assert not given_back
