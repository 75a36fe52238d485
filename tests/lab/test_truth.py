"""Accounting of the ledger: every byte once, in the session of its moment."""

from hypothesis import given
from hypothesis import strategies as st
from wiretally.lab import truth

SPANS = [truth.Span("a", "normal", 100, 200, 1, "pair 1"), truth.Span("b", "incognito", 250, 300, 0, "pair 1")]


def entry(time_ns, size, host="h", way="up"):
    return {"time_ns": time_ns, "bytes": size, "way": way, "host": host, "connection": 1}


def test_a_session_has_its_start_and_not_its_end():
    ledger = [entry(99, 1), entry(100, 10), entry(199, 100), entry(200, 1000), entry(299, 5, way="down"), entry(300, 7)]
    sessions, between = truth.tally(ledger, SPANS)
    assert sessions["a"] == {"h": {"up_app_bytes": 110, "down_app_bytes": 0}}
    assert sessions["b"] == {"h": {"up_app_bytes": 0, "down_app_bytes": 5}}
    assert between == {"h": {"up_app_bytes": 1008, "down_app_bytes": 0}}


@given(
    st.lists(
        st.builds(
            entry,
            st.integers(0, 400),
            st.integers(0, 9999),
            st.sampled_from(["h", "i"]),
            st.sampled_from(["up", "down"]),
        )
    )
)
def test_no_byte_is_lost_or_counted_twice(ledger):
    sessions, between = truth.tally(ledger, SPANS)
    for way in ("up", "down"):
        for host in ("h", "i"):
            counted = sum(hosts.get(host, {}).get(f"{way}_app_bytes", 0) for hosts in [*sessions.values(), between])
            assert counted == sum(e["bytes"] for e in ledger if e["host"] == host and e["way"] == way)


def test_posts_and_clearance_enter_the_document():
    ledger = [
        entry(150, 900),
        {"time_ns": 150, "post": 2, "urls": ["https://a.example/"], "up_bytes": 900, "host": "h"},
    ]
    document = truth.build(ledger, SPANS, [truth.Visit(120, "a", "https://a.example/")], {"arm": "leaky"})
    assert document["schema"] == "wiretally.truth/1"
    assert [session["events"] for session in document["sessions"]] == [2, 0]
    assert [session["visits"] for session in document["sessions"]] == [1, 0]
    assert document["posts"][0]["session"] == "a"
    assert document["clearance_ms"] == 0.0


def test_times_have_nine_digits():
    assert truth.rfc3339(1588500000000000042) == "2020-05-03T10:00:00.000000042Z"


def test_posts_name_the_visits_that_their_events_are_of():
    visits = [truth.Visit(110, "a", "https://a.example/", 3, "x"), truth.Visit(120, "c", "https://b.example/", 0, "y"),
              truth.Visit(130, "a", "https://c.example/", 5, "x")]  # fmt: skip
    ledger = [
        {"time_ns": 140, "post": 1, "urls": [None], "up_bytes": 9, "host": "h", "peer": "y"},
        {"time_ns": 150, "post": 3, "urls": [None] * 3, "up_bytes": 90, "host": "h", "peer": "x"},
        {"time_ns": 160, "post": 1, "urls": [None], "up_bytes": 9, "host": "h", "peer": "x"},
    ]
    agents = [truth.AgentPost("x", "h", [0, 0, 1]), truth.AgentPost("y", "h", [0])]
    document = truth.build(ledger, SPANS, visits, {}, agents)
    assert [post["visits"] for post in document["posts"]] == [[1], [0, 0, 2], None]
    assert [(visit["events"], visit["posts"], visit["pad"]) for visit in document["visits"]] == [
        (2, [1], 3), (1, [0], 0), (1, [1], 5)]


def test_of_two_phones_each_has_its_own_sessions():
    spans = [truth.Span("one", "normal", 100, 200, 1, "", "x"), truth.Span("two", "incognito", 100, 200, 0, "", "y")]
    assert [truth.session_at(150, spans, device) for device in ("x", "y", "z")] == ["one", "two", None]
