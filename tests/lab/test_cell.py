"""Nothing outlives a cell. Each case runs in a process of its own, because entering moves the process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from crafting.link import wait_until
from crafting.rights import may_have_namespaces

pytestmark = pytest.mark.skipif(not may_have_namespaces(), reason="namespaces need root")


def run(work, **options):
    code = f"import os, subprocess, sys, time\nfrom wiretally.lab.cell import SCRATCH, run_in_cell\n{work}\nsys.exit(run_in_cell(work))"
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, **options)


def test_a_cell_has_no_network_and_its_own_processes():
    child = run(
        "def work():\n os.write(1, f'{os.listdir(\"/sys/class/net\")} {os.getpid()} {SCRATCH.is_dir()}'.encode())\n return 7"
    )
    output, _ = child.communicate(timeout=60)
    assert child.returncode == 7
    assert output.endswith(" 1 True")
    assert not Path("/run/lab").exists()


def test_an_exit_inside_is_the_exit_outside():
    child = run("def work():\n raise SystemExit(3)")
    child.communicate(timeout=60)
    assert child.returncode == 3


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_whatever_ends_it_ends_all(number, code):
    mark = f"299.{os.getpid()}{number}"
    child = run(
        f"def work():\n subprocess.Popen(['sleep', '{mark}'], start_new_session=True)\n os.write(1, b'up\\n')\n time.sleep(600)"
    )
    assert child.stdout.readline() == "up\n"
    wait_until(lambda: alive(mark))  # its program has begun when Popen returns, its words come a little later
    child.send_signal(number)
    assert child.wait(60) == code
    wait_until(lambda: not alive(mark))


@pytest.mark.parametrize(("deaf", "code"), [(1, 143), (99, 137)])
def test_who_does_not_listen_is_asked_again_and_then_killed(deaf, code):
    child = run(
        f"""
import signal
from wiretally.lab import cell
cell.AGAIN = 0.2
def heard(number, frame):
    global deaf
    deaf -= 1
    if deaf < 0:
        raise SystemExit(128 + number)
deaf = {deaf}
def work():
    signal.signal(signal.SIGTERM, heard)
    os.write(1, b'up\\n')
    time.sleep(600)"""
    )
    assert child.stdout.readline() == "up\n"
    child.send_signal(signal.SIGTERM)
    assert child.wait(60) == code


def alive(mark):
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False
