"""The double VLAN's files hold what its truth says: by tshark, by plain reading, and by the toolkit's loaders."""

import json
import re
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import forensics
from forensics.records import ConfigOption, HostInterface
from tests._bundled import Bundled
from tests._system import program

CASE = Path(__file__).resolve().parents[2] / "data" / "double_vlan"
HALVES = ("guilty", "healthy", "qinq")
POINTS = ("outside/eth0", "controller/bond0", "compute/bond0", "web-1/eth0")
OUTSIDE, INSTANCE = "198.51.100.9", "10.0.100.5"
PARENT = {"guilty": "vlan20", "healthy": "bond0", "qinq": "vlan200"}
FIELDS = (
    "vlan.id", "ieee8021ad.id", "ip.src", "ip.len", "icmp.type", "icmp.ident", "icmp.seq", "tcp.dstport", "tcp.seq_raw",
    "tcp.len", "arp.opcode", "eth.dst", "frame.cap_len",
)  # fmt: skip
TAGS = {"guilty": [20, 100], "healthy": [100], "qinq": [200, 100]}


def truth(half: str) -> dict[str, Any]:
    """What is true of a half."""
    told: dict[str, Any] = json.loads((CASE / f"{half}.truth.json").read_text())
    return told


@cache
def shark(half: str, point: str) -> list[dict[str, str]]:
    """A point's packets as tshark reads them; `tags` are joined by commas, outermost first."""
    columns = [part for field in FIELDS for part in ("-e", field)]
    command = [program("tshark"), "-n", "-r", str(CASE / half / f"{point}.pcap.gz"), "-T", "fields", *columns]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    packets = [dict(zip(FIELDS, line.split("\t"), strict=True)) for line in said.splitlines()]
    for packet in packets:
        packet["tags"] = ",".join(part for part in (packet["ieee8021ad.id"], packet["vlan.id"]) if part)
    return packets


def echoes(half: str, point: str, kind: str, src: str) -> list[tuple[str, str, int]]:
    """Echo requests or replies from `src` seen at a point: identifier, number, IP total length."""
    found = [p for p in shark(half, point) if (p["icmp.type"], p["ip.src"]) == (kind, src)]
    return [(p["icmp.ident"], p["icmp.seq"], int(p["ip.len"])) for p in found]


@pytest.fixture(scope="module", params=HALVES)
def loaded(request: pytest.FixtureRequest, bundled: Bundled) -> tuple[str, forensics.Case]:
    """A half, and the case that the toolkit makes of it."""
    half: str = request.param
    return half, forensics.open_case(bundled("double_vlan", half))


@pytest.mark.parametrize("half", HALVES)
def test_tshark_counts_the_echoes_of_the_truth(half: str) -> None:
    wire = truth(half)["on_the_wire"]
    lost = []
    for point, here, there in (("outside/eth0", OUTSIDE, INSTANCE), ("web-1/eth0", INSTANCE, OUTSIDE)):
        asked, answered = echoes(half, point, "8", here), set(echoes(half, point, "0", there))
        assert len(asked) == len(set(asked)) == wire["echo_requests"] // 2
        assert {size for *_, size in asked} >= {1400, 1496, 1497, 1500}
        lost += [size for *key, size in asked if (*key, size) not in answered]
    assert len(lost) == wire["echo_requests_lost"]
    for finding in truth(half)["findings"][:1]:
        facts = finding["facts"]
        assert (facts["probes"], facts["probes_lost"]) == (wire["echo_requests"], len(lost))
        assert min(lost) == facts["smallest_lost_bytes"] == facts["largest_delivered_bytes"] + 1
        assert facts["largest_delivered_bytes"] + 8 + 14 == 1518, "what an MTU of 1500 has room for, one tag included"


@pytest.mark.parametrize("half", HALVES)
def test_what_vanishes_vanishes_between_compute_and_controller(half: str) -> None:
    wire = truth(half)["on_the_wire"]
    tags = ",".join(map(str, TAGS[half]))
    sent = [int(p["ip.len"]) for p in shark(half, "compute/bond0") if p["ip.src"] == INSTANCE]
    came = [int(p["ip.len"]) for p in shark(half, "controller/bond0") if (p["ip.src"], p["tags"]) == (INSTANCE, tags)]
    assert len(sent) == wire["ip_packets_compute_to_controller"]
    assert len(sent) - len(came) == wire["ip_packets_compute_to_controller_lost"] == wire["dropped_by_the_interface"]
    assert not Counter(came) - Counter(sent)
    assert all(size > 1496 for size in Counter(sent) - Counter(came))
    assert max(came) == wire["largest_ip_bytes_compute_to_controller"]
    # on the way in nothing is lost, and nowhere does a router say why
    ways = ("outside/eth0", "compute/bond0", "web-1/eth0")
    assert len({sum(p["ip.src"] == OUTSIDE for p in shark(half, point)) for point in ways}) == 1
    assert {p["icmp.type"] for point in POINTS for p in shark(half, point)} == {"", "0", "8"}


@pytest.mark.parametrize("half", HALVES)
def test_tags_are_where_the_truth_counts_them(half: str) -> None:
    for point, told in truth(half)["on_the_wire"]["frames_by_tags"].items():
        assert Counter(p["tags"] or "untagged" for p in shark(half, point)) == told
    stray = [p for p in shark(half, "outside/eth0") if p["tags"]]
    assert bool(stray) == (half == "guilty")
    if stray:
        leak = truth(half)["findings"][1]
        assert (leak["kind"], leak["facts"]["frames"]) == ("vlan-leak", len(stray))
        assert {(p["tags"], p["arp.opcode"], p["eth.dst"]) for p in stray} == {("100", "1", "ff:ff:ff:ff:ff:ff")}


