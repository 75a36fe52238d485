"""The yardstick: libpcap's own loop over a capture with a callback that does nothing; needs no compiler.

Theory: `pcap_loop` calls a C function for every packet. libc's `abs` serves as one: it takes its first argument in a
register, touches no memory and returns, and the calling conventions of the 64-bit machines we run on let a function be
called with more arguments than it reads. No Python runs per packet, so this is as fast as the same five lines in C.

Run as a script of its own (`python -I -S bench/pcap_loop.py FILE`): it imports nothing but ctypes.
"""

import ctypes
import sys
from contextlib import suppress

LIBRARIES = ("libpcap.so.0.8", "libpcap.so.1", "libpcap.dylib", "libpcap.so")  # Debian's name first


def library() -> ctypes.CDLL | None:
    """libpcap, if this machine has it. Not by `ctypes.util.find_library`, which starts other programs."""
    for name in LIBRARIES:
        with suppress(OSError):
            return ctypes.CDLL(name)
    return None


def loop(path: str) -> str:
    """Passes over all packets of `path`; an empty string, or what libpcap says is wrong."""
    pcap, libc = library(), ctypes.CDLL(None)
    if pcap is None:
        return "libpcap is not installed (Debian: libpcap0.8)"
    pcap.pcap_open_offline.restype = ctypes.c_void_p
    pcap.pcap_loop.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    pcap.pcap_geterr.argtypes = (ctypes.c_void_p,)
    pcap.pcap_geterr.restype = ctypes.c_char_p
    error = ctypes.create_string_buffer(256)  # PCAP_ERRBUF_SIZE
    handle = pcap.pcap_open_offline(path.encode(), error)
    if not handle:
        return error.value.decode(errors="replace")
    if pcap.pcap_loop(handle, -1, ctypes.cast(libc.abs, ctypes.c_void_p), None) < 0:
        return bytes(pcap.pcap_geterr(handle)).decode(errors="replace")
    return ""


if __name__ == "__main__":
    sys.exit(loop(sys.argv[1]) or 0)
