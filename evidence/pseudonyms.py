"""Other addresses and names in place of the real ones: consistent, of the same length, and not to be undone.

Theory: IP addresses go through Crypto-PAn (Xu, Fan, Ammar, Moon: Prefix-Preserving IP Address Anonymization, ICNP 2002),
so that two addresses share as many leading bits afterwards as before: a network stays a network. Blocks of special
purpose (RFC 6890) are mapped onto themselves: a private address stays private and a public one public, because who is
local, and what counts as an upload, depends on it. The price is that the bits which lead to a neighbouring special block
stay as they are: five of 161.117.71.74, for example. Names are mapped label by label, each keyed by all that stands to
its right, so that a domain stays a domain; pseudonyms have the length of what they replace, because lengths are what is
measured.

Rules: everything follows from one key. A link address gets the locally administered bit: it says nothing of a vendor.
Group addresses, loopback and the like are nobody's and stay, except the part of one that repeats a device's address.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import ipaddress
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from ..core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

Addresses = Literal["keep", "local", "all"]
NamePolicy = Literal["keep", "registrable", "hash"]

KEY_BYTES = 32
ALPHABET = b"abcdefghijklmnopqrstuvwxyz0123456789"
MAX_TRIES = 1000  # of a label, before two share a pseudonym
MAC_BYTES = 6
# RFC 6890 and its registries: what an address in there means is known from the block alone
SPECIAL_4 = tuple(map(ipaddress.IPv4Network, (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
    "224.0.0.0/4", "240.0.0.0/4")))  # fmt: skip
SPECIAL_6 = tuple(map(ipaddress.IPv6Network, ("::/8", "2000::/3", "fc00::/7", "fe80::/10", "ff00::/8")))
NOBODYS_4 = tuple(map(ipaddress.IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32")))
NOBODYS_6 = tuple(map(ipaddress.IPv6Network, ("::/127", "ff00::/8")))
PRIVATE_4 = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12",
                                              "192.168.0.0/16")))  # fmt: skip
PRIVATE_6 = tuple(map(ipaddress.IPv6Network, ("fc00::/7", "fe80::/10")))
SOLICITED = ipaddress.IPv6Network("ff02::1:ff00:0/104").network_address.packed[:13]  # RFC 4291 §2.7.1
SOLICITED_MAC = b"\x33\x33\xff"  # RFC 2464 §7
LOCAL_ZONES = ("local", "lan", "home", "internal", "localdomain", "arpa", "localhost", "fritz.box")


class Policy(NamedTuple):
    """What is replaced. `addresses`: nothing, those of devices, or all; link addresses go with any but `keep`."""

    addresses: Addresses = "local"
    names: NamePolicy = "keep"


def checked(addresses: str, names: str) -> Policy:
    """The policy by its words; raises InputError for another word."""
    if addresses not in get_args(Addresses):
        raise InputError(f"--addresses {addresses}: not one of {', '.join(get_args(Addresses))}")
    if names not in get_args(NamePolicy):
        raise InputError(f"--names {names}: not one of {', '.join(get_args(NamePolicy))}")
    return Policy(addresses, names)  # type: ignore[arg-type]  # looked at above


class Pseudonyms:
    """One key's pseudonyms under one policy."""

    def __init__(self, key: bytes, policy: Policy, devices: Collection[str] = (), names: Iterable[str] = ()) -> None:
        """`key`: KEY_BYTES. `devices`: addresses of local ends. `names`: all that will be met, so that none share one."""
        from yacryptopan import CryptoPAn

        if len(key) != KEY_BYTES:
            raise InputError(f"the key of pseudonyms has {len(key)} bytes; {KEY_BYTES} are needed")
        self.policy = policy
        self._key = key
        self._crypto_pan = CryptoPAn(hashlib.sha256(b"addresses" + key).digest())
        self._devices = {ipaddress.ip_address(device).packed for device in devices}
        self._labels: dict[bytes, bytes] = {}  # whole name from this label on: its pseudonym
        self._taken: set[tuple[bytes, bytes]] = set()
        self.shared = 0  # labels that had to share a pseudonym
        for name in sorted(set(names)):
            self.name(name.lower().encode("latin-1", "replace"))

    @functools.lru_cache(maxsize=1 << 16)  # noqa: B019  (lives as long as one rewriting)
    def address(self, packed: bytes) -> bytes:
        """The pseudonym of an IPv4 or IPv6 address, or itself where the policy leaves it."""
        if self.policy.addresses == "keep":
            return packed
        if packed.startswith(SOLICITED) and len(packed) == 16:
            return SOLICITED + self._random(b"solicited", packed[13:], 3)
        blocks = NOBODYS_4 if len(packed) == 4 else NOBODYS_6
        if any(_inside(packed, block) for block in blocks):
            return packed
        private = any(_inside(packed, block) for block in (PRIVATE_4 if len(packed) == 4 else PRIVATE_6))
        if self.policy.addresses == "local" and not private and packed not in self._devices:
            return packed
        return self._mapped(packed)

    def network(self, text: str) -> str:
        """The pseudonym of a network in CIDR notation: the one that holds its addresses' pseudonyms."""
        net = ipaddress.ip_network(text, strict=False)
        if self.policy.addresses == "keep" or any(_inside(net.network_address.packed, block) and net.prefixlen <= block.prefixlen
               for block in (SPECIAL_4 if net.version == 4 else SPECIAL_6)):  # fmt: skip
            return str(net)
        first = ipaddress.ip_address(self._mapped(net.network_address.packed))
        return str(ipaddress.ip_network(f"{first}/{net.prefixlen}", strict=False))

    def device(self, text: str) -> str:
        """What `sessions.csv` calls a device: an IP or link address, or a name, which stays."""
        try:
            return str(ipaddress.ip_address(self.address(ipaddress.ip_address(text).packed)))
        except ValueError:
            parts = text.replace("-", ":").split(":")
            if len(parts) == MAC_BYTES and all(len(part) == 2 for part in parts):
                return self.mac(bytes.fromhex("".join(parts))).hex(":")
            return text

    @functools.lru_cache(maxsize=1 << 16)  # noqa: B019
    def mac(self, packed: bytes) -> bytes:
        """The pseudonym of a link address."""
        if self.policy.addresses == "keep" or packed == bytes(MAC_BYTES):
            return packed
        if packed.startswith(SOLICITED_MAC):
            return SOLICITED_MAC + self._random(b"solicited", packed[3:], 3)
        if packed[0] & 1:  # a group: IEEE 802 §8.2.2
            return packed
        made = self._random(b"mac", packed, MAC_BYTES)
        return bytes([made[0] & 0xFC | 0x02]) + made[1:]

    def name(self, name: bytes) -> bytes:
        """The pseudonym of a domain name in text form without a final dot; of the same length."""
        return b".".join(self.labels(name.split(b".")))

    def labels(self, labels: list[bytes]) -> list[bytes]:
        """The same for its labels, each of which keeps its length."""
        lower = [label.lower() for label in labels]
        kept = self._kept(lower)
        return [label if place >= len(labels) - kept else self._label(lower, place)
                for place, label in enumerate(lower if kept < len(labels) else labels)]  # fmt: skip

    def text(self, name: str) -> str:
        """The same for a name as text."""
        return self.name(name.encode("latin-1", "replace")).decode("latin-1")

    def _kept(self, labels: list[bytes]) -> int:
        """How many labels from the right stay as they are."""
        if self.policy == Policy("keep", "keep"):
            return len(labels)
        text = b".".join(labels).decode("latin-1")
        if len(labels) < 2 or any(text == zone or text.endswith(f".{zone}") for zone in LOCAL_ZONES) or _is_address(text):
            return 0 if _is_address(text) else 1 if len(labels) > 1 else 0  # of a home, or an address turned round
        if self.policy.names == "hash":
            return 0
        if self.policy.names == "keep":
            return len(labels)
        registrable = _public_suffixes().privatesuffix(text)
        return len(registrable.split(".")) if registrable else 1

    def _label(self, labels: list[bytes], place: int) -> bytes:
        """The pseudonym of a label, given those to its right; no two names share one while there is another."""
        whole = b".".join(labels[place:])
        found = self._labels.get(whole)
        if found is None:
            parent = b".".join(labels[place + 1 :])
            size = len(labels[place])
            for attempt in range(MAX_TRIES):
                found = bytes(ALPHABET[byte % len(ALPHABET)]
                              for byte in self._random(b"label%d" % attempt, whole, 2 * size)[::2])  # fmt: skip
                if (parent, found) not in self._taken or not size:
                    break
            else:
                self.shared += 1
            self._taken.add((parent, found or b""))
            self._labels[whole] = found or b""
        return found or b""

    def _mapped(self, packed: bytes) -> bytes:
        """Crypto-PAn, with the bits fixed that keep every special block where it is."""
        bits = 8 * len(packed)
        value = int.from_bytes(packed, "big")
        flipped = value ^ int(self._crypto_pan.anonymize_bin(value, 4 if bits == 32 else 6))
        fixed = max(min(_common(value, int(block.network_address), bits) + 1, block.prefixlen)
                    for block in (SPECIAL_4 if bits == 32 else SPECIAL_6))  # fmt: skip
        return (value ^ (flipped & ((1 << (bits - fixed)) - 1))).to_bytes(len(packed), "big")

    def _random(self, purpose: bytes, value: bytes, size: int) -> bytes:
        """`size` bytes that depend on the key, the purpose and the value."""
        seed = hmac.digest(self._key, purpose + b"\0" + value, "sha256")
        return hashlib.shake_128(seed).digest(size)


def key_of(parts: Iterable[bytes]) -> bytes:
    """A key from the captures themselves: the same captures, the same pseudonyms, and no key to keep.

    Whoever has the key's source has everything already. A digest that is published (SHA-256) does not lead to it.
    """
    digest = hashlib.blake2b(digest_size=KEY_BYTES, person=b"wiretally.pseudo")
    for part in parts:
        digest.update(part)
    return digest.digest()


@functools.cache
def _public_suffixes() -> PublicSuffixes:
    from publicsuffixlist import PublicSuffixList

    made: PublicSuffixes = PublicSuffixList()
    return made


if TYPE_CHECKING:
    from typing import Protocol

    class PublicSuffixes(Protocol):
        """As publicsuffixlist has it."""

        def privatesuffix(self, name: str) -> str | None:
            """The registrable domain."""


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _inside(packed: bytes, block: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    shift = 8 * len(packed) - block.prefixlen
    return int.from_bytes(packed, "big") >> shift == int(block.network_address) >> shift


def _common(one: int, other: int, bits: int) -> int:
    """How many leading bits are the same."""
    return bits - (one ^ other).bit_length()
