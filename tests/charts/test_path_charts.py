"""What is drawn of packet paths is what the records say, and evidence never becomes markup."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Any

import plotly.graph_objects as go
import polars as pl
import pytest

from forensics.analysis import packet_paths
from forensics.charts._theme import DARK, LIGHT
from forensics.charts.path_matrix import path_matrix
from forensics.charts.size_ladder import size_ladder
from forensics.charts.size_steps import MOST_SIZES, size_steps
from forensics.records import Finding
from tests.analysis.test_packet_paths import FAR, NEAR, STACK, broadcast, conversation, frame, sweep

HOSTILE = "<img src=x onerror=alert(1)>"


def drawn(name: str, given: dict[str, Any], **more: Any) -> go.Figure:
    figure: go.Figure = getattr(import_module(f"forensics.charts.{name}"), name)(**given, **more)
    return figure


@pytest.fixture(scope="module")
def evidence() -> pl.LazyFrame:
    return frame(sweep(1496, sizes=range(1480, 1501), tags=STACK))


@pytest.fixture(scope="module")
def stack(evidence: pl.LazyFrame) -> Finding:
    return next(one for one in packet_paths.findings(evidence) if one.kind == "stacked-vlan")


@pytest.mark.parametrize("name", packet_paths.CHARTS)
@pytest.mark.parametrize("dark", [False, True])
def test_every_chart_of_a_loss_is_drawn_in_both_schemes(
    name: str, dark: bool, evidence: pl.LazyFrame, stack: Finding
) -> None:
    given = packet_paths.CHARTS[name](stack, evidence)
    assert given is not None
    figure = drawn(name, given, dark=dark)
    assert figure.layout.template.layout.paper_bgcolor == (DARK if dark else LIGHT).paper
    assert figure.layout.title.text.replace("<br>", " ") == stack.title


def test_steps_rise_for_what_came_and_hang_for_what_did_not(evidence: pl.LazyFrame, stack: Finding) -> None:
    given = packet_paths.CHARTS["size_steps"](stack, evidence)
    assert given is not None
    came, lost = size_steps(**given).data
    by_size = dict(zip(came.x, came.y, strict=True)), dict(zip(lost.x, lost.y, strict=True))
    assert (by_size[0]["1496"], by_size[1]["1496"]) == (3, 0)
    assert (by_size[0]["1497"], by_size[1]["1497"]) == (0, -3)
    assert f"{NEAR}.pcap:" in came.customdata[0][1]


def test_very_many_sizes_are_drawn_in_classes(stack: Finding) -> None:
    sizes = range(1, 5000)
    steps = pl.DataFrame(
        {"direction": "a → b", "ip_bytes": sizes, "delivered": 1, "lost": 0, "cited": "x:1"},
        schema_overrides={"ip_bytes": pl.Int64},
    )
    figure = size_steps(steps, replace(stack, facts={**stack.facts, "largest_delivered_bytes": 0}))
    assert len(figure.data[0].x) <= MOST_SIZES
    assert sum(figure.data[0].y) == len(sizes)


def test_the_matrix_shows_who_saw_how_many(evidence: pl.LazyFrame, stack: Finding) -> None:
    given = packet_paths.CHARTS["path_matrix"](stack, evidence)
    assert given is not None
    (heat,) = path_matrix(**given).data
    assert [name.partition("<br>")[0] for name in heat.x] == [NEAR, FAR]
    above = next(n for n, name in enumerate(heat.y) if "above 1496" in name)
    assert [text.replace("<b>", "").replace("</b>", "") for text in heat.text[above]] == ["12 of 12", "0 of 12"]


def test_the_ladder_ends_where_a_size_is_lost(evidence: pl.LazyFrame, stack: Finding) -> None:
    given = packet_paths.CHARTS["size_ladder"](stack, evidence)
    assert given is not None
    figure = size_ladder(**given)
    crosses = next(trace for trace in figure.data if trace.name == "not seen beyond")
    assert list(crosses.x) == [0.5] * 4
    assert {"1496", "1497"} <= set(figure.layout.yaxis.ticktext)


def test_a_leak_has_a_matrix_of_tags() -> None:
    rows = frame([conversation("gw/eth0"), broadcast("gw/eth0", [100]), broadcast(NEAR, [20, 100])])
    (leak,) = packet_paths.findings(rows)
    given = packet_paths.CHARTS["path_matrix"](leak, rows)
    assert given is not None
    (heat,) = path_matrix(**given).data
    assert heat.text[list(heat.y).index("tags 100")][list(heat.x).index("gw/eth0")] == "<b>3</b>"
    assert packet_paths.CHARTS["size_steps"](leak, rows) is None


def test_evidence_text_is_escaped_everywhere() -> None:
    rows = sweep(1496, sizes=range(1480, 1501), tags=STACK)
    hostile = [[row | {"host": HOSTILE if row["host"] == NEAR else row["host"]} for row in some] for some in rows]
    evidence = frame(hostile)
    for finding in packet_paths.findings(evidence):
        for name, frames in packet_paths.CHARTS.items():
            given = frames(finding, evidence)
            assert given is not None
            assert "<img" not in drawn(name, given).to_json().replace("\\u003c", "<")
