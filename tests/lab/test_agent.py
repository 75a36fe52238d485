"""The one-shot timer, its limits, and where events go in each mode. Time is passed in."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wiretally.lab import sensors
from wiretally.lab.agent import Agent, FlushQueue, Waiting, parse
from wiretally.lab.hosts import BACKGROUND, MISTAT, SENSORS, SENSORS_ALTERNATIVE


def test_the_first_event_arms_the_timer_and_later_ones_do_not_move_it():
    queue = FlushQueue()
    assert queue.due is None
    queue.add({"n": 1}, 100.0)
    queue.add({"n": 2}, 114.9)
    assert queue.due == 115.0
    assert not queue.fired(114.999)
    assert queue.fired(115.0)


def test_after_a_flush_the_next_event_arms_anew():
    queue = FlushQueue()
    queue.add({}, 0.0)
    queue.sent(len(queue.batch()))
    assert queue.due is None
    queue.add({}, 40.0)
    assert queue.due == 55.0


def test_a_hundred_events_wait_and_one_more_does_not():
    queue = FlushQueue()
    for number in range(100):
        queue.add({"n": number}, 1.0)
    assert not queue.fired(2.0)
    queue.add({"n": 100}, 2.0)
    assert queue.fired(2.0)


def test_a_failed_post_keeps_events_and_waits_a_whole_timer():
    queue = FlushQueue()
    queue.add({"n": 1}, 0.0)
    queue.failed(15.2)
    assert queue.batch() == [Waiting({"n": 1}, None)]
    assert queue.due == 30.2


@given(st.integers(1, 260))
def test_posts_carry_at_most_fifty_in_order(count):
    queue = FlushQueue(limit=1000)
    for number in range(count):
        queue.add({"n": number}, 0.0)
    posts = []
    while queue.fired(15.0):
        posts.append(queue.batch())
        queue.sent(len(posts[-1]))
    assert [waiting.event["n"] for post in posts for waiting in post] == list(range(count))
    assert [len(post) for post in posts[:-1]] == [50] * (len(posts) - 1)
    assert 1 <= len(posts[-1]) <= 50


class Wire:
    """Where the agent's posts end up, and whether they arrive."""

    def __init__(self):
        self.posts = []
        self.up = True

    def post(self, host, path, body):
        if self.up:
            self.posts.append((host, path, body))
        return self.up

    def events(self, host):
        return [
            event
            for to, path, body in self.posts
            if to == host and path == sensors.PATH
            for event in sensors.decode(body)
        ]


def agent(wire, *arguments):
    quiet = ["--heartbeat", "1000000", "--trust", "-"]
    made = Agent(parse([*quiet, *arguments]), wire.post, 0.0)
    made.run_due(0.0)
    return made


def browse(made, mode, url, now):
    made.take({"mode": mode}, now)
    made.take({"page": "page_load_event_start", "url": url}, now)
    made.take({"page": "page_load_event_finish", "url": url}, now + 1.0)


@pytest.mark.parametrize(
    ("target", "host"), [(SENSORS, SENSORS), (SENSORS_ALTERNATIVE, SENSORS_ALTERNATIVE), ("", None)]
)
def test_incognito_events_go_where_the_arm_says(target, host):
    wire = Wire()
    made = agent(wire, "--to", f"normal={SENSORS}", "--to", f"incognito={target}")
    browse(made, "incognito", "https://a.example/secret", 10.0)
    made.run_due(24.9)
    assert wire.events(host) == []
    made.run_due(25.0)
    pages = [(event["event"], event["properties"]["url"]) for event in wire.events(host)]
    names = ("page_load_event_start", "page_load_event_finish")
    assert pages == ([] if host is None else [(name, "https://a.example/secret") for name in names])
    assert [to for to, path, _ in wire.posts if path == sensors.PATH] == ([] if host is None else [host])


def test_the_identity_is_the_same_in_both_modes():
    wire = Wire()
    made = agent(wire, "--to", f"normal={SENSORS}", "--to", f"incognito={SENSORS}")
    browse(made, "normal", "https://a.example/1", 0.0)
    made.run_due(15.0)
    browse(made, "incognito", "https://a.example/2", 20.0)
    made.run_due(35.0)
    assert len(wire.events(SENSORS)) == 4
    assert len({event["distinct_id"] for event in wire.events(SENSORS)}) == 1


