"""Programs that the kernel runs on each packet before it is copied: which to take, how much of it, and to which socket.

Theory: classic BPF (McCanne and Jacobson, USENIX 1993; Linux Documentation/networking/filter.rst). A program loads from
the packet and returns how many bytes to keep, 0 for none. The user's expression is compiled by libpcap on a live handle,
which knows that the kernel takes VLAN tags out of frames; where it accepts, it goes on to our own policy.

Rules: a load behind the end of the packet ends the program with 0, which would lose the packet: lengths are compared
first. Original lengths stay exact whatever is kept. A packet is cut only where nothing behind the cut is ever read:
QUIC with a short header (RFC 9000 §17.3.1), which is encrypted from there on. TCP stays whole, because the record
headers that application bytes are counted by may lie anywhere in a segment.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import struct
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from ..core.errors import CaptureError, EnvironmentFault
from ..core.packets import LINKTYPE_ETHERNET, LINKTYPE_LINUX_SLL, LINKTYPE_RAW
from .report import shown

if TYPE_CHECKING:
    import socket

SO_ATTACH_FILTER = 26  # asm-generic/socket.h
MAX_INSTRUCTIONS = 4096  # linux/bpf_common.h: BPF_MAXINSNS

# instruction classes, sizes and modes: linux/bpf_common.h
LD_WORD, LD_HALF, LD_BYTE, LD_LENGTH = 0x20, 0x28, 0x30, 0x80
LD_HALF_X, LD_BYTE_X = 0x48, 0x50
LDX_IP_LENGTH = 0xB1  # X = 4 * (packet[k] & 15)
LDX_IMMEDIATE, COPY_TO_X, COPY_FROM_X = 0x01, 0x07, 0x87
JUMP, IF_EQUAL, IF_GREATER, IF_GREATER_X, IF_SET = 0x05, 0x15, 0x25, 0x2D, 0x45
ADD, AND, SHIFT_RIGHT, MULTIPLY, XOR_X = 0x04, 0x54, 0x74, 0x24, 0xAC
RETURN, RETURN_A = 0x06, 0x16
LOAD_CLASSES, CLASS, MODE = (0x00, 0x01), 0x07, 0xE0
PACKET_MODES = (0x20, 0x40, 0xA0)  # absolute, indirect, IP header length

ANCILLARY = 0xFFFFF000  # SKF_AD_OFF: linux/filter.h
ANCILLARY_PROTOCOL, ANCILLARY_PACKET_TYPE = ANCILLARY + 0, ANCILLARY + 4
LINK_HEADER = 0xFFE00000  # SKF_LL_OFF: offsets from the link header, wherever the packet starts at
PACKET_OUTGOING = 4  # linux/if_packet.h

SLL_BYTES, SLL_PROTOCOL = 16, 14  # LINKTYPE_LINUX_SLL
ETHERNET_BYTES = 14
UDP = 17
QUIC_PORT = 443  # RFC 9114 §3.1
QUIC_FORM = 0xC0  # header form and fixed bit: RFC 9000 §17
QUIC_SHORT = 0x40
CUT_BYTES = 128  # link, the longest IPv4 header and UDP make 82; the rest is a connection identifier to look at

DLT_RAW = 12  # what libpcap calls LINKTYPE_RAW inside
PCAP_ERROR_BYTES = 256


class Instruction(NamedTuple):
    """One instruction: `struct sock_filter`."""

    code: int
    jump_true: int
    jump_false: int
    k: int


class Line(NamedTuple):
    """An instruction whose jumps are names of places; a Line with a name only is such a place."""

    code: int
    k: int = 0
    if_true: str = ""
    if_false: str = ""


Program = tuple[Instruction, ...]


def assemble(lines: list[Line | str]) -> Program:
    """Instructions with places resolved; a jump without a name goes to the next instruction."""
    places: dict[str, int] = {}
    count = 0
    for line in lines:
        if isinstance(line, str):
            places[line] = count
        else:
            count += 1
    out: list[Instruction] = []
    for line in lines:
        if not isinstance(line, str):
            here = len(out) + 1
            jumps = [places[name] - here if name else 0 for name in (line.if_true, line.if_false)]
            out.append(Instruction(line.code, jumps[0], jumps[1], line.k))
    return tuple(out)


NOTHING: Program = (Instruction(RETURN, 0, 0, 0),)


def keep(snaplen: int) -> Program:
    """Every packet, at most `snaplen` bytes of it."""
    return (Instruction(RETURN, 0, 0, snaplen),)


def keep_names(linktype: int, snaplen: int) -> Program:
    """Every packet, of QUIC packets with a short header only the first CUT_BYTES."""
    if linktype == LINKTYPE_ETHERNET:
        base = ETHERNET_BYTES
        dispatch = [Line(LD_HALF, 12), Line(IF_EQUAL, 0x0800, "v4"), Line(IF_EQUAL, 0x86DD, "v6", "whole")]
    elif linktype in {LINKTYPE_RAW, LINKTYPE_LINUX_SLL}:  # cooked packets begin with the network header in the kernel
        base = 0
        dispatch = [Line(LD_BYTE, 0), Line(AND, 0xF0), Line(IF_EQUAL, 0x40, "v4"), Line(IF_EQUAL, 0x60, "v6", "whole")]
    else:
        return keep(snaplen)
    return assemble([
        Line(LD_LENGTH), Line(IF_GREATER, base + 28, "", "whole"),  # the least IPv4 header and UDP
        *dispatch,
        "v4",
        Line(LD_BYTE, base + 9), Line(IF_EQUAL, UDP, "", "whole"),
        Line(LD_HALF, base + 6), Line(IF_SET, 0x3FFF, "whole", ""),  # a fragment: RFC 791 §3.1
        Line(LDX_IP_LENGTH, base), Line(COPY_FROM_X), Line(ADD, base + 8), Line(COPY_TO_X),
        Line(LD_LENGTH), Line(IF_GREATER_X, 0, "", "whole"),  # not by subtraction, which wraps
        Line(LDX_IP_LENGTH, base),
        Line(LD_HALF_X, base), Line(IF_EQUAL, QUIC_PORT, "first", ""),
        Line(LD_HALF_X, base + 2), Line(IF_EQUAL, QUIC_PORT, "first", "whole"),
        "v6",
        Line(LD_BYTE, base + 6), Line(IF_EQUAL, UDP, "", "whole"),
        Line(LD_LENGTH), Line(IF_GREATER, base + 48, "", "whole"),
        Line(LDX_IMMEDIATE, 40),  # RFC 8200 §3
        Line(LD_HALF_X, base), Line(IF_EQUAL, QUIC_PORT, "first", ""),
        Line(LD_HALF_X, base + 2), Line(IF_EQUAL, QUIC_PORT, "first", "whole"),
        "first",
        Line(LD_BYTE_X, base + 8), Line(AND, QUIC_FORM), Line(IF_EQUAL, QUIC_SHORT, "", "whole"),
        Line(RETURN, min(CUT_BYTES, snaplen)),
        "whole",
        Line(RETURN, snaplen),
    ])  # fmt: skip


def by_device() -> Program:
    """A number for each pair of link addresses, the same both ways: all of a device's packets meet in one socket.

    Behind an access point the other address is nearly always its own, so the pair is the device, over IPv4 and IPv6,
    lookups and connections alike. (A hash of the 5-tuple would part a name's lookup from the connection to it.)
    """
    return assemble([
        Line(LD_WORD, LINK_HEADER + 2),  # low four bytes of the destination: IEEE 802.3 §3.2.3
        Line(COPY_TO_X),
        Line(LD_WORD, LINK_HEADER + 8),  # and of the source
        Line(XOR_X),
        Line(MULTIPLY, 0x9E3779B1), Line(SHIFT_RIGHT, 16),  # the high half of a product mixes every bit
        Line(RETURN_A),
    ])  # fmt: skip


def chain(expression: Program, policy: Program, *, incoming_only: bool) -> Program:
    """Packets that `expression` accepts go on to `policy`; with `incoming_only` those that this host sent are left out.

    Raises CaptureError where the whole is longer than the kernel takes.
    """
    head: list[Instruction] = []
    if incoming_only:
        head = [
            Instruction(LD_WORD, 0, 0, ANCILLARY_PACKET_TYPE),
            Instruction(IF_EQUAL, 0, 1, PACKET_OUTGOING),
            Instruction(RETURN, 0, 0, 0),
        ]
    total = len(head) + len(expression) + len(policy)
    if total > MAX_INSTRUCTIONS:
        raise CaptureError(f"--filter: {total} instructions, {MAX_INSTRUCTIONS} at most; write it shorter")
    body = [
        Instruction(JUMP, 0, 0, len(expression) - at - 1) if one.code == RETURN and one.k else one
        for at, one in enumerate(expression)
    ]
    return (*head, *body, *policy)


def attach(sock: socket.socket, program: Program, level: int, option: int) -> None:
    """Gives the program to the kernel by the socket option (`struct sock_fprog`); raises OSError."""
    octets = b"".join(struct.pack("=HBBI", *one) for one in program)
    memory = ctypes.create_string_buffer(octets, len(octets))
    sock.setsockopt(level, option, struct.pack("@HP", len(program), ctypes.addressof(memory)))


class _Instructions(ctypes.Structure):
    """`struct bpf_program`: pcap/bpf.h."""

    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))


@cache
def _libpcap() -> ctypes.CDLL:
    name = ctypes.util.find_library("pcap") or "libpcap.so.0.8"
    try:
        library = ctypes.CDLL(name)
    except OSError as error:
        raise EnvironmentFault("--filter: needs libpcap, which is not here: apt-get install libpcap0.8") from error
    library.pcap_create.restype = ctypes.c_void_p
    library.pcap_create.argtypes = (ctypes.c_char_p, ctypes.c_char_p)
    for function in ("pcap_activate", "pcap_datalink", "pcap_close"):
        getattr(library, function).argtypes = (ctypes.c_void_p,)
    library.pcap_set_buffer_size.argtypes = library.pcap_set_snaplen.argtypes = (ctypes.c_void_p, ctypes.c_int)
    library.pcap_geterr.argtypes = (ctypes.c_void_p,)
    library.pcap_geterr.restype = ctypes.c_char_p
    library.pcap_compile.argtypes = (
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32,
    )  # fmt: skip
    library.pcap_freecode.argtypes = (ctypes.c_void_p,)
    return library


def compile_expression(expression: str, interface: str, linktype: int) -> Program:
    """The user's expression (pcap-filter(7)) as a program for packets of `interface`.

    Raises CaptureError for what is no expression or cannot be tested on this interface, EnvironmentFault without libpcap.
    """
    library = _libpcap()
    fault = ctypes.create_string_buffer(PCAP_ERROR_BYTES)
    handle = library.pcap_create(interface.encode(), fault)
    if not handle:
        raise CaptureError(f"{shown(interface)}: {_text(fault.value)}")
    compiled = _Instructions()
    try:
        library.pcap_set_snaplen(handle, 64)
        library.pcap_set_buffer_size(handle, 1 << 16)
        if library.pcap_activate(handle) < 0:
            said = _text(library.pcap_geterr(handle)) or "libpcap cannot open it"
            raise CaptureError(f"{shown(interface)}: {said}; to compile --filter it must be up: ip link set dev … up")
        if library.pcap_datalink(handle) != (DLT_RAW if linktype == LINKTYPE_RAW else linktype):
            raise CaptureError(f"{shown(interface)}: libpcap sees another kind of link; capture without --filter")
        if library.pcap_compile(handle, ctypes.byref(compiled), expression.encode(), 1, 0xFFFFFFFF) < 0:
            said = _text(library.pcap_geterr(handle))
            raise CaptureError(f"--filter {shown(expression)}: {said}; see pcap-filter(7)")
        octets = ctypes.string_at(compiled.instructions, 8 * compiled.length)
        library.pcap_freecode(ctypes.byref(compiled))
    finally:
        library.pcap_close(handle)
    program = tuple(Instruction(*one) for one in struct.iter_unpack("=HBBI", octets))
    return _without_cooked_header(program, expression) if linktype == LINKTYPE_LINUX_SLL else program


def _without_cooked_header(program: Program, expression: str) -> Program:
    """Offsets as the kernel has them: the cooked header is made afterwards, its fields are ancillary data."""
    out = []
    for one in program:
        k = one.k
        if one.code & CLASS in LOAD_CLASSES and one.code & MODE in PACKET_MODES and k < ANCILLARY:
            if k >= SLL_BYTES:
                k -= SLL_BYTES
            elif k in {0, SLL_PROTOCOL}:
                k = ANCILLARY_PROTOCOL if k else ANCILLARY_PACKET_TYPE
            else:
                raise CaptureError(f"--filter {shown(expression)}: asks for a link address, which this link has not")
        out.append(one._replace(k=k))
    return tuple(out)


def _text(said: bytes | None) -> str:
    return shown((said or b"").decode(errors="replace"))
