"""The timeline's chart: each event where it belongs, bins where they are many, and evidence as text."""

import polars as pl
import pytest

from forensics.charts.timeline import LANES, MOST_EVENTS, MOST_LANES, timeline
from forensics.errors import UnknownColumnError

START = 1_360_892_418 * 10**9
SCHEMA = {
    "at": pl.Datetime("ns", "UTC"), "host": pl.String, "record": pl.String, "text": pl.String, "source": pl.String,
    "position": pl.Int64,
}  # fmt: skip


def rows(count: int, hosts: int = 3, step_ns: int = 10**9, **values: object) -> pl.DataFrame:
    """Events one step apart, on hosts by turns."""
    return pl.DataFrame({
        "at": [START + number * step_ns for number in range(count)],
        "host": [f"cc{number % hosts}" for number in range(count)],
        "record": ["LogRecord", "DhcpMessage"] * (count // 2) + ["LogRecord"] * (count % 2),
        "text": [f"event {number}" for number in range(count)],
        "source": "a/syslog",
        "position": range(1, count + 1),
    } | values, schema=SCHEMA)  # fmt: skip


def subtitle(figure: object) -> str:
    return str(figure.layout.title.subtitle.text)  # type: ignore[attr-defined]


def test_ten_events_are_ten_marks_that_say_where_they_are_written() -> None:
    figure = timeline(rows(10))
    assert [trace.type for trace in figure.data] == ["scatter", "scatter"]
    hovers = sorted(
        (x, y, text) for trace in figure.data for x, y, text in zip(trace.x, trace.y, trace.hovertext, strict=True)
    )
    assert len(hovers) == 10
    assert hovers[4] == (
        "2013-02-15 01:40:22.000000", 1, "<b>cc1</b> 2013-02-15 01:40:22.000000 UTC<br>event 4<br>a/syslog:5",
    )  # fmt: skip
    assert list(figure.layout.yaxis.ticktext) == ["cc0", "cc1", "cc2"]
    assert subtitle(figure) == "10 events"


@pytest.mark.parametrize("lane", LANES)
def test_a_hundred_thousand_are_counted_in_bins_and_none_is_lost(lane: str) -> None:
    figure = timeline(rows(100_000), lane=lane)  # type: ignore[arg-type]
    (trace,) = figure.data
    assert trace.type == "heatmap"
    counts = pl.Series([cell for line in trace.z for cell in line]).drop_nans()
    assert round((10**counts).sum()) == 100_000
    assert "100,000 events; in bins of 10 min" in subtitle(figure)
    assert "a/syslog:1<br>and " in trace.text[0][0]
    assert len(trace.z) == len(figure.layout.yaxis.ticktext) == {"host": 3, "record": 2, "source": 1}[lane]


def test_the_bound_between_marks_and_bins() -> None:
    assert timeline(rows(MOST_EVENTS)).data[0].type == "scatter"
    assert timeline(rows(MOST_EVENTS + 1)).data[0].type == "heatmap"
    (at_once,) = timeline(rows(MOST_EVENTS + 1, step_ns=0)).data
    assert len(at_once.x) == 1
    (years,) = timeline(rows(MOST_EVENTS + 1, step_ns=10**15)).data
    assert len(years.x) <= 202


def test_a_few_events_years_away_do_not_shrink_the_rest() -> None:
    far = rows(3).with_columns(pl.col("at").dt.offset_by("13y"))
    figure = timeline(pl.concat([rows(200), far]))
    assert sum(len(trace.x) for trace in figure.data) == 200
    assert subtitle(figure).startswith("200 events; 3 far from them (2026-02-15 01:40:18 to 01:40:20) not drawn")
    assert figure.layout.title.text == "2013-02-15 01:40:18 to 01:43:37"
    many = rows(50).with_columns(pl.col("at").dt.offset_by("13y"))
    assert subtitle(timeline(pl.concat([rows(200), many]))) == "250 events"


def test_the_quietest_lanes_share_one() -> None:
    figure = timeline(rows(500, hosts=100))
    assert len(figure.layout.yaxis.ticktext) == MOST_LANES + 1
    assert figure.layout.yaxis.ticktext[-1] == "60 more"
    assert "60 quietest lanes share one" in subtitle(figure)
    assert sum(len(trace.x) for trace in figure.data) == 500


@pytest.mark.parametrize("count", [4, MOST_EVENTS + 2])
def test_evidence_is_text_and_secrets_are_masked(count: int) -> None:
    bad = "<img src=x onerror=alert(1)> password=hunter2 " + "long " * 400
    figure = timeline(rows(count, text=[bad] * count, host=["<b>h</b>"] * count, source=["<i>"] * count))
    told = figure.to_json()
    assert "hunter2" not in told
    assert "<img" not in told
    assert "<i>" not in told
    assert "<b>h" not in told
    assert "&lt;img" in figure.to_dict()["data"][0]["hovertext" if count == 4 else "text"].__str__()


def test_notes_are_flags_over_all_lanes() -> None:
    note = pl.DataFrame(
        [{"at": START + 10**9, "record": "Note", "text": "lease <ran> out", "source": "notes.jsonl"}], schema=SCHEMA
    )
    figure = timeline(pl.concat([rows(10), note]))
    flags = next(trace for trace in figure.data if trace.name == "notes")
    assert list(flags.text) == ["lease &lt;ran&gt; out"]
    assert list(flags.x) == ["2013-02-15 01:40:19.000000"]
    assert figure.layout.yaxis.range[1] < flags.y[0] < 0
    assert subtitle(figure) == "10 events; 1 note"


def test_what_has_no_time_or_no_host_is_said() -> None:
    figure = timeline(rows(3, at=[START, None, START], host=[None, "a", None]))
    assert "1 without a time is not drawn" in subtitle(figure)
    assert list(figure.layout.yaxis.ticktext) == ["no host told"]


def test_nothing_is_a_figure_too_and_the_same_rows_give_the_same() -> None:
    assert timeline(rows(0)).layout.title.text == "No event has a time"
    assert timeline(rows(50), dark=True).to_json() == timeline(rows(50), dark=True).to_json()
    assert timeline(rows(3)).layout.template != timeline(rows(3), dark=True).layout.template


def test_what_is_no_timeline_is_refused() -> None:
    with pytest.raises(UnknownColumnError):
        timeline(rows(3), lane="text")  # type: ignore[arg-type]
    with pytest.raises(UnknownColumnError):
        timeline(rows(3).drop("at"))
