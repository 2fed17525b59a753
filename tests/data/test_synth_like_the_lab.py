"""What generators say that evidence looks like is what it looks like where real programs made it, tale by tale.

Lines that a tale turns on: each wording of the real case comes up in made-up cases, word for word once addresses, ids
and numbers are folded. Frames: sizes, time to live, order and counts are the real captures'. More of this stands where
the generators are tested: tags by capture point and edges of sizes (`test_synth_paths`), the chain of lines of a cut
(`test_synth_cutoffs`), columns of records (`test_synth_services`).
"""

import gzip
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

import forensics
from data.synth import api_latency, base_files, console_floods, lost_lease, port_cutoffs, stacked_vlan
from forensics.records import Bpdu, DhcpMessage, Packet

LAB = Path(__file__).resolve().parents[2] / "data"
NUMBERS = 120
FOLDED = (
    (r"req-[0-9a-f-]{36}", "REQ"), (r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", "MAC"),
    (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"), (r"[0-9a-f]{40}(?:_\d+)?", "FILE"),
    (r"\b[0-9a-f]{32}\b", "ID"), (r"instance-[0-9a-f]{8}", "INSTANCE"), (r"<[\d.]+>", "PID"),
    (r"(?: /var/lib/nova/instances/_base/FILE)+", " BASES"), (r"(<REORDER_HDR>).*", r"\1"),
    (r"(DHCPACK\(\S+ \S+ \S+) \S+$", r"\1 NAME"), (r"\?\S*?Action=(\w+)\S*", r"?Action=\1"), (r"\d+(?:\.\d+)*", "N"),
)  # fmt: skip
TALES: dict[str, tuple[ModuleType, str, tuple[str, ...]]] = {
    "lost_lease": (lost_lease, r" (?:dnsmasq-dhcp|dhclient)\[\d+\]: (.*)", ()),
    "double_vlan": (stacked_vlan, r"^ {4}(vlan protocol .*)", ()),
    "bpdu_cutoff": (
        port_cutoffs,
        r"(%(?:SPANTREE|ETH|MLAG|LINEPROTO)-.*| bond0: .*)",
        ("%SPANTREE-N-INTERFACE_STATE", " bondN: (slave ethN): making"),
    ),  # an active-backup bond
    "haunted_api": (api_latency, r"wsgi\.server \[[^\]]*\] (.*)", ('N "GET /services/Cloud?Action=DescribeInstances',)),
    "vanished_images": (base_files, r" nova\.virt\.libvirt\.imagecache \[[^\]]*\] (.*)(?<!\.py:\d{3})$", ()),
    "rabbit_hole": (console_floods, r"((?:Get console output|vm_memory_high|memory resource limit alarm).*)", ()),
}
"""The generator, the lines that count, and what of the real ones it leaves out."""


def texts(folder: Path) -> Iterator[str]:
    """All files of text."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and ".pcap" not in p.name):
        octets = path.read_bytes()
        yield (gzip.decompress(octets) if octets[:2] == b"\x1f\x8b" else octets).decode(errors="replace")


def wordings(folder: Path, what: str) -> set[str]:
    """The lines that count, without what differs from one to the next."""
    said = {found for text in texts(folder) for found in re.findall(what, text, re.MULTILINE)}
    for pattern, word in FOLDED:
        said = {re.sub(pattern, word, line) for line in said}
    return {line.rstrip() for line in said}


def made_up(tale: str, place: Path) -> Iterator[Path]:
    """Folders of both halves, one number after the other."""
    module = TALES[tale][0]
    by_turns = tale in ("lost_lease", "double_vlan", "bpdu_cutoff")
    for number in range(NUMBERS):
        half = ("guilty", "healthy")[number % 2]
        getattr(module, half)(number if by_turns else number // 2, place / str(number))
        yield place / str(number)


@pytest.mark.parametrize("tale", TALES)
def test_lines_are_worded_as_those_of_real_programs(tale: str, tmp_path: Path) -> None:
    _, what, left_out = TALES[tale]
    real = set().union(*(wordings(path.parent, what) for path in (LAB / tale).glob("*/case.toml")))
    missing = {line for line in real if not line.startswith(left_out)} if left_out else real
    assert len(missing) > 2 or tale == "double_vlan"
    for folder in made_up(tale, tmp_path):
        missing -= wordings(folder, what)
        if not missing:
            break
    assert sorted(missing) == []


def frames(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The DHCP messages of a capture with the packets that carry them, and all packets."""
    packets = forensics.scan_records(str(path), Packet).collect()
    sizes = packets.select("position", "ip_bytes", "ttl", "wire_bytes")
    return forensics.scan_records(str(path), DhcpMessage).collect().join(sizes, on="position"), packets


def shapes(messages: pl.DataFrame) -> set[tuple[Any, ...]]:
    """How messages are sent: type, broadcast or not, sizes, time to live."""
    everybody = pl.col("dst") == "255.255.255.255"
    return set(messages.select("message_type", everybody, "ip_bytes", "wire_bytes", "ttl").iter_rows())


def attempt(messages: pl.DataFrame) -> str:
    """What the client sends after its last answer: u and b for requests to the server and to everybody, D."""
    last = messages.filter(pl.col("message_type") == "ACK")["position"].max()
    after = messages.filter((pl.col("position") > last) & pl.col("message_type").is_in(["REQUEST", "DISCOVER"]))
    said = after.sort("position").select("message_type", "dst").iter_rows()
    return "".join("D" if kind == "DISCOVER" else "b" if dst == "255.255.255.255" else "u" for kind, dst in said)


def leases(tmp_path: Path, half: str, cause: str) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, str]]:
    """Made-up captures in one piece on the card of an instance that runs dhclient."""
    for number in range(half == "healthy", 1200, 2):
        names = lost_lease.CAUSES if half == "guilty" else lost_lease.HEALTHY
        if names[number // 2 % len(names)] != cause:
            continue
        truth = getattr(lost_lease, half)(number, tmp_path / str(number))
        label = truth["points"].get("guest", "-")
        there = {source: re.sub(r"(?:pcap|captures)/", "", source) for source in truth["clocks"] if ".pcap" in source}
        mine = [source for source, short in there.items() if short.startswith(f"{label}.pcap")]
        if truth["in_fact"]["client"] == "dhclient" and len(mine) == 1:
            messages, packets = frames(tmp_path / str(number) / mine[0])
            yield messages.filter(pl.col("chaddr") == truth["in_fact"]["mac"]), packets, truth["in_fact"]["server"]


def test_leases_are_asked_for_as_the_lab_asks(tmp_path: Path) -> None:
    """Sizes, time to live, broadcast or not; the order of an attempt; one answer to each request."""
    real, packets = frames(LAB / "lost_lease/guilty/web-3/eth0.pcap.gz")
    echoes = packets.filter(pl.col("icmp_type") == 8)["ip_bytes"].unique().to_list()
    made = leases(tmp_path, "guilty", "link-dead-before-dhcp")
    for ours, all_of_them, _ in (next(made) for _ in range(3)):
        assert shapes(ours) <= shapes(real)
        assert re.fullmatch("u*b*D+", attempt(ours))
        assert set(all_of_them.filter(pl.col("icmp_type") == 8)["ip_bytes"]) <= set(echoes)
    assert re.fullmatch("u+b+D+", attempt(real))
    healthy, _ = frames(LAB / "lost_lease/healthy/web-3/eth0.pcap.gz")
    counts = Counter(healthy["message_type"])
    assert counts["ACK"] == counts["REQUEST"]
    ours, _, _ = next(leases(tmp_path / "healthy", "healthy", "plain"))
    counts = Counter(ours["message_type"])
    assert counts["ACK"] == counts["REQUEST"]


@pytest.mark.parametrize("half", ["guilty", "healthy"])
def test_switches_say_hello_as_the_lab_s(half: str, tmp_path: Path) -> None:
    """BPDUs: their kind and their timers."""
    (real, *_) = sorted((LAB / "bpdu_cutoff" / half / "SW-1").glob("*.pcap*"))
    said = ("kind", "bpdu_type", "hello_s", "max_age_s", "forward_delay_s")
    theirs = set(forensics.scan_records(str(real), Bpdu).select(said).collect().iter_rows())
    ours: set[tuple[Any, ...]] = set()
    for number in range(half == "healthy", 60, 2):
        getattr(port_cutoffs, half)(number, tmp_path / str(number))
        for path in (path for path in (tmp_path / str(number)).rglob("*.pcap*")):
            ours |= set(forensics.scan_records(str(path), Bpdu).select(said).collect().iter_rows())
        if theirs <= ours:
            break
    assert theirs <= ours
