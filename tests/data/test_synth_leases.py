"""Made-up folders of lost and kept leases hold what their truth says: by tshark, plain reading, and the loaders."""

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
from data.synth import lost_lease
from data.synth._cloud import digest
from data.synth._lease_facts import PLACES, FaultSeen
from forensics.records import DhcpMessage, LogRecord
from tests._slow import SLOW
from tests._system import program

SEEDS = range(36 if SLOW else 12)
Loaded = tuple[dict[str, Any], Any, Path]


def written(seed: int, folder: Path) -> dict[str, Any]:
    """The evidence of a number: odd ones are healthy."""
    return (lost_lease.healthy if seed % 2 else lost_lease.guilty)(seed, folder)


@pytest.fixture(scope="module", params=SEEDS)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A truth, the case that the toolkit makes of its folder, and the folder."""
    place = tmp_path_factory.mktemp("leases")
    truth = written(request.param, place / "evidence")
    return truth, forensics.open_case(place / "evidence", out=place / "out.case", workers=1), place / "evidence"


@lru_cache(maxsize=8)
def rows(case: Any, record: Any) -> pl.DataFrame:
    """All rows of a record."""
    return case.records(record).lazy().collect()


def plain(folder: Path, source: str) -> list[str]:
    """The lines of a log."""
    data = (folder / source).read_bytes()
    return (gzip.decompress(data) if source.endswith(".gz") else data).decode().splitlines()


def at(text: str) -> datetime:
    """An instant of the truth."""
    return datetime.fromisoformat(text[:26] + "+00:00")


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
    assert set(truth["clocks"]) <= set(sources["source"])
    written_lines = {source: len(plain(folder, source)) for source in truth["in_the_logs"]}
    read = dict(rows(case, LogRecord).group_by("source").len().iter_rows())
    assert read == {source: count for source, count in written_lines.items() if count}


def test_captures_and_logs_hold_what_the_truth_counts(loaded: Loaded) -> None:
    truth, case, folder = loaded
    counted = case.packets.group_by("host").len().collect()
    told = {label: count for label, count in truth["on_the_wire"].items() if count}
    assert dict(counted.iter_rows()) == told
    messages = rows(case, DhcpMessage)
    for source, kinds in truth["in_the_logs"].items():
        said = Counter(kind for line in plain(folder, source) for kind in re.findall(r"DHCP([A-Z]{3,8})[ (]", line)
                       if kind in lost_lease.TYPES)  # fmt: skip
        assert said == Counter(kinds)
        mine = messages.filter((pl.col("source") == source) & (pl.col("message_type").is_not_null()))
        if kinds:
            assert Counter(mine["message_type"]) == said
    if {"wire", "server_log"} <= set(truth["points"]) | set(truth["in_fact"]["sources"]):
        there = messages.filter(pl.col("host") == truth["points"]["wire"], pl.col("message_type") == "ACK",
                                pl.col("chaddr") == truth["in_fact"]["mac"])  # fmt: skip
        copies = 2 if truth["in_fact"]["cause"] == "doubled" else 1
        assert there.height == truth["in_fact"]["acks_sent"] * copies


def nearest(truth: dict[str, Any]) -> str | None:
    """The capture point nearest to the instance."""
    return next((truth["points"][name] for name in PLACES if name in truth["points"]), None)


def span(truth: dict[str, Any], label: str, messages: pl.DataFrame) -> pl.DataFrame:
    """The DHCP messages of one point from the first renewal without answer on, by the true clock."""
    here = messages.filter(pl.col("host") == label, pl.col("chaddr") == truth["in_fact"]["mac"])
    (source, *_) = here["source"]
    ahead = timedelta(seconds=truth["clocks"][source]["offset_s"])
    first = at(truth["findings"][0]["facts"]["first_unanswered_at"])
    slack = timedelta(seconds=20 if "drift_ppm" in truth["clocks"][source] else 1)
    return here.filter(pl.col("ts") >= first + ahead - slack).sort("ts", "position")


def test_figures_are_those_of_the_capture_nearest_to_the_instance(loaded: Loaded) -> None:
    truth, case, _ = loaded
    label = nearest(truth)
    if not truth["findings"] or label is None:
        return
    facts, messages = truth["findings"][0]["facts"], rows(case, DhcpMessage)
    assert facts["mac"] in set(messages["chaddr"])
    assert facts["ip"] in set(messages["yiaddr"])
    assert facts["lease_s"] in set(messages["lease_s"].drop_nulls())
    if facts["first_unanswered_at"] is None:
        assert truth["in_fact"]["cause"] == "client-gone"
        return
    after = span(truth, label, messages)
    asked = after.filter((pl.col("message_type") == "REQUEST") & (pl.col("ciaddr") == facts["ip"]))
    seen = [(asked["dst"] == dst).sum() for dst in (truth["in_fact"]["server"], "255.255.255.255")]
    fact = truth["in_fact"]
    logged = "client_log" in fact["sources"] and fact["client"] != "systemd-networkd"
    if fact["cause"] != "link-dead-before-dhcp" or not logged:
        assert seen == [facts["unicast_attempts"], facts["broadcast_attempts"]]
    else:  # logged, and the kernel did not know where to send
        assert seen[0] <= facts["unicast_attempts"]
        assert seen[1] == facts["broadcast_attempts"]
    acks = after.filter(pl.col("message_type") == "ACK").height
    expected = {"client-deaf": facts["server_replies"]}.get(truth["in_fact"]["cause"], 0)
    if "guest" in truth["points"]:
        assert acks == expected
    if facts["gave_up_at"] and truth["in_fact"]["cause"] != "refused":
        source = after["source"][0]
        end = (after["ts"][-1] - timedelta(seconds=truth["clocks"][source]["offset_s"])).replace(microsecond=0)
        assert abs(at(facts["gave_up_at"]) - end) < timedelta(seconds=20)


def test_nothing_reaches_the_card_between_silence_and_the_first_renewal(loaded: Loaded) -> None:
    truth, case, _ = loaded
    facts = truth["findings"][0]["facts"] if truth["findings"] else {"silence_at": None}
    if facts["silence_at"] is None:
        return
    here = case.packets.filter(pl.col("host") == nearest(truth), pl.col("eth_src") != facts["mac"]).collect()
    clock = truth["clocks"][here["source"][0]]
    last = here["ts"].max() - timedelta(seconds=clock["offset_s"])
    assert abs(last - at(facts["silence_at"])) < timedelta(milliseconds=2 if "drift_ppm" not in clock else 20_000)
    assert facts["lead_s"] > 0


def test_a_kept_lease_is_answered_before_it_ends(loaded: Loaded) -> None:
    truth, case, _ = loaded
    if truth["findings"] or "guest" not in truth["points"] or truth["in_fact"]["cause"] in ("released", "deleted"):
        return
    mine = rows(case, DhcpMessage).filter(pl.col("host") == truth["points"]["guest"],
                                          pl.col("chaddr") == truth["in_fact"]["mac"])  # fmt: skip
    answers = mine.filter((pl.col("message_type") == "ACK") & pl.col("lease_s").is_not_null())["ts"].sort()
    assert answers.len() >= 1
    if truth["in_fact"]["lease_s"] == lost_lease.INFINITE:
        return
    gaps = answers.diff().drop_nulls()
    longest = timedelta(seconds=truth["in_fact"]["lease_s"] * 1.001)
    assert gaps.len() == 0 or gaps.max() < longest
    assert case.packets.collect()["ts"].max() - answers.max() < longest


def test_stamps_are_off_by_what_the_truth_says(loaded: Loaded) -> None:
    """The server's own capture and its log tell of the same message at the same instant."""
    truth, case, _ = loaded
    logs = [source for source, kinds in truth["in_the_logs"].items() if "ACK" in kinds]
    if not logs or "wire" not in truth["points"]:
        return
    acks = rows(case, DhcpMessage).filter(pl.col("message_type") == "ACK", pl.col("chaddr") == truth["in_fact"]["mac"])
    log = acks.filter(pl.col("source").is_in(logs) & (pl.col("seen_by") == "server")).sort("ts")
    wire = acks.filter(pl.col("host") == truth["points"]["wire"]).sort("ts")
    if not log.height or not wire.height:
        return
    off = (log["ts"][0] - wire["ts"][0]).total_seconds()
    zone_s = round(off / 900) * 900  # the log's zone may be unknown to the toolkit: whole quarters of an hour
    assert abs(off - zone_s) < 1.01 or wire.height != log.height
    assert zone_s == 0 or truth["clocks"][log["source"][0]]["zone"] != "UTC"


