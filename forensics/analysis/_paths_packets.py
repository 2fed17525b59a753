"""Packets as every capture point can recognise them: one identity below tags, tunnels, hops and given NAT."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from forensics.analysis._correlate import on_one_clock
from forensics.analysis._given import rows_of
from forensics.records import Clock

INNER = (
    *("src", "dst", "ip_bytes", "ttl", "ip_id", "dont_fragment", "more_fragments", "fragment_offset_bytes"),
    *("protocol", "src_port", "dst_port", "tcp_flags", "tcp_seq", "tcp_ack", "tcp_mss", "payload_bytes"),
    *("icmp_type", "icmp_code", "icmp_id", "icmp_seq", "icmp_mtu"),
    *("quoted_src", "quoted_dst", "quoted_protocol", "quoted_ip_id", "quoted_src_port", "quoted_dst_port"),
)
"""Columns that are taken from the innermost packet: what a tunnel adds changes from hop to hop."""
FRAME = (
    *("ts", "source", "position", "host", "interface", "wire_bytes", "captured_bytes", "vlan_ids", "vlan_tpids"),
    *("eth_src", "eth_dst", "tunnel", "tunnel_id"),
)
IDENTITY = (
    *("src", "dst", "protocol", "ip_id", "ip_bytes", "more_fragments", "fragment_offset_bytes", "src_port", "dst_port"),
    *("tcp_flags", "tcp_seq", "tcp_ack", "payload_bytes", "icmp_type", "icmp_code", "icmp_id", "icmp_seq"),
    *("quoted_src", "quoted_dst", "quoted_protocol", "quoted_ip_id", "quoted_src_port", "quoted_dst_port"),
)
"""What stays the same from hop to hop: tags, TTL, hardware addresses and tunnels do not."""
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
ECHO = pl.col("icmp_type").is_in([8, 128])
ECHO_REPLY = ((pl.col("protocol") == ICMP) & (pl.col("icmp_type") == 0)) | (
    (pl.col("protocol") == ICMPV6) & (pl.col("icmp_type") == 129)
)
DATA = (pl.col("protocol") == TCP) & (pl.col("payload_bytes") > 0) & pl.col("tcp_seq").is_not_null()
TOO_BIG = ((pl.col("protocol") == ICMP) & (pl.col("icmp_type") == 3) & (pl.col("icmp_code") == 4)) | (
    (pl.col("protocol") == ICMPV6) & (pl.col("icmp_type") == 2)
)
"""Fragmentation needed (RFC 792, RFC 1191) and packet too big (RFC 4443)."""
INITIAL_TTLS = (32, 64, 128, 255)
"""What systems start with: Linux and BSD 64, Windows 128, switches and routers 255, some very old ones 32."""


def form() -> pl.Expr:
    """How a frame is wrapped, as text: its VLAN ids outermost first, and its tunnel; empty where it is bare."""
    tags = pl.col("vlan_ids").cast(pl.List(pl.String)).list.join(",").fill_null("")
    if_tunnel = pl.concat_str(
        tags, pl.lit(" "), pl.col("tunnel").cast(pl.String), pl.lit(" "), pl.col("tunnel_id").fill_null(0)
    )
    return pl.when(pl.col("tunnel").is_not_null()).then(if_tunnel).otherwise(tags)


def _taken(name: str) -> pl.Expr:
    carried = pl.col("inner_src").is_not_null()
    return pl.when(carried).then(pl.col(f"inner_{name}")).otherwise(pl.col(name)).alias(name)


def sightings(
    packets: pl.LazyFrame, clocks: pl.LazyFrame | None = None, nat: Mapping[str, str] | None = None
) -> pl.LazyFrame:
    """IP packets at their capture points, as they can be told apart and recognised.

    Args:
        packets: One row per `Packet`.
        clocks: One row per `Clock`; without it, stamps are taken as they are.
        nat: Address (or ``address:port``) on one side -> that on the other, which the result has on both.

    Returns:
        One row per frame with an IP packet in it: its columns `INNER` and `FRAME`, ``point``, ``at`` (Int64, ns),
        ``bound`` (Int64, ns), ``form`` (see `form`), ``hops`` (routers behind it, by its TTL).
    """
    ties = rows_of(clocks, Clock)
    taken = packets.select(*FRAME, *(_taken(name) for name in INNER)).filter(pl.col("src").is_not_null())
    named = on_one_clock(taken, ties).drop("own", "reference", "off", strict=False)
    whole = translated(named, nat)
    start = pl.lit(255, pl.Int16)
    for ttl in reversed(INITIAL_TTLS[:-1]):
        start = pl.when(pl.col("ttl") <= ttl).then(pl.lit(ttl, pl.Int16)).otherwise(start)
    return whole.with_columns(
        point=pl.coalesce("host", "source"),
        form=form(),
        hops=(start - pl.col("ttl").cast(pl.Int16)).fill_null(0),
    ).drop("host", "ts")


def translated(rows: pl.LazyFrame, nat: Mapping[str, str] | None) -> pl.LazyFrame:
    """Rows with the addresses that a translation hides, on both of its sides."""
    if not nat:
        return rows
    plain = {name: to for name, to in nat.items() if not _port_of(name)}
    for side in ("src", "dst", "quoted_src", "quoted_dst"):
        port = f"{side.removesuffix('src').removesuffix('dst')}{'src' if side.endswith('src') else 'dst'}_port"
        ways = [pl.col(side).replace(plain)] if plain else [pl.col(side)]
        address, number = ways[0], pl.col(port)
        for name, to in nat.items():
            if told := _port_of(name):
                here = (pl.col(side) == told[0]) & (pl.col(port) == told[1])
                there = _port_of(to)
                address = pl.when(here).then(pl.lit(there[0] if there else to)).otherwise(address)
                number = pl.when(here).then(pl.lit(there[1] if there else told[1])).otherwise(number)
        rows = rows.with_columns(address.alias(side), number.cast(pl.UInt16).alias(port))
    return rows


def _port_of(name: str) -> tuple[str, int] | None:
    """Address and port of ``10.0.0.5:22`` or ``[2001:db8::5]:22``; None for an address alone."""
    address, colon, port = name.rpartition(":")
    if not colon or not port.isdigit() or (":" in address and not address.startswith("[")):
        return None
    return address.strip("[]"), int(port)
