"""802.11: data frames in clear, behind radiotap where that is there.

Rules: those of `link.py`. Management, control and encrypted frames carry no IP for us.
"""

from __future__ import annotations

from ..core.jit import inline
from ..core.status import MALFORMED, OK, TRUNCATED, UNSUPPORTED
from ..core.wire import Bytes, le16, le32, u8
from .ethernet import llc, mac48
from .layers import LAYER_NONE, LAYER_WIFI
from .records import Record

READS = (
    ("802.11 with radiotap, Prism or PPI", "IEEE 802.11-2020 §9.2.4",
     "data frames in clear: addresses, the first frame of an aggregate"),
)  # fmt: skip

# IEEE 802.11-2020 §9.2.4
WIFI_TYPE_DATA = 2
WIFI_DATA = 0x08  # version 0 and type 2 in the first byte of frame control
WIFI_HEADER = 24
WIFI_TO_DS, WIFI_FROM_DS, WIFI_PROTECTED, WIFI_ORDER = 0x01, 0x02, 0x40, 0x80
WIFI_SUBTYPE_NULL, WIFI_SUBTYPE_QOS = 0x4, 0x8
RADIOTAP_FLAGS_DATAPAD = 0x20
WIFI_PLAIN, WIFI_PADDED, WIFI_SWAPPED = 0, 1, 2  # as the standard has it; header padded to four; may have its
# frame control bytes exchanged, as Cisco sends them in CAPWAP


@inline
def radiotap(b: Bytes, at: int, present: int) -> tuple[int, int, int, int]:
    """Radiotap header: its own length at offset 2, and whether the frame is padded: `(status, layer, at, form)`."""
    if present - at < 8:
        return TRUNCATED, LAYER_NONE, at, WIFI_PLAIN
    length = le16(b, at + 2)
    words = le32(b, at + 4)
    field = at + 8
    more = words >> 31
    while more and field + 4 <= present:
        more = le32(b, field) >> 31
        field += 4
    if words & 1:  # TSFT: aligned to 8 bytes
        field = at + ((field - at + 7) // 8) * 8 + 8
    padded = words & 2 and field < present and u8(b, field) & RADIOTAP_FLAGS_DATAPAD
    if length < 8 or at + length > present:
        return MALFORMED, LAYER_NONE, at, WIFI_PLAIN
    return OK, LAYER_WIFI, at + length, WIFI_PADDED if padded else WIFI_PLAIN


@inline
def wifi(b: Bytes, at: int, present: int, form: int, h: Record) -> tuple[int, int, int]:
    """IEEE 802.11 data frame in clear; everything else (management, control, encrypted, null) carries no IP for us."""
    if present - at < 2:
        return TRUNCATED, LAYER_NONE, at
    control, flags = u8(b, at), u8(b, at + 1)
    if form == WIFI_SWAPPED and control & 0x0F != WIFI_DATA and flags & 0x0F == WIFI_DATA:
        control, flags = flags, control
    subtype = control >> 4
    if (control >> 2) & 3 != WIFI_TYPE_DATA or subtype & WIFI_SUBTYPE_NULL or flags & WIFI_PROTECTED:
        return UNSUPPORTED, LAYER_NONE, at
    if present - at < WIFI_HEADER:
        return TRUNCATED, LAYER_NONE, at
    to_ds, from_ds = flags & WIFI_TO_DS, flags & WIFI_FROM_DS
    h["dst_mac"] = mac48(b, at + (16 if to_ds else 4))
    h["src_mac"] = mac48(b, at + ((24 if to_ds else 16) if from_ds else 10)) if present - at >= 30 else mac48(b, at + 10)
    h["has_mac"] = 1
    length = WIFI_HEADER + (6 if to_ds and from_ds else 0)
    aggregate = 0
    if subtype & WIFI_SUBTYPE_QOS:
        if present - at < length + 2:
            return TRUNCATED, LAYER_NONE, at
        aggregate = u8(b, at + length) & 0x80
        length += 2 + (4 if flags & WIFI_ORDER else 0)
    if form == WIFI_PADDED:
        length = (length + 3) // 4 * 4
    if aggregate:  # A-MSDU: the first subframe's header has destination, source, length (§9.3.2.2.2); the frame's own
        if present - at < length + 14:  # third and fourth addresses are then the BSSID (§9.3.2.1, table 9-30)
            return TRUNCATED, LAYER_NONE, at
        h["dst_mac"] = mac48(b, at + length)
        h["src_mac"] = mac48(b, at + length + 6)
        length += 14
    return llc(b, at + length, present)
