"""Rows of a live store, and one whose process has vanished."""

import os

from crafting.sessions import NS, START, frame, moment


def flow(name, *, end=None, packets=1, seconds=0):
    return {"flow_id": name, "local_ip": "10.0.0.2", "remote_ip": "203.0.113.9", "transport": "tcp", "name": "a.example",
            "first_seen": moment(START), "last_seen": moment(START + seconds * NS), "end": end, "app_exact": True,
            "up_packets": packets, "down_packets": 0}  # fmt: skip


def exchange(name, *, packets=1, at=START):
    return {"flow_id": name, "start": moment(at), "end": moment(at), "up_packets": packets, "down_packets": 0}


def minute(packets):
    return frame("capture", [{"source": "wlan0", "packets": packets, "counted": packets, "dropped": 0, "cut_short": False}])


def gone(store):
    """What is left of a process that was killed: the kernel has closed its files."""
    store._connection.close()
    os.close(store._lock._descriptor)
