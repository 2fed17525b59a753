"""Answers over traffic: every answer is there or said to be thinned, and evidence never becomes markup."""

from datetime import timedelta

import polars as pl
import pytest

from forensics.analysis.console_floods import CHARTS, chart_frames
from forensics.charts.console_broker import MOST_MARKS, console_broker
from forensics.records import BrokerEvent
from tests.analysis.test_console_floods import ORDER, START, alarm, asked, rows, told


@pytest.fixture
def frames() -> dict[str, object]:
    lines = asked(6, 31_000_000) + asked(3, 2_000, "a05f6e2b-7d19-4c83-9f60-2b3c4d5e6f82")
    events = rows(BrokerEvent, alarm(30), alarm(60, "clear"))
    given = {
        "ConsoleRequest": rows(ORDER[0], *(one for one in lines if "stage" in one)),
        "ApiRequest": rows(ORDER[1], *(one for one in lines if "operation" in one)),
        "BrokerEvent": events,
    }
    (finding,) = told(lines, BrokerEvent=events)
    drawn = chart_frames(finding, *(given.get(record.__name__, record.empty()).lazy() for record in ORDER))
    assert drawn is not None
    return drawn


def test_every_answer_alarm_and_size_is_drawn(frames: dict[str, object]) -> None:
    assert list(CHARTS) == ["console_broker"]
    figure = console_broker(**frames)
    drawn = {trace.name: list(trace.y) for trace in figure.data if trace.name}
    assert drawn["this console"] == [31_000_000] * 6
    assert drawn["other instances' consoles"] == [2_000] * 3
    assert len(figure.layout.shapes) == 1
    assert "api/nova.log:1000" in figure.data[-1].text[0]


def test_a_hundred_thousand_answers_are_thinned_and_said_to_be(frames: dict[str, object]) -> None:
    many = pl.DataFrame(
        {"at": [START + timedelta(seconds=n) for n in range(100_000)], "size_bytes": range(1, 100_001)}
    ).with_columns(source=pl.lit("x"), position=pl.lit(1))
    figure = console_broker(**(frames | {"answers": many}))
    names = [trace.name for trace in figure.data if trace.name]
    assert any("largest of each span" in name for name in names)
    assert max(len(trace.x) for trace in figure.data) <= 3 * MOST_MARKS


def test_traffic_has_a_panel_of_its_own_and_evidence_is_escaped(frames: dict[str, object]) -> None:
    evil = "<a href='javascript:alert(1)'>&x"
    answers = frames["answers"].with_columns(source=pl.lit(evil))  # type: ignore[attr-defined]
    traffic = pl.DataFrame({"at": [START, START + timedelta(seconds=50)], "published_bytes": [10, 5_000_000]})
    instants = traffic.with_columns(pl.col("at").cast(pl.Datetime("ns", "UTC")))
    for dark in (False, True):
        figure = console_broker(**(frames | {"answers": answers, "traffic": instants}), dark=dark)
        assert "<a " not in str(figure.to_json()).replace("\\u003c", "<")
        assert figure.layout.yaxis2.title.text == "MB/s"
