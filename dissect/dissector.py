"""The dissector: batches of packets in, tables out.

Theory: `feed` runs the packet pass over a batch and gives it more room where it asks for it; `tick` gives up what has
become known since the last one: flows that have ended, exchanges, messages. At the end everything is given up.

Rules: pure: no files, sockets, clocks or logs; packet time is the only time. Counters are never reset.
"""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..core.errors import InputError
from . import intern, packet_pass
from .announcements import FORMS, Announcements
from .frames import Frames
from .messages import quic_messages
from .quic.google import server_name
from .quic.hellos import HelloFromInitials
from .records import copied
from .rows import Rows, Taken, running
from .state import (
    ACTIVE,
    COUNTER_NAMES,
    DATAGRAM_BYTES,
    DATAGRAMS,
    DONE,
    FIRST_PACKETS,
    IDLE_DNS,
    IDLE_GAP,
    IDLE_OTHER,
    IDLE_TCP,
    INTERFACE_COUNTERS,
    KEPT_PACKET,
    LATEST,
    LEAN,
    LEAN_PAYLOAD,
    LINGER,
    LOCAL_NETWORKS,
    MAX_FIRST_PACKETS,
    MAX_FLOWS,
    NETWORKS,
    OUTER_KNOWN,
    PARCELLED,
    PARCELS,
    PARSES_SKIPPED,
    POOL,
    QUIC_SKIPPED,
    RESOLVERS,
    RESOLVERS_KNOWN,
    SEEN,
    UP,
    new_state,
)
from .upkeep import move_clock, renew_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from ..core.packets import PacketBatch

Array = npt.NDArray[Any]
SECOND = 1_000_000_000
STRETCH = 1 << 12  # flows ended in one go at the end
# outer names of ECH deployments that are known; others are learned from HTTPS records (RFC 9849 §4, RFC 9460)
PUBLIC_NAMES = (b"cloudflare-ech.com",)


@dataclass(frozen=True)
class DissectOptions:
    """Settings, in seconds where they are times.

    local: networks (CIDR) whose addresses are the devices under observation.
    idle_gap: a silence that ends an exchange. idle_tcp, idle_other, idle_dns: a silence that ends a flow (DNS over UDP
    asks once or twice; RFC 4787 §4.3 lets well-known ports have shorter times). linger: how long after
    its end a flow still takes stragglers. max_flows: flows in the table at one time; beyond it the longest silent ones
    of a sample are given up, counted. first_packets: how many of each flow are told one by one; 0 costs nothing.
    resolvers: names of resolvers over HTTPS; flows to them are `doh`. tables: those of the schema, and `aliases`, the
    CNAME records of `dns` for those who want no more of it.
    """

    local: tuple[str, ...] = ()
    idle_gap: float = 1.0
    idle_tcp: float = 3600.0
    idle_other: float = 180.0
    idle_dns: float = 30.0
    linger: float = 10.0
    max_flows: int = MAX_FLOWS
    first_packets: int = 0
    resolvers: tuple[str, ...] = ()
    tables: frozenset[str] = field(default_factory=lambda: frozenset({"flows", "exchanges", "tls", "dns", "http"}))


