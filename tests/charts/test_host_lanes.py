"""The lanes draw who was heard and who was not, and evidence never becomes markup."""

from dataclasses import replace
from typing import Any

import plotly.graph_objects as go
import polars as pl
import pytest

from forensics.analysis.base_files import CHARTS, chart_frames, findings
from forensics.charts import host_lanes as module
from forensics.charts._theme import DARK, LIGHT
from forensics.charts.host_lanes import MOST_HOSTS, MOST_TICKS, host_lanes
from tests._base_cloud import OTHER, OWNER, REMOVER, SECOND, USER, Cloud, failure, instance


@pytest.fixture(scope="module")
def frames() -> dict[str, Any]:
    cloud = Cloud(instances=[instance(), instance(SECOND)], extra={"InstanceEvent": [failure()]})
    rows = cloud.frames()
    found = chart_frames(findings(*rows)[0], *rows)
    assert found is not None
    return found


def traces(figure: go.Figure) -> dict[str, Any]:
    return {trace.name: trace for trace in figure.data}


def test_the_chart_is_the_one_that_the_analysis_names() -> None:
    assert hasattr(module, next(iter(CHARTS)))


def test_every_host_has_a_lane_those_concerned_on_top(frames: dict[str, Any]) -> None:
    lanes = list(host_lanes(**frames).layout.yaxis.ticktext)
    assert lanes == [OTHER, REMOVER, OWNER]


def test_the_removal_the_silence_and_who_is_hit_are_drawn_and_cited(frames: dict[str, Any]) -> None:
    drawn = traces(host_lanes(**frames))
    assert len(drawn["silent"].x) == 1
    assert "nc03/nova.log" in drawn["removed in use"].hovertext[0]
    assert USER in drawn["did not start"].hovertext[0]
    assert SECOND in drawn["runs without it"].hovertext[0]
    assert len(drawn["heard"].x) >= 3


def test_evidence_text_is_escaped_everywhere(frames: dict[str, Any]) -> None:
    bad = "<b onmouseover=x>nc"
    evil = pl.col("host") + bad
    marks = frames["marks"].with_columns(evil, text=pl.lit(bad), source=pl.lit(bad))
    lanes, silences = (frames[name].with_columns(evil) for name in ("lanes", "silences"))
    finding = replace(frames["finding"], title=bad * 20)
    text = str(host_lanes(finding, lanes, silences, marks).to_json())
    assert "<b onmouseover" not in text
    assert "\\u003cb onmouseover" not in text


def test_a_large_cloud_is_cut_and_it_is_said(frames: dict[str, Any]) -> None:
    many = pl.concat([frames["lanes"].with_columns(host=pl.lit(f"h{n:03}")) for n in range(200)])
    ticks = frames["marks"].filter(pl.col("what") == "image cache looks").head(1)
    marks = pl.concat([frames["marks"], *[ticks] * (MOST_TICKS + 1)])
    figure = host_lanes(frames["finding"], pl.concat([frames["lanes"], many]), frames["silences"], marks)
    assert len(figure.layout.yaxis.ticktext) == MOST_HOSTS
    assert "other hosts are not drawn" in figure.layout.title.subtitle.text
    assert "too many to draw" in figure.layout.title.subtitle.text
    assert "image cache looks" not in traces(figure)


def test_a_silence_that_lasts_ends_with_the_evidence(frames: dict[str, Any]) -> None:
    silences = frames["silences"].with_columns(to_at=pl.lit(None, frames["silences"].schema["to_at"]))
    drawn = traces(host_lanes(frames["finding"], frames["lanes"], silences, frames["marks"]))
    assert "to the end of the evidence" in drawn["silent"].hovertext[0]


def test_light_and_dark_use_their_own_colours(frames: dict[str, Any]) -> None:
    light, dark = host_lanes(**frames), host_lanes(**frames, dark=True)
    assert light.layout.template.layout.paper_bgcolor == LIGHT.paper
    assert dark.layout.template.layout.paper_bgcolor == DARK.paper
