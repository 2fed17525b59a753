"""Every header column beside what tshark says of the same packet, on captures that others made and on our own."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from forensics.loaders.captures.packets import rows
from tests._captures import pcap
from tests._evidence import evidence_root
from tests.loaders.captures._packets import samples
from tests.loaders.captures._tshark import comparisons, table

FIELDS = [
    "frame.protocols", "eth.src", "eth.dst", "eth.type", "eth.len", "vlan.id", "vlan.priority", "vlan.etype",
    "ieee8021ad.id", "arp.opcode", "arp.src.proto_ipv4", "arp.dst.proto_ipv4", "ip.src", "ip.dst", "ip.proto",
    "ip.ttl", "ip.id", "ip.len", "ip.flags.df", "ip.flags.mf", "ip.frag_offset", "ipv6.src", "ipv6.dst",
    "udp.srcport", "udp.dstport", "tcp.srcport", "tcp.dstport", "tcp.flags", "icmp.type", "icmp.code", "icmp.ident",
    "icmp.seq", "icmp.mtu", "icmpv6.type", "icmpv6.code", "vxlan.vni", "geneve.vni", "gre.proto",
]  # fmt: skip

PPP = "PPP is no link type with a decoder: decode_status is `unknown`, and the container's columns are there"
ISL = "Cisco ISL: tshark shows the address of the frame inside, we the octets where an Ethernet address stands"
EXPLAINED: dict[tuple[str, str], tuple[int, str]] = {
    ("packetlife__DTP.cap", "eth.dst"): (5, ISL),
    **{
        ("packetlife__PPP.cap", field): (10, PPP)
        for field in FIELDS
        if (field.startswith("ip.")) or field in ("icmp.type", "icmp.code", "icmp.ident", "icmp.seq")
    },
}
"""Differences that are meant: capture and field, how many rows differ, and why we are right."""

LINUX = "UDP port 8472 is VXLAN on Linux; tshark knows the assigned port alone"
FLAG = "VXLAN without the I flag: RFC 7348 has receivers drop it; tshark decodes it all the same"
STACKED = "0x9200 and 0x9300 are tags on switches that were made for them; tshark knows 0x8100, 0x88a8 and 0x9100"
WIRES = "what stands under labels may be a pseudowire: tshark guesses its contents, we do not"
TEXT = "RFC 5952 writes ::1:2; the C library that tshark uses takes it for an IPv4-compatible address"
OWN_EXPLAINED = {
    "ipv4 vxlan of linux": LINUX,
    "ipv4 no vxlan": FLAG,
    "many tags": STACKED,
    "pseudowire": WIRES,
    "ipv6 mapped": TEXT,
}
"""The same for the samples of `tests/loaders/captures/_packets.py`."""

UNDAMAGED = ["dhcp", "icmp-mtu", "linktype", "multipoint", "other", "pcapng", "pcapng-suite", "stp", "tunnel", "vlan"]


def differences(path: Path, told: list[dict[str, str]]) -> Iterator[tuple[int, str, object, object]]:
    frames = list(rows(path))
    ours = pl.concat(frames).to_dicts() if frames else []
    assert len(ours) == len(told)
    for number, (row, theirs) in enumerate(zip(ours, told, strict=True)):
        for field, mine, other in comparisons(row, theirs):
            if list(mine) != list(other):
                yield number, field, mine, other


@pytest.mark.parametrize("theme", UNDAMAGED)
def test_every_undamaged_capture_of_the_collection(theme: str) -> None:
    root = evidence_root()
    captures = sorted(path for path in (root / "pcap" / theme).iterdir() if path.is_file())
    assert captures
    found: Counter[tuple[str, str]] = Counter()
    seen = {}
    for path in captures:
        told = table(root / "expected" / "tshark" / theme / f"{path.name}.tsv")
        for number, field, mine, other in differences(path, told):
            found[path.name, field] += 1
            seen[path.name, field] = (number, mine, other)
    names = {path.name for path in captures}
    assert found == {key: count for key, (count, _) in EXPLAINED.items() if key[0] in names}, seen


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("link_type", sorted({link_type for link_type, _ in samples().values()} - {220}))
def test_every_kind_of_packet(link_type: int, tmp_path: Path) -> None:
    mine = {name: octets for name, (kind, octets) in samples().items() if kind == link_type and octets}
    path = tmp_path / "samples.pcap"
    path.write_bytes(pcap([(number, octets) for number, octets in enumerate(mine.values())], link_type=link_type))
    command = ["tshark", "-n", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-r", str(path)]
    command += ["-o", "tcp.desegment_tcp_streams:FALSE", "-T", "fields", "-E", "header=y", "-E", "separator=/t"]
    for field in FIELDS:
        command += ["-e", field]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    told = list(csv.DictReader(io.StringIO(output), delimiter="\t", quoting=csv.QUOTE_NONE))
    names = list(mine)
    differing = {names[number] for number, *_ in differences(path, told)}
    assert differing == OWN_EXPLAINED.keys() & mine.keys()