class Dissector:
    """Holds one STATE; feed it batches in order, tick when rows are wanted."""

    def __init__(self, options: DissectOptions | None = None) -> None:
        """Allocates the state; memory is used only as flows come."""
        self.options = options or DissectOptions()
        self._states = new_state(self.options.max_flows, _networks(self.options.local), secrets.randbits(62))
        self._state = self._states[0]
        settings = self._state["settings"]
        settings[IDLE_GAP] = int(self.options.idle_gap * SECOND)
        settings[IDLE_TCP] = int(self.options.idle_tcp * SECOND)
        settings[IDLE_DNS] = int(self.options.idle_dns * SECOND)
        settings[IDLE_OTHER] = int(self.options.idle_other * SECOND)
        settings[LINGER] = int(self.options.linger * SECOND)
        for place, name in enumerate(PUBLIC_NAMES):
            octets = np.frombuffer(name, np.uint8)
            self._state["outer"][place] = intern.number_of(self._states, octets)
            self._state["cursor"][OUTER_KNOWN] += 1
        for place, resolver in enumerate(self.options.resolvers[:RESOLVERS]):
            octets = np.frombuffer(resolver.lower().encode(), np.uint8)
            self._state["resolvers"][place] = intern.number_of(self._states, octets)
            self._state["cursor"][RESOLVERS_KNOWN] += 1
        if not 0 <= self.options.first_packets <= MAX_FIRST_PACKETS:
            raise InputError(f"--packets {self.options.first_packets}: 1 to {MAX_FIRST_PACKETS} of each flow can be told")
        settings[FIRST_PACKETS] = self.options.first_packets
        self._kept = np.zeros((POOL, settings[FIRST_PACKETS]), KEPT_PACKET) if self.options.first_packets else None
        self._rows = Rows(self._kept)
        self._initials = HelloFromInitials()
        self._announcements = Announcements()
        self._interfaces = np.zeros((4, INTERFACE_COUNTERS), np.int64)
        self._frames = Frames(self.options.tables)
        self._moved = 0

    @property
    def counters(self) -> Array:
        """int64[interfaces, 8]: packets of each interface by what became of them; columns in `state.py`."""
        return self._interfaces

    @property
    def given_up(self) -> dict[str, int]:
        """What was given up, and why: holes, records, evicted flows, malformed messages; see `state.py`."""
        counted = {name: int(self._state["counters"][at]) for at, name in enumerate(COUNTER_NAMES)}
        return counted | {"names_refused": int(self._state["names"]["refused"])}

    def feed(self, batch: PacketBatch) -> None:
        """Takes every packet of the batch, in order."""
        if batch.packets.size == 0:
            return
        at = 0
        while True:
            at, reason = packet_pass.run(self._states, batch.buffer, self._interfaces, batch.packets, at)
            if reason == packet_pass.ALL_TAKEN:
                return
            if reason == packet_pass.NEW_INTERFACE:
                self._know_interface(int(batch.packets["interface"][at]))
            elif int(self._state["cursor"][PARCELLED]) > PARCELS - DATAGRAM_BYTES:
                self._read_parcels()
            else:
                self._take_rows()

    def _take_rows(self) -> None:
        """Empties the sheets, once what was laid aside has put into them what it says."""
        self._read_parcels()
        self._rows.take(self._state, self.options.tables)

    def _read_parcels(self) -> None:
        """Datagrams that were laid aside: hellos of QUIC Initials become rows and names, devices say what they are."""
        cursor = self._state["cursor"]
        count = int(cursor[DATAGRAMS])
        if not count:
            return
        datagrams = copied(self._state["datagrams"][:count])
        parcels = self._state["parcels"][: cursor[PARCELLED]].tobytes()
        cursor[DATAGRAMS] = cursor[PARCELLED] = 0
        if self.lean >= LEAN_PAYLOAD:
            self._state["counters"][PARSES_SKIPPED] += count
            return
        columns = (datagrams[name].tolist() for name in ("slot", "flow_id", "at", "end", "way", "service"))
        opened = dict(zip(datagrams["slot"].tolist(), self._state["cold"]["opened"][datagrams["slot"]].tolist(), strict=True))
        read: list[tuple[int, ...]] = []  # as `quic_messages` takes it
        texts = bytearray()
        for number, (slot, flow, at, end, way, service) in enumerate(zip(*columns, strict=True)):
            if service in FORMS:
                if "announced" in self.options.tables:
                    self._announced(datagrams[number], parcels[at:end])
                continue
            if opened[slot] == 2 - way or not self._initials.wants(flow, way):  # as `for_hellos`, had those before been read
                continue
            datagram = parcels[at:end]
            begin = len(texts)
            hello = self._initials.take(flow, datagram, way)
            if hello is not None:
                texts += hello.message
                read.append((number, begin, len(texts), hello.packets, hello.version))
            elif (name := server_name(datagram)) is not None:
                texts += name
                read.append((number, begin, len(texts), 1, 0))
            opened[slot] = way + 1 if len(texts) > begin else opened[slot]
        if read:
            quic_messages(self._states, datagrams, np.array(read, np.int64), np.frombuffer(texts, np.uint8))
        self._state["counters"][QUIC_SKIPPED] = self._initials.given_up

    def _announced(self, datagram: Any, data: bytes) -> None:  # noqa: ANN401  (a DATAGRAM)
        """A datagram in which a device may say what it is; its flow is still in its place."""
        f, c = (self._state[pool][datagram["slot"]] for pool in ("flows", "cold"))
        end, sent_up = ("local", True) if datagram["way"] == UP else ("remote", False)
        mac = int(c["mac"]).to_bytes(8, "big")[2:].hex(":") if sent_up and c["has_mac"] else None
        octets = int(f[f"{end}_hi"]).to_bytes(8, "big") + int(f[f"{end}_lo"]).to_bytes(8, "big")
        four = (int(f["kind"]) >> 8) & 0xFF == 4
        address = ipaddress.IPv4Address(octets[12:]) if four else ipaddress.IPv6Address(octets)
        ip = None if address.is_unspecified else str(address)
        self._announcements.read(int(datagram["service"]), data, int(datagram["time"]), mac, ip)

    def take(self, *, end: bool = False, live: bool = False) -> Taken:
        """What is new since the last taking, as records; at the `end` everything that is left.

        `live`: also flows that go on, as far as they have changed, and the exchange that each of them is in.
        """
        if end:
            for _ in self._finished():
                self._take_rows()
        taken = self._taken(end=end)
        return taken._replace(running=running(self._state)) if live else taken

    def drain(self) -> Iterator[Taken]:
        """The takings at the end, a stretch of flows each: all in one would need memory for all flows at once."""
        for _ in self._finished():
            yield self._taken(end=False)
        yield self._taken(end=True)

    def _taken(self, *, end: bool) -> Taken:
        self._take_rows()
        rows, self._rows = self._rows, Rows(self._kept)
        moved, self._moved = self._moved, 0
        claims = tuple(self._announcements.take())
        return Taken(rows, int(self._state["names"]["count"]), self._latest(), end, None, self.lean, moved, claims)

    @property
    def waiting(self) -> int:
        """How many rows the next taking would give, but for those that are still in sheets."""
        return self._rows.count + int(self._state["cursor"][DONE])

    @property
    def lean(self) -> int:
        """What is left out because packets come too fast: LEAN_COLUMNS, LEAN_PAYLOAD; may be set at any time."""
        return int(self._state["settings"][LEAN])

    @lean.setter
    def lean(self, much: int) -> None:
        self._read_parcels()
        self._state["settings"][LEAN] = much

    def set_local(self, local: tuple[str, ...]) -> None:
        """Other networks of the devices under observation, for flows that begin from now on."""
        networks = _networks(local)
        self._state["networks"][: len(networks)] = networks
        self._state["settings"][LOCAL_NETWORKS] = len(networks)

    def move_clock(self, ns: int) -> None:
        """The clock that stamps packets was stepped by `ns`: what goes on is moved with it, what was taken stays."""
        self._take_rows()
        self._rows.move_dns(ns)
        move_clock(self._state, self._interfaces, ns)
        self._moved += ns

    @property
    def names(self) -> int:
        """How many names are known; there is room for `intern.MAX_NAMES`."""
        return int(self._state["names"]["count"])

    def renew_names(self) -> None:
        """Forgets names that nothing refers to. Right after `take`, once `tables` has been made of all takings."""
        numbers = renew_names(self._states, self._frames.referred())
        self._frames.renumber(numbers)

    def tables(self, taken: Taken) -> dict[str, pl.DataFrame]:
        """One frame per table asked for, from takings in their order; another thread may `feed` meanwhile.

        A live taking gives two more: `running` (columns of flows, `end` null) and `open` (of exchanges).

        Names are only ever added to, so those that were there at the taking can be read while others come.
        """
        return self._frames.make(self._state["names"], taken)

    def tick(self, *, end: bool = False) -> dict[str, pl.DataFrame]:
        """Both in one."""
        return self.tables(self.take(end=end))

    def _finished(self) -> Iterator[None]:
        """Ends every flow; stops where sheets are full or a stretch is done, so that rows can be taken."""
        place = 0
        self._read_parcels()
        while True:
            place = packet_pass.finish_all(self._states, self._latest(), place, STRETCH)
            if self._state["cursor"][ACTIVE] == 0:
                return
            yield

    def _latest(self) -> int:
        """The latest packet time so far, ns."""
        seen = self._interfaces[self._interfaces[:, SEEN] > 0]
        return int(seen[:, LATEST].max()) if len(seen) else 0

    def _know_interface(self, number: int) -> None:
        """Counters for this interface and those before it, and as many again."""
        have = self._interfaces
        self._interfaces = np.zeros((number + 1 + len(have), INTERFACE_COUNTERS), np.int64)
        self._interfaces[: len(have)] = have


def _networks(local: tuple[str, ...]) -> Array:
    """CIDR networks as uint64[n, 4]: address hi, lo, mask hi, lo; IPv4 in its mapped form (RFC 4291 §2.5.5.2)."""
    if len(local) > NETWORKS:
        raise InputError(f"--local: {len(local)} networks given, {NETWORKS} at most; join neighbouring ones")
    rows = []
    for text in local:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError as e:
            raise InputError(f"--local {text}: not a network; write it as 192.168.1.0/24 or fd00::/8") from e
        address, mask = int(network.network_address), int(network.netmask)
        if network.version == 4:
            address |= 0xFFFF << 32
            mask |= ((1 << 96) - 1) << 32
        low = (1 << 64) - 1
        rows.append([address >> 64, address & low, mask >> 64, mask & low])
    return np.array(rows, np.uint64).reshape(-1, 4)
