"""``df.forensics`` of polars and pandas: the same answers as the case gives, in the order that the rows had."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

import forensics as fx
from forensics.case import Case, open_case
from forensics.errors import CaseError


@pytest.fixture(scope="module")
def small(case: Path) -> Case:
    return open_case(case)


def test_cited_rows_are_the_octets_of_the_evidence(small: Case) -> None:
    rows = small.log_records.head(3)
    assert rows.forensics.cite(small).equals(small.cite(rows))
    assert rows.collect().forensics.cite(small)["text"][0].startswith("Feb 15 01:40:00 node1 dnsmasq-dhcp")


def test_one_clock_is_that_of_the_timeline_and_any_column_may_be_there(small: Case) -> None:
    rows = small.packets.collect().reverse().with_columns(own=pl.lit(1), off=pl.lit(2), reference=pl.lit(3))
    placed = rows.forensics.on_one_clock(small)
    assert placed.columns[:2] == ["at", "bound_s"]
    assert placed.drop("at", "bound_s").equals(rows)
    told = small.timeline().filter(pl.col("record") == "Packet").sort("position", descending=True)
    assert placed["at"].to_list() == told["at"].to_list()
    assert placed["bound_s"].to_list() == told["bound_s"].to_list()
    assert placed.forensics.on_one_clock(small).equals(placed)


def test_a_clock_that_is_ahead_is_put_back(small: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = small.packets.head(2).collect()
    source = rows["source"][0]
    ahead = pl.when(pl.col("source") == source).then(2.5).otherwise(pl.col("offset_s")).alias("offset_s")
    clocks = small.clocks.with_columns(ahead, pl.lit(None, small.clocks["pieces"].dtype).alias("pieces"))
    assert source in clocks["source"].to_list()
    monkeypatch.setattr(Case, "clocks", property(lambda _: clocks))
    moved = rows.forensics.on_one_clock(small)
    assert (moved["ts"] - moved["at"]).dt.total_milliseconds().to_list() == [2500, 2500]


def test_a_time_holds_its_start_and_not_its_end(small: Case) -> None:
    rows = small.log_records.filter(pl.col("source") == "node1/syslog").collect()
    start, end = rows["ts"][5], rows["ts"][9]
    assert rows.forensics.between(start, end)["ts"].to_list() == rows["ts"][5:9].to_list()
    assert rows.forensics.between(f"{start:%F %T}", f"{end:%F %T}").height == 4
    assert rows.forensics.between(start).height == rows.height - 5
    assert rows.forensics.between().equals(rows)
    assert rows.rename({"ts": "seen"}).forensics.between(end=end, column="seen").height == 9
    with pytest.raises(CaseError, match="no instant"):
        rows.forensics.between("yesterday")
    with pytest.raises(CaseError, match="there are n"):
        pl.DataFrame({"n": [1]}).forensics.between(start)


def test_rows_speak_of_what_the_case_finds(small: Case) -> None:
    told = small.packets.forensics.speaks_of("10.0.0.5").collect()
    assert told.height == small.mentions("10.0.0.5").filter(pl.col("record") == "Packet")["rows"].sum() > 0
    assert pl.DataFrame({"n": [1]}).forensics.speaks_of("x").is_empty()


def test_a_timeline_has_the_text_that_the_case_shows(small: Case) -> None:
    own = small.packets.collect().sample(fraction=1, shuffle=True, seed=1).forensics.timeline(small)
    told = small.timeline().filter(pl.col("record") == "Packet")
    assert own.select("at", "text", "source", "position").equals(told.select("at", "text", "source", "position"))
    some = small.packets.select("ts", "src", "dst").head(1).collect().forensics.timeline()
    assert some["text"].to_list() == ["src=10.0.0.1 dst=10.0.0.5"]
    with pytest.raises(CaseError, match="rows without ts"):
        pl.DataFrame({"n": [1]}).forensics.timeline()


def test_pandas_has_the_same(small: Case) -> None:
    fx.pandas_accessor(pd)
    fx.pandas_accessor()
    rows = small.packets.collect()
    frame = rows.to_pandas()
    assert pl.from_pandas(frame.forensics.on_one_clock(small))["at"].equals(rows.forensics.on_one_clock(small)["at"])
    assert frame.forensics.cite(small)["raw"].to_list() == small.cite(rows)["raw"].to_list()
    assert len(frame.forensics.speaks_of("10.0.0.5")) == len(frame)
    assert frame.forensics.between("2000-01-01", "2001-01-01").empty
    assert frame.forensics.timeline(small)["text"].to_list() == rows.forensics.timeline()["text"].to_list()


@pytest.mark.parametrize(
    "code",
    [
        "import polars, forensics; polars.DataFrame.forensics; polars.LazyFrame.forensics",
        "import forensics as fx; fx.scan_packets; import polars; polars.DataFrame.forensics",
        "import pandas, polars, forensics; pandas.DataFrame.forensics",
        "import forensics, sys; forensics.ForensicsError; assert 'polars' not in sys.modules",
        "import forensics as fx, sys; fx.open_case; assert 'pandas' not in sys.modules",
        "import forensics as fx\ntry: fx.pandas_accessor()\nexcept fx.CaseError: pass\nelse: 1 / 0",
    ],
)
def test_they_are_there_in_time_and_cost_nothing_before(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
