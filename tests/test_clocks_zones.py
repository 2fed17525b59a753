"""Wall clocks to UTC: no lost row, no exception, and every doubtful hour marked."""

import importlib.resources
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from forensics.clocks import (
    FIRST_TIME,
    MARKS,
    NO_TIME,
    SECOND_TIME,
    SKIPPED,
    TZDATA_VERSION,
    UNDECIDED,
    LocalClock,
    is_zone,
    quarter_hours,
    zone_names,
    zone_offset,
)
from tests._slow import SLOW

NS = 1_000_000_000
SAMPLED = 12
"""Without FORENSICS_SLOW=1 every so many zones."""


def oracle(zone: str) -> ZoneInfo:
    """The zone as the standard library reads it, from the same data."""
    with importlib.resources.files("tzdata.zoneinfo").joinpath(*zone.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=zone)


def offset(info: ZoneInfo, at: datetime) -> timedelta:
    shift = at.replace(tzinfo=info).utcoffset()
    assert shift is not None
    return shift


def transitions(info: ZoneInfo) -> list[int]:
    """Seconds since 1970 of the changes of the offset from 2010 to 2030, found hour by hour."""
    hours = range(1_262_304_000, 1_893_456_000 + 1, 6 * 3600)
    at = [datetime.fromtimestamp(s, info).utcoffset() for s in hours]
    found = []
    for (low, high), (before, after) in zip(pairwise(hours), pairwise(at), strict=True):
        if before == after:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            same = datetime.fromtimestamp(middle, info).utcoffset() == before
            low, high = (middle, high) if same else (low, middle)
        found.append(high)
    return found


