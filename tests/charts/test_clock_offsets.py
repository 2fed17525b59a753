"""The chart of clocks draws what the table says, stretches apart, and evidence never becomes markup."""

import plotly.graph_objects as go
import polars as pl
import pytest

from forensics.analysis.clock_alignment import CHARTS, chart_frames, findings
from forensics.charts import clock_offsets as module
from forensics.charts.clock_offsets import MOST_ROWS, clock_offsets
from forensics.records import DhcpMessage, LogRecord, Packet
from tests._clock_lab import Lab

SHAPE = {"source": pl.String, "reference": pl.String, "offset_s": pl.Float64, "bound_s": pl.Float64,
         "basis": pl.String, "from_at": pl.String}  # fmt: skip


def table(*rows: tuple[str, float, float, str | None]) -> pl.DataFrame:
    told = [(source, "ref", offset, bound, "some packets", at) for source, offset, bound, at in rows]
    return pl.DataFrame(told, schema=SHAPE, orient="row")


def dots(figure: go.Figure) -> list[go.Scatter]:
    return [trace for trace in figure.data if trace.mode == "markers"]


def test_the_chart_is_the_one_that_the_analysis_names() -> None:
    assert hasattr(module, next(iter(CHARTS)))


def test_a_clock_that_was_set_has_a_dot_for_each_stretch() -> None:
    lab = Lab(3, stepping="ctl", step_s=30)
    lab.traffic("ctl", "cc1", 400)
    rows = lab.clock_rows()
    finding = findings(rows, lab.frame(DhcpMessage), lab.frame(Packet), lab.frame(LogRecord))[-1]
    empty = pl.LazyFrame()
    figure = clock_offsets(**chart_frames(finding, rows.lazy(), empty, empty, empty))
    assert sorted(len(trace.x) for trace in dots(figure)) == [1, 2]


def test_the_axis_keeps_order_and_sign() -> None:
    figure = clock_offsets(table(("a", -60.0, 0.1, None), ("b", 0.004, 0.001, None), ("c", 3.0, 0.1, None)))
    places = dict(zip(figure.layout.yaxis.ticktext, (trace.x[0] for trace in dots(figure)), strict=True))
    assert places["a"] < 0 < places["b"] < places["c"]


@pytest.mark.parametrize("dark", [False, True])
def test_many_clocks_are_counted_and_text_is_escaped(dark: bool) -> None:
    rows = [(f"<b>host{n}</b>", float(n), 0.1, None) for n in range(200)]
    figure = clock_offsets(table(*rows), ("<b>host7</b>",), dark=dark)
    assert len(figure.layout.yaxis.ticktext) == MOST_ROWS
    assert "160 sources" in figure.layout.title.subtitle.text
    assert any("host7&" in text for text in figure.layout.yaxis.ticktext)
    shown = [text for trace in dots(figure) for text in trace.text] + list(figure.layout.yaxis.ticktext)
    assert not any("<b>host" in text for text in shown)
