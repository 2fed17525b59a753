"""The haunted API's files hold what its truth says: by plain reading, by a database server, and by the loaders."""

import csv
import gzip
import json
import re
import statistics
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

import forensics
from forensics.records import ApiRequest, Instance, ProcessMemory, RowCount, ShellCommand
from tests._bundled import Bundled
from tests.loaders.documents._mariadb import server

CASE = Path(__file__).resolve().parents[2] / "data" / "haunted_api"
HALVES = ("guilty", "healthy")
CLOUDS = {"grizzly-cloud": ("UTC", -3.5), "havana-cloud": ("Asia/Taipei", 0.0)}
LOGS = ("nova-api.log-20140401.gz", "nova-api.log")
LINE = re.compile(
    r"^(?P<ts>\S+ \S+) (?:(?P<pid>\d+) )?INFO nova\.(?:ec2|osapi_compute)\.wsgi\.server \[(?P<request>req-\S+) "
    r'\S+ \S+\] \S+ "GET (?P<url>\S+) HTTP/1\.1" status: 200 len: (?P<bytes>\d+) time: (?P<time>\d+\.\d{7})$'
)


def truth(half: str) -> dict[str, Any]:
    """What is true of a half."""
    told: dict[str, Any] = json.loads((CASE / f"{half}.truth.json").read_text())
    return told


def text(half: str, name: str) -> str:
    """A file of a half, unpacked."""
    octets = (CASE / half / name).read_bytes()
    return (gzip.decompress(octets) if name.endswith(".gz") else octets).decode()


def operation(url: str) -> str:
    """What a target asks for, by the truth's names."""
    action = re.search(r"Action=(\w+)", url)
    return action[1] if action else {"detail": "servers", "flavors": "flavors"}[url.rpartition("/")[2]]


