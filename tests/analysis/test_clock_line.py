"""Clocks that run apart: lines turned round and put one after the other say the same as the clocks do."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from forensics.analysis._clock_line import Line, chained
from forensics.analysis._correlate import on_one_clock, placed
from forensics.records import Clock, LogRecord

DAY = 86_400 * 10**9
NOW = 1_500_000_000 * 10**9
LINES = st.builds(Line, st.integers(-12 * DAY // 24, 14 * DAY // 24), st.just(1000), st.floats(-200, 200),
                  st.integers(NOW - DAY, NOW + DAY), st.just(DAY // 2))  # fmt: skip


@given(LINES, st.integers(NOW - DAY, NOW + DAY))
def test_turned_it_says_the_same_by_the_other_clock(line: Line, at: int) -> None:
    there = at - line.at(at)
    assert abs(line.turned().at(there) + line.at(at)) <= 1000


@given(LINES, LINES, st.integers(NOW - DAY, NOW + DAY))
def test_one_after_the_other_they_add_up_at_every_instant(near: Line, far: Line, at: int) -> None:
    both = near.then(far)
    there = at - near.at(at)
    assert abs(both.at(at) - near.at(at) - far.at(there)) <= 1000
    assert both.bound_ns >= near.bound_ns + far.bound_ns


def test_an_offset_without_drift_is_a_line_too() -> None:
    line = Line(5_000, 10, 50.0, NOW, DAY)
    assert chained(None, (1, 2), None, (3, 4)) is None
    for one in (chained(line, (0, 0), None, (700, 3)), chained(None, (700, 3), line, (0, 0))):
        assert one is not None
        assert round(one.drift_ppm, 9) == 50.0
        assert 13 <= one.bound_ns <= 14  # rounded up
        assert abs(one.at(NOW) - 5_700) <= 1


def test_rows_are_moved_by_what_the_drift_makes_of_the_offset_then() -> None:
    clocks = pl.DataFrame(
        [{"source": "a", "reference": "r", "offset_s": 10.0, "bound_s": 6.0, "drift_ppm": 50.0, "pivot_at": NOW,
          "pivot_bound_s": 0.25, "exchanges": 9, "basis": "a test"},
         {"source": "b", "reference": "r", "offset_s": 1.0, "bound_s": 0.5, "exchanges": 9, "basis": "a test"}],
        schema=Clock.polars_schema() | {"pivot_at": pl.Int64},
    ).cast(Clock.polars_schema()).lazy()  # fmt: skip
    rows = pl.DataFrame(
        {"source": ["a", "a", "b", "c"], "ts": [NOW, NOW + DAY, NOW + DAY, NOW]},
        schema={"source": pl.String, "ts": LogRecord.polars_schema()["ts"]},
    ).lazy()
    told = on_one_clock(rows, clocks).sort("source", "ts").collect()
    assert [at - own for at, own in told.select("at", "own").iter_rows()] == [-(10**10), -14_320_000_000, -(10**9), 0]
    assert told["bound"].to_list() == [250_000_000, 250_000_000, 500_000_000, 10**9]
    shown = placed(rows, clocks).sort("source", "ts").collect()
    assert shown["at"].to_physical().to_list() == told["at"].to_list()
    assert shown["bound_s"].to_list() == [0.25, 0.25, 0.5, None]
