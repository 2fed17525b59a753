"""Every chart of every bundled incident: as a file, light and dark, and nothing from evidence is markup in it."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import polars as pl
import pytest

from forensics.case import open_case
from forensics.case._charts import Charts, stacked
from forensics.case._findings import Findings, frames_of, html
from forensics.case._progress import Bar, watched
from forensics.charts._theme import DARK, LIGHT
from forensics.errors import CaseError
from forensics.records import Finding, Reference, Step
from tests._bundled import Bundled

EVIL = "<img src=x onerror=alert(1)>"
CASES = (
    "around_the_cause",
    "bpdu_cutoff",
    "double_vlan",
    "haunted_api",
    "lost_lease",
    "rabbit_hole",
    "vanished_images",
)
HAS_BROWSER = any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))


@pytest.fixture(scope="module")
def findings(bundled: Bundled) -> Callable[[str], Findings]:
    """The findings of a bundled incident, made once."""
    made: dict[str, Findings] = {}

    def of(name: str) -> Findings:
        if name not in made:
            made[name] = open_case(bundled(name)).findings
        return made[name]

    return of


def evil(value: Any) -> Any:
    """The same frame with markup in every text that is free; words that the chart chooses by stay."""
    if not isinstance(value, pl.DataFrame):
        return value
    named = ("source", "host", "point", "text", "instance", "lane", "name", "group", "device", "reason")
    free = [name for name in named if name in value.columns]
    texts = [name for name in free if value.schema[name] == pl.String]
    return value.with_columns(pl.concat_str(pl.col(name), pl.lit(EVIL)).alias(name) for name in texts)


@pytest.mark.parametrize("name", CASES)
def test_every_chart_is_drawn_for_light_and_dark_and_obeys_nothing(
    name: str, findings: Callable[[str], Findings]
) -> None:
    drawn = set()
    for finding in findings(name):
        for chart in finding.charts:
            if (finding.kind, chart) in drawn:
                continue
            for dark, palette in ((False, LIGHT), (True, DARK)):
                figure = finding.chart(chart, dark=dark)
                assert figure.layout.template.layout.paper_bgcolor == palette.paper
                assert "sendChartToCloud" in figure.layout.template.layout.modebar.remove
                assert figure.layout.title.text
                assert any(axis.title.text for axis in figure.select_xaxes()), chart
                told = figure.to_json()
                assert "<script" not in told
                assert "onerror" not in told
            found = frames_of(finding.finding, finding._rows, chart)
            assert found is not None
            module, frames = found
            worse = {key: evil(value) for key, value in frames.items()}
            if isinstance(worse.get("finding"), Finding):
                worse["finding"] = replace(worse["finding"], title=EVIL)
            worse |= {key: EVIL for key in ("title", "note") if key in worse}
            figure = getattr(module, chart)(**worse)
            assert "<img" not in figure.to_json().replace("\\u003c", "<"), chart
            drawn.add((finding.kind, chart))
    assert drawn


def test_a_page_loads_nothing_and_is_the_same_each_time(findings: Callable[[str], Findings], tmp_path: Path) -> None:
    finding = next(one for one in findings("vanished_images") if one.charts)
    first = finding.save_chart(tmp_path / "a.html").read_bytes()
    assert first == finding.save_chart(tmp_path / "b.html").read_bytes()
    head = first.partition(b"<script>")[0].decode()
    assert "default-src 'none'" in head
    assert not re.search(rb"<(script|link|img)[^>]+(src|href)=.?https?:", first)


def test_where_there_is_no_place_for_a_picture(findings: Callable[[str], Findings], tmp_path: Path) -> None:
    finding = next(one for one in findings("vanished_images") if one.charts)
    for path, wrong in ((tmp_path / "x.gif", "no kind"), (tmp_path / "no" / "x.png", "no place"), (tmp_path, "kind")):
        with pytest.raises(CaseError, match=wrong):
            finding.save_chart(path)
    with pytest.raises(CaseError, match="no chart nonsense"):
        finding.save_chart(tmp_path / "x.html", "nonsense")
    assert list(tmp_path.iterdir()) == []


def test_without_kaleido_the_message_says_what_to_install(
    findings: Callable[[str], Findings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forensics.case._figure.find_spec", lambda _: None)
    finding = next(one for one in findings("vanished_images") if one.charts)
    with pytest.raises(CaseError, match=r"cloud-forensics\[charts\]"):
        finding.save_chart(tmp_path / "x.png")


@pytest.mark.skipif(not HAS_BROWSER, reason="no browser: install the Debian package chromium")
def test_pictures_are_the_same_each_time(findings: Callable[[str], Findings], tmp_path: Path) -> None:
    pytest.importorskip("kaleido")
    finding = next(one for one in findings("vanished_images") if one.charts)
    svg = finding.save_chart(tmp_path / "a.svg").read_bytes()
    assert svg == finding.save_chart(tmp_path / "b.svg").read_bytes()
    assert b"nc02" in svg
    png = finding.save_chart(tmp_path / "a.png", dark=True).read_bytes()
    assert png.startswith(b"\x89PNG")


def test_charts_of_a_case_stand_on_one_axis(findings: Callable[[str], Findings], tmp_path: Path) -> None:
    charts = stacked(findings("vanished_images"), dark=False)
    assert len(charts) == 4
    assert repr(charts).startswith("host_lanes: ")
    saved = charts.save(tmp_path / "all.html").read_text()
    assert saved.count('class="plotly-graph-div"') == 4
    assert "plotly_relayout" in saved.rpartition("</div>")[2]
    frame = charts._repr_html_()
    assert frame.count("<") == 2
    assert 'sandbox="allow-scripts' in frame
    assert len(stacked(findings("haunted_api"), dark=False)) == 0  # none of its charts is over time
    assert Charts([], [])._repr_html_() == "<p>no finding has a chart over time</p>"
    with pytest.raises(CaseError, match="no kind"):
        charts.save(tmp_path / "all.png")


def test_the_command_draws_what_it_is_told(run, bundled: Bundled, tmp_path: Path) -> None:
    case = shutil.copytree(bundled("vanished_images"), tmp_path / "x.case")
    code, out, _ = run("chart", case, "--out", tmp_path / "x.html", "--dark")
    assert (code, out) == (0, f"Chart: {tmp_path / 'x.html'}\n")
    assert DARK.paper.encode() in (tmp_path / "x.html").read_bytes()
    code, _, err = run("chart", case, "000000000000")
    assert code == 2
    assert "no such finding" in err
    code, _, err = run("chart", case, "--out", case / "x.html")
    assert code == 2
    assert "inside the case" in err
    assert not (case / "x.html").exists()


@pytest.mark.parametrize(
    ("chart", "events"),
    [
        *((chart, events) for chart in ("host_lanes", "cutoff_cascade", "memory_requests") for events in (10, 100_000)),
        *(("console_broker", events) for events in (10, 100_000)),
        *(("ladder", events) for events in (10, 100_000)),
    ],
)
def test_a_chart_takes_few_events_and_many(events: int, chart: str, findings: Callable[[str], Findings]) -> None:
    for name in CASES:
        for finding in findings(name):
            if chart not in finding.charts:
                continue
            found = frames_of(finding.finding, finding._rows, chart)
            assert found is not None
            module, frames = found
            figure = getattr(module, chart)(**{key: scaled(value, events) for key, value in frames.items()})
            assert isinstance(figure, go.Figure)
            assert len(figure.to_json()) < 10_000_000
            return
    pytest.fail("no bundled incident has this chart")


def scaled(value: Any, events: int) -> Any:
    """A frame of instants, repeated a millisecond apart until there are so many rows; small ones stay."""
    if not isinstance(value, pl.DataFrame) or value.is_empty() or "at" not in value.columns:
        return value
    times = events // value.height + 1
    step = pl.duration(milliseconds=pl.col("again"))
    more = value.join(pl.DataFrame({"again": range(times)}), how="cross").with_columns(pl.col("at") + step)
    if "message" in value.columns and value.schema["message"].is_integer():
        more = more.with_columns(pl.col("message") + pl.col("again").cast(value.schema["message"]) * 100_000)
    return more.drop("again").head(events)


def test_a_citation_shows_its_line_on_hover_and_nothing_else() -> None:
    told = Reference("web-3/syslog", "line:7", None, f"'{EVIL}\x1b[2J")
    bare = Reference("web-3/syslog", "line:8")
    step = Step("2013-02-15T01:40:18Z", "it spoke", (told, bare, told, told))
    shown = html(Finding("host-silent", "x", "low", "likely", None, None, {"hosts": ("a",)}, {}, story=(step,)))
    assert (
        "<abbr title='&#39;&lt;img src=x onerror=alert(1)&gt;\\x1b[2J'>web-3/syslog:7</abbr>, web-3/syslog:8" in shown
    )
    assert "and 1 more" in shown


def test_progress_is_shown_in_a_notebook_alone_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[dict[str, str]] = []
    now = [0.0]

    class Handle:
        def update(self, data: dict[str, str], **_: object) -> None:
            said.append(data)

    def display(data: dict[str, str], **_: object) -> Handle:
        said.append(data)
        return Handle()

    bar = Bar(display, lambda: now[0])
    bar.begin(50_000_000)
    bar.advance(500)  # too soon to be shown
    now[0] = 2.5
    bar.advance(12_499_500)
    bar.close()
    texts = [data["text/plain"] for data in said]
    assert texts == ["reading: 0.0 of 50.0 MB", "reading: 12.5 of 50.0 MB, 5.0 MB/s, 8 s to go", ""]
    with watched(None, None) as given:
        assert given == (None, None)
    monkeypatch.setattr("forensics.case._progress._display", lambda: display)
    with watched(print, None) as given:
        assert given == (print, None)
    with watched(None, None) as (begin, advance):
        assert begin is not None
        assert advance is not None
        begin(0)
    assert said[-1] == {"text/plain": "", "text/html": ""}
