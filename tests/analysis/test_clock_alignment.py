"""Clocks tied by what two sources saw: the true offset lies inside the bound, whatever the delays, drifts and zones."""

import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import forensics
from forensics.analysis import _message_ties
from forensics.analysis._alignment import settle
from forensics.analysis._clock_messages import Side
from forensics.analysis._rotation import series
from forensics.analysis.clock_alignment import clocks, findings
from forensics.records import Clock, DhcpMessage, Packet
from tests._evidence import evidence_root
from tests._leases import LOGS, POINTS, Plan, history

CASES = [
    Plan(
        seed=1000 + n,
        sources=((*POINTS, *LOGS), (POINTS[0], LOGS[0]), LOGS, (POINTS[0], POINTS[2]))[n % 4],
        lease_s=(60, 120, 600)[n % 3],
        client="dhclient",
        rate=1.0,
        client_xid=n % 2 == 0,
    )
    for n in range(44)
]


def told(plan: Plan) -> tuple[pl.DataFrame, object]:
    played = history(plan)
    return clocks(played.frame(DhcpMessage), played.frame(Packet), played.sources()), played


def test_true_offsets_lie_inside_their_bounds() -> None:
    inside, total, wide = 0, 0, 0
    for plan in CASES:
        found, played = told(plan)
        reference = found["reference"].drop_nulls()[0]
        middle = (played.start + played.end) // 2
        for row in found.iter_rows(named=True):
            if row["source"] == reference:
                continue
            truth = played.offset_s(row["source"], middle) - played.offset_s(reference, middle)
            total += 1
            inside += abs(row["offset_s"] - truth) <= row["bound_s"]
            wide += row["bound_s"] > (0.1 if "pcap" in row["source"] and "pcap" in reference else 2.0)
    assert total >= 75
    assert inside / total >= 0.99
    assert wide / total <= 0.05


def test_a_zone_is_split_off_in_whole_quarters_of_an_hour() -> None:
    for plan in CASES[::6]:
        found, _ = told(plan)
        for row in found.filter(pl.col("source").str.ends_with("syslog") & pl.col("zone_s").is_not_null()).iter_rows(
            named=True
        ):
            assert row["zone_s"] % 900 == 0
            assert abs(row["offset_s"] - row["zone_s"]) <= 450


def test_the_reference_is_the_capture_nearest_to_the_server() -> None:
    found, _ = told(CASES[0])
    assert set(found["reference"].drop_nulls()) == {"controller/br100.pcap"}


def test_a_source_that_shares_nothing_says_so() -> None:
    played = history(Plan(seed=5, sources=(POINTS[0],)))
    other = (
        played.frame(Packet)
        .head(5)
        .with_columns(
            source=pl.lit("elsewhere/eth0.pcap"),
            host=pl.lit("elsewhere/eth0"),
            src=pl.lit("192.0.2.1"),
            ip_id=pl.lit(9, pl.UInt32),
        )
    )
    found = clocks(played.frame(DhcpMessage), pl.concat([played.frame(Packet), other]))
    row = found.row(by_predicate=pl.col("source") == "elsewhere/eth0.pcap", named=True)
    assert row["offset_s"] is None
    assert "seen by another" in row["basis"]


def test_order_of_rows_and_files_changes_nothing() -> None:
    played = history(CASES[0])
    messages, packets = played.frame(DhcpMessage), played.frame(Packet)
    straight = clocks(messages, packets, played.sources())
    shuffled = clocks(messages.sample(fraction=1, shuffle=True, seed=3), packets.reverse(), played.sources().reverse())
    assert straight.equals(shuffled)


def test_a_host_without_shared_messages_keeps_time_by_its_other_log() -> None:
    played = history(CASES[0])
    extra = (
        played.sources()
        .filter(pl.col("source") == "controller/syslog")
        .with_columns(source=pl.lit("controller/nova.log"))
    )
    found = clocks(played.frame(DhcpMessage), played.frame(Packet), pl.concat([played.sources(), extra]))
    rows = {row["source"]: row for row in found.iter_rows(named=True)}
    assert rows["controller/nova.log"]["offset_s"] == rows["controller/syslog"]["offset_s"]
    assert "same host" in rows["controller/nova.log"]["basis"]


