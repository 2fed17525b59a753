"""Notes stand in the timeline and outlive a case that is made again; a timeline leaves for other tools, made safe."""

import json
from pathlib import Path

import polars as pl
import pytest

import forensics
from forensics.case import Case
from forensics.case._export import export
from forensics.errors import CaseError
from tests._small_evidence import small_evidence

AT = "2013-02-15T01:40:18Z"


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return forensics.open_case(small_evidence(tmp_path / "evidence"), out=tmp_path / "out.case")


def test_a_note_stands_in_the_timeline_and_in_the_case(case: Case, tmp_path: Path) -> None:
    assert case.notes.is_empty()
    case.note("ports opened by hand", at=AT, tags=["action", "action"])
    source = case.sources["source"][0]
    case.note("look here", source=source, position=3)
    assert case.notes["text"].to_list() == ["ports opened by hand", "look here"]
    assert case.notes["tags"].to_list() == [["action"], []]
    (row,) = case.timeline(around=AT, minutes=1).filter(pl.col("record") == "Note").to_dicts()
    assert (row["text"], row["at"].isoformat()) == ("ports opened by hand [action]", "2013-02-15T01:40:18+00:00")
    assert case.timeline(entity="action").filter(pl.col("record") == "Note").height == 1
    assert case.timeline(entity="nowhere").filter(pl.col("record") == "Note").is_empty()
    assert forensics.case.verify(case.path) == []
    again = forensics.open_case(tmp_path / "evidence", out=case.path, again=True)
    assert again.notes.equals(case.notes)


@pytest.mark.parametrize("given", [{"text": " ", "at": AT}, {"text": "x"}, {"text": "x", "source": "a"}])
def test_a_note_without_text_or_place_is_refused(case: Case, given: dict[str, str]) -> None:
    with pytest.raises(CaseError):
        case.note(**given)  # type: ignore[arg-type]


def test_a_timeline_leaves_as_csv_parquet_and_for_timesketch(case: Case, tmp_path: Path) -> None:
    case.note("=cmd|' /C calc'!A0 \x1b[2J password=hunter2", at=AT)
    rows = case.timeline()
    for suffix in ("csv", "parquet", "jsonl"):
        count = export(rows, tmp_path / f"timeline.{suffix}")
        assert count == (rows.height if suffix != "jsonl" else rows["at"].drop_nulls().len())
        assert b"hunter2" not in (tmp_path / f"timeline.{suffix}").read_bytes()
    text = (tmp_path / "timeline.csv").read_text()
    assert "'=cmd" in text
    assert "\x1b" not in text
    told = [json.loads(line) for line in (tmp_path / "timeline.jsonl").read_text().splitlines()]
    assert all({"message", "datetime", "timestamp_desc"} <= set(one) for one in told)
    assert any(one["datetime"] == "2013-02-15T01:40:18.000000+00:00" for one in told)
    assert pl.read_parquet((tmp_path / "timeline.parquet").read_bytes()).height == rows.height


def test_an_unknown_kind_of_file_is_refused_with_the_kinds_there_are(case: Case, tmp_path: Path) -> None:
    with pytest.raises(CaseError) as raised:
        export(case.timeline(), tmp_path / "timeline.xlsx")
    assert ".parquet" in str(raised.value)
