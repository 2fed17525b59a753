"""Charts of latency and memory draw what the records say, and evidence never becomes markup."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import polars as pl
import pytest

from forensics.analysis import api_latency, memory_growth
from forensics.charts.latency_quantiles import latency_quantiles
from forensics.charts.latency_rows import latency_rows
from forensics.charts.memory_requests import memory_requests
from tests._latencies import DAY_S, asked, counted, frames, listed, memory_frames, moments

AT = moments(30, 200)
EVIL = '<a href="javascript:alert(1)">&x</a>'


def rows(at: Any) -> Any:
    return 100_000 + 10_000 * np.floor(np.asarray(at) / DAY_S)


@pytest.fixture(scope="module")
def drawn() -> dict[str, dict[str, Any]]:
    noise = np.random.default_rng(1).lognormal(0, 0.2, 200)
    counts = counted(np.arange(31) * DAY_S, rows(np.arange(31) * DAY_S))
    slow = asked(AT, rows(AT) / 20_000 * noise) + asked(AT, noise, source="grizzly/nova-api.log")
    given = frames(slow, counts)
    out: dict[str, dict[str, Any]] = {}
    for one in api_latency.findings(*given):
        for name, of in api_latency.CHARTS.items():
            if (arguments := of(one, *given)) is not None:
                out[name] = arguments
    memory = memory_frames(listed(np.arange(1, 30) * DAY_S, 9e7 + 5e6 * np.arange(1, 30)), asked(AT, noise))
    (grown,) = memory_growth.findings(*memory)
    out["memory_requests"] = memory_growth.chart_frames(grown, *memory) or {}
    return out


CHARTS = {"latency_rows": latency_rows, "latency_quantiles": latency_quantiles, "memory_requests": memory_requests}


def texts(figure: go.Figure) -> list[str]:
    shown = [note.text for note in figure.layout.annotations]
    shown += [figure.layout.title.text, figure.layout.title.subtitle.text, figure.layout.xaxis.title.text]
    shown += [text for trace in figure.data for text in (trace.text if trace.text is not None else ()) if text]
    return [text for text in [*shown, *(trace.name for trace in figure.data)] if text]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", CHARTS)
def test_every_mark_says_where_it_is_written(name: str, dark: bool, drawn: dict[str, dict[str, Any]]) -> None:
    figure = CHARTS[name](**drawn[name], dark=dark)
    table = next(value for value in drawn[name].values() if isinstance(value, pl.DataFrame))
    told = " ".join(texts(figure))
    for source, position in table.select("source", "position").iter_rows():
        assert f"{source}:{position}" in told


@pytest.mark.parametrize("name", CHARTS)
def test_evidence_text_is_escaped_everywhere(name: str, drawn: dict[str, dict[str, Any]]) -> None:
    given = dict(drawn[name])
    for key, value in given.items():
        if isinstance(value, pl.DataFrame):
            names = [column for column in ("source", "life") if column in value.columns]
            given[key] = value.with_columns(pl.lit(EVIL).alias(column) for column in names)
    given["finding"] = replace(given["finding"], title=EVIL, facts={**given["finding"].facts, "table": EVIL})
    for text in texts(CHARTS[name](**given)):
        assert "<a" not in text
        assert "&x" not in text.replace("&amp;x", "")


def test_the_line_is_the_findings_own(drawn: dict[str, dict[str, Any]]) -> None:
    figure = latency_rows(**drawn["latency_rows"])
    (line,) = [trace for trace in figure.data if trace.mode == "lines"]
    slope = (line.y[1] - line.y[0]) / (line.x[1] - line.x[0])
    assert 100_000 * slope == pytest.approx(drawn["latency_rows"]["finding"].facts["seconds_per_100k_rows"])


def test_what_a_purge_would_leave_is_marked(drawn: dict[str, dict[str, Any]]) -> None:
    given = dict(drawn["latency_rows"])
    facts = {**given["finding"].facts, "purgeable_rows": 90_000, "predicted_s_after_purge": 7.5}
    given |= {"finding": replace(given["finding"], facts=facts), "remaining_rows": 150_000}
    star = next(trace for trace in latency_rows(**given).data if trace.marker.symbol == "star")
    assert (list(star.x), list(star.y)) == ([150_000], [7.5])


def test_many_requests_are_drawn_together_and_the_legend_says_so(drawn: dict[str, dict[str, Any]]) -> None:
    many = {"points": pl.concat([drawn["latency_rows"]["points"]] * 500)}
    figure = latency_rows(**drawn["latency_rows"] | many)
    marks = next(trace for trace in figure.data if trace.mode == "markers")
    assert len(marks.x) <= 60
    assert "100,000 requests" in marks.name
    requests = {"requests": pl.concat([drawn["latency_quantiles"]["requests"]] * 250)}
    assert all(len(trace.x) <= 400 for trace in latency_quantiles(**drawn["latency_quantiles"] | requests).data)
    listings = {"listings": pl.concat([drawn["memory_requests"]["listings"]] * 3500)}
    assert all(len(trace.x) <= 4000 for trace in memory_requests(**drawn["memory_requests"] | listings).data)