def test_every_cause_is_decided_by_some_and_hidden_in_others() -> None:
    whole = frozenset((*PLACES, "server_log", "client_log"))
    for cause in lost_lease.CAUSES:
        fault = FaultSeen(cause, 0.5, False, False)
        assert fault.decided(whole)
        assert fault.fails(whole)
        assert fault.decided(frozenset({"client_log"})) == (cause == "refused")


def test_numbers_cover_all_that_may_be_met(tmp_path: Path) -> None:
    met: Counter[str] = Counter()
    for seed in range(140):
        truth = written(seed, tmp_path / str(seed))
        assert bool(truth["findings"]) == (seed % 2 == 0)
        fact = truth["in_fact"]
        met.update((fact["cause"], fact["client"], str(fact["lease_s"]), *fact["sources"], *fact["framing"].values()))
        met.update(clock["zone"] for clock in truth["clocks"].values())
        if truth["findings"]:
            met.update(f"{key} unknown" for key, value in truth["findings"][0]["facts"].items() if value is None)
    assert met.keys() >= {*lost_lease.CAUSES, *lost_lease.HEALTHY, *PLACES, "server_log", "client_log"}
    assert met.keys() >= {"dhclient", "udhcpc", "systemd-networkd", "traditional", "rfc3339", "journal"}
    assert met.keys() >= {"120", "600", "3600", "86400", "Asia/Tokyo", "America/Edmonton"}
    assert met.keys() >= {"cause unknown", "mac unknown", "server unknown", "lease_s unknown", "server_replies unknown"}


