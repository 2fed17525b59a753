"""One line of text for a row of each record: what excerpts, timelines and tables show of it."""

from __future__ import annotations

import re

import polars as pl

from forensics.records import (
    ApiRequest,
    Bpdu,
    BrokerTransfer,
    ConfigOption,
    DhcpMessage,
    FileSize,
    Instance,
    InstancePort,
    LldpNeighbour,
    LogRecord,
    Notification,
    Packet,
    ProcessMemory,
    Record,
    RowCount,
    ServiceState,
    ShellCommand,
)

_FLAGS = (("SYN", 0x02), ("FIN", 0x01), ("RST", 0x04), ("PSH", 0x08), ("ACK", 0x10), ("URG", 0x20))
_ICMP = {0: "echo reply", 3: "unreachable", 5: "redirect", 8: "echo request", 11: "time exceeded"}
_ICMP6 = {
    1: "unreachable",
    2: "packet too big",
    3: "time exceeded",
    128: "echo request",
    129: "echo reply",
    133: "router solicitation",
    134: "router advertisement",
    135: "neighbour solicitation",
    136: "neighbour advertisement",
}


_TOLD: dict[type[Record], tuple[tuple[str, str, str], ...]] = {
    ApiRequest: (
        ("", "service", ":"), ("", "operation", ""), ("", "status", ""), ("in ", "duration_s", " s,"),
        ("", "response_bytes", " bytes,"), ("for ", "client", ""), ("", "request_id", ""),
    ),
    Bpdu: (("", "kind", " BPDU"), ("from ", "eth_src", ""), ("bridge ", "bridge_mac", ""), ("root ", "root_mac", "")),
    BrokerTransfer: (
        ("AMQP ", "method", ""), ("exchange ", "exchange", ""), ("key ", "routing_key", ""),
        ("", "body_bytes", " bytes"), ("", "rpc_method", ""), ("", "instance", ""),
    ),
    ConfigOption: (("", "file", ":"), ("[", "section", "]"), ("", "key", " ="), ("", "value", "")),
    FileSize: (("", "tool", ":"), ("", "path", ""), ("", "size_bytes", " bytes"), ("", "lines", " lines")),
    Instance: (
        ("instance ", "instance", ""), ("", "display_name", ""), ("", "vm_state", ""), ("on ", "compute_host", ""),
        ("image ", "image", ""), ("user ", "user_id", ""),
    ),
    InstancePort: (
        ("port ", "port", ":"), ("", "mac", ""), ("", "ip", ""), ("of ", "instance", ""), ("tap ", "tap", ""),
    ),
    LldpNeighbour: (("", "interface", ""), ("leads to ", "system_name", ""), ("port ", "port_id", "")),
    Notification: (
        ("", "event_type", ""), ("", "instance", ""), ("state ", "state", ""), ("task ", "task_state", ""),
        ("image ", "image", ""), ("by ", "publisher_id", ""), ("", "request_id", ""),
    ),
    ProcessMemory: (("", "tool", ":"), ("", "process", ""), ("pid ", "pid", ""), ("", "resident_bytes", " bytes")),
    RowCount: (("", "database", ""), ("table ", "table", ":"), ("", "rows", " rows"), ("", "state", "")),
    ServiceState: (("", "service", ""), ("on ", "service_host", ""), ("is ", "state", ""), ("", "status", "")),
    ShellCommand: (("", "user", ""), ("in ", "directory", ""), ("typed: ", "command", "")),
}  # fmt: skip
"""What is shown of a row, each column with what stands before and after it; null columns are left out."""


def line(record: type[Record]) -> pl.Expr:
    """Text of one line for each row of a record; longer messages end with their first line.

    Args:
        record: Any record; those without a form of their own show their named values.
    """
    if record is Packet:
        return packet_line()
    if record is DhcpMessage:
        return dhcp_line()
    if "message" in record.columns() and record is not ServiceState:
        said = pl.col("message").str.split("\n").list.first()
        return _words(pl.coalesce("program", "logger") + ":" if record is LogRecord else pl.lit(_spoken(record)), said)
    if record in _TOLD:
        return _words(*(_joined(before, pl.col(name).cast(pl.String), after) for before, name, after in _TOLD[record]))
    shown = [name for name, kind in record.polars_schema().items() if not kind.is_nested() and kind != pl.Binary]
    own = [name for name in shown if name not in ("ts", "host", "source", "position", "offset_bytes", "length_bytes")]
    return _words(*(pl.lit(f"{name}=") + pl.col(name).cast(pl.String) for name in own))


