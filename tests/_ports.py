"""Port events, BPDUs and edges as loaders give them, written in a line each."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from forensics.records import Bpdu, Clock, Edge, LogRecord, PortEvent, ServiceState

S = 1_000_000_000
T0 = 1_360_892_418 * S  # 2013-02-15 01:40:18 UTC
GUEST, OTHER = "fa:16:3e:24:e7:22", "fa:16:3e:5b:03:91"
SWITCH_MAC = "00:1c:73:03:13:01"
A, B, C, D = (f"{letter * 8}-0000-4000-8000-000000000000" for letter in "abcd")
IMAGE, USER = "155d900f-4e14-4e4c-a73d-069cbf4541e6", "0c6e7dba03c24c6a9bce299747499e8a"


def rows(record: Any, given: Sequence[dict[str, Any]]) -> pl.LazyFrame:
    """Rows of a record: what is not given is null, or the least that the record allows."""
    schema = record.polars_schema()
    told = []
    for number, row in enumerate(given, 1):
        usual = {
            "position": number,
            "offset_bytes": number * 100,
            "length_bytes": 80,
            "rows": 1,
            "message": str(number),
        }
        row = {name: row.get(name, usual.get(name)) for name in schema}
        for name in ("ts", "from_at", "to_at", "seen_at"):
            if isinstance(row.get(name), int):
                row[name] = row[name]
        told.append(row)
    plain = {name: pl.Int64 if isinstance(kind, pl.Datetime) else kind for name, kind in schema.items()}
    frame = pl.DataFrame(told, schema=plain, orient="row")
    stamps = [
        pl.col(name).cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")
        for name, kind in schema.items()
        if isinstance(kind, pl.Datetime)
    ]
    return frame.with_columns(stamps).lazy()


def said(at_s: float, host: str, interface: str | None, event: str, **rest: Any) -> dict[str, Any]:
    """One port event, seconds after `T0`."""
    vendor = rest.pop("vendor", "linux" if host.startswith("cc") else "arista")
    source = rest.pop("source", f"{host}/messages")
    at = T0 + round(at_s * 1000) * (S // 1000)
    return {"ts": at, "host": host, "interface": interface, "event": event, "vendor": vendor, "source": source} | rest


def eos_cut(
    at_s: float, switch: str = "SW-1", number: int = 35, mac: str | None = GUEST, up_s: float | None = None
) -> list[dict[str, Any]]:
    """What EOS says when it shuts a port-channel, and when the port comes back."""
    port, member, server = f"Port-Channel{number}", f"Ethernet{number}", {"description": f"Server{number}"}
    told = [
        said(at_s, switch, port, "bpdu_received", cause="bpduguard", mac=mac),
        said(at_s, switch, port, "error_disabled", cause="bpduguard"),
        said(at_s, switch, port, "inactive", master=f"MLAG {number}"),
        said(at_s, switch, port, "protocol_down", **server),
        said(at_s + 1, switch, port, "stp_removed", vlan="MST0"),
        said(at_s + 1, switch, member, "protocol_down", **server),
    ]
    if up_s is not None:
        told += [said(up_s, switch, member, "protocol_up", **server), said(up_s, switch, port, "protocol_up", **server)]
    return told


def guard_cut(at_s: float, switch: str, port: str, up_s: float | None = None, **rest: Any) -> list[dict[str, Any]]:
    """The same of a switch that names no sender."""
    told = [
        said(at_s, switch, port, "bpdu_received", cause="bpduguard", vendor="cisco", **rest),
        said(at_s, switch, port, "error_disabled", cause="bpduguard", vendor="cisco", **rest),
        said(at_s + 1, switch, port, "link_down", vendor="cisco", **rest),
    ]
    return told + ([said(up_s, switch, port, "link_up", vendor="cisco", **rest)] if up_s is not None else [])


def bond_lost(at_s: Sequence[float], host: str = "cc35", up_s: Sequence[float] = ()) -> list[dict[str, Any]]:
    """A host's cards go down in turn, the bond with the last of them, and come back in turn."""
    told = []
    for number, at in enumerate(at_s):
        card = f"eth{2 + number}"
        told += [said(at, host, card, "link_down"), said(at, host, card, "member_down", master="bond0")]
        if number == len(at_s) - 1:
            told += [said(at, host, None, "no_active_member", master="bond0")]
        else:
            told += [said(at, host, f"eth{3 + number}", "active", master="bond0")]
    for number, at in enumerate(up_s):
        card = f"eth{2 + number}"
        told += [said(at, host, card, "link_up"), said(at, host, card, "member_up", master="bond0")]
    return told


def events(*told: Sequence[dict[str, Any]]) -> pl.LazyFrame:
    """Port events, each source's by time and numbered."""
    every = sorted((row for some in told for row in some), key=lambda row: (row["source"], row["ts"]))
    return rows(PortEvent, [row | {"position": number} for number, row in enumerate(every, 1)])


def sent(*told: tuple[float, str, str], source: str = "cc35/bond0.pcap") -> pl.LazyFrame:
    """BPDUs: seconds after `T0`, point, sender."""
    return rows(
        Bpdu,
        [
            {"ts": T0 + round(at * 1000) * (S // 1000), "host": point, "eth_src": mac, "kind": "STP", "source": source}
            for at, point, mac in told
        ],
    )


def edge(
    subject: str, kind: str, thing: str, of: str = "instance", from_s: float | None = -86400, to_s: float | None = None
) -> dict[str, Any]:
    """One edge, seconds after `T0`."""
    at = {
        name: None if value is None else T0 + round(value * S) for name, value in (("from_at", from_s), ("to_at", to_s))
    }
    where = {"told_by": "Instance", "source": "controller/nova.sql"}
    return {"subject_kind": of, "subject": subject, "object_kind": kind, "object": thing} | at | where


def instance(
    name: str,
    host: str,
    mac: str,
    image: str | None = IMAGE,
    user: str | None = USER,
    from_s: float = -86400,
    to_s: float | None = None,
) -> list[dict[str, Any]]:
    """All edges of one instance."""
    known = {"mac": mac, "host": host, "image": image, "user": user, "name": f"vm-{name[:4]}"}
    return [edge(name, kind, thing, from_s=from_s, to_s=to_s) for kind, thing in known.items() if thing]


def cloud(*told: Sequence[dict[str, Any]]) -> pl.LazyFrame:
    """Edges of a cloud."""
    return rows(Edge, [row for some in told for row in some])


def empty(record: Any) -> pl.LazyFrame:
    """No rows."""
    return record.empty().lazy()


NONE = {record: empty(record) for record in (Bpdu, Edge, ServiceState, Clock, LogRecord)}
