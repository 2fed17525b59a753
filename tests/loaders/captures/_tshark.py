"""What tshark's fields say of a packet, put beside the columns of Packet."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
LEVELS = ("", "inner_")


def table(path: Path) -> list[dict[str, str]]:
    """Rows of a table that tshark made."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _headers(row: Row, version: int) -> list[str]:
    """Prefixes of the columns of all IP headers of one version, outermost first."""
    found = []
    for level in LEVELS:
        for prefix in (level, f"{level}quoted_"):
            address = row[f"{prefix}src"]
            if address is not None and (":" in address) == (version == 6):
                found.append(prefix)
    return found


def _transports(row: Row, protocol: int) -> list[str]:
    return [
        prefix
        for level in LEVELS
        for prefix in (level, f"{level}quoted_")
        if row[f"{prefix}protocol"] == protocol and row[f"{prefix}src_port"] is not None
    ]


def _tags(row: Row) -> list[tuple[int, int, int]]:
    return [
        tag
        for level in LEVELS
        for tag in zip(
            row[f"{level}vlan_tpids"] or [],
            row[f"{level}vlan_ids"] or [],
            row[f"{level}vlan_priorities"] or [],
            strict=True,
        )
    ]


def _number(text: str) -> int:
    return int(text, 0)


def _yes(text: str) -> bool:
    return text in ("1", "True")


def _plain(text: str) -> str:
    return text


def comparisons(row: Row, told: dict[str, str]) -> Iterator[tuple[str, Sequence[Any], Sequence[Any]]]:
    """Field, our values, tshark's values: outermost first, as far as both have a place for them."""

    def theirs(field: str, read: Any = _plain) -> list[Any]:
        return [read(text) for text in told[field].split(",") if text]

    def columns(names: Sequence[str]) -> list[Any]:
        return [row[name] for name in names if row[name] is not None]

    framed = [level for level in LEVELS if row[f"{level}eth_dst"] is not None]
    for field, name in (("eth.src", "eth_src"), ("eth.dst", "eth_dst")):
        yield field, [row[f"{level}{name}"] for level in framed], theirs(field)
    tags = _tags(row)
    names = [name for name in told["frame.protocols"].split(":") if name in ("vlan", "ieee8021ad")]
    stacks = {"vlan": iter(theirs("vlan.id", _number)), "ieee8021ad": iter(theirs("ieee8021ad.id", _number))}
    yield (
        "vlan.id",
        [(tpid == 0x88A8, vid) for tpid, vid, _ in tags],
        [(name == "ieee8021ad", next(stacks[name])) for name in names],
    )
    yield "vlan.priority", [pcp for tpid, _, pcp in tags if tpid != 0x88A8], theirs("vlan.priority", _number)
    types = theirs("eth.type", _number)
    if types and row["link_type"] == 1:
        outer = row["vlan_tpids"][0] if row["vlan_tpids"] else row["ethertype"]
        yield "eth.type", [outer], types[:1]
    if told["vlan.etype"] and not row["inner_vlan_tpids"]:
        types = [*(row["vlan_tpids"] or []), *([row["ethertype"]] if told["eth.len"] == "" else [])]
        expected = [tpid for tpid, own in zip(types[1:], types, strict=False) if own != 0x88A8]
        yield "vlan.etype", expected, theirs("vlan.etype", _number)
    for field, name, read in (
        ("arp.opcode", "arp_op", _number),
        ("arp.src.proto_ipv4", "arp_sender_ip", _plain),
        ("arp.dst.proto_ipv4", "arp_target_ip", _plain),
    ):
        yield field, columns([f"{level}{name}" for level in LEVELS]), theirs(field, read)
    yield from _network(row, told, theirs)
    for protocol, word in ((6, "tcp"), (17, "udp")):
        prefixes = _transports(row, protocol)
        yield f"{word}.srcport", [row[f"{p}src_port"] for p in prefixes], theirs(f"{word}.srcport", _number)
        yield f"{word}.dstport", [row[f"{p}dst_port"] for p in prefixes], theirs(f"{word}.dstport", _number)
    flags = columns([f"{level}tcp_flags" for level in LEVELS])
    quoted = sum(row[f"{level}quoted_protocol"] == 6 for level in LEVELS)  # tshark shows those of a quoted segment too
    yield "tcp.flags", flags, theirs("tcp.flags", _number)[: len(flags) if quoted else None]
    yield from _messages(row, theirs)
    for field, word in (("vxlan.vni", "vxlan"), ("geneve.vni", "geneve")):
        yield field, [row["tunnel_id"]] if row["tunnel"] == word else [], theirs(field, _number)
    yield "gre.proto", [True] if row["tunnel"] == "gre" else [], [True for _ in theirs("gre.proto")]


def _network(row: Row, told: dict[str, str], theirs: Any) -> Iterator[tuple[str, Sequence[Any], Sequence[Any]]]:
    four, six = _headers(row, 4), _headers(row, 6)
    for field, name in (("ip.src", "src"), ("ip.dst", "dst"), ("ip.proto", "protocol"), ("ip.id", "ip_id")):
        read = _plain if name in ("src", "dst") else _number
        yield field, [row[f"{prefix}{name}"] for prefix in four], theirs(field, read)
    for field, name in (("ipv6.src", "src"), ("ipv6.dst", "dst")):
        yield field, [row[f"{prefix}{name}"] for prefix in six], theirs(field)
    for field, name, read in (
        ("ip.ttl", "ttl", _number),
        ("ip.len", "ip_bytes", _number),
        ("ip.flags.df", "dont_fragment", _yes),
        ("ip.flags.mf", "more_fragments", _yes),
        ("ip.frag_offset", "fragment_offset_bytes", lambda text: 8 * int(text)),
    ):
        # quoted headers have these too, but no column for them: compare the places of the others
        values = theirs(field, read)
        places = [place for place, prefix in enumerate(four) if not prefix.endswith("quoted_")]
        yield (
            field,
            [row[f"{four[place]}{name}"] for place in places],
            [values[place] for place in places if place < len(values)] if four else values,
        )


def _messages(row: Row, theirs: Any) -> Iterator[tuple[str, Sequence[Any], Sequence[Any]]]:
    for version, word in ((1, "icmp"), (58, "icmpv6")):
        levels = [
            level for level in LEVELS if row[f"{level}protocol"] == version and row[f"{level}icmp_type"] is not None
        ]
        # a quoted ICMP message is shown by tshark as one more, further in
        deeper = sum(row[f"{level}quoted_protocol"] == version for level in LEVELS)
        for field, name in ((f"{word}.type", "icmp_type"), (f"{word}.code", "icmp_code")):
            values = theirs(field, _number)
            yield field, [row[f"{level}{name}"] for level in levels], values[: len(values) - deeper if deeper else None]
        if version == 1:
            for field, name in (("icmp.ident", "icmp_id"), ("icmp.seq", "icmp_seq"), ("icmp.mtu", "icmp_mtu")):
                ours = [row[f"{level}{name}"] for level in levels if row[f"{level}{name}"] is not None]
                values = theirs(field, _number)
                yield field, ours, values if not deeper else values[: len(ours)]
