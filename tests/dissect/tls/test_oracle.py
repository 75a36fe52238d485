"""Hellos and what servers chose, as tshark reads them from the bundled captures."""

import collections
import shutil
import subprocess
from pathlib import Path

import pytest
import wiretally

SAMPLES = [path for name in ("honest", "leaky", "swap")
           for path in (Path(wiretally.__file__).parent / "data" / "samples" / name).glob("capture.*")]  # fmt: skip
FIELDS = ("ip.src", "tcp.srcport", "tls.handshake.type", "tls.handshake.extensions_server_name",
          "tls.handshake.ciphersuite")  # fmt: skip
CLIENT, SERVER = "1", "2"


def told_by_tshark(path):
    """(hellos: address, port, name; suites that servers chose, by number) of TCP."""
    command = ["tshark", "-n", "-r", str(path), "-Y", "tcp && (tls.handshake.type == 1 || tls.handshake.type == 2)",
               "-T", "fields", *(word for field in FIELDS for word in ("-e", field))]  # fmt: skip
    hellos, chosen = collections.Counter(), collections.Counter()
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        address, port, kinds, name, suites = line.split("\t")
        if CLIENT in kinds.split(","):
            hellos[address, int(port), name] += 1
        elif SERVER in kinds.split(","):
            chosen[int(suites.split(",")[0], 0)] += 1
    return hellos, chosen


@pytest.mark.skipif(not shutil.which("tshark"), reason="needs tshark")
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.parent.name)
def test_hellos_and_choices(path):
    from wiretally.dissect.tls.suites import suite_name

    hellos, chosen = told_by_tshark(path)
    seen = wiretally.read(str(path))
    ours = seen.tls.filter(seen.tls["transport"] == "tcp").select("local_ip", "local_port", "sni").rows()
    assert collections.Counter(ours) == hellos
    flows = seen.flows.filter((seen.flows["transport"] == "tcp") & seen.flows["tls_cipher"].is_not_null())
    assert collections.Counter(flows["tls_cipher"]) == {suite_name(code): count for code, count in chosen.items()}
