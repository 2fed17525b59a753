"""What an engineer wants to know of captures before anything else: span, size, who talks, what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from forensics.case._lines import icmp_kind
from forensics.cli import _show as show
from forensics.evidence import open_stream, walk
from forensics.loaders._reader import Origin
from forensics.loaders.captures.dhcp import WANTS as MAY_BE_DHCP
from forensics.loaders.captures.packets import READERS
from forensics.records import DhcpMessage

_LINK_TYPES = {1: "Ethernet", 0: "BSD loopback", 101: "raw IP", 113: "Linux cooked", 276: "Linux cooked v2"}
_PROTOCOLS = {1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 41: "IPv6 in IPv4", 47: "GRE", 50: "ESP", 58: "ICMPv6"}
_PROTOCOLS |= {89: "OSPF", 112: "VRRP", 132: "SCTP"}
_ETHERTYPES = {0x0800: "IPv4", 0x0806: "ARP", 0x86DD: "IPv6", 0x88CC: "LLDP", 0x8809: "LACP", 0x8847: "MPLS"}
_TOP = 8
_READ_TWICE = 5_000_000
"""Captures of more packets than this are not read again for the types of their DHCP messages."""
_STATUS = {"cut": "cut short", "malformed": "malformed", "unknown": "of unknown protocols"}
_SYN, _RST, _ACK = 0x02, 0x04, 0x10
_DHCP_ORDER = ("DISCOVER", "OFFER", "REQUEST", "ACK", "NAK", "DECLINE", "RELEASE", "INFORM")


def told(frame: pl.LazyFrame, files: Sequence[str], *, whole: bool) -> dict[str, Any]:
    """The summary of packets, from one pass over them; everything follows from one small table of groups.

    Args:
        frame: Packets.
        files: Where they come from.
        whole: Whether they are all packets of these files, so that the files may be asked for more.
    """
    groups = grouped(frame)
    plain = all(Path(name).is_file() for name in files)  # a pattern, or the standard input, is read once
    again = whole and plain and int(groups["packets"].sum()) <= _READ_TWICE
    return of_groups(groups, *(_beyond(files) if again else ({}, {})))


def of_groups(groups: pl.DataFrame, types: dict[str, int], losses: dict[str, int]) -> dict[str, Any]:
    """The summary that follows from the groups, from the types of DHCP messages and from admitted losses."""
    return _from(groups) | {
        "dhcp_packets": int(groups.filter("dhcp")["packets"].sum()),
        "dhcp": types,
        "losses": losses,
    }


_KEYS = ("host", "link_type", "ethertype", "protocol", "vlan_ids", "src", "dst", "decode_status", "icmp", "dhcp")


def grouped(frame: pl.LazyFrame) -> pl.DataFrame:
    """Packets by who talks how: the counts from which all else follows."""
    tags = pl.col("vlan_ids").cast(pl.List(pl.String)).list.join(" in ").alias("vlan_ids")
    cut = pl.col("captured_bytes") < pl.col("wire_bytes")
    flags = pl.col("tcp_flags").fill_null(0)
    fragment = pl.col("more_fragments").fill_null(value=False) | (pl.col("fragment_offset_bytes").fill_null(0) > 0)
    return (
        frame.with_columns(tags, icmp=icmp_kind(), dhcp=MAY_BE_DHCP.fill_null(value=False))
        .group_by(_KEYS)
        .agg(
            packets=pl.len().cast(pl.Int64),
            bytes=pl.col("wire_bytes").cast(pl.Int64).sum(),
            cut=cut.sum().cast(pl.Int64),
            kept=pl.col("captured_bytes").filter(cut).max().cast(pl.Int64),
            opened=(flags & (_SYN | _ACK) == _SYN).sum().cast(pl.Int64),
            reset=(flags & _RST > 0).sum().cast(pl.Int64),
            fragments=fragment.sum().cast(pl.Int64),
            start=pl.col("ts").min(),
            end=pl.col("ts").max(),
        )
        .collect(engine="streaming")
    )


def merged(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The groups of several stretches of one capture as those of all of it."""
    counts = ("packets", "bytes", "cut", "opened", "reset", "fragments")
    both = pl.concat(parts).group_by(_KEYS)
    return both.agg(pl.col(*counts).sum(), pl.col("kept", "end").max(), pl.col("start").min()).select(parts[0].columns)


def _beyond(files: Sequence[str]) -> tuple[dict[str, int], dict[str, int]]:
    """DHCP messages by type, and the losses that the captures themselves admit."""
    types: Counter[str] = Counter()
    losses: Counter[str] = Counter()
    for file in (found for name in files for found in walk(Path(name))):
        with open_stream(file) as stream:
            head = stream.peek()
            reader = next((one for one in READERS if one.likeness(head, file.source)), None)
            for batch in reader.batches(stream, Origin(file.source), records=(DhcpMessage,)) if reader else ():
                for _, _, kind, count in batch.losses:
                    losses[kind] += count or 0
                if (rows := batch.rows.get(DhcpMessage)) is not None:
                    types.update(rows["message_type"].fill_null("BOOTP").to_list())
    known = [name for name in _DHCP_ORDER if name in types]
    return {name: types[name] for name in (*known, *sorted(types.keys() - set(known)))}, dict(sorted(losses.items()))


