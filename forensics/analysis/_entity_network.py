"""What hosts, switches and captures tell of addresses and ports: claims for `_entity_spans.spans`."""

from __future__ import annotations

import polars as pl

from forensics.analysis._entity_cloud import claim

TAP = r"^(?:tap|qvo|qvb|qbr|vnet|macvtap|vif)"
"""Devices that a hypervisor makes for one guest."""
_NAMED_BY_PORT = r"^(?:tap|qvo|qvb|qbr)[0-9a-f]{8}-[0-9a-f]{2}$"
_OWN = ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff")


def device(interface: pl.Expr, host: pl.Expr) -> pl.Expr:
    """Name of a guest's device that means one thing in the whole cloud: ``vnet3`` is on every host."""
    unique = interface.str.contains(_NAMED_BY_PORT)
    return pl.when(unique).then(interface).otherwise(pl.concat_str(host, interface, separator=" "))


def guest_mac(mac: pl.Expr) -> pl.Expr:
    """The guest's address from that of its device: libvirt sets the first octet to fe so that a bridge never takes it.

    References:
        libvirt ``virNetDevTapCreateInBridgePort`` (src/util/virnetdevtap.c): ``tapmac.addr[0] = 0xFE``.
    """
    rest = mac.str.slice(2)
    first = (
        pl.when(rest.str.starts_with(":16:3e:"))
        .then(pl.lit("fa"))
        .when(rest.str.starts_with(":54:00:"))
        .then(pl.lit("52"))
    )
    return pl.when(mac.str.starts_with("fe:")).then(first + rest)


def of_interfaces(rows: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Claims of `HostInterface` rows, dated."""
    at = (pl.col("at"), pl.col("at"))
    outside = rows.filter(pl.col("namespace").is_null())
    is_tap = pl.col("interface").str.contains(TAP)
    taps = outside.filter(is_tap).with_columns(
        tap=device(pl.col("interface"), pl.col("machine")), guest=guest_mac(pl.col("mac"))
    )
    own = outside.filter(~is_tap, pl.col("mac").is_null() | ~pl.col("mac").is_in(_OWN))
    listed = own.filter(pl.col("addresses").list.len() > 0).explode("addresses")
    ip = pl.col("addresses").str.split("/").list.first()
    listed = listed.with_columns(ip=ip).filter(~pl.col("ip").str.contains(r"^(?:127\.|169\.254\.|fe80:|::1$)"))
    told = "HostInterface"
    return [
        claim(taps, told, ("tap", "tap", "host", "machine"), at),
        claim(taps, told, ("mac", "guest", "tap", "tap"), at),
        claim(taps, told, ("mac", "guest", "host", "machine"), at),
        claim(taps, told, ("instance", "instance", "tap", "tap"), at),
        claim(taps, told, ("instance", "instance", "host", "machine"), at),
        claim(own, told, ("host", "machine", "mac", "mac"), at),
        claim(listed, told, ("host", "machine", "ip", "ip"), at),
        claim(listed, told, ("mac", "mac", "ip", "ip"), at),
    ]
