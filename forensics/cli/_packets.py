"""`forensics packets`: captures summarised in one pass, or their packets shown, filtered and converted."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import polars as pl

from forensics.case._lines import line
from forensics.case._time import speaks_of
from forensics.cli import _show as show
from forensics.errors import CaseError, UnknownColumnError
from forensics.escape import csv_cells
from forensics.loaders.captures.packets import scan_packets
from forensics.records import Packet

_LINK_TYPES = {1: "Ethernet", 0: "BSD loopback", 101: "raw IP", 113: "Linux cooked", 276: "Linux cooked v2"}
_PROTOCOLS = {1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 41: "IPv6 in IPv4", 47: "GRE", 50: "ESP", 58: "ICMPv6"}
_PROTOCOLS |= {89: "OSPF", 112: "VRRP", 132: "SCTP"}
_ETHERTYPES = {0x0800: "IPv4", 0x0806: "ARP", 0x86DD: "IPv6", 0x88CC: "LLDP", 0x8809: "LACP", 0x8847: "MPLS"}
_TOP = 8


def packets(
    files: list[str],
    *,
    where: str,
    columns: str,
    limit: int | None,
    follow: str,
    sql: str,
    to: Path | None,
    as_json: bool,
) -> int:
    """Show what was asked for; returns the exit code."""
    frame: pl.LazyFrame = scan_packets(sys.stdin.buffer if files == ["-"] else files)
    if follow:
        frame = frame.filter(speaks_of(Packet, follow))
    try:
        if where:
            frame = frame.filter(pl.sql_expr(where))
        if sql:
            frame = pl.SQLContext({"packets": frame}).execute(sql)
        if columns:
            names = [name.strip() for name in columns.split(",")]
            known = frame.collect_schema().names()
            unknown = [name for name in names if name not in known]
            if unknown:
                raise UnknownColumnError(f"no column {', '.join(unknown)}", hint=f"there are {', '.join(known)}")
            frame = frame.select(names)
        if to is not None:
            return _written(frame if limit is None else frame.head(limit), to)
        if not (sql or columns or follow or limit is not None):
            return _summary(frame, as_json=as_json)
        return _rows(frame, 50 if limit is None else limit, as_lines=not (sql or columns), as_json=as_json)
    except pl.exceptions.PolarsError as error:
        raise CaseError(
            f"the query failed: {str(error).partition(chr(10))[0]}", hint=f"columns: {', '.join(Packet.columns())}"
        ) from error


def _rows(frame: pl.LazyFrame, limit: int, *, as_lines: bool, as_json: bool) -> int:
    rows = frame.head(limit + 1).collect(engine="streaming")
    if as_json:
        instants = [name for name, kind in rows.schema.items() if isinstance(kind, pl.Datetime)]
        shown = rows.head(limit).with_columns(pl.col(instants).dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ"))
        show.as_json(shown.to_dicts())
    elif as_lines:
        own = rows.head(limit).select("source", "position", "ts", text=line(Packet))
        for source, position, ts, text in own.iter_rows():
            at = f"{ts:%Y-%m-%d %H:%M:%S.%f}" if ts is not None else "no time"
            for part in show.wrapped(f"{at} {show.safe(text)} [{show.safe(source)}:{position}]", "", "    "):
                show.put(part)
    else:
        show.frame(rows.head(limit))
    if rows.height > limit and not as_json:
        show.put("… and more (--limit)")
    return 0


def _written(frame: pl.LazyFrame, to: Path) -> int:
    kind = to.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise CaseError("neither .csv nor .parquet", where=str(to), hint="the name says which format to write")
    rows = 0
    if kind == ".csv":
        with to.open("wb") as file:
            for part in frame.collect_batches(chunk_size=65_536):
                csv_cells(part).write_csv(file, include_header=rows == 0)
                rows += part.height
            if not rows:
                frame.collect_schema().to_frame().write_csv(file)
    else:
        with to.open("wb") as file:
            frame.sink_parquet(file, compression="zstd", maintain_order=True)
        rows = pl.scan_parquet(to.absolute(), glob=False).select(pl.len()).collect().item()
    show.put(f"{rows:,} rows in {show.safe(str(to))}")
    return 0


def _summary(frame: pl.LazyFrame, *, as_json: bool) -> int:
    """One pass over the captures: everything shown follows from one small table of groups."""
    keys = ("host", "link_type", "ethertype", "protocol", "vlan_ids", "src", "dst", "decode_status")
    tags = pl.col("vlan_ids").cast(pl.List(pl.String)).list.join(" in ").alias("vlan_ids")
    groups = (
        frame.with_columns(tags)
        .group_by(keys)
        .agg(
            packets=pl.len().cast(pl.Int64),
            bytes=pl.col("wire_bytes").cast(pl.Int64).sum(),
            cut=(pl.col("captured_bytes") < pl.col("wire_bytes")).sum().cast(pl.Int64),
            start=pl.col("ts").min(),
            end=pl.col("ts").max(),
        )
        .collect(engine="streaming")
    )
    told = _told(groups)
    if as_json:
        sys.stdout.write(json.dumps(told, indent=2, ensure_ascii=True) + "\n")
    else:
        _show(told)
    return 0


def _told(groups: pl.DataFrame) -> dict[str, Any]:
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
    return {
        "packets": int(groups["packets"].sum()),
        "bytes": int(groups["bytes"].sum()),
        "cut": int(groups["cut"].sum()),
        **span,
        "capture_points": by(pl.col("host"), 32),
        "link_types": by(named("link_type", _LINK_TYPES, "link type ")),
        "protocols": by(protocol),
        "vlans": by(pl.when(pl.col("vlan_ids") != "").then("vlan_ids"), 16),
        "talkers": by(pl.concat_str("src", pl.lit(" > "), "dst", ignore_nulls=False)),
        "decode_status": by(pl.col("decode_status")),
    }


def _show(told: dict[str, Any]) -> None:
    seconds = told["seconds"]
    rate = f", {told['packets'] / seconds:,.1f} packets/s" if seconds else ""
    show.put(f"{told['packets']:,} packets, {show.bytes_text(told['bytes'])} on the wire{rate}")
    if told["start"]:
        show.put(f"{told['start']} to {told['end']} ({seconds:,.3f} s)")
    if told["cut"]:
        show.put(f"{told['cut']:,} packets were cut by the capture")
    titles = {
        "capture_points": "Capture points",
        "link_types": "Link types",
        "protocols": "Protocols",
        "vlans": "VLANs (outer in inner)",
        "talkers": "Top talkers",
        "decode_status": "Decoded",
    }
    for key, title in titles.items():
        if told[key]:
            show.heading(title)
            rows = [[row["what"], row["packets"], show.bytes_text(row["bytes"])] for row in told[key]]
            widths = [max(len(str(row[1])) for row in rows) + 3, max(len(row[2]) for row in rows)]
            for what, count, size in rows:
                name = show.cut(show.safe(what), show.width() - sum(widths) - 6).ljust(44)
                show.put(f"  {name}  {count:>{widths[0]},}  {size:>{widths[1]}}")
