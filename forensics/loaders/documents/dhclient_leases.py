"""The file of leases that dhclient keeps: each block is an address that it was bound to."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.records import DhcpClientEvent

_OPEN = re.compile(r"\s*lease\s*\{\s*$")
_CLOSE = re.compile(r"\s*\}\s*$")
_TIME = re.compile(
    r"\s*(?P<name>renew|rebind|expire) "
    r"(?:[0-6] (?P<date>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)|epoch (?P<epoch>\d{1,11})|never);"
)
_VALUE = re.compile(
    r'\s*(?:interface "(?P<interface>[^"]*)"|fixed-address (?P<ip>\d[\d.]{6,14})'
    r"|option dhcp-lease-time (?P<lease>\d{1,10})|option dhcp-server-identifier (?P<server>\d[\d.]{6,14}));"
)
_MOST_LINES = 500
_SHOWN = re.compile(r"\s*(?:interface|fixed-address|renew|rebind|expire|option dhcp-(?:lease-time|server-identifier)) ")


def _recognise(head: Head) -> float:
    """A block ``lease {`` (dhcpd names an address between) with a time at which it has to be renewed."""
    opens = any(_OPEN.match(line) for line in head.lines[:_MOST_LINES])
    return 0.97 if opens and any(_TIME.match(line) for line in head.lines[:_MOST_LINES]) else 0.0


def _ns(date: str | None, epoch: str | None) -> int | None:
    """Nanoseconds since 1970 of either way to write a time; dates are in UTC."""
    if epoch:
        return int(epoch) * 10**9
    try:
        return int(datetime.strptime(date or "", "%Y/%m/%d %H:%M:%S").replace(tzinfo=UTC).timestamp()) * 10**9
    except ValueError:
        return None


def _read(document: Document) -> None:
    """One row a block; what is outside of them, or in a block that does not close, is left."""
    start: int | None = None
    for line, text in enumerate(document.lines):
        if _OPEN.match(text):
            start = line
        elif start is not None and _CLOSE.match(text):
            document.add(DhcpClientEvent, start, line - start + 1, **_block(document.lines[start : line + 1]))
            start = None
        elif start is None and text.lstrip().startswith(("default-duid ", "#")):
            document.skip(line)


def _block(lines: list[str]) -> dict[str, Any]:
    """What a block tells: the client was bound so long before the lease expires as the lease is long."""
    times: dict[str, int | None] = {}
    told: dict[str, str] = {}
    for text in lines:
        if found := _TIME.match(text):
            times[found["name"]] = _ns(found["date"], found["epoch"])
        elif found := _VALUE.match(text):
            told |= {name: value for name, value in found.groupdict().items() if value is not None}
    lease = int(told["lease"]) if "lease" in told else None
    expires, renews = times.get("expire"), times.get("renew")
    bound = expires - lease * 10**9 if expires is not None and lease is not None else None
    return {
        "ts": bound,
        "event": "bound",
        "interface": told.get("interface"),
        "ip": told.get("ip"),
        "server": told.get("server"),
        "lease_s": None if lease is None else float(lease),
        "renewal_s": (renews - bound) / 1e9 if bound is not None and renews is not None else None,
        "message": " ".join(["lease {", *(text.strip() for text in lines if _SHOWN.match(text)), "}"]),
    }


READERS = (
    DocumentFormat(
        name="dhclient-leases",
        records=(DhcpClientEvent,),
        reference="ISC DHCP client/dhclient.c, write_client_lease(), 3.0 to 4.4.3; dhclient.leases(5): times in UTC, "
        "or seconds since 1970 with `db-time-format local`",
        recognise=_recognise,
        read=_read,
    ),
)
