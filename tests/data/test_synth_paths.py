"""Made-up folders of stacked VLANs and sound clouds hold what their truth says: by tshark, and by the loaders."""

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

import forensics
from data.synth import stacked_vlan
from data.synth._cloud import digest
from forensics.records import ConfigOption, HostInterface
from tests._slow import SLOW
from tests._system import program

REAL = Path(__file__).resolve().parents[2] / "data" / "double_vlan" / "guilty.truth.json"
SEEDS = range(30 if SLOW else 10)
KEY = ("src", "dst", "protocol", "icmp_type", "icmp_id", "icmp_seq", "src_port", "tcp_seq", "tcp_flags", "ip_bytes")


def written(seed: int, folder: Path) -> dict[str, Any]:
    """The evidence of a number: odd ones are healthy."""
    return (stacked_vlan.healthy if seed % 2 else stacked_vlan.guilty)(seed, folder)


@pytest.fixture(scope="module", params=SEEDS)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Any]:
    """A truth, and the case that the toolkit makes of its folder."""
    place = tmp_path_factory.mktemp("paths")
    truth = written(request.param, place / "evidence")
    return truth, forensics.open_case(place / "evidence", out=place / "out.case", workers=1)


@pytest.mark.parametrize("seed", range(8))
def test_a_number_gives_the_same_octets(seed: int, tmp_path: Path) -> None:
    first, second = (written(seed, tmp_path / name) for name in ("a", "b"))
    assert first == second
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    written(seed + 2, tmp_path / "c")
    assert digest(tmp_path / "a") != digest(tmp_path / "c")


def test_a_case_holds_what_its_truth_counts(loaded: tuple[dict[str, Any], Any]) -> None:
    truth, case = loaded
    sources = case.sources
    assert sources.filter(pl.col("rejects") > 0).rows() == []
    assert sources.filter(pl.col("format").is_null())["source"].to_list() == ["case.toml"]
    packets = case.packets.collect()
    wire = truth["on_the_wire"]
    assert dict(packets.group_by("host").len().iter_rows()) == wire["packets"]
    joined = pl.col("vlan_ids").cast(pl.List(pl.String)).list.join(",").fill_null("")
    said: dict[str, dict[str, int]] = {}
    for host, names, count in packets.group_by("host", tags=joined).len().iter_rows():
        said.setdefault(host, {})[names or "untagged"] = count
    assert said == wire["frames_by_tags"]
    assert set(truth["clocks"]) == {source for source in sources["source"] if ".pcap" in source}
    _, asked, lost = probes(truth, packets)
    assert (asked, lost) == (wire["probes"], wire["probes_lost"])
    needed = packets.filter((pl.col("icmp_type") == 3) & (pl.col("icmp_code") == 4))
    assert bool(needed.height) == bool(wire["fragmentation_needed"])
    assert not needed.height or needed["icmp_mtu"].unique().len() == 1


def probes(truth: dict[str, Any], packets: pl.DataFrame) -> tuple[str, int, int]:
    """Echo requests at their senders' points, or TCP segments with data, and how many of them were in vain."""
    ends, at = truth["ends"], truth["sender_points"]
    if truth["probes_by"]:
        asked, lost = 0, 0
        for who in truth["probes_by"]:
            here = packets.filter(pl.col("host") == at[who])
            requests = here.filter((pl.col("icmp_type") == 8) & (pl.col("src") == ends[who]))
            replies = here.filter((pl.col("icmp_type") == 0) & (pl.col("dst") == ends[who]))
            key = ["icmp_id", "icmp_seq", "ip_bytes"]
            asked += requests.select(key).unique().height
            lost += requests.select(key).unique().join(replies.select(key), on=key, how="anti").height
        return "icmp", asked, lost
    who, other = ("outside", "instance") if truth["on_the_wire"]["losing"] == "in" else ("instance", "outside")
    data = packets.filter((pl.col("protocol") == 6) & (pl.col("payload_bytes") > 0) & (pl.col("src") == ends[who]))
    sent = data.filter(pl.col("host") == at[who]).select("src_port", "dst_port", "tcp_seq").unique()
    far = [label for role, label in truth["points"].items() if role in FAR[other]]
    came = data.filter(pl.col("host").is_in(far)).select("src_port", "dst_port", "tcp_seq").unique()
    return "tcp", sent.height, sent.join(came, on=sent.columns, how="anti").height