def _from(groups: pl.DataFrame) -> dict[str, Any]:
    def by(expression: pl.Expr, top: int = _TOP) -> list[dict[str, Any]]:
        grouped = groups.with_columns(what=expression).drop_nulls("what").group_by("what")
        summed = grouped.agg(pl.col("packets", "bytes").sum()).sort(["bytes", "what"], descending=[True, False])
        return summed.head(top).to_dicts()

    def named(column: str, names: dict[int, str], prefix: str) -> pl.Expr:
        own = pl.col(column)
        return own.replace_strict(
            list(names),
            list(names.values()),
            default=pl.concat_str(pl.lit(prefix), own.cast(pl.String), ignore_nulls=False),
            return_dtype=pl.String,
        )

    span = groups.select(
        pl.col("start").min().dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ"),
        pl.col("end").max().dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ"),
        seconds=(pl.col("end").max() - pl.col("start").min()).dt.total_nanoseconds() / 1e9,
    ).to_dicts()[0]
    protocol = pl.coalesce(
        named("protocol", _PROTOCOLS, "IP protocol "), named("ethertype", _ETHERTYPES, "ethertype "), pl.lit("other")
    )
    kept = groups["kept"].max()
    return {
        **{name: int(groups[name].sum()) for name in ("packets", "bytes", "cut")},
        "kept_bytes": int(kept) if isinstance(kept, int) else None,
        **span,
        "capture_points": by(pl.col("host"), 32),
        "link_types": by(named("link_type", _LINK_TYPES, "link type ")),
        "protocols": by(protocol),
        "vlans": by(pl.when(pl.col("vlan_ids") != "").then("vlan_ids"), 16),
        "talkers": by(pl.concat_str("src", pl.lit(" > "), "dst", ignore_nulls=False)),
        "decode_status": by(pl.col("decode_status")),
        "icmp": by(pl.col("icmp")),
        "tcp": {"opened": int(groups["opened"].sum()), "reset": int(groups["reset"].sum())},
        "fragments": int(groups["fragments"].sum()),
    }


def put(said: dict[str, Any]) -> None:
    """The summary as text."""
    seconds = said["seconds"]
    rate = f", {said['packets'] / seconds:,.1f} packets/s, {_bits(said['bytes'] / seconds)}" if seconds else ""
    show.put(f"{show.counted(said['packets'], 'packet')}, {show.bytes_text(said['bytes'])} on the wire{rate}")
    if said["start"]:
        show.put(f"{show.span(said['start'], said['end'])} ({show.duration(seconds)})")
    alone = [show.safe(said[key][0]["what"]) for key in ("link_types", "capture_points") if len(said[key]) == 1]
    if alone:
        show.put(", captured at ".join(alone) if said["link_types"][1:] == [] else f"captured at {alone[0]}")
    _notes(said)
    titles = {"capture_points": "Capture points", "link_types": "Link types", "protocols": "Protocols"}
    titles |= {"vlans": "VLANs (outer in inner)", "talkers": "Top talkers"}
    for key, title in titles.items():
        if len(said[key]) > (1 if key in ("capture_points", "link_types") else 0):
            _table(title, said[key])


def _notes(said: dict[str, Any]) -> None:
    """What is missing or tells of trouble, one line each, only where there is any."""
    notes = [f"Lost while capturing: {count:,} {show.safe(kind)}" for kind, count in said["losses"].items()]
    if said["cut"]:
        notes.append(f"Stored in part: {show.counted(said['cut'], 'packet')}, {said['kept_bytes']:,} bytes at most")
    strange = {row["what"]: row["packets"] for row in said["decode_status"]}
    odd = [f"{strange[name]:,} {text}" for name, text in _STATUS.items() if strange.get(name)]
    if odd:
        notes.append(f"Headers not read to their end: {', '.join(odd)}")
    if said["dhcp"]:
        notes.append("DHCP: " + ", ".join(f"{count:,} {show.safe(kind)}" for kind, count in said["dhcp"].items()))
    elif said["dhcp_packets"]:
        notes.append(f"DHCP: {show.counted(said['dhcp_packets'], 'packet')} on its ports")
    if said["icmp"]:
        notes.append("ICMP: " + ", ".join(f"{row['packets']:,} {row['what']}" for row in said["icmp"]))
    if any(said["tcp"].values()):
        opened, reset = said["tcp"]["opened"], said["tcp"]["reset"]
        notes.append(f"TCP: {show.counted(opened, 'SYN')}, {show.counted(reset, 'reset')}")
    if said["fragments"]:
        notes.append(f"IP fragments: {said['fragments']:,}")
    if notes:
        show.put()
    for note in notes:
        for line in show.wrapped(note, "", "  "):
            show.put(line)


def _table(title: str, rows: list[dict[str, Any]]) -> None:
    cells = [(show.safe(row["what"]), f"{row['packets']:,}", show.bytes_text(row["bytes"])) for row in rows]
    packets, size = max(7, *(len(cell[1]) for cell in cells)), max(len(cell[2]) for cell in cells)
    room = min(48, show.width() - packets - size - 8)
    show.put()
    show.put(f"{show.tinted(title.ljust(room + 4), 'bold')}{'packets':>{packets}}  {'bytes':>{size}}")
    for name, count, octets in cells:
        show.put(f"  {show.cut(name, room).ljust(room)}  {count:>{packets}}  {octets:>{size}}")


def _bits(bytes_a_second: float) -> str:
    bits = bytes_a_second * 8
    for unit, size in (("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3)):
        if bits >= size:
            return f"{bits / size:,.1f} {unit}"
    return f"{bits:,.0f} bit/s"
