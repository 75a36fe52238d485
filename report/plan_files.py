"""A plan of visits in the forms in which it can be carried out: CSV, a page of links, scripts.

Theory: a phone follows a page of links; it notes when each was opened and gives back `visits.csv` and `sessions.csv`.
A browser on a wire is driven by WebDriver (Selenium) or, on Android, by adb; the scripts write the same two files.

Rules: nothing is loaded from elsewhere. The page's own script keeps its notes in the browser's storage and sends nothing.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..measure.visit_plan import Planned

COLUMNS = ("time", "session", "url", "pad", "mode", "position", "dwell", "seed")


def as_csv(planned: Sequence[Planned], seed: int) -> str:
    """`visits.csv` with `time` still empty, and what the plan knows besides."""
    with io.StringIO(newline="") as page:
        rows = csv.writer(page, lineterminator="\n")
        rows.writerow(COLUMNS)
        rows.writerows(("", v.session, v.url, v.pad, v.mode, v.position, v.dwell, seed) for v in planned)
        return page.getvalue()


def as_html(planned: Sequence[Planned], seed: int) -> str:
    """A page that leads through the visits one after the other."""
    from .html import environment

    sessions = list(dict.fromkeys((v.session, v.mode) for v in planned))
    # "<" is escaped, so that no URL can end the script element (HTML §4.12.1.3)
    told = json.dumps([v._asdict() for v in planned]).replace("<", "\\u003c")
    return environment().get_template("plan.html.j2").render(plan=_markup(told), seed=seed, sessions=sessions, visits=len(planned))


def as_script(planned: Sequence[Planned], seed: int, form: str) -> str:
    """A Python script (`webdriver`) or a shell script (`adb`) that carries the plan out and notes the times."""
    if form == "adb":
        return _adb(planned, seed)
    rows = json.dumps([list(v) for v in planned], indent=0)
    return WEBDRIVER.format(seed=seed, rows=rows)


def _adb(planned: Sequence[Planned], seed: int) -> str:
    lines = [ADB_HEAD.format(seed=seed)]
    session = ""
    for v in planned:
        if v.session != session:
            lines.append(f"session {_quoted(v.session)} {_quoted(v.mode)}")
            session = v.session
        lines.append(f"visit {_quoted(v.session)} {_quoted(v.url)} {v.pad} {v.dwell}")
    return "\n".join([*lines, "finish", ""])


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


def _markup(text: str) -> str:
    from markupsafe import Markup

    return Markup(text)  # noqa: S704  (JSON of ours without "<")


ADB_HEAD = """#!/bin/bash
# Visits of the length probe (seed {seed}) on an Android phone: sh plan.sh DEVICE-ADDRESS [PACKAGE/ACTIVITY]
# Writes sessions.csv and visits.csv. The clock is this computer's: keep it and the access point's in step (NTP).
set -eu
device=${{1:?the address of the phone, as the access point sees it}}
browser=${{2:-}}
now() {{ date -u +%Y-%m-%dT%H:%M:%S.%NZ; }}
echo session,device,mode,start,end,notes > sessions.csv
echo time,session,url,pad > visits.csv
open=
finish() {{ [ -z "$open" ] || echo "$open,$(now),seed {seed}" >> sessions.csv; open=; }}
session() {{
  sleep 30; finish
  printf 'Bring the browser to mode %s, then press Enter: ' "$2" >&2; read -r _ < /dev/tty
  open="$1,$device,$2,$(now)"; sleep 5
}}
visit() {{
  echo "$(now),$1,$2,$3" >> visits.csv
  adb shell am start -a android.intent.action.VIEW ${{browser:+-n "$browser"}} -d "'$2'" > /dev/null
  sleep "$4"
}}"""

WEBDRIVER = '''"""Visits of the length probe (seed {seed}) by WebDriver: python plan.py DEVICE-ADDRESS [WEBDRIVER-ADDRESS]

Writes sessions.csv and visits.csv. Needs selenium; incognito is Chromium's switch: adapt `started` to other browsers.
"""
import csv, datetime, sys, time
from selenium import webdriver

PLAN = {rows}
DEVICE, SERVER = sys.argv[1], (sys.argv[2:] or [None])[0]


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


def started(mode):
    options = webdriver.ChromeOptions()
    if mode == "incognito":
        options.add_argument("--incognito")
    return webdriver.Remote(SERVER, options=options) if SERVER else webdriver.Chrome(options=options)


with open("sessions.csv", "w", newline="") as one, open("visits.csv", "w", newline="") as other:
    sessions, visits = csv.writer(one), csv.writer(other)
    sessions.writerow(["session", "device", "mode", "start", "end", "notes"])
    visits.writerow(["time", "session", "url", "pad"])
    for name, mode in dict.fromkeys((row[0], row[1]) for row in PLAN):
        start, browser = now(), started(mode)
        time.sleep(5)
        for _, _, _, url, pad, dwell in (row for row in PLAN if row[0] == name):
            visits.writerow([now(), name, url, pad])
            browser.get(url)
            time.sleep(dwell)
        time.sleep(30)
        browser.quit()
        sessions.writerow([name, DEVICE, mode, start, now(), "seed {seed}"])
        one.flush(), other.flush()
        time.sleep(10)
'''