FAR = {
    "outside": ("outside", "controller", "gateway"),
    "instance": ("compute", "lower", "upper", "bridge", "tap", "instance"),
}


def test_sizes_end_where_the_truth_says(loaded: tuple[dict[str, Any], Any]) -> None:
    truth, case = loaded
    if not truth["findings"]:
        return
    facts = truth["findings"][0]["facts"]
    last, following = facts["lost_between"]
    ends = truth["ends"]
    sender = ends["outside" if truth["on_the_wire"]["losing"] == "in" else "instance"]
    packets = case.packets.filter(pl.col("src") == sender).collect()
    sent, came = (packets.filter(pl.col("host") == host).select(KEY).unique() for host in (last, following))
    lost = sent.join(came, on=list(KEY), how="anti", nulls_equal=True)
    assert lost["ip_bytes"].min() == facts["smallest_lost_bytes"] > facts["largest_delivered_bytes"]
    assert came["ip_bytes"].max() == facts["largest_delivered_bytes"]
    _, asked, vain = probes(truth, case.packets.collect())
    assert (facts["probes"], facts["probes_lost"]) == (asked, vain)
    assert 0 < facts["probes_lost"] < facts["probes"]


def test_listings_show_what_the_truth_says_that_they_show(loaded: tuple[dict[str, Any], Any]) -> None:
    truth, case = loaded
    shown = case.records(HostInterface).lazy().collect()
    wire = truth["on_the_wire"]
    if wire["kind"] == "stacked":
        facts = truth["findings"][0]["facts"]
        rows = shown.filter(pl.col("interface") == f"vlan{facts['inner_vid']}")
        parents = set(rows["parent"]) or {None}
        assert parents == {facts["parent_interface"]}
        assert set(rows["interface"]) == ({facts["interface"]} if facts["interface"] else set())
        assert facts["parent_interface"] in (None, f"vlan{facts['outer_vid']}")
        options = case.records(ConfigOption).lazy().collect().filter(pl.col("key") == "vlan_interface")
        assert set(options["value"]) <= {facts["parent_interface"]}
    elif wire["kind"] in ("trunk", "jumbo", "random_loss", "small_link") and shown.height:
        assert set(shown.filter(pl.col("vlan_id").is_not_null())["parent"]) == {"bond0"}


def test_healthy_loss_asks_for_no_size(loaded: tuple[dict[str, Any], Any]) -> None:
    truth, case = loaded
    if truth["on_the_wire"]["kind"] != "random_loss" or not truth["probes_by"]:
        return
    packets = case.packets.collect()
    end, point = next((truth["ends"][who], truth["sender_points"][who]) for who in truth["probes_by"])
    here = packets.filter(pl.col("host") == point)
    asked = here.filter((pl.col("icmp_type") == 8) & (pl.col("src") == end)).select("icmp_id", "icmp_seq", "ip_bytes")
    replies = here.filter((pl.col("icmp_type") == 0) & (pl.col("dst") == end)).select("icmp_id", "icmp_seq", "ip_bytes")
    lost = asked.join(replies, on=asked.columns, how="anti")
    came = asked.join(replies, on=asked.columns, how="semi")
    assert lost.height
    assert lost["ip_bytes"].min() < came["ip_bytes"].max()


