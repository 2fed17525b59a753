"""The cascade draws what the records say, at any size, and evidence never becomes markup."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import plotly.graph_objects as go
import polars as pl
import pytest

from forensics.analysis.port_cutoffs import CHARTS, cascade_frames, findings
from forensics.charts import cutoff_cascade as module
from forensics.charts._theme import DARK, LIGHT
from forensics.charts.cutoff_cascade import MOST_LANES, cutoff_cascade
from tests._ports import GUEST, OTHER, A, B, bond_lost, cloud, eos_cut, events, instance, sent


@pytest.fixture(scope="module")
def frames() -> dict[str, object]:
    told = events(eos_cut(0, up_s=600), eos_cut(3, "SW-2"), bond_lost((0, 3), up_s=(601,)))
    edges = cloud(instance(A, "cc35", GUEST, from_s=-20), instance(B, "cc35", OTHER, "img", "someone"))
    given = (told, sent((-0.01, "cc35/bond0", GUEST), (2.9, "cc35/bond0", GUEST)), edges, None, None)
    return cascade_frames(findings(*given)[0], *given)


def texts(figure: go.Figure) -> list[str]:
    shown = [figure.layout.title.text, figure.layout.title.subtitle.text, *figure.layout.yaxis.ticktext]
    shown += [trace.name for trace in figure.data]
    return shown + [text for trace in figure.data for text in trace.text if text]


def test_the_chart_is_the_one_that_the_analysis_names() -> None:
    assert hasattr(module, next(iter(CHARTS)))


def test_everything_that_went_down_has_a_lane_from_the_guest_to_the_others(frames: dict[str, object]) -> None:
    lanes = list(cutoff_cascade(**frames).layout.yaxis.ticktext)
    assert lanes[0] == f"guest {GUEST}"
    assert lanes[1:5] == ["SW-1 Ethernet35", "SW-2 Ethernet35", "SW-1 Port-Channel35", "SW-2 Port-Channel35"]
    assert lanes[5:] == ["cc35 eth2", "cc35 eth3", "cc35 bond0", "cc35 1 other instance"]


def test_every_mark_says_when_and_where_it_is_written(frames: dict[str, object]) -> None:
    told = " ".join(texts(cutoff_cascade(**frames)))
    for frame in (frames["outages"], frames["sent"]):
        for source, locator in frame.select("source", "locator").iter_rows():  # type: ignore[attr-defined]
            assert f"{source} {locator}" in told
    assert "nothing says that it came back" in told
    assert "bpduguard" in told


def test_close_up_counts_from_the_first_cut(frames: dict[str, object]) -> None:
    figure = cutoff_cascade(**frames)
    dots = [trace for trace in figure.data if "BPDU" in trace.name]
    assert [round(x, 2) for x in dots[0].x] == [-0.01, 2.9]


def test_evidence_text_is_escaped(frames: dict[str, object]) -> None:
    finding = replace(frames["finding"], title="<img src=x onerror=alert(1)>")  # type: ignore[type-var]
    outages = frames["outages"].with_columns(lane=pl.lit("<b>x</b>"), source=pl.lit("<i>"))  # type: ignore[attr-defined]
    figure = cutoff_cascade(**frames | {"finding": finding, "outages": outages})
    assert not [text for text in texts(figure) if "<img" in text or "<b>" in text or "<i>" in text]


@pytest.mark.parametrize("dark", [False, True])
def test_both_schemes(frames: dict[str, object], dark: bool) -> None:
    assert cutoff_cascade(**frames, dark=dark).layout.template.layout.paper_bgcolor == (DARK if dark else LIGHT).paper


def test_it_is_readable_with_many_ports_and_says_what_it_leaves_out(frames: dict[str, object]) -> None:
    start = datetime(2013, 2, 15, tzinfo=UTC).replace(tzinfo=None)
    many = pl.DataFrame(
        [(f"SW-1 Et{n}", "switch", start + timedelta(seconds=n), None, None, "s", "line:1") for n in range(20_000)],
        schema=frames["outages"].schema, orient="row",  # type: ignore[attr-defined]
    )  # fmt: skip
    figure = cutoff_cascade(**frames | {"outages": many})
    assert len(figure.layout.yaxis.ticktext) == MOST_LANES
    assert "more lanes are not drawn" in figure.layout.title.subtitle.text


def test_nothing_to_draw_is_an_empty_chart(frames: dict[str, object]) -> None:
    nothing = {name: frames[name].clear() for name in ("outages", "sent")}  # type: ignore[attr-defined]
    assert cutoff_cascade(**frames | nothing).data == ()