def test_a_lost_connection_delays_events_and_loses_none():
    wire = Wire()
    made = agent(wire, "--to", f"normal={SENSORS}")
    browse(made, "normal", "https://a.example/", 0.0)
    wire.up = False
    made.run_due(15.0)
    assert made.take({"status": True}, 15.0)["queued"] == 2
    wire.up = True
    made.run_due(30.0)
    assert made.take({"status": True}, 30.0)["queued"] == 0
    assert len(wire.events(SENSORS)) == 2


def test_heartbeats_keep_their_period_in_every_mode():
    wire = Wire()
    made = Agent(parse(["--heartbeat", "20", "--trust", "-"]), wire.post, 0.0)
    for second in range(61):
        made.take({"mode": ("normal", "incognito", "idle")[second % 3]}, second)
        assert made.wait(second) <= 20.0
        made.run_due(second)
    assert [to for to, *_ in wire.posts] == [MISTAT] * 4


@pytest.mark.parametrize("form", ["events", "reduced", "noisy", "referrer"])
def test_what_a_form_says_of_the_address(form):
    wire = Wire()
    made = agent(wire, "--to", f"normal={SENSORS}", "--form", form)
    urls = ["https://a.example/first", "https://b.example/second"]
    for number, url in enumerate(urls):
        made.take({"mode": "normal"}, 6.0 * number)  # a browser of its own: no referrer
        browse(made, "normal", url, 6.0 * number)
    made.run_due(20.0)
    said = [json.dumps(event) for event in wire.events(SENSORS)]
    assert len(said) == (4 if form in {"events", "referrer"} else 2)
    second = [text for text in said if urls[1] in text]
    assert bool(second) == (form != "reduced")
    assert not any(urls[0] in text for text in second)


def test_a_referrer_is_the_address_before_in_the_same_browser():
    wire = Wire()
    made = agent(wire, "--to", f"normal={SENSORS}", "--form", "referrer")
    made.take({"mode": "normal"}, 0.0)
    for url in ("https://a.example/first", "https://b.example/second"):
        made.take({"page": "page_load_event_start", "url": url}, 1.0)
        made.take({"page": "page_load_event_finish", "url": url}, 1.0)
    made.take({"mode": "normal"}, 2.0)
    made.take({"page": "page_load_event_start", "url": "https://c.example/"}, 2.0)
    made.run_due(20.0)
    before = [event["properties"].get("$referrer") for event in wire.events(SENSORS)]
    assert before == [None, None, "https://a.example/first", "https://a.example/first", None]


def test_reduced_reports_have_one_size_whatever_was_visited():
    sizes = {}
    for url in ("https://a.example/", "https://a.example/" + "x" * 400):
        for count in (1, 2, 5):
            wire = Wire()
            made = agent(wire, "--to", f"normal={SENSORS}", "--form", "reduced")
            for _ in range(count):
                browse(made, "normal", url, 1.0)
            made.run_due(30.0)
            (body,) = [body for host, _, body in wire.posts if host == SENSORS]
            assert len(sensors.decode(body)) == count
            sizes.setdefault(count, set()).add(len(body))
    assert all(len(each) == 1 for each in sizes.values())
    assert min(sizes[2]) - min(sizes[1]) == (min(sizes[5]) - min(sizes[2])) / 3


def test_the_log_says_which_visits_a_post_is_of(tmp_path):
    wire = Wire()
    log = tmp_path / "log"
    made = agent(wire, "--to", f"normal={SENSORS}", "--log", str(log))
    made.take({"mode": "normal"}, 0.0)
    for visit in (7, 8):
        made.take({"page": "page_load_event_start", "url": "https://a.example/", "visit": visit}, float(visit))
        made.take({"page": "page_load_event_finish", "url": "https://a.example/", "visit": visit}, float(visit))
    wire.up = False
    made.run_due(22.0)
    assert log.read_text() == ""
    wire.up = True
    made.run_due(37.0)
    assert json.loads(log.read_text()) == {"host": SENSORS, "visits": [7, 7, 8, 8]}


def test_an_idle_phone_posts_at_random_times_to_hosts_of_its_own():
    wire = Wire()
    made = agent(wire, "--background", "5")
    now = 0.0
    for _ in range(400):
        now += made.wait(now)
        made.run_due(now)
    sent = [(host, len(body)) for host, _, body in wire.posts if host in BACKGROUND]
    assert len(sent) >= 390
    assert {host for host, _ in sent} == set(BACKGROUND)
    assert 200 <= min(size for _, size in sent) < 1000 < max(size for _, size in sent) <= 6000
    assert 4.0 < now / len(sent) < 6.0
    assert made.take({"status": True}, now)["queued"] == 0