def test_the_captures_look_like_the_real_ones() -> None:
    """Tags by point, the edge of sizes and the direction are those of data/double_vlan."""
    real = json.loads(REAL.read_text())
    named = {"20": "outer", "20,100": "outer,inner", "100": "inner", "untagged": "untagged"}
    points = {"outside": "outside/eth0", "controller": "controller/bond0", "compute": "compute/bond0"}
    points["instance"] = "web-1/eth0"
    tags = real["on_the_wire"]["frames_by_tags"]
    theirs = {role: {named[vids] for vids in tags[point]} for role, point in points.items()}
    theirs["compute"].discard("outer")  # one broadcast of the uplink's own network
    alike = 0
    for seed in range(0, 200, 2):
        incident = stacked_vlan._Incident(stacked_vlan.Draw("stacked-vlan", seed), "stacked")
        roles = {role for role, point in incident.known.items() if point in incident.way.points}
        plan = incident.plan
        if not (set(points) <= roles and incident.way.leak and plan.mtu == 1500 and plan.losing == "out"):
            continue
        if incident.known["controller"].hidden or incident.pings == "none":
            continue
        incident._happen()
        outer, inner = (vid for _, vid in plan.tenant)
        named = {f"{outer}": "outer", f"{outer},{inner}": "outer,inner", f"{inner}": "inner", "untagged": "untagged"}
        ours = {}
        for role in points:
            counted = dict(stacked_vlan.tagged([incident.known[role]]))[""]
            ours[role] = {named[vids] for vids in counted}
            if role in ("controller", "compute"):
                ours[role].discard("untagged")  # BPDUs of the switch
        assert ours == theirs
        sizes: dict[bool, list[int]] = {False: [], True: []}
        for size, inward, gone in incident.way.crossed:
            sizes[gone] += [] if inward else [size]
        facts = real["findings"][0]["facts"]
        assert max(sizes[0]) <= facts["largest_delivered_bytes"] < facts["smallest_lost_bytes"] <= min(sizes[1])
        alike += (max(sizes[0]), min(sizes[1])) == (1496, 1497)
    assert alike >= 2


@pytest.mark.parametrize("seed", [0, 2, 7])
def test_tshark_reads_the_same(seed: int, tmp_path: Path) -> None:
    truth = written(seed, tmp_path)
    fields = ("ieee8021ad.id", "vlan.id", "ip.src", "icmp.type", "icmp.ident", "icmp.seq",
              "ip.len", "ip.checksum.status", "icmp.checksum.status", "tcp.checksum.status")  # fmt: skip
    columns = [part for field in fields for part in ("-e", field)]
    counted: Counter[str] = Counter()
    requests: set[tuple[str, ...]] = set()
    replies: set[tuple[str, ...]] = set()
    sums: set[str] = set()
    checks = [part for name in ("ip", "tcp") for part in ("-o", f"{name}.check_checksum:TRUE")]
    for path in sorted(p for p in tmp_path.rglob("*") if ".pcap" in p.name):
        command = [program("tshark"), "-n", *checks, "-r", str(path), "-T", "fields", "-E", "occurrence=a", *columns]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        for line in said.splitlines():
            service, vids, src, kind, *key, ip_sum, icmp_sum, tcp_sum = line.split("\t")
            counted[",".join(part for part in (service, vids) if part) or "untagged"] += 1
            if kind == "8":
                requests.add((src, *key))
            elif kind == "0":
                replies.add((*key,))
            if "," not in ip_sum:
                sums |= {ip_sum, icmp_sum, tcp_sum}
    told: Counter[str] = Counter()
    for tags in truth["on_the_wire"]["frames_by_tags"].values():
        told.update(tags)
    assert counted == told
    if truth["probes_by"]:
        assert len(requests) == truth["on_the_wire"]["probes"]
    assert "0" not in sums, "a checksum is wrong"
    assert "1" in sums


@settings(max_examples=8, deadline=None)
@given(stacked_vlan.cases())
def test_any_number_will_do(tmp_path_factory: pytest.TempPathFactory, case: Any) -> None:
    function, seed = case
    truth = function(seed, tmp_path_factory.mktemp("any"))
    assert bool(truth["findings"]) == (function is stacked_vlan.guilty)
    json.dumps(truth)
