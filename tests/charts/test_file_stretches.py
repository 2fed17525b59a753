"""The chart of damaged files draws each gap where it lies, however many there are."""

import polars as pl
import pytest

from forensics.charts.file_stretches import LEAST, MOST_BINS, MOST_FILES, file_stretches

EVIL = "<img src=x onerror=alert(1)>"
FILES = pl.DataFrame({"source": ["a.pcap", "b.log"], "length_bytes": [1000, 10**9], "rows": [7, 9]})


def stretches(rows: list[tuple[str, int, int, str]]) -> pl.DataFrame:
    told = pl.DataFrame(rows, schema=["source", "offset_bytes", "length_bytes", "kind"], orient="row")
    return told.with_columns(reason=pl.lit(f"torn {EVIL}"))


def test_a_gap_lies_where_it_is_and_is_seen_however_small() -> None:
    figure = file_stretches(
        "t",
        FILES,
        stretches([("a.pcap", 400, 100, "gap"), ("b.log", 10**9 - 1, 1, "gap"), ("b.log", 5, 2, "reject")]),
        3,
    )
    read, odd, lost = figure.data
    assert [read.name, odd.name, lost.name] == ["read", "read, but not understood", "lost"]
    assert (lost.base, lost.x) == ((40.0, 100.0 - LEAST), (10.0, LEAST))
    assert lost.hovertext[0].startswith("<b>a.pcap</b>: lost<br>octets 400 to 500 of 1,000<br>torn &lt;img")
    assert "100 octets are lost in 1 stretch; 3 other files are whole" in figure.layout.title.subtitle.text
    assert read.hovertext[1].endswith("9 rows of 1,000,000,000 octets; 1 octet is lost in 1 stretch")


@pytest.mark.parametrize("count", [10, 100_000])
def test_few_gaps_and_many(count: int) -> None:
    figure = file_stretches("t", FILES, stretches([("b.log", n * 10_000, 100, "gap") for n in range(count)]))
    lost = figure.data[1]
    assert len(lost.x) == min(count, MOST_BINS)
    assert ("drawn together" in figure.layout.title.subtitle.text) == (count > MOST_BINS)
    if count > MOST_BINS:
        assert "250 stretches, 25,000 octets together, lost" in lost.hovertext[0]


def test_many_files_and_text_of_evidence() -> None:
    files = pl.DataFrame({"source": [f"{EVIL}{n}" for n in range(30)], "length_bytes": [0] * 30, "rows": [0] * 30})
    figure = file_stretches(EVIL, files, stretches([(f"{EVIL}{n}", 0, 0, "gap") for n in range(30)]), dark=True)
    assert len(figure.layout.yaxis.ticktext) == MOST_FILES
    assert "6 more damaged files are not drawn" in figure.layout.title.subtitle.text
    assert "<img" not in figure.to_json().replace("\\u003c", "<")
