"""The ladder draws what the records say, and evidence never becomes markup."""

from dataclasses import replace
from typing import Any

import plotly.graph_objects as go
import polars as pl
import pytest

from forensics.analysis.clock_alignment import clocks
from forensics.analysis.dhcp_leases import CHARTS, chart_frames, findings
from forensics.charts import ladder as module
from forensics.charts._theme import DARK, LIGHT, template
from forensics.charts.ladder import MOST_LABELS, MOST_MESSAGES, ladder
from forensics.records import DhcpClientEvent, DhcpMessage, LogRecord, Packet
from tests._leases import LOGS, POINTS, Plan, history


@pytest.fixture(scope="module")
def frames() -> dict[str, object]:
    played = history(Plan(seed=4, cause="link-dead-before-dhcp", sources=(*POINTS, *LOGS), client="dhclient"))
    rows = [played.frame(record).lazy() for record in (DhcpMessage, DhcpClientEvent, Packet, LogRecord)]
    ties = clocks(rows[0], rows[2], played.sources()).lazy()
    finding = findings(*rows, ties)[0]
    return chart_frames(finding, *rows, ties)


def texts(figure: go.Figure) -> list[str]:
    shown = [note.text for note in figure.layout.annotations] + [figure.layout.title.text]
    shown += [text for trace in figure.data for text in (trace.text if trace.text is not None else ()) if text]
    shown += [trace.name or "" for trace in figure.data]
    return [*shown, *figure.layout.yaxis2.ticktext, figure.layout.title.subtitle.text]


def test_the_chart_is_the_one_that_the_analysis_names() -> None:
    assert hasattr(module, next(iter(CHARTS)))


def test_every_party_and_capture_point_has_a_lane(frames: dict[str, object]) -> None:
    lanes = ladder(**frames).layout.yaxis2.ticktext
    assert lanes[0].startswith("client 10.0.0.5")
    assert lanes[-1].startswith("DHCP server 10.0.0.1")
    assert list(lanes[1:-1]) == list(POINTS)


def test_each_message_is_drawn_and_cites_its_places(frames: dict[str, object]) -> None:
    figure = ladder(**frames)
    told = " ".join(texts(figure))
    for source, locator in frames["conversation"].select("source", "locator").iter_rows():
        assert f"{source} {locator}" in told


def test_lost_answers_carry_a_cross_and_the_silence_is_shaded(frames: dict[str, object]) -> None:
    figure = ladder(**frames)
    lost = next(trace for trace in figure.data if "lost" in trace.name)
    assert len(lost.x) >= frames["finding"].facts["server_replies"]
    assert any(shape.type == "rect" for shape in figure.layout.shapes)
    assert {"nothing reaches the client", "lease ends"} <= set(texts(figure))


def test_evidence_text_is_escaped_everywhere(frames: dict[str, object]) -> None:
    evil = '<a href="javascript:alert(1)">&x</a>'
    conversation = frames["conversation"].with_columns(source=pl.lit(evil), point=pl.lit(evil))
    traffic = frames["traffic"].with_columns(point=pl.lit(evil))
    finding = replace(frames["finding"], title=evil, facts={**frames["finding"].facts, "ip": evil, "server": evil})
    for text in texts(ladder(conversation, finding, traffic)):
        assert "<a" not in text
        assert "&x" not in text.replace("&amp;x", "")


def test_it_draws_without_traffic_and_with_logs_alone() -> None:
    played = history(Plan(seed=6, cause="server-silent", sources=LOGS, client="dhclient"))
    rows = [played.frame(record).lazy() for record in (DhcpMessage, DhcpClientEvent, Packet, LogRecord)]
    ties = clocks(rows[0], rows[2], played.sources()).lazy()
    drawn = chart_frames(findings(*rows, ties)[0], *rows, ties)
    figure = ladder(**drawn)
    assert len(figure.layout.yaxis2.ticktext) == 2
    assert drawn["traffic"].is_empty()


def again(conversation: pl.DataFrame, times: int) -> pl.DataFrame:
    return pl.concat([conversation.with_columns(pl.col("message") + 1000 * n) for n in range(times)])


def test_labels_thin_out_when_there_are_too_many(frames: dict[str, Any]) -> None:
    many = again(frames["conversation"], 5)
    assert MOST_LABELS < many["message"].n_unique() <= MOST_MESSAGES
    assert len(ladder(many, frames["finding"], frames["traffic"]).layout.annotations) < 20


def test_messages_that_are_alike_are_drawn_as_one_when_there_are_too_many(frames: dict[str, Any]) -> None:
    few = ladder(**frames)
    once = frames["conversation"]["message"].n_unique()
    many = ladder(again(frames["conversation"], 1000), frames["finding"], frames["traffic"])
    assert f"{once * 1000:,} messages, those alike within" in many.layout.title.subtitle.text
    assert sum(len(trace.x) for trace in many.data) <= sum(len(trace.x) for trace in few.data)
    texts = [text for trace in many.data for text in trace.text or () if text and "more alike" in text]
    assert any("and 999 more alike" in text for text in texts)


def test_both_schemes_have_readable_ink() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for colours in (LIGHT, DARK):
        paper = luminance(colours.paper)
        for colour, least in ((colours.ink, 7), (colours.faint, 4.5), (colours.asks, 3), (colours.trouble, 3)):
            high, low = max(paper, luminance(colour)), min(paper, luminance(colour))
            assert (high + 0.05) / (low + 0.05) >= least
    assert template().layout.paper_bgcolor != template(dark=True).layout.paper_bgcolor
