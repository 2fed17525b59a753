"""The chart of what belonged to a thing: a lane each, conflicts first, the crowd in one lane."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from forensics.case._who import Belongings, who
from forensics.charts.lanes import MOST_LANES
from forensics.records import Edge, Source

NOON = datetime(2013, 2, 15, 12, tzinfo=UTC)
MAC, EVIL = "fa:16:3e:24:e7:22", "<img src=x onerror=alert(1)>"


def edge(subject: tuple[str, str], thing: tuple[str, str], start: int | None = None, end: int | None = None) -> Any:
    at, until = (None if n is None else NOON + timedelta(hours=n) for n in (start, end))
    return {"subject_kind": subject[0], "subject": subject[1], "object_kind": thing[0], "object": thing[1],
            "from_at": at, "to_at": until, "told_by": "Instance", "rows": 1, "source": "nova.sql",
            "position": 7}  # fmt: skip


def asked(name: str, *edges: Any) -> Belongings:
    source = {"source": "nova.sql", "started_at": NOON, "ended_at": NOON + timedelta(hours=10)}
    sources = pl.DataFrame([source], schema=Source.polars_schema())
    return who(pl.DataFrame(list(edges), schema=Edge.polars_schema()), name, sources=sources)


def test_an_answer_is_a_frame_and_draws_itself() -> None:
    told = asked("web-3", edge(("instance", "web-3"), ("mac", MAC), 1, 5), edge(("instance", "web-3"), ("host", "cc1")))
    assert isinstance(told, pl.DataFrame)
    assert told.filter(pl.col("kind") == "mac").height == 1
    figure = told.chart()
    names = [tick.rpartition("  ")[2] for tick in figure.layout.yaxis.ticktext]
    assert sorted(names) == ["cc1", MAC]
    assert [">mac</span>" in tick for tick in figure.layout.yaxis.ticktext] == [name == MAC for name in names]
    assert figure.layout.title.text == "What belonged to web-3"
    lanes = dict(zip(names, figure.layout.yaxis.tickvals, strict=True))
    lengths = dict(zip(figure.data[0].y, figure.data[0].x, strict=True))
    assert lengths[lanes[MAC]] == 4 * 3_600_000
    assert lengths[lanes["cc1"]] == 10 * 3_600_000  # as long as the evidence lasts
    assert any("nova.sql:7" in text for text in figure.data[0].hovertext)


def test_what_cannot_both_be_so_is_marked() -> None:
    told = asked(MAC, edge(("instance", "web-3"), ("mac", MAC), 1, 5), edge(("instance", "web-4"), ("mac", MAC), 2, 6))
    assert told["conflict"].null_count() == 0
    figure = told.chart(dark=True)
    assert [trace.name for trace in figure.data] == ["contradicted"]
    assert "2 of which cannot all be so at one time" in figure.layout.title.subtitle.text


def test_a_crowd_shares_a_lane_and_evidence_is_no_markup() -> None:
    guests = [edge(("instance", f"{EVIL}{n:04}"), ("host", "cc1"), n % 9, n % 9 + 1) for n in range(3000)]
    figure = asked("cc1", *guests, edge(("host", "cc1"), ("switch_port", "SW-1 Ethernet35"))).chart()
    ticks = list(figure.layout.yaxis.ticktext)
    assert len(ticks) <= MOST_LANES
    assert any(tick.endswith(" more") for tick in ticks)
    assert any("SW-1 Ethernet35" in tick for tick in ticks)
    assert "<img" not in figure.to_json().replace("\\u003c", "<")


def test_of_what_nothing_is_known_nothing_is_drawn() -> None:
    figure = asked("nobody", edge(("instance", "web-3"), ("host", "cc1"))).chart()
    assert "names no such thing" in figure.layout.title.subtitle.text
