"""The vanished images' files hold what their truth says: by plain reading, by a database server, and by the loaders."""

import gzip
import hashlib
import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl
import pytest

import forensics
from forensics.records import BaseFileEvent, DiskImage, FileSize, Instance, InstanceEvent, Notification, ServiceState
from tests._bundled import Bundled
from tests.loaders.documents._mariadb import server

CASE = Path(__file__).resolve().parents[2] / "data" / "vanished_images"
HALVES = ("guilty", "healthy", "current", "current_healthy")
OLD = HALVES[:2]
LINE = re.compile(r"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{3})?) (?:\d+ )?(?P<level>[A-Z]+) (?P<logger>\S+) \[")
REMOVING = re.compile(r"Removing base(?:, swap or ephemeral)? file: (?P<path>\S+)$")
LONGEST_SILENCE = {"guilty": 120, "current": 3 * 3600}


class Said(NamedTuple):
    """A line of the tree: when it was written by true time, and the line."""

    at: datetime
    text: str


def truth(half: str) -> dict[str, Any]:
    """What is true of a half."""
    told: dict[str, Any] = json.loads((CASE / f"{half}.truth.json").read_text())
    return told


def facts(half: str, kind: str) -> list[dict[str, Any]]:
    """The facts of a half's findings of a kind."""
    return [finding["facts"] for finding in truth(half)["findings"] if finding["kind"] == kind]


def said(half: str) -> dict[str, list[Said]]:
    """The tree as a reader without the toolkit takes it."""
    tree: dict[str, list[Said]] = {}
    for host in truth(half)["in_the_tree"]:
        source = f"rsyslog/{host}/nova.log"
        clock = truth(half)["clocks"][source]
        tree[host] = []
        for line in (CASE / half / source).read_text().splitlines():
            found = LINE.search(line)
            assert found, line
            local = datetime.fromisoformat(found["at"]).replace(tzinfo=ZoneInfo(clock["zone"]))
            tree[host].append(Said(local.astimezone(UTC) - timedelta(seconds=clock["offset_s"]), line))
    return tree


def moment(text: str) -> datetime:
    """An instant of the truth."""
    return datetime.fromisoformat(text)


@pytest.mark.parametrize("half", HALVES)
def test_the_tree_holds_as_many_lines_as_the_truth_counts(half: str) -> None:
    for host, lines in said(half).items():
        counted = {
            "lines": len(lines),
            "checking": sum("): checking" in line.text for line in lines),
            "too_young": sum("too young to remove" in line.text for line in lines),
            "removing": sum(REMOVING.search(line.text) is not None for line in lines),
        }
        assert counted == truth(half)["in_the_tree"][host]
        assert all(early.at <= late.at for early, late in pairwise(lines))


@pytest.mark.parametrize("half", OLD)
def test_lines_of_folsom_bear_two_stamps_of_one_clock(half: str) -> None:
    for host, lines in said(half).items():
        for line in lines:
            outer, inner = line.text.split(f" {host} ")[0], LINE.search(line.text)
            assert inner
            written = datetime.strptime(f"2013 {outer}", "%Y %b %d %H:%M:%S")
            assert timedelta(0) <= written - datetime.fromisoformat(inner["at"]) <= timedelta(seconds=1)


@pytest.mark.parametrize("half", HALVES)
def test_removals_are_the_findings_and_those_by_the_rules(half: str) -> None:
    removed = {
        (found["path"], host, line.at)
        for host, lines in said(half).items()
        for line in lines
        if (found := REMOVING.search(line.text))
    }
    told = facts(half, "base-file-removed-in-use") + truth(half)["removed_by_the_rules"]
    assert removed == {(fact["base_file"], *fact["removed_by"], moment(fact["removed_at"])) for fact in told}
    left = {line.split()[-1] for line in (CASE / half / "controller" / "base_files.txt").read_text().splitlines()}
    assert {Path(path).name for path, _, _ in removed}.isdisjoint(left)
    assert set(truth(half)["files_left"]) <= left


