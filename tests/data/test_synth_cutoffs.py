"""Made-up folders of ports that switches shut hold what their truth says: by plain reading, and by the loaders."""

import gzip
import json
import re
import subprocess
from collections import Counter
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

import forensics
from data.synth import port_cutoffs
from data.synth._cloud import digest
from forensics.records import Bpdu, Instance, InstancePort, Notification, PortEvent
from tests._slow import SLOW
from tests._system import program

REAL = Path(__file__).resolve().parents[2] / "data" / "bpdu_cutoff" / "guilty"
SEEDS = range(30 if SLOW else 10)
Loaded = tuple[dict[str, Any], Any, Path]
GUARDS = r"BLOCK_BPDUGUARD|BPDU_BLOCK_ERROR_DISABLED"


def written(seed: int, folder: Path) -> dict[str, Any]:
    """The evidence of a number: odd ones are healthy."""
    return (port_cutoffs.healthy if seed % 2 else port_cutoffs.guilty)(seed, folder)


@pytest.fixture(scope="module", params=SEEDS)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A truth, the case that the toolkit makes of its folder, and the folder."""
    place = tmp_path_factory.mktemp("cutoffs")
    truth = written(request.param, place / "evidence")
    return truth, forensics.open_case(place / "evidence", out=place / "out.case", workers=1), place / "evidence"


@lru_cache(maxsize=16)
def rows(case: Any, record: Any) -> pl.DataFrame:
    """All rows of a record."""
    return case.records(record).lazy().collect()


def real(truth: dict[str, Any]) -> list[dict[str, Any]]:
    """The cuts as they were in fact."""
    return truth["in_fact"]["cuts"] if truth["findings"] else []


def plain(folder: Path, switch: str) -> list[str]:
    """The lines of a switch's log."""
    (path,) = [p for p in folder.rglob("*") if p.is_file() and switch in (p.stem.removesuffix(".log"), p.parent.name)]
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode().splitlines()


@pytest.mark.parametrize("seed", range(8))
def test_a_number_gives_the_same_octets(seed: int, tmp_path: Path) -> None:
    first, second = (written(seed, tmp_path / name) for name in ("a", "b"))
    assert first == second
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    written(seed + 2, tmp_path / "c")
    assert digest(tmp_path / "a") != digest(tmp_path / "c")


