"""Writes MaxMind DB files (format 2.0) from sorted ranges of addresses.

Theory: a file is a binary tree over address bits, then the records that its leaves point to. The format asks for a
tree but readers follow node numbers, so that equal subtrees need to be stored only once: a quarter of the nodes of a
country file. It is also how IPv4 is reached from several places of the IPv6 tree.

Rules: ranges are inclusive, sorted, and do not overlap. Node 0 is the root. Sections refer to the MaxMind DB File
Format Specification 2.0.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence
    from pathlib import Path

IPV4_BITS, IPV6_BITS = 32, 128
RECORD_BITS = 24  # "Node Layout": three bytes for each side, enough for 16 million nodes and bytes of data
SEPARATOR = 16  # "Output Data Section": zero bytes between the tree and the data
METADATA_START = b"\xab\xcd\xefMaxMind.com"  # "Database Metadata"
IPV4_IN_IPV6 = (
    0,  # ::/96, "IPv4 addresses in an IPv6 tree"
    0xFFFF << 32,  # ::ffff:0:0/96, RFC 4291 §2.5.5.2
    0x0064_FF9B << 96,  # 64:ff9b::/96, NAT64, RFC 6052 §2.1
)
SIX_TO_FOUR = 0x2002 << 112  # 2002::/16, RFC 3056 §2


class Range(NamedTuple):
    """`first` to `last`, both included, as integers; `value` is what it maps to."""

    first: int
    last: int
    value: Any


class Node(NamedTuple):
    """A place in the tree, numbered in the order of making."""

    number: int


class Tree:
    """Nodes by what they hold: (left, right), each a Node, a value, or None where nothing is known."""

    def __init__(self) -> None:
        self.nodes: dict[tuple[Hashable, Hashable], Node] = {}

    def grow(self, ranges: Sequence[Range], bits: int) -> Hashable:
        """The root over `ranges` of addresses of so many bits."""
        firsts = [each.first for each in ranges]

        def below(base: int, bits_left: int, low: int, high: int) -> Hashable:
            """What stands for [base, base + 2^bits_left), which only ranges[low:high] touch."""
            if low == high:
                return None
            last = base + (1 << bits_left) - 1
            if ranges[low].first <= base and ranges[low].last >= last:
                return ranges[low].value  # type: ignore[no-any-return]
            middle = base + (1 << (bits_left - 1))
            split = bisect_left(firsts, middle, low, high)
            straddles = split > low and ranges[split - 1].last >= middle
            left = below(base, bits_left - 1, low, split)
            right = below(middle, bits_left - 1, split - straddles, high)
            if left == right and not isinstance(left, Node):
                return left
            return self.nodes.setdefault((left, right), Node(len(self.nodes)))

        return below(0, bits, 0, len(ranges))


def joined(ranges: Iterable[Range]) -> list[Range]:
    """Sorted ranges with neighbours of equal value made one; where two overlap, the earlier one keeps its addresses."""
    found: list[Range] = []
    for given in ranges:
        each = given
        if found and each.first <= found[-1].last:
            each = each._replace(first=found[-1].last + 1)
        if each.first > each.last:
            continue
        if found and found[-1].last + 1 == each.first and found[-1].value == each.value:
            found[-1] = found[-1]._replace(last=each.last)
        else:
            found.append(each)
    return found


def _with_ipv4(ipv6: Sequence[Range], ipv4: Hashable) -> list[Range]:
    """IPv6 ranges with the IPv4 tree in every place where an IPv6 address holds one."""
    places = [Range(base, base + (1 << IPV4_BITS) - 1, ipv4) for base in IPV4_IN_IPV6]
    places.append(Range(SIX_TO_FOUR, SIX_TO_FOUR + (1 << 112) - 1, ipv4))
    kept = [each for each in ipv6 if not any(each.first <= to.last and each.last >= to.first for to in places)]
    return sorted(kept + places)


def write(
    path: Path, ipv4: Sequence[Range], ipv6: Sequence[Range], records: Mapping[Any, Mapping[str, Any]],
    *, database_type: str, description: str, build_epoch: int,
) -> None:  # fmt: skip
    """One file over both families; `records` says what each range's value stands for."""
    tree = Tree()
    root = tree.grow(_with_ipv4(ipv6, tree.grow(ipv4, IPV4_BITS)), IPV6_BITS)
    if not isinstance(root, Node):
        raise ValueError(f"{path}: no ranges")  # noqa: TRY004  (of a value, not of a type)
    count = len(tree.nodes)
    data, places = bytearray(), {}
    keys: dict[str, int] = {}
    for value in sorted(records):
        places[value] = len(data)
        encode(data, records[value], keys)

    def reference(target: Hashable) -> bytes:
        """A node, "not found", or a place in the data section: "Node Layout"."""
        if target is None:
            number = count
        elif isinstance(target, Node):
            number = count - 1 - target.number  # made from the leaves up; the root, made last, is 0
        else:
            number = count + SEPARATOR + places[target]
        return number.to_bytes(RECORD_BITS // 8, "big")

    metadata = bytearray()
    encode(metadata, {
        "binary_format_major_version": Short(2), "binary_format_minor_version": Short(0),
        "build_epoch": Wide(build_epoch), "database_type": database_type, "description": {"en": description},
        "ip_version": Short(6), "languages": ["en"], "node_count": count, "record_size": Short(RECORD_BITS),
    }, None)  # fmt: skip
    search = b"".join(reference(left) + reference(right) for left, right in reversed(tree.nodes))
    path.write_bytes(search + bytes(SEPARATOR) + data + METADATA_START + metadata)


class Short(int):
    """An integer that is written as 16 bits: readers insist on the types of the metadata's fields."""


class Wide(int):
    """An integer that is written as 64 bits, as the metadata's time is."""


POINTER, STRING, UINT16, UINT32, MAP, UINT64, ARRAY = 1, 2, 5, 6, 7, 9, 11  # "Data Field Format"


def encode(into: bytearray, value: object, keys: dict[str, int] | None) -> None:
    """Appends `value`. `keys`: where each map key was first written, so that later ones are pointers of two bytes."""
    if isinstance(value, str):
        raw = value.encode()
        _control(into, STRING, len(raw))
        into += raw
    elif isinstance(value, int):
        raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
        _control(into, {Short: UINT16, Wide: UINT64}.get(type(value), UINT32), len(raw))
        into += raw
    elif isinstance(value, dict):
        _control(into, MAP, len(value))
        for key, item in value.items():
            if keys is not None and (at := keys.setdefault(key, len(into))) != len(into) and at < 1 << 11:
                into += (POINTER << 13 | at).to_bytes(2, "big")  # "pointer": 11 bits of offset in size class 0
            else:
                encode(into, key, None)
            encode(into, item, keys)
    elif isinstance(value, list):
        _control(into, ARRAY, len(value))
        for item in value:
            encode(into, item, keys)
    else:
        raise TypeError(f"{type(value).__name__} has no place in these files")


def _control(into: bytearray, kind: int, size: int) -> None:
    """Type and size: "Data Field Format". Types above 7 take a second byte, sizes above 28 one or two more."""
    extended = kind > MAP
    if size < 29:
        length, more = size, b""
    elif size < 29 + 256:
        length, more = 29, (size - 29).to_bytes(1, "big")
    else:
        length, more = 30, (size - 29 - 256).to_bytes(2, "big")
    into.append((0 if extended else kind) << 5 | length)
    if extended:
        into.append(kind - 7)
    into += more