@pytest.mark.parametrize("half", HALVES)
def test_who_was_silent_and_how_long(half: str) -> None:
    limit = timedelta(seconds=LONGEST_SILENCE["guilty" if half in OLD else "current"])
    silences = [
        (host, early.at, late.at)
        for host, lines in said(half).items()
        for early, late in pairwise(lines)
        if late.at - early.at > limit
    ]
    told = facts(half, "host-silent")
    assert silences == [(fact["host"], moment(fact["from"]), moment(fact["to"])) for fact in told]
    for fact in facts(half, "base-file-removed-in-use"):
        (down,) = fact["owners_down"]
        assert down in told
        assert moment(down["from"]) < moment(fact["removed_at"]) < moment(down["to"])


@pytest.mark.parametrize("half", ["guilty", "current"])
def test_the_file_is_named_for_the_image_that_only_the_silent_host_used(half: str) -> None:
    for fact in facts(half, "base-file-removed-in-use"):
        assert Path(fact["base_file"]).name.split("_")[0] == hashlib.sha1(fact["image"].encode()).hexdigest()
        (down,) = fact["owners_down"]
        rows = instances(half).filter(pl.col("image") == fact["image"])
        assert set(rows["compute_host"]) == {down["host"]}
        assert set(rows["instance"]) == {*fact["victims"], *fact["at_risk"]}
        disks = (CASE / half / "controller" / "disks.txt").read_text()
        assert disks.count(f"Could not open '{fact['base_file']}': No such file") == rows.height


def test_on_folsom_the_pass_that_removes_it_calls_it_active_too() -> None:
    for fact in facts("guilty", "base-file-removed-in-use"):
        (host,) = fact["removed_by"]
        at = moment(fact["removed_at"])
        near = [line.text for line in said("guilty")[host] if abs(line.at - at) < timedelta(seconds=3)]
        assert any(f"{fact['image']} ({fact['base_file']}): checking" in text for text in near)
        for kind in ("Active", "Removable"):
            assert any(f"{kind} base files: " in text and fact["base_file"] in text.split() for text in near)


def test_today_it_is_unknown_by_then_and_two_days_have_passed() -> None:
    (fact,) = facts("current", "base-file-removed-in-use")
    (host,) = fact["removed_by"]
    lines = said("current")
    near = [line.text for line in lines[host] if abs(line.at - moment(fact["removed_at"])) < timedelta(seconds=3)]
    assert any(text.endswith(f"Unknown base file: {fact['base_file']}") for text in near)
    checked = {
        host: max(line.at for line in said if f"({fact['base_file']}): checking" in line.text)
        for host, said in lines.items()
    }
    passed = moment(fact["removed_at"]) - max(checked.values())
    assert timedelta(days=1) <= passed <= timedelta(days=1, hours=3)
    (down,) = fact["owners_down"]
    assert moment(fact["removed_at"]) - checked[down["host"]] > timedelta(hours=44)


@pytest.mark.parametrize("half", HALVES)
def test_the_database_by_its_server(half: str) -> None:
    dump = gzip.decompress((CASE / half / "controller" / "nova.sql.gz").read_bytes())
    with server() as db:
        db.client("create database nova")
        db.client(dump, database="nova")
        for what, table in (
            ("instances", "instances"),
            ("deleted", "instances where deleted != 0"),
            ("faults", "instance_faults"),
        ):
            told = int(db.client(f"select count(*) from {table}", "-N", database="nova"))
            assert told == truth(half)["in_the_database"][what]
        live = db.client("select uuid, image_ref, host from instances where deleted = 0", "-N", database="nova")
    read = instances(half).select("instance", "image", "compute_host").rows()
    assert sorted(tuple(line.split("\t")) for line in live.decode().splitlines()) == sorted(read)


CASES: dict[str, Any] = {}


@pytest.fixture(scope="module", autouse=True)
def _cases(bundled: Bundled) -> None:
    for half in HALVES:
        CASES[half] = forensics.open_case(bundled("vanished_images", half))


