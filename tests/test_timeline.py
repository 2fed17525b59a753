"""A timeline narrowed down and in lanes, in Python, on a terminal, as a chart; JSON and completion of all commands."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import forensics as fx
from forensics.case import Case, open_case
from forensics.case._lanes import laned
from tests._bundled import Bundled


@pytest.fixture(scope="module")
def cutoff(bundled: Bundled) -> Case:
    """Two nodes that a switch cut off."""
    return open_case(bundled("bpdu_cutoff"))


def test_host_and_words_narrow_it_down(cutoff: Case) -> None:
    whole = cutoff.timeline()
    guarded = cutoff.timeline(host="SW-1", search="GUARD bpdu")
    assert 0 < guarded.height < whole.height
    assert set(guarded["host"]) == {"SW-1"}
    assert guarded["text"].str.contains("(?i)guard").all()
    assert cutoff.timeline(search="guard bpdu no-such-word").is_empty()
    assert cutoff.timeline(search=" ").equals(whole)


def test_a_row_stands_with_the_instance_by_whichever_name(cutoff: Case) -> None:
    rows = cutoff.timeline()
    placed = laned(rows, cutoff.rows, "entity")
    assert placed.drop("lane").equals(rows)
    mac = cutoff.edges.filter(subject_kind="instance", object_kind="mac").row(0, named=True)
    own = placed.filter(pl.col("text").str.contains(str(mac["object"]), literal=True))
    spoken = placed.filter(pl.col("lane").str.contains(str(mac["subject"])[:8]))
    assert spoken.height
    assert own.height
    assert own.filter(pl.col("lane") == "names nobody").is_empty()
    assert not placed["lane"].is_in(["0.0.0.0", "255.255.255.255", "ff:ff:ff:ff:ff:ff"]).any()
    assert laned(rows.head(0), cutoff.rows, "entity").schema["lane"] == pl.String
    with pytest.raises(fx.UnknownColumnError, match="no lanes by 'colour'"):
        laned(rows, cutoff.rows, "colour")


def test_a_chart_takes_timelines_and_rows_of_records(cutoff: Case) -> None:
    told = cutoff.timeline(search="bpdu")
    figure = told.forensics.chart(cutoff, lanes="entity")
    assert f"{told.filter(pl.col('at').is_not_null()).height} events" in figure.layout.title.subtitle.text
    assert cutoff.packets.head(3).collect().forensics.chart(cutoff).layout.title.subtitle.text == "3 events"
    with pytest.raises(fx.UnknownColumnError, match="rows without host"):
        told.drop("host").forensics.chart(cutoff)


def test_lanes_on_a_terminal_and_in_a_file(run, cutoff: Case, tmp_path: Path) -> None:
    code, out, _ = run("timeline", cutoff.path, "--lanes", "host")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    counted = {line.split()[0]: int(line.split()[1].replace(",", "")) for line in out.splitlines()[1:-1]}
    rows = cutoff.timeline().filter(pl.col("at").is_not_null())
    assert counted == dict(rows.group_by("host").len().iter_rows())
    chart = tmp_path / "lanes.html"
    assert run("timeline", cutoff.path, "--lanes", "entity", "--search", "bpdu", "--chart", chart)[0] == 0
    assert b"plotly" in chart.read_bytes()
    for wrong in (("--chart", cutoff.path / "x.html"), ("--to", "a.csv", "--chart", "b.html"), ("--lanes", "x")):
        code, _, err = run("timeline", cutoff.path, *wrong)
        assert code == 2
        assert "Hint: " in err
    code, out, _ = run("timeline", cutoff.path, "--lanes", "record", "--json", "--limit", "2")
    assert [row["lane"] == row["record"] for row in json.loads(out)] == [True, True]


def test_every_command_speaks_json(run, cutoff: Case, tmp_path: Path) -> None:
    _, out, _ = run("--help")
    for command in re.findall(r"^  (\w+)  ", out.partition("Commands:")[2], re.MULTILINE):
        assert "--json" in run(command, "--help")[1], command
    at = "2026-11-22T18:58:00Z"
    commands = [
        ("note", cutoff.path, "seen by the operator", "--at", at),
        ("report", cutoff.path, "--out", tmp_path / "r.md", "--markdown"),
        ("report", cutoff.path, "--notebook", "--out", tmp_path / "r.ipynb"),
        ("chart", cutoff.path, "--out", tmp_path / "c.html"),
        ("timeline", cutoff.path, "--to", tmp_path / "t.csv"),
        ("bundle", cutoff.path, "--out", tmp_path / "x.bundle"),
    ]
    told = {}
    for words in commands:
        code, out, err = run(*words, "--json")
        assert (code, err) == (0, ""), words
        told |= json.loads(out)
    assert told["notes"][0]["at"] == "2026-11-22T18:58:00.000000000Z"
    for name in ("report", "notebook", "chart", "timeline", "bundle"):
        assert Path(told[name]).exists()


@pytest.mark.parametrize(("typed", "offered"), [("forensics ti", "timeline"), ("forensics timeline --la", "--lanes")])
def test_a_shell_completes(typed: str, offered: str) -> None:
    asked = {"_FORENSICS_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    program = Path(sys.executable).with_name("forensics")
    done = subprocess.run([program], env={**os.environ, **asked}, capture_output=True, text=True)
    assert done.stdout.split() == [offered]
