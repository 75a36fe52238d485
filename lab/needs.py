"""What a recording needs of the machine."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from .browser import executable
from .plan import ARMS

TOOLS = {"ip": "iproute2", "ethtool": "ethtool", "dumpcap": "wireshark-common", "mount": "mount"}


def missing(arm: str = "") -> list[str]:
    """What this machine lacks for a recording, each with where it comes from."""
    lacks = []
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        lacks.append("root")
    if not Path("/dev/net/tun").exists():
        lacks.append("/dev/net/tun (kernel module tun)")
    if executable() is None:
        lacks.append("chromium (package chromium)")
    lacks += [f"{tool} (package {package})" for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if importlib.util.find_spec("h2") is None:
        lacks.append("the Python package h2 (pip install 'wiretally[lab]')")
    if arm and ARMS[arm].http3 and importlib.util.find_spec("aioquic") is None:
        lacks.append("the Python package aioquic (pip install 'wiretally[lab]')")
    return lacks
