"""Starts one program and says what it cost; a script of its own because a parent's memory taints its child's peak.

Theory: Linux carries the resident memory of the process that called exec over into the new program's `ru_maxrss`, so a
child of a large process can never look small. This script is about 10 MiB, which is the floor of what it reports.

`python -I -S launch.py LOG COMMAND…` prints wall seconds, processor seconds, peak KiB and exit code.
"""

import os
import sys
import time


def launch(log: str, command: list[str]) -> tuple[float, float, int, int]:
    """Runs `command` with its output in `log`."""
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    actions = [(os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, out, 2)]
    start = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.stdout.write(" ".join(map(str, launch(sys.argv[1], sys.argv[2:]))))