@pytest.mark.parametrize("seed", [0, 1, 6, 8])
def test_tshark_reads_the_same(seed: int, tmp_path: Path) -> None:
    for number in range(seed, 400, 12):
        truth = written(number, tmp_path / str(number))
        if truth["points"]:
            break
    fields = ("dhcp.option.dhcp", "icmp.type", "ip.checksum.status", "_ws.malformed")
    columns = [part for field in fields for part in ("-e", field)]
    frames, messages = 0, Counter[str]()
    for path in sorted(p for p in (tmp_path / str(number)).rglob("*") if ".pcap" in p.name):
        command = [program("tshark"), "-n", "-o", "ip.check_checksum:TRUE", "-r", str(path), "-T", "fields", *columns]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        for line in said.splitlines():
            kind, icmp, checksum, malformed = line.split("\t")
            frames += 1
            assert {*checksum.split(",")} <= {"", "1"}
            assert malformed == ""
            messages.update([kind] if kind and not icmp else [])  # "port unreachable" quotes one
    assert frames == sum(truth["on_the_wire"].values())
    case = forensics.open_case(tmp_path / str(number), out=tmp_path / "out.case", workers=1)
    captured = rows(case, DhcpMessage).filter(pl.col("seen_by") == "capture")["message_type"]
    codes = {name: str(code) for code, name in enumerate(lost_lease.TYPES, 1)}
    assert Counter(codes[kind] for kind in captured) == messages


@settings(max_examples=8, deadline=None)
@given(lost_lease.cases())
def test_any_number_will_do(tmp_path_factory: pytest.TempPathFactory, case: Any) -> None:
    function, seed = case
    truth = function(seed, tmp_path_factory.mktemp("any"))
    assert bool(truth["findings"]) == (function is lost_lease.guilty)
    json.dumps(truth)
