"""How much of a type-23 record is application data.

Theory: TLS 1.3 hides its handshake and alerts in records of type 23 (RFC 8446 §5.1). They are told by their place and
length: the server's before the client's Finished; the client's Finished, which is as long as the suite's hash; an
EndOfEarlyData where early data were offered; an alert as the last record of a direction. A client that shows a
certificate sends it, a CertificateVerify and its Finished in one flight, of one to three records: nothing but the
handshake may come before a Finished where no early data were offered (§2), so the first record is handshake, and a
second one is held until what follows tells.

Rules: what is guessed flags the flow. Session tickets and key updates (§4.6) cannot be told from data and count as such;
data that a server sends before the client's Finished (§2.3) do not.
"""

from __future__ import annotations

from ...core.jit import inline
from ..records import Record
from ..state import APP
from .protection import HANDSHAKE_HEADER, before_1_3, is_finished, overhead

ALERT_BYTES = 2  # RFC 8446 §6
# a client's way to its Finished
WAITING, DONE, IN_FLIGHT, HELD = 0, 1, 2, 3


@inline
def app_bytes(f: Record, c: Record, way: int, size: int, now: int) -> int:
    """Application bytes of a type-23 record of `size` bytes; notes Finished, alerts and the end of the set-up."""
    client = int(c["client"]) - 1 if c["client"] else (0 if c["from_local"] else 1)
    version = int(c["tls_version"])
    added, exact = overhead(version, int(c["cipher"]))
    if not exact:
        c["inexact"] = 1
    if not before_1_3(version):
        if size == ALERT_BYTES + added:
            c["alert_held"][way] = 1
            return 0
        if c["hello_ns"] != 0 and _is_handshake(f, c, way, client, size, added):
            return 0
    note_setup(c, way, client, now)
    return size - added


@inline
def _is_handshake(f: Record, c: Record, way: int, client: int, size: int, added: int) -> bool:
    """Whether a TLS 1.3 record of type 23 is handshake, by its place and length."""
    state = c["finished"][client]
    if state == DONE:
        return False
    if way != client:
        if state == WAITING:
            return True
        settle(f, c, client)
        return False
    cipher = int(c["cipher"]) if state != WAITING or c["early_data"] else 0  # the first can be nothing else: any hash
    if is_finished(cipher, size, added) and (c["server_seen"] or not c["early_data"]):
        c["finished"][client] = DONE
        c["app_held"] = 0
        return True
    if c["early_data"]:
        return c["server_seen"] != 0 and size == HANDSHAKE_HEADER + added  # EndOfEarlyData: RFC 8446 §4.5
    if c["server_seen"] == 0:
        return False
    if state == WAITING:
        c["finished"][client] = IN_FLIGHT
        return True
    if state == IN_FLIGHT:
        c["finished"][client] = HELD
        c["app_held"] = size - added
        return True
    settle(f, c, client)
    return False


@inline
def settle(f: Record, c: Record, client: int) -> None:
    """A client's certificate, signature and Finished were one record: what was held behind it was data."""
    f["counts"][client, APP] += c["app_held"]
    c["app_held"] = 0
    c["finished"][client] = DONE
    c["inexact"] = 1


@inline
def settle_alert(f: Record, c: Record, way: int) -> None:
    """A record as long as an alert was not the last of its direction, so it was data."""
    if c["alert_held"][way]:
        f["counts"][way, APP] += ALERT_BYTES
        c["alert_held"][way] = 0


@inline
def note_setup(c: Record, way: int, client: int, now: int) -> None:
    """The client's first application record ends the set-up."""
    if way == client and c["setup_done"] == 0 and c["hello_ns"] != 0:
        c["setup_done"] = 1
        c["setup_ns"] = now - c["hello_ns"]