def _spoken(record: type[Record]) -> str:
    """``DhcpClientEvent`` as ``dhcp client event:``."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", record.__name__).lower() + ":"


def _words(*parts: pl.Expr) -> pl.Expr:
    return pl.concat_str(parts, separator=" ", ignore_nulls=True)


def _joined(*parts: pl.Expr | str) -> pl.Expr:
    """All of it, or null where one part is null."""
    return pl.concat_str([pl.lit(part) if isinstance(part, str) else part for part in parts], ignore_nulls=False)


def _or_nothing(text: pl.Expr) -> pl.Expr:
    return text.fill_null("")


def _end(address: str, port: str, other: str) -> pl.Expr:
    """``address.port`` as tcpdump writes it; the hardware address where there is no other."""
    return pl.concat_str(
        pl.coalesce(address, other, pl.lit("?")), _or_nothing(_joined(".", pl.col(port).cast(pl.String)))
    )


def _numbers(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.List(pl.String)).list.join(",")


def dhcp_line() -> pl.Expr:
    """Such as ``DHCP REQUEST 10.0.0.5 > 10.0.0.1 xid 0x3d1d2f00 for fa:16:3e:24:e7:22, asks 10.0.0.5``."""
    xid = _joined("xid 0x", _hex(pl.col("xid"), 8))
    route = _joined(pl.coalesce("src", pl.lit("?")), " > ", pl.coalesce("dst", pl.lit("?")))
    return _words(
        pl.lit("DHCP"),
        pl.coalesce("message_type", pl.lit("?")),
        pl.when(pl.col("src").is_not_null() | pl.col("dst").is_not_null()).then(route),
        xid,
        _joined("for ", pl.col("chaddr")),
        _joined("asks ", pl.col("requested_ip")),
        pl.when(pl.col("yiaddr") != "0.0.0.0").then(_joined("gives ", pl.col("yiaddr"))),  # noqa: S104
        _joined("lease ", pl.col("lease_s").round().cast(pl.Int64).cast(pl.String), " s"),
        _joined("(", pl.col("refusal"), ")"),
    )


def packet_line() -> pl.Expr:
    """Such as ``UDP 10.0.0.5.68 > 10.0.0.1.67 (342 bytes, vlan 100)``."""
    route = _joined(_end("src", "src_port", "eth_src"), " > ", _end("dst", "dst_port", "eth_dst"))
    number = pl.col("protocol")
    said = (
        pl.when(pl.col("arp_op") == 1)
        .then(_words(pl.lit("ARP who-has"), pl.col("arp_target_ip"), pl.lit("tell"), pl.col("arp_sender_ip")))
        .when(pl.col("arp_op").is_not_null())
        .then(_words(pl.lit("ARP"), pl.col("arp_sender_ip"), pl.lit("is-at"), pl.col("arp_sender_mac")))
        .when(pl.col("icmp_type").is_not_null())
        .then(_words(_icmp(), route, _joined("id ", _text("icmp_id")), _joined("seq ", _text("icmp_seq")), _mtu()))
        .when(number == 6)
        .then(_words(pl.lit("TCP"), route, _tcp()))
        .when(number == 17)
        .then(_words(pl.lit("UDP"), route))
        .when(number.is_not_null())
        .then(_words(pl.lit("IP protocol"), number.cast(pl.String), route))
        .when(pl.col("ethertype").is_not_null())
        .then(_words(_joined("ethertype 0x", _hex(pl.col("ethertype"), 4)), route))
        .otherwise(route)
    )
    inside = _joined(
        "carries ", _end("inner_src", "inner_src_port", "inner_eth_src"), " > ",
        _end("inner_dst", "inner_dst_port", "inner_eth_dst"), " in ", pl.col("tunnel"),
        _or_nothing(_joined(" ", _text("tunnel_id"))),
    )  # fmt: skip
    return _words(said, inside, packet_size())


def packet_size() -> pl.Expr:
    """Such as ``(342 bytes, 96 kept, vlan 100)``."""
    kept = pl.when(pl.col("captured_bytes") < pl.col("wire_bytes")).then(_joined(_text("captured_bytes"), " kept"))
    tags = pl.when(pl.col("vlan_ids").list.len() > 0).then(_joined("vlan ", _numbers("vlan_ids")))
    status = pl.when(pl.col("decode_status") != "ok").then(pl.col("decode_status"))
    size = pl.concat_str(
        [_joined(_text("wire_bytes"), " bytes"), kept, tags, status], separator=", ", ignore_nulls=True
    )
    return _joined("(", size, ")")


def _text(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.String)


def _hex(number: pl.Expr, digits: int) -> pl.Expr:
    """Hexadecimal digits of a number, from its octets."""
    octets = [
        (number.cast(pl.UInt64) // (1 << shift) % 16).replace_strict(
            list(range(16)), list("0123456789abcdef"), return_dtype=pl.String
        )
        for shift in range(4 * (digits - 1), -1, -4)
    ]
    return pl.concat_str(octets)


def _icmp() -> pl.Expr:
    kind, six = pl.col("icmp_type"), pl.col("ip_version") == 6
    named = pl.when(six).then(_named(kind, _ICMP6)).otherwise(_named(kind, _ICMP))
    return _words(pl.when(six).then(pl.lit("ICMPv6")).otherwise(pl.lit("ICMP")), named, _code())


def icmp_kind() -> pl.Expr:
    """Such as ``echo request`` or ``unreachable (fragmentation needed)``; null for packets that are no ICMP."""
    six = pl.col("ip_version") == 6
    named = pl.when(six).then(_named(pl.col("icmp_type"), _ICMP6)).otherwise(_named(pl.col("icmp_type"), _ICMP))
    return pl.when(pl.col("icmp_type").is_not_null()).then(_words(named, _code()))


def _named(kind: pl.Expr, names: dict[int, str]) -> pl.Expr:
    return kind.replace_strict(
        list(names), list(names.values()), default=_joined("type ", kind.cast(pl.String)), return_dtype=pl.String
    )


def _code() -> pl.Expr:
    too_big = (pl.col("ip_version") == 4) & (pl.col("icmp_type") == 3) & (pl.col("icmp_code") == 4)
    other = pl.when(pl.col("icmp_code") > 0).then(_joined("code ", _text("icmp_code")))
    return pl.when(too_big).then(pl.lit("(fragmentation needed)")).otherwise(other)


def _mtu() -> pl.Expr:
    return _joined("mtu ", _text("icmp_mtu"))


def _tcp() -> pl.Expr:
    names = [pl.when(pl.col("tcp_flags") // bit % 2 == 1).then(pl.lit(name)) for name, bit in _FLAGS]
    length = pl.when(pl.col("payload_bytes") > 0).then(_joined("length ", _text("payload_bytes")))
    answered = pl.when(pl.col("tcp_flags") // 0x10 % 2 == 1).then(_joined("ack ", _text("tcp_ack")))
    return _words(*names, _joined("seq ", _text("tcp_seq")), answered, length)
