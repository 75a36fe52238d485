"""Names that are hidden from us: flows that ask for names inside encryption, and flows that have no name.

Theory: a flow is named by its own hello, else by what its device was told by DNS. Where DNS is encrypted the second is
missing, and a destination that hides its hello too is an address only. So every result says how much that was.

Rules: what stays inside the local network needs no name, and neither do DNS and NTP, DHCP and discovery. Only what was
recognised as encrypted DNS is counted as that: a resolver that nobody knows looks like any other server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from .volume import INSIDE

if TYPE_CHECKING:
    from collections.abc import Collection

ENCRYPTED_DNS = ("dot", "doq", "doh")
NAMELESS = (*ENCRYPTED_DNS, "dns", "mdns", "llmnr", "ntp", "dhcp", "ssdp", "netbios")  # services that need no name
MOST_SERVERS = 5
NOTICED = 0.05  # share of uploaded bytes without a name from which a reader must know


class Hidden:
    """Adds up flows frame by frame."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self._asking = pl.DataFrame(schema={"service": pl.String, "device": pl.String, "server": pl.String,
                                            "flows": pl.Int64, "up_wire_bytes": pl.Int64, "down_wire_bytes": pl.Int64})  # fmt: skip
        self._flows = self._unnamed = self._up = self._up_unnamed = self._outer = 0

    def add(self, flows: pl.DataFrame) -> None:
        """Takes a frame of flows."""
        asking = flows.filter(pl.col("service").is_in(ENCRYPTED_DNS)).select(
            "service", device=pl.coalesce("local_mac", "local_ip"), server=pl.coalesce("name", "remote_ip"), flows=1,
            up_wire_bytes=pl.col("up_wire_bytes").cast(pl.Int64), down_wire_bytes=pl.col("down_wire_bytes").cast(pl.Int64),
        )  # fmt: skip
        sums = [pl.col(name).sum().cast(pl.Int64) for name in ("flows", "up_wire_bytes", "down_wire_bytes")]
        both = pl.concat([self._asking, asking.cast(self._asking.schema)])
        self._asking = both.group_by("service", "device", "server").agg(sums)
        away = flows.filter(
            pl.col("transport").is_in(["tcp", "udp"]) & ~pl.col("remote_ip").str.contains(INSIDE).fill_null(value=True)
            & ~pl.col("service").is_in(NAMELESS).fill_null(value=False)
        )  # fmt: skip
        unnamed = away.filter(pl.col("name").is_null())
        self._flows += away.height
        self._unnamed += unnamed.height
        self._up += int(away["up_app_bytes"].sum())
        self._up_unnamed += int(unnamed["up_app_bytes"].sum())
        self._outer += int((away["ech"] == "outer").sum())

    def summary(self) -> dict[str, Any]:
        """`encrypted_dns`: flows, devices, bytes, by service, the servers most used; `unnamed`: flows and app bytes."""
        asking = self._asking
        servers = asking.group_by("server").agg(pl.col("flows").sum()).sort(["flows", "server"], descending=[True, False])
        return {
            "encrypted_dns": {
                "flows": int(asking["flows"].sum()), "devices": asking["device"].n_unique(),
                "up_wire_bytes": int(asking["up_wire_bytes"].sum()), "down_wire_bytes": int(asking["down_wire_bytes"].sum()),
                "services": {word: int(asking.filter(pl.col("service") == word)["flows"].sum()) for word in ENCRYPTED_DNS},
                "servers": servers["server"].head(MOST_SERVERS).to_list(),
            },
            "unnamed": {"flows": self._unnamed, "of_flows": self._flows, "up_app_bytes": self._up_unnamed,
                        "of_up_app_bytes": self._up},
            "outer_names": self._outer,
        }  # fmt: skip

    def encrypted(self) -> list[str]:
        """One line where encrypted DNS was used, else nothing."""
        found = self.summary()
        asking, unnamed = found["encrypted_dns"], found["unnamed"]
        if not asking["flows"]:
            return []
        words = ", ".join(f"{count} {word}" for word, count in asking["services"].items() if count)
        users, away = _counted(asking["devices"], "device"), _counted(unnamed["of_flows"], "flow")
        told = f"names are hidden: {users} used encrypted DNS ({words}; {', '.join(asking['servers'])})"
        return [f"{told}; {unnamed['flows']} of {away} to the internet have no name"]

    def lines(self) -> list[str]:
        """What a reader must know; nothing where no name is hidden."""
        found = self.summary()
        unnamed, told = found["unnamed"], self.encrypted()
        share = unnamed["up_app_bytes"] / unnamed["of_up_app_bytes"] if unnamed["of_up_app_bytes"] else 0.0
        if share > NOTICED:
            told.append(f"{share:.0%} of the uploaded bytes went to addresses that have no name")
        if found["outer_names"]:
            told.append(f"{_counted(found['outer_names'], 'flow')} named only the outer server of an encrypted hello (ECH)")
        return told


def of_sessions(flows: pl.DataFrame, devices: Collection[str]) -> Hidden:
    """Of the flows of the devices that sessions are about."""
    hidden = Hidden()
    mine = pl.col("local_ip").is_in(list(devices)) | pl.col("local_mac").is_in(list(devices)).fill_null(value=False)
    hidden.add(flows.filter(mine))
    return hidden


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
