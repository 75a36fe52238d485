"""A phone that visits pages with padded URLs, and everybody who hears of it, as exchanges."""

import random

from wiretally.lab import sensors
from wiretally.measure.inputs import Session, Visit

from .sessions import NS, PHONE, START, frame, moment

ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
TIMER = 15


class Phone:
    """Sessions with visits to https://site.example/; `reports` goes to sa.vendor in the real format, 15 s after."""

    def __init__(self, seed=3, *, visits=10, modes=("normal", "incognito") * 4, url_in=("normal", "incognito")):
        self.random, self.device = random.Random(seed), sensors.Device.made_up(1)
        self.sessions, self.visits, self.rows = [], [], []
        at = START
        for number, mode in enumerate(modes):
            begin, at = at, at + 10 * NS
            name, mine = f"s{number}", []
            for _ in range(visits):
                pad = self.random.randrange(1000)
                mine.append(Visit(at, name, "https://site.example/p?x=" + "".join(self.random.choices(ALPHABET, k=pad)), pad))
                at += self.random.randrange(4, 20) * NS
            at += 20 * NS
            self.sessions.append(Session(name, PHONE, mode, begin, at))
            self._heard(mine, at, with_url=mode in url_in)
            self.visits += mine
            at += 5 * NS

    def upload(self, name, time, size):
        self.rows.append({"flow_id": name, "start": moment(time), "end": moment(time), "name": name, "up_app_bytes": size})

    def _heard(self, visits, end, *, with_url):
        before, waiting, due = "", [], None
        for visit in [*visits, None]:
            time = end if visit is None else visit.time
            if due is not None and due <= time:
                self.upload("sa.vendor", due, 300 + len(sensors.encode(waiting, due // 10**6)))
                waiting, due = [], None
            if visit is None:
                return
            self.upload("site.example", time, 400 + int(0.8 * len(visit.url)) + self.random.choice([0, 0, 0, 2000]))
            self.upload("cdn.example", time + NS, int(self.random.lognormvariate(6, 1)))
            self.upload("referred.example", time + NS, 300 + len(before))
            self.upload("counted.vendor", time + 2 * NS, 500)
            before = visit.url
            told = visit.url if with_url else "https://site.example/"
            for event in ("page_load_event_start", "page_load_event_finish"):
                waiting.append(sensors.page_event(self.device, event, told, time // 10**6, self.random.getrandbits(31)))
            due = due or time + TIMER * NS

    def tables(self):
        """(flows, exchanges, sessions, visits)."""
        names = sorted({row["name"] for row in self.rows})
        flows = [{"flow_id": name, "local_ip": PHONE, "remote_ip": "203.0.113.9", "name": name, "app_exact": True,
                  "owner": name} for name in names]  # fmt: skip
        return frame("flows", flows), frame("exchanges", self.rows), self.sessions, self.visits