@pytest.mark.parametrize("drift_ppm", [-150.0, -20.0, 0.0, 35.0, 180.0])
def test_settle_holds_under_drift(drift_ppm: float) -> None:
    dice = np.random.default_rng(round(drift_ppm) + 500)
    at = np.sort(dice.integers(0, 3_600_000_000_000, 4000))
    line = 5_000_000_000 + at * drift_ppm * 1e-6
    there, back = line + dice.exponential(2e6, 4000) + 1e5, line - dice.exponential(2e6, 4000) - 1e5
    offset, bound, drift = settle(at, there.astype(np.int64), at, back.astype(np.int64))
    assert all(abs(offset - edge) <= bound for edge in (line[0], line[len(line) // 2], line[-1]))
    assert bound <= abs(drift_ppm) * 1e-6 * 1.8e12 * 1.1 + 1e6
    assert (drift is not None) == (drift_ppm != 0)
    if drift is not None:
        assert drift == pytest.approx(drift_ppm, abs=2)


def test_a_step_of_the_clock_widens_the_bound_instead_of_hiding() -> None:
    at = np.arange(0, 100_000_000_000, 100_000_000)
    line = np.where(at < 50_000_000_000, 0, 3_000_000_000)
    offset, bound, _ = settle(at, line + 100_000, at, line - 100_000)
    assert all(abs(offset - value) <= bound for value in (0, 3_000_000_000))


def test_skew_is_named_per_host_and_never_above_info() -> None:
    found = findings(told(CASES[0])[0])
    assert {finding.severity for finding in found} <= {"info"}
    assert all(abs(finding.facts["offset_s"]) > finding.facts["uncertainty_s"] for finding in found)
    assert findings(Clock.empty()) == []


@pytest.mark.parametrize("number", range(8))
def test_skew_shows_an_exchange_as_both_sources_saw_it(number: int) -> None:
    rows, played = told(CASES[number])
    messages, packets = played.frame(DhcpMessage), played.frame(Packet)
    stamps = {
        (source, position): (ts, host)
        for frame in (messages, packets)
        for source, position, ts, host in frame.select("source", "position", "ts", "host").iter_rows()
    }
    zones = {source: zone or 0.0 for source, zone in rows.select("source", "zone_s").iter_rows()}
    for finding in findings(rows, messages, packets):
        source, reference = finding.facts["between"]
        assert [ref.source for ref in finding.evidence] == [source, reference]
        (first, second) = [
            stamps[ref.source, int(ref.locator.partition(":")[2])][0].timestamp() - zones[ref.source]
            for ref in finding.evidence
        ]
        assert {ref.locator.partition(":")[0] for ref in finding.evidence} <= {"line", "frame"}
        assert first - second == pytest.approx(finding.facts["offset_s"], abs=finding.facts["uncertainty_s"] + 1.5)
        assert finding.story
        assert finding.next_evidence


def test_a_chain_of_sources_shows_each_link() -> None:
    played = history(Plan(seed=5, sources=(POINTS[0], POINTS[1], POINTS[2])))
    rows, packets = clocks(played.frame(DhcpMessage), played.frame(Packet)), played.frame(Packet)
    names = rows["source"].to_list()
    apart = packets.filter(pl.col("source") != names[0])
    relayed = pl.concat(
        [
            packets.filter(pl.col("source") == names[0]).with_columns(src=pl.lit("8") + pl.col("src")),
            apart,
            apart.filter(pl.col("source") == names[1]).with_columns(src=pl.lit("8") + pl.col("src")),
        ]
    )
    skewed = rows.with_columns(
        offset_s=pl.when(pl.col("source") == names[0]).then(3.0).otherwise(0.0),
        bound_s=pl.lit(0.001),
        exchanges=pl.lit(9),
        reference=pl.lit(names[2]),
        host="source",
    )
    (finding,) = findings(skewed, None, relayed)
    assert [ref.source for ref in finding.evidence] == [names[0], names[1], names[1], names[2]]


def test_rotated_files_are_one_series() -> None:
    dice = random.Random(1)
    names = ["a/syslog", "a/syslog.1", "a/syslog.2.gz", "a/syslog-20120830.xz"]
    dice.shuffle(names)
    assert {series(name) for name in names} == {"a/syslog"}


def test_two_sides_of_a_router_in_public_captures(tmp_path: Path) -> None:
    """The collection's manifest: one ping, seen on both sides, by clocks that are 48.851 s apart."""
    names = [f"chrissanders__ip_ttl_{side}.pcapng" for side in ("source", "dest")]
    (tmp_path / "evidence").mkdir()
    for name in names:
        (tmp_path / "evidence" / name).write_bytes((evidence_root() / "pcap" / "multipoint" / name).read_bytes())
    case = forensics.open_case(tmp_path / "evidence", out=tmp_path / "case")
    offsets = dict(case.clocks.select("source", "offset_s").iter_rows())
    assert offsets[names[0]] - offsets[names[1]] == pytest.approx(48.851, abs=0.001)


def test_sources_that_only_share_with_each_other_keep_a_reference_of_their_own() -> None:
    played = history(Plan(seed=5, sources=(POINTS[0], POINTS[2])))
    packets = played.frame(Packet)
    apart = packets.with_columns(
        source=pl.lit("far/") + pl.col("source"), host=pl.lit("far/") + pl.col("host"), src=pl.lit("9") + pl.col("src")
    )
    found = clocks(played.frame(DhcpMessage), pl.concat([packets, apart]))
    assert found["reference"].n_unique() == 2
    assert found["offset_s"].null_count() == 0


def test_two_clocks_that_both_seem_to_have_been_set_back_are_not_tied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_message_ties, "set_back", lambda *_: True)
    monkeypatch.setattr(_message_ties, "_paired", lambda *_: pl.DataFrame({"at": [1, 2], "at_y": [2, 1]}))
    log, capture = (Side(role, 0, 2, (1, 2), pl.DataFrame()) for role in ("server", "capture"))
    assert _message_ties.tie_messages(log, capture) is None
