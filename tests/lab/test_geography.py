"""A server that stands next door is not in Singapore, whatever a database says; one 200 ms away may be.

Real packets through the lab's network: a TCP handshake with an address of Singapore's, recorded at the access point.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import wiretally
from wiretally.lab.hosts import BY_NAME, SENSORS

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip") or not Path("/dev/net/tun").exists(),
                       reason="network namespaces need root, iproute2 and /dev/net/tun"),
]  # fmt: skip
BERLIN = (52.52, 13.405)
ADDRESS = BY_NAME[SENSORS].address
INSIDE = """
import socket, struct, subprocess, sys, time
from wiretally.lab import network
from wiretally.lab.cell import enter_network, run_in_cell

def wait_for(ready):
    for _ in range(400):
        if ready():
            return
        time.sleep(0.025)
    raise SystemExit("the lab did not come up")

def carrier():
    shown = subprocess.run(network.inside(network.ACCESS_POINT, "cat", f"/sys/class/net/{network.UPLINK}/carrier"),
                           capture_output=True, text=True)
    return shown.stdout.strip() == "1"

def work():
    network.build()
    subprocess.Popen([sys.executable, "-m", "wiretally.lab.distance", RTT])
    wait_for(carrier)
    enter_network(network.INTERNET)
    server = socket.create_server((ADDRESS, 443))
    enter_network(network.ACCESS_POINT)
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    tap.bind((network.RADIO, 0))
    tap.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS: the kernel's own stamps
    time.sleep(0.5)  # which it begins to take a little later; until then it stamps what is read when it is read
    enter_network("phone")
    for _ in range(3):
        with socket.create_connection((ADDRESS, 443), timeout=10) as client:
            other, _ = server.accept()
            client.sendall(b"hello")
            other.recv(5)
            other.close()
            client.recv(1)
    tap.setblocking(False)
    with open(PATH, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1))  # pcap with nanoseconds, Ethernet
        while True:
            try:
                data, extra, _, _ = tap.recvmsg(65535, 512)
            except BlockingIOError:
                return 0
            seconds, ns = struct.unpack("qq", extra[0][2][:16])
            file.write(struct.pack("<IIII", seconds, ns, len(data), len(data)) + data)

sys.exit(run_in_cell(work))
"""


def recorded(path, rtt):
    """Three handshakes with the address, so many ms away."""
    code = f"ADDRESS, RTT, PATH = {ADDRESS!r}, {str(rtt)!r}, {json.dumps(str(path))}\n{INSIDE}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    flows = wiretally.read(path, place=BERLIN).flows
    return flows.filter(remote_ip=ADDRESS).select("country", "geo_check", "geo_status", "max_distance_km").unique().to_dicts()


def test_next_door_is_refuted_with_the_distance(tmp_path):
    (row,) = recorded(tmp_path / "near.pcap", 1)
    assert (row["country"], row["geo_check"], row["geo_status"]) == ("SG", "impossible", "refuted")
    assert 100 <= row["max_distance_km"] < 9000  # a busy machine adds to the round trip, never takes away


def test_two_hundred_milliseconds_away_is_not(tmp_path):
    (row,) = recorded(tmp_path / "far.pcap", 200)
    assert (row["country"], row["geo_check"], row["geo_status"]) == ("SG", "plausible", "agree")
    assert row["max_distance_km"] >= 20_000
