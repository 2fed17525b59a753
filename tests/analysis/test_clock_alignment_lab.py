"""Every kind of tie in a cloud whose clocks are known: true offsets lie inside bounds that are of use."""

from random import Random

import polars as pl
import pytest

from forensics.analysis import _clock_steps, _message_ties, _own_zones, _shared_events, _sieve, _sightings
from forensics.analysis._clock_steps import own_steps
from forensics.analysis.clock_alignment import findings
from forensics.records import Clock, DhcpMessage, LogRecord, Packet
from tests._clock_lab import EPOCH, NS, Lab

CASES = 8


def lab(kind: str, seed: int) -> Lab:
    """One case of a kind."""
    dice = Random(seed)
    step_s = dice.choice((-1, 1)) * dice.choice((2.5, 5, 30, 90))
    made = Lab(seed, stepping="ctl" if kind.startswith("step") else None, step_s=step_s, summer=kind == "summer")
    if kind.endswith("packets"):
        made.traffic("ctl", "cc1", 400 if kind.startswith("step") else dice.choice((30, 300)))
    if kind in ("dhcp", "summer", "step dhcp"):
        made.leases("ctl", 60 if kind == "step dhcp" else 20, named=seed % 2 == 0, point="cc1")
    if kind == "periodic":
        made.leases("ctl", min(40, made.span // NS // 60 - 2), named=False, period_s=60, point="cc1")
    if kind in ("kept", "restamped"):
        made.copies("cc1", "logs", dice.choice((5, 40, 200)), restamped=kind == "restamped", whole=seed % 3 > 0)
    if kind.endswith("requests"):
        made.consoles("ctl", "cc1", 60 if kind.startswith("step") else dice.choice((4, 12, 40)))
    if kind == "boots":
        made.boots("ctl", "cc1", dice.choice((4, 12, 40)))
    if kind == "connections":
        made.connections("mq", dice.choice((4, 20)))
    if kind == "all":
        made.traffic("ctl", "mq", 60)
        made.leases("ctl", 20, named=True)
        made.copies("cc1", "logs", 20, restamped=seed % 2 == 0, whole=True)
        made.consoles("ctl", "cc1", 10)
        made.boots("ctl", "cc2", 8)
        made.connections("mq", 8)
    return made


USEFUL_S = {"packets": 0.1, "dhcp": 0.6, "kept": 1.1, "restamped": 6, "requests": 2, "boots": 11, "connections": 0.03}
KINDS = (*USEFUL_S, "periodic", "summer", "all", "step packets", "step dhcp", "step requests")


@pytest.mark.parametrize("kind", KINDS)
def test_true_offsets_of_all_rows_lie_inside_their_bounds(kind: str) -> None:
    outside, widths = [], []
    for seed in range(CASES):
        made = lab(kind, seed)
        told = made.errors(made.clock_rows())
        assert told or kind in ("periodic", "summer")
        outside += [(seed, *one) for one in told if one[1] > 1e-6]
        widths += [one[2] for one in told]
    assert outside == []
    if kind in USEFUL_S:
        assert sorted(widths)[len(widths) // 2] <= USEFUL_S[kind]


@pytest.mark.parametrize("kind", ["step packets", "step dhcp"])
def test_a_clock_that_was_set_is_told_with_when_and_by_how_much(kind: str) -> None:
    named = 0
    for seed in range(4):
        made = lab(kind, seed)
        rows = made.clock_rows()
        told = findings(rows, made.frame(DhcpMessage), made.frame(Packet), made.frame(LogRecord))
        steps = [one for one in told if "stepped_at" in one.facts]
        assert {one.severity for one in told} <= {"info"}
        ((_, by),) = made.clocks["ctl"].steps
        for one in steps:
            assert abs(abs(one.facts["offset_s"]) - abs(by / NS)) <= one.facts["uncertainty_s"]
            assert one.facts["between"][0] != one.facts["between"][1]
            assert one.evidence
            named += 1
        assert len({one.id for one in told}) == len(told)
    assert named >= 3


def test_zones_follow_from_stamps_in_utc_by_the_same_machine() -> None:
    for seed in range(CASES):
        made = lab("boots", seed)
        row = made.clock_rows(known=("ctl/api.log",)).row(
            by_predicate=pl.col("source") == "cc1/compute.log", named=True
        )
        assert row["zone_s"] == made.zones["cc1/compute.log"] - made.zones["ctl/api.log"] or row["zone_s"] is None


def test_one_machines_log_and_capture_have_one_clock_where_the_zone_is_known() -> None:
    made = Lab(3)
    made.traffic("ctl", "cc1", 60)
    made.zone = 0
    for t in made.times(5):
        made.line("ctl/nova.log", "ctl", t, "a line that stands nowhere else")
    rows = {row["source"]: row for row in made.clock_rows(known=("ctl/nova.log",)).iter_rows(named=True)}
    log, wire = rows["ctl/nova.log"], rows["ctl/eth0.pcap"]
    assert log["offset_s"] == pytest.approx(wire["offset_s"], abs=1e-6)
    assert "same machine" in log["basis"]
    assert made.clock_rows().filter(source="ctl/nova.log")["offset_s"].to_list() == [None]


def test_repeated_texts_and_two_pairs_tie_nothing() -> None:
    made = Lab(4)
    for n, t in enumerate(made.times(40)):
        made.line(("cc1/messages", "logs/cc1.log")[n % 2], "cc1", t, "Auditing locally available compute resources")
    made.consoles("ctl", "cc2", 2)
    assert made.clock_rows()["offset_s"].null_count() == made.clock_rows().height


def test_order_of_rows_changes_nothing() -> None:
    made = lab("all", 1)
    straight = made.clock_rows()
    made.rows = {record: rows[::-1] for record, rows in made.rows.items()}
    assert made.clock_rows().equals(straight)


def test_size_of_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = lab("all", 1)
    whole = made.clock_rows()
    monkeypatch.setattr(_sightings, "MOST_SEEN", 20)
    monkeypatch.setattr(_own_zones, "MOST_STAMPS", 3)
    monkeypatch.setattr(_shared_events, "MOST_NAMED", 5)
    monkeypatch.setattr(_sieve, "_ROWS", 7)
    assert made.clock_rows().equals(whole)


def test_the_closest_pairs_are_kept_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = Random(1)
    rows = {"message_type": "ACK", "key": dice.choices("abc", k=40), "at": dice.sample(range(10**6), 40)}
    x = pl.DataFrame(rows).with_row_index("owner")
    y = pl.DataFrame(rows).with_columns(pl.col("at") + 77).with_row_index("owner_y").with_columns(place_y="owner_y")
    every = _message_ties._closest(x, y, ["key", "message_type"])
    monkeypatch.setattr(_message_ties, "MOST_PAIRS", 45)
    few = _message_ties._closest(x, y, ["key", "message_type"])
    assert few.equals(every.sort(pl.col("difference").abs(), "owner", "owner_y").head(45))


def logged(*lines: tuple[float, str, str]) -> pl.LazyFrame:
    """Lines of one log: seconds, program, message."""
    made = Lab(1)
    made.clocks["cc1"].offset, made.clocks["cc1"].drift_ppm, made.zone = 0, 0.0, 0
    for at, program, message in lines:
        made.line("cc1/syslog", "cc1", EPOCH + round(at * NS), message, program=program)
    return made.frame(LogRecord).lazy()


@pytest.mark.parametrize(
    ("program", "message", "by_s"),
    [
        ("chronyd", "System clock was stepped by 30.250000 seconds", 30.25),
        ("ntpd", "time reset -12.500000 s", -12.5),
        ("ntpdate", "step time server 192.0.2.1 offset 4.125000 sec", 4.125),
        ("ntpd", "set local clock to Mon Jan  5 10:00:00 UTC 2015 (offset 7.5s)", 7.5),
        ("kernel", "[12.5] Clock: inserting leap second 23:59:60 UTC", -1.0),
    ],
)
def test_what_a_time_daemon_says(program: str, message: str, by_s: float) -> None:
    (step,) = own_steps(logged((0, "a", "one line"), (10, program, message)))
    assert step.by_ns == round(by_s * NS)
    (finding,) = findings(Clock.empty(), None, None, logged((10, program, message)))
    assert (finding.severity, finding.facts["offset_s"]) == ("info", by_s)


def test_small_adjustments_are_no_steps() -> None:
    said = ((1, "ntpd", "time reset +0.512000 s"), (2, "ntpdate", "adjust time server 192.0.2.1 offset 0.012 sec"))
    assert own_steps(logged(*said)) == []


def test_stamps_that_fall_back_for_good_are_a_step_and_late_lines_are_none() -> None:
    ticks = [(float(n * 5), "a", f"line {n}") for n in range(20)]
    assert own_steps(logged(*ticks)) == []
    late = [*ticks[:10], (20.0, "b", "a late one"), *ticks[10:]]
    assert own_steps(logged(*late)) == []
    (step,) = own_steps(logged(*ticks, *((at + 96 - 30, "a", "again") for at, _, _ in ticks)))
    assert step.by_ns == (96 - 30 - 95) * NS
    assert own_steps(logged(*ticks, *((at - 3600, "a", "an hour") for at, _, _ in ticks))) == []


@pytest.mark.parametrize("rows", [1, 3, 1000])
def test_steps_are_found_however_few_lines_are_read_at_a_time(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_clock_steps, "_ROWS", rows)
    ticks = [(n * 5.0 - 40 * (n >= 30) - 50 * (n >= 60), "a", f"line {n}") for n in range(90)]
    two = pl.concat([logged(*ticks).with_columns(host=pl.lit(host)) for host in ("x", "y")]).sort("position")
    for lines in (two, two.reverse()):  # a case has them in order, others may not
        assert [(step.host, step.by_ns) for step in own_steps(lines)] == [
            (host, -by_s * NS) for host in ("x", "y") for by_s in (35, 45)
        ]


@pytest.mark.parametrize("by_s", [-30.0, 45.0])
def test_uptime_runs_on_while_the_clock_is_set(by_s: float) -> None:
    def lines(by: float) -> list[tuple[float, str, str]]:
        return [
            (n * 40 + (by if n >= 10 else 0), "kernel", f"[{n * 40 + 100}.000000] eth0: link {n}") for n in range(20)
        ]

    assert own_steps(logged(*lines(0.0))) == []
    (step,) = own_steps(logged(*lines(by_s)))
    assert step.by_ns == round(by_s * NS)
    assert "uptime" in step.basis


@pytest.mark.parametrize("kind", ["packets", "dhcp"])
def test_a_clock_that_runs_away_is_followed_all_day(kind: str) -> None:
    for seed, drift_ppm in enumerate((-80.0, 30.0, 95.0)):
        made = Lab(seed)
        made.span = 86_400 * NS
        made.clocks["ctl"].drift_ppm, made.clocks["cc1"].drift_ppm = drift_ppm, 0.0
        made.traffic("ctl", "cc1", 300) if kind == "packets" else made.leases("ctl", 120, named=True, point="cc1")
        rows = made.clock_rows()
        ((_, outside, bound_s, _),) = made.errors(rows)
        row = rows.filter(pl.col("source") != pl.col("reference")).row(0, named=True)
        assert outside <= 1e-6
        assert bound_s < 1.1 < row["bound_s"]
        assert abs(row["drift_ppm"]) == pytest.approx(abs(drift_ppm), abs=3)


def test_few_pairs_that_are_like_the_rest_by_chance_do_not_hide_that_a_clock_was_set() -> None:
    for seed in (137, 139):
        made = lab("step dhcp", seed)
        rows = made.clock_rows()
        assert [one for one in made.errors(rows) if one[1] > 1e-6] == []
        assert rows["pieces"].list.len().max()
