"""Who says by ARP that an address is its own, where two say so on one wire."""

from __future__ import annotations

import polars as pl

from forensics.analysis._correlate import SECOND_NS, on_one_clock

_COOKED = (113, 276)
"""LINKTYPE_LINUX_SLL and SLL2: a capture on `any` mixes networks that may use the same addresses."""
_VIRTUAL = r"^(?:00:00:5e:00:0[0-9a-f]:|00:00:0c:07:ac:|00:00:0c:9f:f|00:07:b4:)"
"""Addresses that move between routers by design: VRRP (RFC 9568 section 7.3), HSRP and GLBP."""
_PROXY = 4
"""A machine that speaks for so many addresses of others does it by design (RFC 1027), as routers and agents do."""
TWIN_NS = SECOND_NS
WINDOW_NS = 600 * SECOND_NS
_KEYS = ["source", "segment", "ip"]


def claims(packets: pl.LazyFrame, clocks: pl.LazyFrame) -> pl.DataFrame:
    """ARP of addresses that more than one MAC claims in one capture, network by network.

    Args:
        packets: One row per `Packet`; only ARP is kept.
        clocks: One row per `Clock`.

    Returns:
        By source, network, address and time: ``source``, ``segment``, ``ip``, ``mac``, ``at``, ``position``, ``op``,
        ``target``; ``changed`` where another MAC spoke before, ``twin`` where another MAC gave the same answer to the
        same asker within a second.
    """
    parts = []
    for inner in ("", "inner_"):
        mac, ip = pl.col(f"{inner}arp_sender_mac"), pl.col(f"{inner}arp_sender_ip")
        tags = pl.col(f"{inner}vlan_ids").list.eval(pl.element().cast(pl.String)).list.join(".").fill_null("")
        tunnel = pl.concat_str("tunnel", pl.col("tunnel_id").cast(pl.String), separator=" ", ignore_nulls=True)
        parts.append(
            packets.filter(mac.is_not_null(), ip.is_not_null(), ~ip.str.starts_with("0."))
            .filter(~pl.col("link_type").is_in(_COOKED).fill_null(False))
            .select(
                "ts",
                "source",
                "position",
                mac=mac,
                ip=ip,
                op=pl.col(f"{inner}arp_op"),
                target=pl.col(f"{inner}arp_target_mac"),
                segment=pl.concat_str(
                    pl.col("interface_id").cast(pl.String).fill_null("0"),
                    tags,
                    tunnel if inner else pl.lit(""),
                    separator="|",
                ),
            )
        )
    told = on_one_clock(pl.concat(parts), clocks).select(*_KEYS, "mac", "at", "position", "op", "target")
    several = told.group_by(_KEYS).agg(
        alone=pl.col("mac").n_unique() < 2, virtual=pl.col("mac").str.contains(_VIRTUAL).any()
    )
    rows = told.join(several.filter(~pl.col("alone"), ~pl.col("virtual")), on=_KEYS, how="semi")
    found = rows.collect(engine="streaming").sort(*_KEYS, "at", "position")
    spoken = found.group_by("source", "segment", "mac").agg(many=pl.col("ip").n_unique() >= _PROXY)
    own = found.join(spoken.filter("many"), on=["source", "segment", "mac"], how="anti", maintain_order="left")
    own = own.filter(pl.col("mac").n_unique().over(_KEYS) > 1)
    other = pl.col("mac").ne(pl.col("mac").shift().over(_KEYS)).fill_null(False)
    near = (pl.col("at") - pl.col("at").shift().over(_KEYS)) <= TWIN_NS
    answers = (pl.col("op") == 2) & (pl.col("op").shift().over(_KEYS) == 2)
    asker = pl.col("target") == pl.col("target").shift().over(_KEYS)
    twin = (other & near & answers & asker).fill_null(False)
    return own.with_columns(changed=other, twin=twin)


def disputes(rows: pl.DataFrame) -> pl.DataFrame:
    """Addresses for which two MACs speak in turn: ``source``, ``segment``, ``ip``, ``changes``, ``twins``.

    One hand-over, or one and back, is what a fail-over or a new network card looks like: two that both go on speaking
    change at least three times within ten minutes, or answer one question both.
    """
    changes = rows.filter("changed").with_columns(
        close=(pl.col("at") - pl.col("at").shift(2).over(_KEYS)).le(WINDOW_NS).fill_null(False)
    )
    return (
        changes.group_by(_KEYS, maintain_order=True)
        .agg(changes=pl.len(), twins=pl.col("twin").sum(), quick=pl.col("close").any())
        .filter(pl.col("quick") | (pl.col("twins") > 0))
        .drop("quick")
    )


def one_card(macs: list[str]) -> bool:
    """Whether MACs are of ports of one card, as their makers number them, or a tap and its guest.

    Examples:
        >>> one_card(["90:e2:ba:00:00:10", "90:e2:ba:00:00:11"]), one_card(["fa:16:3e:00:00:10", "fa:16:3e:00:00:11"])
        (True, False)
    """
    values = sorted(int(mac.replace(":", ""), 16) for mac in macs)
    made = all(not (value >> 41) & 1 for value in values)
    same_guest = len({value & 0xFFFFFFFFFF for value in values}) == 1
    return same_guest or (made and values[-1] - values[0] < 8)
