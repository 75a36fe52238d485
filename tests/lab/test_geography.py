"""A server that stands next door is not in Singapore, whatever a database says; one 200 ms away may be.

Real packets through the lab's network: a TCP handshake with an address of Singapore's, recorded at the access point.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import wiretally
from crafting.rights import may_have_namespaces
from wiretally.lab.hosts import BY_NAME, SENSORS

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not may_have_namespaces() or not shutil.which("ip") or not Path("/dev/net/tun").exists(),
                       reason="network namespaces need root, iproute2 and /dev/net/tun"),
]  # fmt: skip
BERLIN = (52.52, 13.405)
ADDRESS = BY_NAME[SENSORS].address
INSIDE = """
import socket, struct, subprocess, sys, time
from wiretally.lab import network
from wiretally.lab.cell import enter_network, run_in_cell

def wait_for(ready):
    end = time.monotonic() + 120
    while not ready():
        if time.monotonic() > end:
            raise SystemExit("the lab did not come up")
        time.sleep(0.025)

def carrier():
    shown = subprocess.run(network.inside(network.ACCESS_POINT, "cat", f"/sys/class/net/{network.UPLINK}/carrier"),
                           capture_output=True, text=True)
    return shown.stdout.strip() == "1"

def taken(tap):
    found = []
    while True:
        try:
            data, extra, _, _ = tap.recvmsg(65535, 512)
        except BlockingIOError:
            return found
        found.append((*struct.unpack("qq", extra[0][2][:16]), data))

def stamped(tap):  # whether the kernel stamps what comes: it begins a little later, until then what is read when it is read
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.sendto(b"?", (network.AP_IP, 9))
    time.sleep(0.05)
    now = time.time_ns()
    stamps = [seconds * 10**9 + ns for seconds, ns, _ in taken(tap)]
    return bool(stamps) and max(stamps) < now

def work():
    network.build()
    subprocess.Popen([sys.executable, "-m", "wiretally.lab.distance", RTT])
    wait_for(carrier)
    enter_network(network.INTERNET)
    server = socket.create_server((ADDRESS, 443))
    enter_network(network.ACCESS_POINT)
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    tap.bind((network.RADIO, 0))
    tap.setblocking(False)
    tap.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS: the kernel's own stamps
    enter_network("phone")
    wait_for(lambda: stamped(tap))
    for _ in range(HANDSHAKES):
        with socket.create_connection((ADDRESS, 443), timeout=60) as client:
            other, _ = server.accept()
            client.sendall(b"hello")
            other.recv(5)
            other.close()
            client.recv(1)
    with open(PATH, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1))  # pcap with nanoseconds, Ethernet
        for seconds, ns, data in taken(tap):
            file.write(struct.pack("<IIII", seconds, ns, len(data), len(data)) + data)
    return 0

sys.exit(run_in_cell(work))
"""


def recorded(path, rtt, handshakes):
    """So many handshakes with the address, so many ms away; the quickest counts."""
    code = f"ADDRESS, RTT, PATH, HANDSHAKES = {ADDRESS!r}, {str(rtt)!r}, {json.dumps(str(path))}, {handshakes}\n{INSIDE}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    flows = wiretally.read(path, place=BERLIN).flows
    return flows.filter(remote_ip=ADDRESS).select("country", "geo_check", "geo_status", "max_distance_km").unique().to_dicts()


def test_next_door_is_refuted_with_the_distance(tmp_path):
    (row,) = recorded(tmp_path / "near.pcap", 1, 20)
    assert (row["country"], row["geo_check"], row["geo_status"]) == ("SG", "impossible", "refuted")
    assert 100 <= row["max_distance_km"] < 9000  # a busy machine adds to the round trip, never takes away


def test_two_hundred_milliseconds_away_is_not(tmp_path):
    (row,) = recorded(tmp_path / "far.pcap", 200, 3)
    assert (row["country"], row["geo_check"], row["geo_status"]) == ("SG", "plausible", "agree")
    assert row["max_distance_km"] >= 20_000
