"""Years of stamps that have none: right where something decides, marked where it is inferred, null where it is open."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from forensics.clocks import NO_TIME, YearCounter, YearPlan

NS = 1_000_000_000
DAY = timedelta(days=1)


def ns(at: datetime) -> int:
    return (at.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def columns(lines: list[datetime], references: list[datetime | None] | None = None) -> tuple[np.ndarray, ...]:
    """What the stamps of these lines say, and the second clocks."""
    month = np.array([at.month for at in lines])
    day = np.array([at.day for at in lines])
    clock = np.array([(at.hour * 3600 + at.minute * 60 + at.second) * NS + at.microsecond * 1000 for at in lines])
    other = [NO_TIME if at is None else ns(at) for at in references or [None] * len(lines)]
    return month, day, clock, np.array(other, dtype=np.int64)


def resolved(
    lines: list[datetime], references: list[datetime | None] | None = None, chunk: int = 0, **known: int | None
) -> tuple[pl.DataFrame, YearPlan]:
    """Both passes, cut at different places."""
    parts = columns(lines, references)
    step = chunk or max(1, len(lines))
    counter = YearCounter()
    for start in range(0, len(lines), step):
        counter.add(*(part[start : start + step] for part in parts))
    plan = counter.resolve(**known)
    frames = [plan.years(*(part[at : at + step + 3] for part in parts)) for at in range(0, len(lines), step + 3)]
    return pl.concat(frames), plan


@dataclass
class Log:
    """A log with its true times and with what is known around it."""

    lines: list[datetime]
    references: list[datetime | None]
    share: float
    evidence: str
    rotated_on: int | None
    modified: int | None


def logs(count: int, seed: int) -> Iterator[Log]:
    """Logs of a day to six years, with a true, a false or no file time, and a second clock in some lines or none."""
    draw = random.Random(seed)
    for n in range(count):
        days = draw.choice([1, 3, 30, 180, 365, 366, 400, 731, 1100, 1461, 2190])
        start = datetime(2003 + draw.randrange(18), 1, 1) + timedelta(
            days=draw.randrange(366), seconds=draw.randrange(86_400)
        )
        if n % 5 == 0:  # around a New Year
            start = datetime(start.year, 12, 31, 23) - timedelta(hours=draw.randrange(24))
        if n % 7 == 0:  # over a 29 February
            start = datetime(draw.choice([2004, 2008, 2012, 2016, 2020]), 2, 28, 22) - timedelta(
                days=draw.randrange(200)
            )
        size = max(days // 10, draw.randrange(20, 200))
        seconds = sorted(draw.randrange(days * 86_400) for _ in range(size))
        lines = [start + timedelta(seconds=s) for s in seconds]
        for i in range(1, len(lines)):  # a few lines out of order, by seconds to hours
            if draw.random() < 0.02:
                lines[i] -= timedelta(seconds=draw.choice([1, 30, 7200]))
        share = (0.0, 0.01, 1.0)[n % 3]
        late = timedelta(seconds=draw.choice([0, 0, 1, 90, 3600]))
        zone = timedelta(hours=draw.choice([0, 0, -7, 9]))
        references = [at - late + zone if draw.random() < share else None for at in lines]
        evidence = ("modified", "file-name", "copied", "future", "unset", "none")[n // 3 % 6]
        end = max(lines)
        midnight = end.replace(hour=0, minute=0, second=0)
        rotated = ns(midnight + draw.choice([0, 1]) * DAY) if evidence == "file-name" else None
        modified = {
            "modified": ns(end + timedelta(seconds=draw.randrange(86_400))),
            "copied": ns(end + timedelta(days=draw.randrange(370, 3000))),
            "future": ns(datetime(2031, 5, 5)),
            "unset": 0,
            "none": None,
            "file-name": ns(datetime(2029, 1, 1)),
        }[evidence]
        yield Log(lines, references, share, evidence, rotated, modified)


def test_a_thousand_logs() -> None:
    wrong_but_marked = 0
    for log in logs(1000, seed=17):
        rows, plan = resolved(
            log.lines, log.references, chunk=61, rotated_on_ns=log.rotated_on, modified_ns=log.modified,
            now_ns=ns(datetime(2030, 1, 1)),
        )  # fmt: skip
        truth = pl.Series([at.year for at in log.lines])
        right = (rows["year"] == truth).fill_null(False)
        decided = any(at is not None for at in log.references) or log.evidence == "file-name"
        if decided:
            assert right.all(), (log.evidence, log.share, plan.basis)
            assert set(rows["year_basis"]) <= {"inner", "neighbour", "file-name"}
        for year, basis, ok in zip(rows["year"], rows["year_basis"], right, strict=True):
            assert ok or basis in ("modified", "none")
            assert (year is None) == (basis == "none")
        wrong_but_marked += 0 if decided else int((~right).sum())
        if log.evidence == "modified":
            assert right.all()
        if log.evidence == "future" and not decided:
            assert "future" in (plan.note or "")
        if log.evidence in ("unset", "none") and not decided:
            assert rows["year"].null_count() == rows.height
            assert rows["reason"].null_count() == 0
    assert wrong_but_marked, "false file times must have been drawn"


def test_local_time_carries_the_year() -> None:
    at = [datetime(2012, 12, 31, 23, 59, 59), datetime(2013, 1, 1, 0, 0, 1)]
    rows, _ = resolved(at, modified_ns=ns(datetime(2013, 1, 1, 1)))
    assert rows["local_ns"].to_list() == [ns(t) for t in at]


def test_the_inner_stamp_of_a_double_stamped_line_decides() -> None:
    at = datetime(2012, 12, 19, 12, 10, 59)
    rows, plan = resolved([at], [at], modified_ns=ns(datetime(2026, 1, 1)))
    assert rows.select("year", "year_basis", "reason").row(0) == (2012, "inner", None)
    assert plan.basis == "neighbour"


def test_the_transport_may_be_in_the_next_year_already() -> None:
    rows, _ = resolved([datetime(2013, 1, 1, 0, 0, 1)], [datetime(2012, 12, 31, 23, 59, 59)])
    assert rows["year"].to_list() == [2013]


def test_a_declared_year_wins_over_all() -> None:
    at = [datetime(2012, 12, 31), datetime(2013, 1, 1)]
    rows, plan = resolved(at, at, declared=1999, rotated_on_ns=ns(datetime(2013, 1, 2)))
    assert (rows["year"].to_list(), set(rows["year_basis"]), plan.basis) == ([1999, 2000], {"declared"}, "declared")


@pytest.mark.parametrize(
    ("rotated", "year"), [(datetime(2013, 1, 1), 2012), (datetime(2012, 12, 31), 2012), (datetime(2013, 12, 30), 2013)]
)
def test_a_rotation_day_rolls_back_over_new_year(rotated: datetime, year: int) -> None:
    rows, _ = resolved([datetime(2000, 12, 30), datetime(2000, 12, 31)], rotated_on_ns=ns(rotated))
    assert (rows["year"].to_list(), set(rows["year_basis"])) == ([year, year], {"file-name"})


def test_29_february_moves_a_false_file_time_to_a_year_that_has_one() -> None:
    rows, plan = resolved([datetime(2012, 2, 28), datetime(2012, 2, 29)], modified_ns=ns(datetime(2015, 6, 1)))
    assert rows["year"].to_list() == [2012, 2012]
    assert plan.note == "29 February moved the year from 2015 to 2012"


def test_29_february_without_a_candidate_is_null_with_the_reason() -> None:
    twice = [datetime(2012, 2, 29), datetime(2012, 6, 1), datetime(2012, 11, 1), datetime(2016, 2, 29)]
    rows, plan = resolved(twice, modified_ns=ns(datetime(2016, 6, 1)))
    assert rows["year"].null_count() == 4
    assert plan.note == "no year gives every 29 February of this log its day"
    rows, _ = resolved([datetime(2012, 2, 29), datetime(2012, 3, 1)], declared=2013)
    assert rows.row(0) == (None, "none", None, "2013 has no 29 February")
    assert rows["year"].to_list() == [None, 2013]


def test_with_nothing_else_29_february_leaves_candidates() -> None:
    rows, plan = resolved([datetime(2012, 2, 29)])
    assert plan.note == (
        "nothing tells the year; its 29 February allows "
        "1996, 2000, 2004, 2008, 2012, 2016, 2020, 2024, 2028, 2032, 2036, 2040"
    )
    assert rows["reason"].to_list() == [plan.note]


@pytest.mark.parametrize(("month", "day"), [(0, 1), (13, 1), (2, 30), (4, 31), (1, 0), (1, 32), (255, 255)])
def test_no_date_is_null_and_counts_for_nothing(month: int, day: int) -> None:
    counter = YearCounter()
    lines = np.array([6, month, 6]), np.array([1, day, 2]), np.zeros(3, dtype=np.int64)
    counter.add(*lines)
    rows = counter.resolve(modified_ns=ns(datetime(2012, 6, 3))).years(*lines)
    assert rows["year"].to_list() == [2012, None, 2012]
    assert rows["reason"].to_list() == [None, "no such date", None]


def test_nulls_of_polars_are_no_dates() -> None:
    lines = (
        pl.Series([6, None], dtype=pl.Int64),
        pl.Series([1, None], dtype=pl.Int64),
        pl.Series([0, None], dtype=pl.Int64),
    )
    counter = YearCounter()
    counter.add(*lines)
    assert counter.resolve(modified_ns=ns(datetime(2012, 6, 3))).years(*lines)["year"].to_list() == [2012, None]


def test_a_switch_that_boots_on_1_january_turns_no_year() -> None:
    boot = [datetime(2013, 7, 10), datetime(2000, 1, 1, 0, 0, 30), datetime(2000, 1, 1, 0, 1), datetime(2013, 7, 10, 1)]
    rows, _ = resolved(boot, modified_ns=ns(datetime(2013, 7, 11)))
    assert rows["year"].to_list()[0::3] == [2013, 2013]
    assert rows["reason"].is_not_null().to_list() == [True, True, True, False]
    rows, _ = resolved(boot, [boot[0], None, None, boot[3]])
    assert rows["year_basis"].to_list() == ["inner", "neighbour", "neighbour", "inner"]
    assert rows["reason"].to_list()[1] == "the clock was elsewhere for a short while"


def test_lines_of_two_hosts_around_new_year_do_not_run_away() -> None:
    lines = [datetime(2012, 12, 31, 23, 59), datetime(2013, 1, 1)] * 500
    rows, _ = resolved(lines, chunk=7, modified_ns=ns(datetime(2013, 1, 2)))
    assert rows["year"].to_list() == [at.year for at in lines]


def test_neighbours_that_disagree_find_the_one_step_between_them_or_leave_it_open() -> None:
    lines = [datetime(2011, 5, 1), datetime(2011, 6, 1), datetime(2012, 4, 1), datetime(2012, 5, 2)]
    rows, _ = resolved(lines, [lines[0], None, None, lines[3]])
    assert rows["year"].to_list() == [2011, 2011, 2012, 2012]
    silent = [datetime(2011, 5, 1), datetime(2012, 5, 3), datetime(2012, 5, 9)]
    rows, plan = resolved(silent, [silent[0], None, silent[2]])
    assert rows["year"].to_list() == [2011, None, 2012]
    assert rows["year_basis"].to_list() == ["inner", "none", "inner"]
    assert plan.note == "neighbours leave the year open"


def test_lines_beyond_a_doubtful_step_are_marked() -> None:
    lines = [datetime(2012, 1, 5), datetime(2012, 9, 1), datetime(2012, 9, 2)]
    rows, _ = resolved(lines, rotated_on_ns=ns(datetime(2012, 9, 3)))
    assert rows["year"].to_list() == [2012, 2012, 2012]
    assert rows["reason"].is_not_null().to_list() == [True, False, False]


def test_a_second_clock_far_away_does_not_decide() -> None:
    rows, plan = resolved([datetime(2012, 6, 1)], [datetime(1970, 1, 1)], modified_ns=ns(datetime(2012, 6, 2)))
    assert (rows["year"][0], rows["year_basis"][0], plan.basis) == (2012, "modified", "modified")
    assert rows["reason"][0] == "the second clock of this line is more than a week away"


def test_one_pass_goes_on_counting_and_leaves_open_what_lies_after_the_file() -> None:
    lines = [datetime(2012, 11, 1), datetime(2012, 12, 31), datetime(2013, 1, 1), datetime(2013, 6, 1)]
    parts = columns(lines)
    counter = YearCounter()
    counter.add(*(part[:2] for part in parts))
    rows = counter.resolve(modified_ns=ns(datetime(2013, 2, 1))).years(*parts)
    assert rows["year"].to_list() == [2012, 2012, 2013, None]
    assert rows["reason"][3] == "later than the file's own date"


def test_no_lines_and_no_stamps() -> None:
    none = np.array([], dtype=np.int64)
    counter = YearCounter()
    counter.add(none, none, none)
    plan = counter.resolve(modified_ns=0)
    assert (plan.basis, plan.note, plan.years(none, none, none).height) == ("none", "no line has a stamp", 0)


@pytest.mark.parametrize(
    "known", [{"modified_ns": 2**63 - 1}, {"modified_ns": -(2**63)}, {"declared": 99999}, {"declared": -5}]
)
def test_absurd_file_times_and_declarations_break_nothing(known: dict[str, int]) -> None:
    rows, _ = resolved([datetime(2012, 6, 1), datetime(2012, 2, 29)], **known)
    assert rows.height == 2


def test_state_stays_small_whatever_the_log_says() -> None:
    draw = np.random.default_rng(5)
    counter = YearCounter()
    n = 50_000
    for _ in range(6):
        month, day = draw.integers(0, 14, n), draw.integers(0, 33, n)
        counter.add(month, day, draw.integers(0, 86_400, n) * NS, draw.integers(0, 2**62, n))
    plan = counter.resolve()
    assert len(counter._doubts) <= 65_536
    assert len(counter._runs) <= 65_536
    assert plan.years(month, day, np.zeros(n, dtype=np.int64)).height == n


def test_other_sources_of_the_case_beat_a_false_file_time() -> None:
    lines = [datetime(2012, 12, 31, 23, 59), datetime(2013, 1, 1, 0, 1)]
    capture = ns(datetime(2013, 1, 1, 6, 0)), ns(datetime(2013, 1, 1, 9, 0))
    counter = YearCounter()
    counter.add(*columns(lines))
    plan = counter.resolve(elsewhere_ns=capture, modified_ns=ns(datetime(2024, 5, 1)))
    assert (plan.basis, plan.years(*columns(lines))["year"].to_list()) == ("neighbour", [2012, 2013])


def test_sources_that_lie_far_away_say_nothing_of_the_year() -> None:
    lines = [datetime(2013, 6, 1, 12, 0)]
    counter = YearCounter()
    counter.add(*columns(lines))
    capture = ns(datetime(2013, 1, 1)), ns(datetime(2013, 1, 2))
    assert counter.resolve(elsewhere_ns=capture, modified_ns=ns(datetime(2013, 6, 2))).basis == "modified"
    assert counter.resolve(elsewhere_ns=capture, rotated_on_ns=ns(datetime(2013, 6, 2))).basis == "file-name"