def test_every_minute_around_every_transition() -> None:
    rows = changes = 0
    for zone in sorted(zone_names())[:: 1 if SLOW else SAMPLED]:
        info = oracle(zone)
        for instant in transitions(info):
            changes += 1
            middle = datetime.fromtimestamp(instant, UTC).replace(tzinfo=None)
            before = offset(info, middle.replace(tzinfo=None) - timedelta(days=1, hours=2))
            local = [middle + before + timedelta(minutes=m) for m in range(-180, 180)]
            naive = np.array([(at - datetime(1970, 1, 1)) // timedelta(seconds=1) for at in local], dtype=np.int64)
            first = np.array([offset(info, at).total_seconds() for at in local])
            second = np.array([offset(info, at.replace(fold=1)).total_seconds() for at in local])
            found = LocalClock(zone).utc(naive * NS)
            rows += found.height
            assert found["ts"].null_count() == 0
            assert (found["ts"].dt.epoch("ns").to_numpy() == (naive - first.astype(np.int64)) * NS).all(), (
                zone,
                instant,
            )
            assert (found["mark"] == UNDECIDED).fill_null(False).to_list() == (first > second).tolist(), (zone, instant)
            assert (found["mark"] == SKIPPED).fill_null(False).to_list() == (first < second).tolist(), (zone, instant)
    assert rows == changes * 360
    assert changes >= (8_000 if SLOW else 400)


def lines(start: datetime, *minutes: float) -> np.ndarray:
    since = (start - datetime(1970, 1, 1)) // timedelta(seconds=1)
    return np.array([round((since + 60 * m) * NS) for m in minutes], dtype=np.int64)


FALL_BACK = datetime(2012, 11, 4, 0, 30)  # Edmonton: 02:00 MDT became 01:00 MST at 08:00 UTC


def test_the_order_of_lines_divides_the_repeated_hour() -> None:
    found = LocalClock("America/Edmonton").utc(lines(FALL_BACK, 0, 40, 80, 85, 35, 50, 89, 95))
    assert found["mark"].to_list() == [None, *[FIRST_TIME] * 3, *[SECOND_TIME] * 3, None]
    assert [f"{t:%H:%M}" for t in found["ts"]] == [
        "06:30",
        "07:10",
        "07:50",
        "07:55",
        "08:05",
        "08:20",
        "08:59",
        "09:05",
    ]
    assert found["ts"].is_sorted()


def test_lines_out_of_order_by_seconds_divide_nothing() -> None:
    found = LocalClock("America/Edmonton").utc(lines(FALL_BACK, 40, 39.5, 41, 40.2, 50))
    assert set(found["mark"]) == {UNDECIDED}


def test_what_was_decided_holds_in_the_next_call() -> None:
    local = lines(FALL_BACK, 40, 80, 35, 50, 89, 95)
    whole = LocalClock("America/Edmonton").utc(local)
    for size in range(1, 6):
        clock = LocalClock("America/Edmonton")
        parts = pl.concat([clock.utc(local[at : at + size]) for at in range(0, 6, size)])
        assert parts["ts"].equals(whole["ts"])
        assert parts["mark"].is_null().equals(whole["mark"].is_null())
        assert (parts["mark"] == SECOND_TIME).equals(whole["mark"] == SECOND_TIME)


def test_each_year_has_its_own_repeated_hour() -> None:
    two = np.concatenate([lines(FALL_BACK, 80, 40), lines(datetime(2013, 11, 3, 0, 30), 35, 60)])
    found = LocalClock("America/Edmonton").utc(two)
    assert found["mark"].to_list() == [FIRST_TIME, SECOND_TIME, UNDECIDED, UNDECIDED]


def test_a_skipped_time_is_read_with_the_offset_before_it() -> None:
    found = LocalClock("America/Edmonton").utc(lines(datetime(2012, 3, 11, 2, 30), 0))
    assert found.row(0) == (datetime(2012, 3, 11, 9, 30, tzinfo=UTC), SKIPPED)


def test_nanoseconds_and_nulls_survive() -> None:
    found = LocalClock("Europe/Berlin").utc(pl.Series([1_355_919_059_123_456_789, None], dtype=pl.Int64))
    assert found["ts"].dt.epoch("ns").to_list() == [1_355_915_459_123_456_789, None]
    assert LocalClock("+02:00").utc(np.array([NO_TIME, 7_200 * NS]))["ts"].dt.epoch("s").to_list() == [None, 0]
    assert LocalClock("Europe/Berlin").utc(np.array([], dtype=np.int64)).height == 0


def test_the_ends_of_time_raise_nothing() -> None:
    ends = np.array([-9_214_560_000 * NS, 9_214_646_400 * NS - 1], dtype=np.int64)  # 1678 and the end of 2261
    assert LocalClock("America/Edmonton").utc(ends)["ts"].null_count() == 0
    edges = np.array([-(2**63) + 1, 2**63 - 1], dtype=np.int64)  # beyond 64 bits there is no time, and no wrap
    for zone, sound in (("+01:00", [False, True]), ("-01:00", [True, False]), ("Asia/Tokyo", [False, True])):
        assert LocalClock(zone).utc(edges)["ts"].is_not_null().to_list() == sound, zone


def test_names_come_from_the_list_alone() -> None:
    assert {"America/Edmonton", "UTC", "Asia/Kathmandu"} <= zone_names()
    assert not any(
        is_zone(name) for name in ("", "../UTC", "/etc/localtime", "America", "+99:00", "+01:75", "Mars/Base")
    )
    assert (zone_offset("-03:30"), zone_offset("+0545"), zone_offset("UTC-7"), zone_offset("Z")) == (
        -12600,
        20700,
        -25200,
        0,
    )
    with pytest.raises(ValueError, match="no such time zone"):
        LocalClock("Mars/Base")
    assert TZDATA_VERSION[:2] == "20"
    assert len(MARKS) == 4


def test_the_system_zone_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    want = LocalClock("America/Edmonton").utc(lines(FALL_BACK, 40))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("PYTHONTZPATH", "/nowhere")
    assert LocalClock("America/Edmonton").utc(lines(FALL_BACK, 40)).equals(want)


@pytest.mark.parametrize(
    ("offset_s", "bound_s", "split"),
    [
        (0.0, 0.0, (0, 0.0)),
        (-25_198.5, 0.4, (-25_200, 1.5)),
        (7_200.25, 1.0, (7_200, 0.25)),
        (20_700.0, 10.0, (20_700, 0.0)),  # Kathmandu, +05:45
        (-12_600.0, 10.0, (-12_600, 0.0)),  # Newfoundland, -03:30
        (50_400.0, 0.0, (50_400, 0.0)),
        (-43_200.0, 0.0, (-43_200, 0.0)),
        (900.0, 0.1, None),  # no zone is a quarter of an hour from UTC
        (54_000.0, 0.0, None),
        (-46_800.0, 0.0, None),
        (3_600.0, 451.0, None),
        (3_600.0 + 440, 20.0, None),
        (1e18, 0.0, None),
        (float("inf"), 0.0, None),
        (float("nan"), 0.0, None),
    ],
)
def test_quarters_of_an_hour(offset_s: float, bound_s: float, split: tuple[int, float] | None) -> None:
    assert quarter_hours(offset_s, bound_s) == split


def test_every_offset_in_use_is_a_zone_and_no_other_quarter_is() -> None:
    used = {
        round(offset(oracle(zone), datetime(year, month, 15)).total_seconds())
        for zone in zone_names() for year in range(2010, 2031, 4) for month in (1, 4, 7, 10)
    }  # fmt: skip
    whole = set(range(-43_200, 50_401, 3600))
    assert {s for s in range(-59_400, 59_401, 900) if quarter_hours(s)} == used | whole