def instances(half: str) -> pl.DataFrame:
    """Live instances, as the loaders read the dump."""
    rows: pl.DataFrame = CASES[half].records(Instance).collect()
    return rows.filter(pl.col("is_deleted").not_(), pl.col("source") == "controller/nova.sql.gz")


@pytest.mark.parametrize("half", HALVES)
def test_the_loaders_read_the_same(half: str) -> None:
    case, told = CASES[half], truth(half)
    sources = pl.read_parquet((case.path / "sources.parquet").read_bytes())
    assert set(sources["status"]) == {"read", "configuration"}
    # A prompt before `qemu-img info` is no line of its output.
    prompts = (CASE / half / "controller" / "disks.txt").read_text().count("root@cloud:")
    rejects = dict(sources.filter(pl.col("rejects") > 0).select("source", "rejects").rows())
    assert prompts
    assert rejects == {}
    events = case.records(BaseFileEvent).collect()
    for host, counts in told["in_the_tree"].items():
        actions = Counter(events.filter(pl.col("host") == host)["action"])
        assert {name: actions[name] for name in ("checking", "too_young", "removing")} == {
            name: counts[name] for name in ("checking", "too_young", "removing")
        }
    removed = events.filter(pl.col("action") == "removing")
    facts_told = facts(half, "base-file-removed-in-use") + told["removed_by_the_rules"]
    assert set(removed["base_file"]) == {fact["base_file"] for fact in facts_told}
    for fact in facts_told:
        row = removed.row(by_predicate=pl.col("base_file") == fact["base_file"], named=True)
        ahead_s = told["clocks"][row["source"]]["offset_s"]
        assert abs(row["ts"] - timedelta(seconds=ahead_s) - moment(fact["removed_at"])) <= timedelta(seconds=1)
        assert (row["host"],) == (*fact["removed_by"],)
    assert case.records(Notification).collect().height == told["notifications"]
    files = case.records(FileSize).collect()
    assert {Path(path).name for path in files["path"]} >= set(told["files_left"])
    missing = case.records(DiskImage).collect().filter(pl.col("error").is_not_null())
    assert missing.height == sum(
        len(fact["victims"]) + len(fact["at_risk"]) for fact in facts(half, "base-file-removed-in-use")
    )


@pytest.mark.parametrize("half", HALVES)
def test_the_loaders_know_the_victims(half: str) -> None:
    events = CASES[half].records(InstanceEvent).collect()
    failed = events.filter(pl.col("message").str.contains("Cannot reboot instance"))
    victims = {name for fact in facts(half, "base-file-removed-in-use") for name in fact["victims"]}
    assert set(failed["instance"]) == victims
    notes = CASES[half].records(Notification).collect()
    assert set(notes.filter(pl.col("event_type") == "compute.instance.reboot.error")["instance"]) == victims


@pytest.mark.parametrize("half", HALVES[2:])
def test_the_folder_says_who_looked_after_it(half: str) -> None:
    states = CASES[half].records(ServiceState).collect().filter(pl.col("told_by") == "compute_nodes")
    written = json.loads((CASE / half / "controller" / "compute_nodes").read_text())
    assert set(states["service_host"]) == set(written) == set(truth(half)["in_the_tree"])


@pytest.mark.parametrize(("guilty", "healthy"), [HALVES[:2], HALVES[2:]])
def test_the_twin_differs_in_the_fault_alone(guilty: str, healthy: str) -> None:
    assert truth(healthy)["findings"] == []
    assert truth(guilty)["clocks"] == truth(healthy)["clocks"]
    names = [
        {str(path.relative_to(CASE / half)) for path in (CASE / half).rglob("*") if path.is_file()}
        for half in (guilty, healthy)
    ]
    assert names[0] == names[1]
    columns = ("instance", "image", "compute_host", "display_name")
    assert (
        instances(guilty).select(columns).sort("instance").equals(instances(healthy).select(columns).sort("instance"))
    )
    by_the_rules = [{row["base_file"] for row in truth(half)["removed_by_the_rules"]} for half in (guilty, healthy)]
    assert by_the_rules[0] == by_the_rules[1] != set()
