"""What hosts, switches and captures tell of addresses and ports: claims for `_entity_spans.spans`."""

from __future__ import annotations

from ipaddress import IPv4Address

import polars as pl

from forensics.analysis._correlate import of_first
from forensics.analysis._entity_cloud import claim

TAP = r"^(?:tap|qvo|qvb|qbr|vnet|macvtap|vif)"
"""Devices that a hypervisor makes for one guest."""
PORT = (
    r"(?i)^(?:et(?:h(?:ernet)?)?[\d/]*/\d|ethernet\d|et\d|gi|te[n\d]|fa|fo|hu|twe|po(?:rt-?channel)?\d|[gx]e-|et-|ae\d|swp|"
    r"eth-trunk|[xtg]\w*gigabit|bridge-aggr|lag\d|\d+/\d|mlag|xe\d)"
)
"""Ports as switches name them, which no Linux machine does."""
_NAMED_BY_PORT = r"^(?:tap|qvo|qvb|qbr)[0-9a-f]{8}-[0-9a-f]{2}$"
_NO_IP = str(IPv4Address(0))
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


def of_forwarding(rows: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Claims of `ForwardingEntry` rows, dated, with ``port_name`` as the switch's own log has it."""
    at = (pl.col("at"), pl.col("at"))
    local = pl.col("is_local").fill_null(False)
    is_tap, is_port = pl.col("interface").str.contains(TAP), pl.col("interface").str.contains(PORT)
    learned = rows.filter(~local, ~pl.col("mac").is_in(_OWN))
    taps = learned.filter(is_tap).with_columns(tap=device(pl.col("interface"), pl.col("machine")))
    ports = learned.filter(is_port & ~is_tap)
    own = rows.filter(local, ~is_tap, ~is_port, ~pl.col("mac").str.starts_with("fe:"), ~pl.col("mac").is_in(_OWN))
    told = "ForwardingEntry"
    return [
        claim(taps, told, ("mac", "mac", "tap", "tap"), at),
        claim(taps, told, ("mac", "mac", "host", "machine"), at),
        claim(taps, told, ("tap", "tap", "host", "machine"), at),
        claim(own, told, ("host", "machine", "mac", "mac"), at),
        claim(ports, told, ("mac", "mac", "switch_port", "port_name"), at),
    ]


def of_neighbours(rows: pl.LazyFrame, servers: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Claims of `LldpNeighbour` rows, dated: a server at one end, a switch at the other.

    Args:
        rows: With ``machine``, who speaks of the neighbour ``neighbour``, and ``port_name``, its own port.
        servers: ``server``: names of machines that are hosts of a cloud.
    """
    known = servers.with_columns(is_server=pl.lit(True))
    told = rows.join(known, left_on="machine", right_on="server", how="left").join(
        known.rename({"is_server": "is_near"}), left_on="neighbour", right_on="server", how="left"
    )
    seen = pl.coalesce("seen_at", "at")
    at = (pl.min_horizontal(seen, "at"), pl.col("at"))
    far = pl.coalesce(pl.when(pl.col("port_id").str.contains(r"^[0-9a-f:]{17}$")).then("port_description"), "port_id")
    by_host = told.filter(pl.col("is_near").is_null(), ~pl.col("interface").str.contains(PORT)).with_columns(
        there=pl.concat_str("neighbour", far, separator=" ")
    )
    by_switch = told.filter(pl.col("is_server").is_null(), pl.col("is_near"), pl.col("interface").is_not_null())
    return [
        claim(by_host, "LldpNeighbour", ("host", "machine", "switch_port", "there"), at),
        claim(by_switch, "LldpNeighbour", ("host", "neighbour", "switch_port", "port_name"), at),
    ]


def of_port_events(rows: pl.LazyFrame, servers: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Claims of `PortEvent` rows, dated, with ``port_name``."""
    at = (pl.col("at"), pl.col("at"))
    by_switch = pl.col("vendor") != "linux"
    ports = rows.filter(by_switch, pl.col("interface").is_not_null())
    words = pl.col("description").str.to_lowercase().str.extract_all(r"[a-z0-9][a-z0-9.-]*")
    shorter = pl.col("words").str.replace(r"[-.](?:eth|en|em|p|bond|nic|port|mgmt|data)[a-z]*\d[\w.-]*$", "")
    named = (
        ports.filter(pl.col("description").is_not_null())
        .with_columns(words=words)
        .explode("words")
        .with_columns(words=pl.concat_list("words", shorter).list.unique())
        .explode("words")
        .join(servers.with_columns(words=pl.col("server").str.to_lowercase()), on="words", how="inner")
    )
    taps = rows.filter(~by_switch, pl.col("interface").str.contains(TAP)).with_columns(
        tap=device(pl.col("interface"), pl.col("machine"))
    )
    told = "PortEvent"
    return [
        claim(ports, told, ("mac", "mac", "switch_port", "port_name"), at),
        claim(named, told, ("host", "server", "switch_port", "port_name"), at),
        claim(taps, told, ("tap", "tap", "host", "machine"), at),
    ]


def segment(vlan_ids: pl.Expr) -> pl.Expr:
    """Name of the network that a tag tells: ``VLAN 135``, stacked ones as ``VLAN 20.100``; null where untagged."""
    tags = vlan_ids.list.eval(pl.element().cast(pl.String)).list.join(".")
    return pl.when(vlan_ids.list.len() > 0).then(pl.lit("VLAN ") + tags)


def granted(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The messages by which an address becomes a client's."""
    return rows.filter(pl.col("message_type") == "ACK", pl.col("chaddr").is_not_null())


def of_leases(rows: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Claims of `DhcpMessage` rows, dated: an address is a client's for the time that a server granted."""
    lent = pl.coalesce(*(pl.when(pl.col(name) != _NO_IP).then(name) for name in ("yiaddr", "ciaddr")))
    lends = granted(rows).with_columns(lent=lent)
    until = pl.col("at") + (pl.col("lease_s").clip(0, 1e9) * 1e9).cast(pl.Int64).fill_null(0)
    timed = pl.col("lease_s").is_not_null()
    return [
        claim(
            lends.with_columns(network=segment(pl.col("vlan_ids"))),
            "DhcpMessage",
            ("mac", "chaddr", "ip", "lent"),
            (pl.col("at"), until),
            opened=True,
            closed=timed,
            network=pl.col("network"),
        )
    ]


def arp(packets: pl.LazyFrame) -> pl.LazyFrame:
    """Who says in ARP that it has an address, with as few columns of the packets read as will do.

    Returns:
        ``ts``, ``mac``, ``ip``, ``network`` and the place of the packet.
    """
    parts = []
    for inner in ("", "inner_"):
        mac, ip = pl.col(f"{inner}arp_sender_mac"), pl.col(f"{inner}arp_sender_ip")
        tags = segment(pl.col(f"{inner}vlan_ids"))
        tunnel = pl.concat_str(pl.col("tunnel"), pl.col("tunnel_id").cast(pl.String), separator=" ")
        parts.append(
            packets.filter(ip.is_not_null(), ip != _NO_IP, mac.is_not_null(), pl.col("ts").is_not_null()).select(
                "ts",
                "source",
                "position",
                "offset_bytes",
                "length_bytes",
                mac=mac,
                ip=ip,
                network=pl.coalesce(tags, tunnel) if inner else tags,
            )
        )
    return pl.concat(parts)


def announced(rows: pl.LazyFrame) -> pl.LazyFrame:
    """What `arp` gives, a row a minute in which a sender says the same: with ``last_ts`` and ``packets``."""
    first = [of_first(name) for name in ("position", "offset_bytes", "length_bytes")]
    return (
        rows.with_columns(at=pl.col("ts").to_physical(), minute=pl.col("ts").dt.truncate("1m"))
        .group_by("mac", "ip", "network", "source", "minute")
        .agg(pl.col("ts").min(), *first, last_ts=pl.col("ts").max(), packets=pl.len())
        .drop("minute")
    )


def of_announcements(rows: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Claims of what `announced` gives, dated."""
    at = (pl.col("at"), pl.col("last_ts"))
    return [claim(rows, "Packet", ("mac", "mac", "ip", "ip"), at, network=pl.col("network"), n=pl.col("packets"))]