def test_nothing_is_left_unread(loaded: Loaded) -> None:
    truth, case, folder = loaded
    sources = case.sources
    assert sources.filter(pl.col("rejects") > 0).rows() == []
    assert sources.filter(pl.col("format").is_null())["source"].to_list() == ["case.toml"]
    assert set(sources["source"]) == {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert set(truth["clocks"]) <= set(sources["source"])


def test_switches_said_what_the_truth_says(loaded: Loaded) -> None:
    truth, case, folder = loaded
    events = rows(case, PortEvent)
    said = events.filter(pl.col("event").is_in(["bpdu_received", "error_disabled"]),
                         pl.col("message").str.contains(GUARDS))  # fmt: skip
    cuts = real(truth)
    assert Counter(said.select("host", "interface").iter_rows()) == Counter((c["switch"], c["port"]) for c in cuts)
    for switch, lines in truth["events"]["switch_lines"].items():
        text = plain(folder, switch)
        assert len(text) == lines
        guards = [line for line in text if re.search(GUARDS, line)]
        assert len(guards) == sum(cut["switch"] == switch for cut in cuts)
        spoken = [line for line in text if not re.search(r"CONFIG_I|UI_COMMIT", line)]
        kernel = events.filter(pl.col("host") == switch)
        assert kernel.height == len(spoken)
    assert {cut["mac"] for cut in cuts} >= {mac for mac in said["mac"] if mac}
    if truth["events"]["vendor"] == "arista":
        assert Counter(said["mac"]) == Counter(cut["mac"] for cut in cuts)
    if not truth["findings"]:
        assert not events.filter(pl.col("cause").str.to_lowercase().str.contains("bpdu")).height


def test_cuts_are_where_their_clocks_have_them(loaded: Loaded) -> None:
    truth, case, _ = loaded
    said = rows(case, PortEvent).filter(pl.col("message").str.contains(GUARDS))
    ups = rows(case, PortEvent).filter(pl.col("event").is_in(["link_up", "protocol_up"]))
    for cut in real(truth):
        (told,) = {json.dumps(clock) for name, clock in truth["clocks"].items()
                   if ".pcap" not in name and cut["switch"] in re.split(r"[/]|\.log|\.gz", name)}  # fmt: skip
        offset_s = json.loads(told)["offset_s"]
        for key, found in (("cut_at", said), ("restored_at", ups)):
            if cut[key] is None:
                continue
            at = datetime.fromisoformat(cut[key][:26] + "+00:00") + timedelta(seconds=offset_s)
            near = found.filter(pl.col("host") == cut["switch"], (pl.col("ts") - at).abs() < timedelta(seconds=2.5))
            assert near.height, (key, cut)
        assert cut["restored_at"] is None or cut["restored_at"] > cut["cut_at"]


def test_captures_hold_the_bpdus_of_the_truth(loaded: Loaded) -> None:
    truth, case, _ = loaded
    told = Counter[tuple[str, str]]()
    for path, senders in truth["events"]["bpdus"].items():
        point = "/".join(part for part in path.split("/") if part not in ("pcap", "captures"))
        told.update({(point, mac): count for mac, count in senders.items()})
    found = rows(case, Bpdu).group_by("host", "eth_src").len()
    assert {(host, mac): count for host, mac, count in found.iter_rows()} == told
    guests = {mac for _, mac in told if mac.startswith("fa:16:3e")}
    assert guests <= {cut["mac"] for cut in real(truth)}
    if truth["findings"] and truth["events"]["bpdus"]:
        assert guests


def test_databases_lead_from_the_address_to_the_instance(loaded: Loaded) -> None:
    truth, case, _ = loaded
    kind = truth["events"]["database"]
    instances, ports, notified = rows(case, Instance), rows(case, InstancePort), rows(case, Notification)
    if kind in ("csv", "listing"):
        assert instances.height == truth["events"]["instances"]
        ips = {row["ip"]: row["instance"] for row in ports.to_dicts() if row["instance"] and row["ip"]}
        owner = {row["mac"]: row["instance"] or ips.get(row["ip"]) for row in ports.to_dicts() if row["mac"]}
    elif kind == "notifications":
        assert notified["instance"].n_unique() == truth["events"]["instances"]
        told = [json.loads(payload) | {"of": of} for payload, of in notified.select("payload", "instance").iter_rows()]
        owner = {ip["vif_mac"]: one["of"] for one in told for ip in one["fixed_ips"]}
    else:
        assert (instances.height, ports.height, notified.height) == (0, 0, 0)
        owner = {}
    if not truth["findings"]:
        return
    facts, fact = truth["findings"][0]["facts"], truth["in_fact"]
    for said, cut in zip(facts["cuts"], fact["cuts"], strict=True):
        assert said["instance"] in (None, owner.get(cut["mac"]))
        assert said["mac"] in (None, cut["mac"])
        assert (said["switch"], said["port"], said["cut_at"]) == (cut["switch"], cut["port"], cut["cut_at"])
    if kind == "csv":
        sources = instances.filter(pl.col("instance").is_in([cut["instance"] for cut in fact["cuts"]]))
        assert (set(sources["image"]), set(sources["user_id"])) == ({fact["source_image"]}, {fact["source_user"]})
        alive = set()
        for cut in fact["cuts"]:
            at = datetime.fromisoformat(cut["cut_at"][:26] + "+00:00")
            there = instances.filter(pl.col("compute_host") == cut["host"], pl.col("created_at") <= at,
                                     pl.col("deleted_at").is_null() | (pl.col("deleted_at") > at))  # fmt: skip
            alive |= set(there["instance"])
        assert alive - {cut["instance"] for cut in fact["cuts"]} == set(fact["bystanders"])


def test_hosts_lose_the_links_that_were_shut(loaded: Loaded) -> None:
    truth, case, _ = loaded
    kernel = rows(case, PortEvent).filter(pl.col("event") == "member_down")
    downs = [one["facts"] for one in truth["around"] if "host" in one["facts"]]
    told = Counter((one["host"], one["interface"]) for one in downs if one["interface"] != "bond0")
    linux = kernel.filter(pl.col("vendor") == "linux")
    assert Counter(linux.select("host", "interface").iter_rows()) == told
    alone = rows(case, PortEvent).filter(pl.col("event") == "no_active_member", pl.col("vendor") == "linux")
    assert Counter(alone["host"]) == Counter(one["host"] for one in downs if one["interface"] == "bond0")


def test_numbers_cover_all_that_may_be_met() -> None:
    met: Counter[str] = Counter()
    for seed in range(120):
        incident = port_cutoffs._Incident(port_cutoffs.Draw("port-cutoffs", seed), guilty=True)
        met.update((incident.switches[0].framing, incident.vendor, incident.database, incident.restore))
    assert met.keys() >= {"traditional", "rfc3339", "dated", "undated", "relayed", "vdc", "wire", "iso"}
    assert met.keys() >= {"arista", "ios", "nxos", "junos", "csv", "listing", "notifications", "absent"}
    assert met.keys() >= {"none", "manual", "timer"}


def shape(line: str) -> str:
    """An EOS line without what differs from port to port."""
    text = line.partition("%")[2]
    text = re.sub(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", "MAC", text)
    return re.sub(r"\d+", "N", text.partition(" (")[0] if "LINEPROTO" not in text else text)


def test_lines_are_worded_as_those_of_the_real_incident(tmp_path: Path) -> None:
    """The chain of a cut has the wordings, in the order, that data/bpdu_cutoff has."""
    (path,) = REAL.glob("SW-1/messages*")
    data = path.read_bytes()
    theirs = (gzip.decompress(data) if path.suffix == ".gz" else data).decode().splitlines()
    first = next(n for n, line in enumerate(theirs) if "BLOCK_BPDUGUARD" in line)
    chain = [shape(line) for line in theirs[first : first + 6]]
    for seed in range(0, 200, 2):
        incident = port_cutoffs._Incident(port_cutoffs.Draw("port-cutoffs", seed), guilty=True)
        if incident.switches[0].framing == "traditional" and incident.switches[0].channels:
            break
    truth = port_cutoffs.guilty(seed, tmp_path)
    ours = plain(tmp_path, real(truth)[0]["switch"])
    begin = next(n for n, line in enumerate(ours) if "BLOCK_BPDUGUARD" in line)
    assert [shape(line) for line in ours[begin : begin + 12] if shape(line) in chain][:6] == chain
    assert re.sub(r"\S+", "x", ours[begin])[:20] == re.sub(r"\S+", "x", theirs[first])[:20]


@pytest.mark.parametrize("seed", [0, 2, 5])
def test_tshark_counts_the_same_bpdus(seed: int, tmp_path: Path) -> None:
    for number in range(seed, 200, 6):
        truth = written(number, tmp_path / str(number))
        if truth["events"]["bpdus"]:
            break
    counted: Counter[str] = Counter()
    for path in sorted(p for p in (tmp_path / str(number)).rglob("*") if ".pcap" in p.name):
        command = [program("tshark"), "-n", "-r", str(path), "-Y", "stp", "-T", "fields", "-e", "eth.src"]
        command += ["-e", "stp.bridge.hw", "-e", "_ws.malformed"]
        for line in subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines():
            source, bridge, malformed = line.split("\t")
            assert (bridge, malformed) == (source, "")
            counted[source] += 1
    told: Counter[str] = Counter()
    for senders in truth["events"]["bpdus"].values():
        told.update(senders)
    assert counted == told


@settings(max_examples=8, deadline=None)
@given(port_cutoffs.cases())
def test_any_number_will_do(tmp_path_factory: pytest.TempPathFactory, case: Any) -> None:
    function, seed = case
    truth = function(seed, tmp_path_factory.mktemp("any"))
    assert bool(truth["findings"]) == (function is port_cutoffs.guilty)
    json.dumps(truth)