@pytest.mark.parametrize("half", HALVES)
def test_sessions_hang_at_a_full_segment_only_in_the_guilty_half(half: str) -> None:
    def data(point: str) -> list[tuple[str, ...]]:
        found = [p for p in shark(half, point) if p["ip.src"] == INSTANCE and p["tcp.len"] not in ("", "0")]
        return [tuple(p[field] for field in ("tcp.dstport", "tcp.seq_raw", "tcp.len", "ip.len")) for p in found]

    wire, sent = truth(half)["on_the_wire"], set(data("web-1/eth0"))
    lost = sent - set(data("outside/eth0"))
    assert len(sent) == wire["tcp_data_segments_by_instance"]
    assert len(lost) == wire["tcp_data_segments_by_instance_lost"]
    assert {size for *_, size in lost} == ({"1500"} if half == "guilty" else set())
    tries = Counter(row for row in data("compute/bond0") if row[-1] == "1500")
    assert (max(tries.values()) > 3) == (half == "guilty"), "retransmitted, time and again"
    assert len({port for port, *_ in data("outside/eth0")}) == 4, "sessions open however the one before ended"


def test_the_twins_differ_in_the_fault_alone() -> None:
    texts = {half: {} for half in HALVES}
    for half in HALVES:
        for path in sorted(
            p for p in (CASE / half).rglob("*") if p.is_file() and p.suffix != ".gz" and p.name != "case.toml"
        ):
            text = re.sub(r"(?<=:~# date\n).*", "DATE", path.read_text())
            texts[half][str(path.relative_to(CASE / half))] = text
    guilty, healthy = texts["guilty"], texts["healthy"]
    assert guilty.keys() == healthy.keys() == texts["qinq"].keys()
    for name, text in guilty.items():
        mended = text.replace("vlan_interface=vlan20", "vlan_interface=bond0").replace(
            "vlan100@vlan20", "vlan100@bond0"
        )
        assert mended.replace("100  | vlan20", "100  | bond0") == healthy[name]
    assert healthy["compute/session.txt"] != guilty["compute/session.txt"]
    assert truth("guilty")["clocks"] == truth("healthy")["clocks"] == truth("qinq")["clocks"]
    assert [truth(half)["findings"] for half in HALVES[1:]] == [[], []]


def test_one_point_was_captured_short() -> None:
    for half in HALVES:
        kept = {point: max(int(p["frame.cap_len"]) for p in shark(half, point)) for point in POINTS}
        assert kept.pop("compute/bond0") == 96
        assert min(kept.values()) >= 1500


def test_loaders_read_every_file_without_rejects(loaded: tuple[str, forensics.Case]) -> None:
    half, case = loaded
    sources = case.sources
    assert sources.filter(pl.col("rejects") > 0).height == 0
    assert sources.filter(pl.col("format").is_null())["source"].to_list() == ["case.toml"]
    there = {str(p.relative_to(CASE / half)) for p in (CASE / half).rglob("*") if p.is_file()}
    assert set(sources["source"]) == there


def test_records_carry_the_figures_of_the_truth(loaded: tuple[str, forensics.Case]) -> None:
    half, case = loaded
    packets = case.packets.collect()
    assert set(packets["host"]) == set(POINTS)
    joined = pl.col("vlan_ids").cast(pl.List(pl.String)).list.join(",").fill_null("")
    found = packets.group_by("host", tags=joined).len()
    said: dict[str, dict[str, int]] = {point: {} for point in POINTS}
    for host, names, count in found.iter_rows():
        said[host][names or "untagged"] = count
    assert said == truth(half)["on_the_wire"]["frames_by_tags"]
    outermost = packets.filter(pl.col("vlan_ids").list.len() == 2)["vlan_tpids"].list.first().unique().to_list()
    assert outermost == {"guilty": [0x8100], "healthy": [], "qinq": [0x88A8]}[half]
    asked = packets.filter(
        (pl.col("icmp_type") == 8)
        & (((pl.col("host") == POINTS[0]) & (pl.col("src") == OUTSIDE))
           | ((pl.col("host") == POINTS[-1]) & (pl.col("src") == INSTANCE)))
    )  # fmt: skip
    assert asked.height == truth(half)["on_the_wire"]["echo_requests"]
    assert asked["ip_bytes"].max() == 1500
    assert packets.filter(pl.col("host") == "compute/bond0")["captured_bytes"].max() == 96


def test_host_records_show_what_stands_on_what(loaded: tuple[str, forensics.Case]) -> None:
    half, case = loaded
    interfaces = case.records(HostInterface).lazy().collect()
    for host in ("compute", "controller"):
        shown = interfaces.filter(pl.col("source").str.starts_with(f"{host}/"))
        for source in ("ip_-d_link.txt", "session.txt", "proc/net/vlan/config"):
            row = shown.filter(pl.col("source").str.ends_with(source), pl.col("interface") == "vlan100")
            assert row.select("parent", "vlan_id").rows() == [(PARENT[half], 100)], source
        bond = shown.filter(pl.col("interface") == "bond0")["mtu_bytes"].unique().to_list()
        assert bond == [1504 if half == "qinq" else 1500]
    options = case.records(ConfigOption).lazy().collect().filter(pl.col("key") == "vlan_interface")
    assert options["value"].to_list() == [PARENT[half]] * 4