def requests(half: str, cloud: str) -> list[dict[str, Any]]:
    """Access lines as a reader without the toolkit takes them: arrival by true time, operation, seconds, process."""
    zone, ahead_s = CLOUDS[cloud]
    found = []
    for line in "".join(text(half, f"{cloud}/{name}") for name in LOGS).splitlines():
        if not line or "wsgi starting up" in line:
            continue
        cells = LINE.match(line)
        assert cells, line
        ended = datetime.strptime(cells["ts"], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        came = ended - timedelta(seconds=ahead_s + float(cells["time"]))
        found.append(
            {"came": came, "operation": operation(cells["url"]), "s": float(cells["time"]), **cells.groupdict()}
        )
    return found


def counts(half: str, table: str) -> list[tuple[datetime, int]]:
    """Counts of one table of havana-cloud."""
    rows = csv.DictReader(text(half, "havana-cloud/row-counts.csv").splitlines())
    return [
        (datetime.fromisoformat(row["captured_at"]), int(row["count"])) for row in rows if row["table_name"] == table
    ]


@pytest.fixture(scope="module", params=HALVES)
def loaded(request: pytest.FixtureRequest, bundled: Bundled) -> tuple[str, forensics.Case]:
    """A half, and the case that the toolkit makes of it."""
    half: str = request.param
    return half, forensics.open_case(bundled("haunted_api", half))


@pytest.mark.parametrize("half", HALVES)
def test_operations_are_as_many_and_as_long_as_the_truth_says(half: str) -> None:
    for cloud, told in truth(half)["measured"]["operations"].items():
        lines = requests(half, cloud)
        assert len(lines) == sum(one["requests"] for one in told.values())
        for name, one in told.items():
            times = [line["s"] for line in lines if line["operation"] == name]
            assert len(times) == one["requests"]
            assert statistics.median(times) == pytest.approx(one["median_s"])
            assert max(times) == pytest.approx(one["longest_s"])
        assert len({line["request"] for line in lines}) == len(lines)
        assert {line["pid"] is None for line in lines} == {cloud == "grizzly-cloud"}


def test_the_guilty_truth_follows_from_lines_and_counts() -> None:
    grows, regression, _ = (finding["facts"] for finding in truth("guilty")["findings"])
    lines = {cloud: [r for r in requests("guilty", cloud) if r["operation"] == "RunInstances"] for cloud in CLOUDS}
    known = counts("guilty", "instances")
    points = [(max(one for one in known if one[0] <= r["came"])[1], r["s"]) for r in lines["havana-cloud"]]
    frame = pl.DataFrame(points, ["rows", "s"], orient="row")
    assert grows["requests"] == frame.height
    assert (grows["rows_min"], grows["rows_max"]) == (frame["rows"].min(), frame["rows"].max())
    assert frame.select(pl.corr("rows", "s", method="spearman")).item() == pytest.approx(grows["rank_correlation"])
    steep = frame.select(pl.cov("rows", "s") / pl.col("rows").var()).item() * 100_000
    assert steep == pytest.approx(grows["seconds_per_100k_rows"], rel=0.2), "least squares, near the robust slope"
    assert grows["ci_low"] < grows["seconds_per_100k_rows"] < grows["ci_high"]
    medians = {cloud: statistics.median(r["s"] for r in some) for cloud, some in lines.items()}
    assert medians["grizzly-cloud"] == pytest.approx(regression["before_median_s"])
    assert medians["havana-cloud"] == pytest.approx(regression["after_median_s"])
    assert regression["ratio"] == pytest.approx(medians["havana-cloud"] / medians["grizzly-cloud"])
    assert regression["ratio"] > 10
    last = lines["havana-cloud"][-1]["pid"]
    after = [r["s"] for r in lines["havana-cloud"] if r["pid"] == last]
    assert statistics.median(after) == pytest.approx(grows["predicted_s_after_purge"])
    assert max(after) < 0.7 * truth("guilty")["measured"]["before_purge_s"]


def test_the_healthy_half_grows_and_is_purged_alike_and_nothing_slows_down() -> None:
    told = {half: truth(half) for half in HALVES}
    assert told["healthy"]["findings"] == []
    for key in ("deleted_instances", "purgeable_instances", "purgeable_system_metadata", "rows_after_purge"):
        assert told["healthy"]["in_the_database"][key] == told["guilty"]["in_the_database"][key]
    for cloud, one in told["healthy"]["measured"]["operations"].items():
        other = told["guilty"]["measured"]["operations"][cloud]
        assert {name: figures["requests"] for name, figures in one.items()} == {
            name: figures["requests"] for name, figures in other.items()
        }
        assert abs(one["RunInstances"]["rank_correlation_with_rows"]) < 0.4
        assert one["RunInstances"]["longest_s"] > 3 * one["RunInstances"]["median_s"], "load is what it follows"
    tokens = {half: text(half, "havana-cloud/nova-api.log").count("ClientToken=") for half in HALVES}
    assert tokens["healthy"] == 0
    assert tokens["guilty"] > 30
    for table in ("instances", "instance_info_caches", "fixed_ips"):
        assert counts("guilty", table) == counts("healthy", table)


@pytest.mark.parametrize("half", HALVES)
def test_memory_in_the_listings(half: str) -> None:
    for key, told in truth(half)["measured"]["memory"].items():
        cloud, pid = key.split()
        listed = re.findall(
            rf"^nova +{pid} (?: *\S+){{3}} +(\d+) \?", text(half, f"{cloud}/ps-nova-api.txt"), re.MULTILINE
        )
        sizes = [int(size) * 1024 for size in listed]
        assert (len(sizes), max(sizes)) == (told["listings"], told["most_bytes"])
        assert {told["from_bytes"], told["to_bytes"]} <= {*sizes}
    (first, *_) = (told for key, told in truth(half)["measured"]["memory"].items() if key.startswith("havana"))
    assert (first["to_bytes"] > 2 * first["from_bytes"]) == (half == "guilty")


@pytest.mark.parametrize("half", HALVES)
def test_a_server_counts_in_the_dump_what_the_truth_says(half: str) -> None:
    told = truth(half)["in_the_database"]
    year = "'2015-01-19 08:00:00' - interval 1 year"
    dead = f"deleted != 0 and deleted_at < {year}"
    with server() as db:
        db.client("create database nova")
        db.client(text(half, "havana-cloud/nova-20150112.sql.gz"), database="nova")

        def count(what: str) -> int:
            return int(db.client(f"select count(*) from {what}", "-N", database="nova"))

        assert count("instances") == told["rows_before_purge"]["instances"]
        assert count("instance_system_metadata") == told["rows_before_purge"]["instance_system_metadata"]
        assert (
            count("instances where deleted != 0") == count("instances where deleted = id") == told["deleted_instances"]
        )
        assert count("instances where deleted = 1") == 0
        assert count(f"instances where {dead}") == told["purgeable_instances"]
        by_them = f"instance_system_metadata where instance_uuid in (select uuid from instances where {dead})"
        assert count(by_them) == told["purgeable_system_metadata"]
        assert count("instance_system_metadata where deleted != 0") == 0, "instance_destroy leaves them alone"
    if half == "guilty":
        assert truth(half)["findings"][0]["facts"]["purgeable_rows"] == told["purgeable_instances"]


@pytest.mark.parametrize("half", HALVES)
def test_the_purge_deletes_what_is_purgeable(half: str) -> None:
    told, said = truth(half)["in_the_database"], text(half, "havana-cloud/purge.txt")
    assert "ERROR" not in said
    removed = [int(n) for n in re.findall(r"^Query OK, (\d+) rows? affected", said, re.MULTILINE)]
    assert removed[0] == 0, "deleted=1 is the row with that id, and it lives"
    assert removed[-1] == told["purgeable_instances"]
    assert removed[1] == told["purgeable_system_metadata"]
    assert told["rows_before_purge"]["instances"] - removed[-1] == told["rows_after_purge"]


def test_every_file_is_read_and_says_the_same(loaded: tuple[str, forensics.Case]) -> None:
    half, case = loaded
    told = truth(half)
    assert case.problems.is_empty(), case.problems
    assert {*case.sources["source"]} - {"case.toml"} == {*told["clocks"]}
    api = case.records(ApiRequest).collect()
    for cloud in CLOUDS:
        mine = api.filter(pl.col("source").str.starts_with(cloud))
        lines = requests(half, cloud)
        assert mine.height == len(lines)
        assert mine["duration_s"].sum() == pytest.approx(sum(line["s"] for line in lines))
        runs = mine.filter(pl.col("operation") == "RunInstances")
        assert runs.height == told["measured"]["operations"][cloud]["RunInstances"]["requests"]
        assert (runs["client_token"].null_count() == runs.height) == (half == "healthy")
    local = api.filter(pl.col("source").str.starts_with("havana-cloud")).sort("ts")["ts"].dt.epoch("ms").to_list()
    ended = sorted(r["came"] + timedelta(seconds=r["s"]) for r in requests(half, "havana-cloud"))
    assert local == [round(at.timestamp() * 1000) for at in ended], "the listings' +0800 goes for the log beside them"
    rows = case.records(RowCount).collect()
    listed = rows.filter((pl.col("source") == "havana-cloud/row-counts.csv") & (pl.col("table") == "instances"))
    known = listed.sort("ts").select(pl.col("ts").dt.epoch("s"), "rows").rows()
    assert known == [(int(at.timestamp()), n) for at, n in counts(half, "instances")]
    assert not listed["is_estimate"].any()
    boxed = rows.filter((pl.col("source") == "grizzly-cloud/row-counts.txt") & (pl.col("table") == "instances"))
    assert boxed.height == len(re.findall(r"^\| instances  ", text(half, "grizzly-cloud/row-counts.txt"), re.MULTILINE))
    memory = case.records(ProcessMemory).collect()
    for key, one in told["measured"]["memory"].items():
        cloud, pid = key.split()
        mine = memory.filter(pl.col("source").str.starts_with(cloud) & (pl.col("pid") == int(pid)))
        assert (mine.height, mine["resident_bytes"].max()) == (one["listings"], one["most_bytes"])
        assert mine["process"].unique().to_list() == ["nova-api"]
    instances = case.records(Instance).collect()
    assert (
        instances.filter(pl.col("source").str.ends_with(".sql.gz")).height
        == told["in_the_database"]["rows_before_purge"]["instances"]
    )
    commands = case.records(ShellCommand).collect()
    assert commands.filter(pl.col("command").str.contains("delete from")).height == 7
