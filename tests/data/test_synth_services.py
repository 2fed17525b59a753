"""Made-up image caches, consoles and API logs: the same each time, read without rejects, and true to their truth.

What the truth says is counted here once more, from the written files and from the records, by other means than the
generators' own. `SYNTH_SEEDS` sets how many cases of each kind are read (five if not told).
"""

import gzip
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from scipy import stats

import forensics
from data.synth import api_latency, base_files, console_floods
from forensics.records import (
    ApiRequest,
    BaseFileEvent,
    BrokerEvent,
    ConsoleRequest,
    FileSize,
    Instance,
    InstanceEvent,
    LogRecord,
    ProcessMemory,
    Record,
    RowCount,
)

SEEDS = range(int(os.environ.get("SYNTH_SEEDS", "5")))
MODULES = (base_files, console_floods, api_latency)
HALVES = ("guilty", "healthy")
STAMP = r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{3})?)"
REQUEST = re.compile(r"\[(?:None )?(req-[0-9a-f-]{36}) (\S+)")
Truth = dict[str, Any]


def digest(folder: Path) -> str:
    """Names, octets and times of all files."""
    told = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        head = f"{path.relative_to(folder)} {path.stat().st_mtime_ns} "
        told.update(head.encode() + path.read_bytes())
    return told.hexdigest()


def lines(folder: Path, what: str) -> Iterator[tuple[str, str]]:
    """Each line that holds a text, with the file it is in; a syslog record gives each of its lines."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        octets = path.read_bytes()
        text = (gzip.decompress(octets) if path.suffix == ".gz" else octets).decode()
        name = path.relative_to(folder).as_posix()
        yield from ((name, line) for whole in text.splitlines() for line in whole.split("#012") if what in line)


def at(truth: Truth, source: str, line: str) -> datetime:
    """The true instant of a line, by what the truth says of its file's clock."""
    clock = truth["clocks"][source]
    (stamp, *_) = re.findall(STAMP, line)
    local = datetime.fromisoformat(stamp).replace(tzinfo=ZoneInfo(clock["zone"]))
    return local.astimezone(UTC) - timedelta(seconds=clock["offset_s"])


def told(instant: str) -> datetime:
    """An instant of the truth."""
    return datetime.fromisoformat(instant[:26] + "+00:00")


def facts(truth: Truth, kind: str) -> list[Truth]:
    """Of the findings of a kind."""
    return [finding["facts"] for finding in truth["findings"] if finding["kind"] == kind]


def host_of(source: str, line: str) -> str:
    """The host that a line is from: the folder's, or in a common file the line's."""
    if source.startswith("rsyslog/nova.log"):
        return re.sub(r"^(?:\w{3} +\d+ \S+|\S+T\S+) (\S+) .*", r"\1", line)
    return source.removeprefix("rsyslog/").split("/")[0].split(".")[0]


def short(name: str) -> str:
    """A host's short name."""
    return name.split(".")[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[ModuleType, str, int], tuple[Path, Truth, Any]]:
    """A case by its numbers: folder, truth, and what the toolkit makes of it; each is made and read once."""
    kept: dict[tuple[str, str, int], tuple[Path, Truth, Any]] = {}

    def one(module: ModuleType, half: str, seed: int) -> tuple[Path, Truth, Any]:
        key = (module.__name__, half, seed)
        if key not in kept:
            folder = tmp_path_factory.mktemp("synth") / "evidence"
            truth = getattr(module, half)(seed, folder)
            kept[key] = folder, truth, forensics.open_case(folder, out=folder.parent / "out.case", workers=1)
        return kept[key]

    return one


Made = Callable[[ModuleType, str, int], tuple[Path, Truth, Any]]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rsplit(".")[-1])
@pytest.mark.parametrize("half", HALVES)
def test_a_seed_gives_the_same_octets(module: ModuleType, half: str, tmp_path: Path) -> None:
    first, again, other = (getattr(module, half)(seed, tmp_path / str(n)) for n, seed in enumerate((7, 7, 8)))
    assert first == again != other
    assert digest(tmp_path / "0") == digest(tmp_path / "1") != digest(tmp_path / "2")


@given(console_floods.cases())
@settings(max_examples=15, deadline=None)
def test_a_strategy_makes_either_half(made_case: Any) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        truth = made_case.write(Path(folder))
    assert bool(truth["findings"]) == (made_case.half == "guilty")


def test_cases_vary(tmp_path: Path) -> None:
    facets: dict[str, set[Any]] = {}
    for module in MODULES:
        for seed in range(20):
            for half in HALVES:
                truth = getattr(module, half)(seed, tmp_path / f"{module.__name__}{half}{seed}")
                assert bool(truth["findings"]) == (half == "guilty")
                for name in ("release", "layout", "cause"):
                    facets.setdefault(name, set()).add(truth["in_fact"][name])
                facets.setdefault("zone", set()).update(clock["zone"] for clock in truth["clocks"].values())
                facets.setdefault("offset", set()).update(clock["offset_s"] for clock in truth["clocks"].values())
    assert len(facets["release"]) == 14
    assert facets["layout"] == {"files", "var-log", "kolla", "rsyslog", "rsyslog-iso", "rsyslog-one", "uwsgi"}
    causes = {*base_files.INNOCENT, *console_floods.INNOCENT, *api_latency.INNOCENT, *api_latency.STORIES, ""}
    assert facets["cause"] == causes
    assert len(facets["zone"]) > 6
    assert len(facets["offset"]) > 6


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rsplit(".")[-1])
@pytest.mark.parametrize("half", HALVES)
def test_cases_are_read_without_rejects(module: ModuleType, half: str, made: Made) -> None:
    for seed in SEEDS:
        _, truth, case = made(module, half, seed)
        sources = case.sources
        assert sources.filter(pl.col("rejects") > 0).height == 0, (seed, sources)
        unread = sources.filter(pl.col("format").is_null())["source"].to_list()
        assert unread == ["case.toml"], (seed, unread)
        assert set(truth["clocks"]) <= set(sources["source"])
        assert case.records(LogRecord).collect().height > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_base_files_are_removed_as_told(seed: int, made: Made) -> None:
    folder, truth, case = made(base_files, "guilty", seed)
    events, failed = case.records(BaseFileEvent).collect(), case.records(InstanceEvent).collect()
    failed = failed.filter(pl.col("event").is_in(["start_failed", "missing_file"]))
    instances = case.records(Instance).collect()
    silences = {silence["host"]: silence for silence in facts(truth, "host-silent")}
    removals = facts(truth, "base-file-removed-in-use")
    assert {owner["host"] for one in removals for owner in one["owners_down"]} <= set(silences)
    for one in removals:
        path, (by,) = one["base_file"], one["removed_by"]
        assert hashlib.sha1(one["image"].encode()).hexdigest() in path
        said = [hit for hit in lines(folder, f" file: {path}") if "Removing" in hit[1] and hit[1].endswith(path)]
        lost = [host_of(*hit) for hit in lines(folder, f"Failed to remove {path}, error was [Errno 2]")]
        (won,) = [hit for hit in said if host_of(*hit) not in lost]
        assert (host_of(*won), at(truth, *won)) == (short(by), told(one["removed_at"]))
        removing = events.filter((pl.col("action") == "removing") & (pl.col("base_file") == path))
        assert removing.height == len(said) == len(lost) + 1
        offset = timedelta(seconds=truth["clocks"][won[0]]["offset_s"])
        mine = removing.filter(pl.col("host").str.split(".").list.first() == short(by))
        assert [ts - offset for ts in mine["ts"]] == [told(one["removed_at"])], "the host's zone was told"
        assert {short(host) for host in failed["host"]} <= {short(host) for host in silences}
        assert set(one["victims"]) <= set(failed["instance"])
        assert not set(one["at_risk"]) & set(failed["instance"])
        for owner in one["owners_down"]:
            assert told(owner["from"]) < told(one["removed_at"]) < told(owner["to"])
        if instances.height:
            size = int(path.rsplit("_", 1)[1]) if path.count("_") > 1 else None
            need = instances.filter((pl.col("image") == one["image"]) & pl.col("is_deleted").not_())
            need = need if size is None else need.filter(pl.col("root_gb") == size)
            assert sorted([*one["victims"], *one["at_risk"]]) == sorted(need["instance"])
            assert set(need["compute_host"]) == {owner["host"] for owner in one["owners_down"]}
    listed = case.records(FileSize).collect().filter(pl.col("image_hash").is_not_null())["path"].to_list()
    assert bool(listed) == ("listing" in truth["in_fact"]["sources"])
    assert not {one["base_file"] for one in removals} & set(listed), "what was removed is not there"
    for host, silence in silences.items():
        heard = [at(truth, *hit) for hit in lines(folder, " nova.") if host_of(*hit) == short(host)]
        began, ended = told(silence["from"]), told(silence["to"])
        assert {began, ended} <= set(heard)
        assert not [moment for moment in heard if began < moment < ended]


@pytest.mark.parametrize("seed", SEEDS)
def test_base_files_of_healthy_cases_were_needed_by_nobody(seed: int, made: Made) -> None:
    folder, truth, case = made(base_files, "healthy", seed)
    instances = case.records(Instance).collect()
    gone = {one["base_file"]: told(one["removed_at"]) for one in truth["removed_by_the_rules"]}
    for path, moment in gone.items():
        image_hash = re.search(r"[0-9a-f]{40}", path)[0]  # type: ignore[index]
        alive = instances.filter((pl.col("image_hash") == image_hash) & pl.col("is_deleted").not_())
        assert alive.height == 0
        assert any(at(truth, *hit) == moment for hit in lines(folder, f" file: {path}") if "Removing" in hit[1])
    stayed = {line.split("Failed to remove ")[1].split(",")[0] for _, line in lines(folder, "[Errno 13]")}
    said = {line.rsplit(" ", 1)[1] for _, line in lines(folder, "Removing base")}
    assert said == set(gone) | stayed


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("seed", SEEDS)
def test_consoles_are_asked_for_as_told(half: str, seed: int, made: Made) -> None:
    folder, truth, case = made(console_floods, half, seed)
    fact, requests = truth["in_fact"]["console"], case.records(ApiRequest).collect()
    uuid = fact["instance"]
    asked: dict[str, str] = {}
    for mark in (f"[instance: {uuid}] Get console output", "os-getConsoleOutput", "Action=GetConsoleOutput"):
        for _, line in lines(folder, mark):
            found = REQUEST.search(line)
            assert found is not None
            asked.setdefault(found[1], found[2])
    replied: dict[str, int] = {}
    for _, line in lines(folder, "wsgi.server"):
        size = re.search(r'HTTP/1\.1" (?:status: )?\d+ (?:len: )?(\d+) ', line)
        found = REQUEST.search(line)
        known = f"servers/{uuid}/action" in line or (truth["in_fact"]["ec2"] and "GetConsoleOutput" in line)
        if found and size and found[1] in asked and known:
            replied[found[1]] = int(size[1])
    if truth["in_fact"]["ec2"]:  # its lines name i-…: the compute host, or the dump, says whose that is
        instances = case.records(Instance).collect().filter(pl.col("instance") == uuid)
        ours = f"InstanceId=i-{instances['instance_id'][0]:08x}"
        replied = {REQUEST.search(line)[1]: replied[REQUEST.search(line)[1]] for _, line in lines(folder, ours)}  # type: ignore[index]
    assert (len(replied), sum(replied.values())) == (fact["requests"], fact["carried_bytes"])
    if truth["in_fact"]["release"] != "juno":
        assert sorted({asked[request] for request in replied}) == fact["requested_by"]
    mine = requests.filter(pl.col("request_id").is_in(list(replied)))
    assert (mine.height, mine["response_bytes"].sum()) == (len(replied), sum(replied.values()))
    seen = case.records(ConsoleRequest).collect().filter(pl.col("request_id").is_in(list(replied)))
    assert set(seen["request_id"]) == set(replied)
    marks = case.records(BrokerEvent).collect().filter((pl.col("kind") == "memory_mark") & (pl.col("state") == "set"))
    assert marks.height == len(fact["broker_alarms"]) == len(list(lines(folder, "vm_memory_high_watermark set")))
    sizes = case.records(FileSize).collect().filter(pl.col("path").str.ends_with("console.log"))
    if half == "guilty":
        assert fact["lines" if "lines" in fact else "console_lines"] in sizes["lines"].to_list()
        told_sizes = sizes.filter(pl.col("low_bytes").is_not_null())
        assert told_sizes.filter(pl.col("low_bytes") <= fact["console_bytes"] + 10**6).height > 0
        assert told_sizes.filter(pl.col("high_bytes") >= fact["console_bytes"]).height > 0
        if truth["in_fact"]["console_bytes_are_exact"]:
            assert fact["console_bytes"] in told_sizes["size_bytes"].to_list()


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("seed", SEEDS)
def test_latency_goes_with_rows_as_told(half: str, seed: int, made: Made) -> None:
    _, truth, case = made(api_latency, half, seed)
    fact = truth["in_fact"]
    ((operation, logged),) = truth["in_the_logs"].items()
    requests = case.records(ApiRequest).collect().filter(pl.col("operation") == operation).sort("ts")
    here = requests.filter(pl.col("source").str.contains(f"(?:^|/){fact['deployment']}/"))
    assert (here.height, requests.height - here.height) == (logged["requests"], fact["other_requests"])
    assert here["duration_s"].median() == pytest.approx(logged["median_s"])
    counts = (
        case.records(RowCount)
        .collect()
        .filter((pl.col("table") == fact["table"]) & (pl.col("state") == "all"))
        .sort("ts")
    )
    ahead = pl.lit(timedelta(seconds=truth["clocks"][here["source"][0]]["offset_s"]))
    when = here.select(true=(pl.col("ts") - ahead).dt.cast_time_unit("ns"))
    if fact["sources"] == ["dump"]:
        births = case.records(Instance).collect()["created_at"].sort()
        rows = births.search_sorted(when["true"].cast(births.dtype), side="right")
    else:
        known = counts.select(at=pl.col("ts"), rows="rows")
        rows = when.join_asof(known, left_on="true", right_on="at", strategy="backward")["rows"]
    for grows in facts(truth, "latency-grows-with-rows"):
        told_slope = [grows[key] / 1e5 for key in ("seconds_per_100k_rows", "ci_low", "ci_high")]
        found = stats.theilslopes(here["duration_s"].to_numpy(), rows.to_numpy().astype(float))
        assert told_slope == pytest.approx([found.slope, found.low_slope, found.high_slope], rel=0.02)
        assert grows["rank_correlation"] == pytest.approx(stats.spearmanr(rows, here["duration_s"])[0], abs=0.01)
        assert grows["rank_correlation"] > 0.6
        assert (grows["requests"], grows["rows_min"], grows["rows_max"]) == (here.height, rows.min(), rows.max())
        if grows["purgeable_rows"] is not None:
            died = case.records(Instance).collect()["terminated_at"].drop_nulls()
            newest = max(here["ts"].max(), case.records(Instance).collect()["ts"].max())
            assert abs((died < newest - timedelta(days=365)).sum() - grows["purgeable_rows"]) <= 2
    for slower in facts(truth, "latency-regression"):
        if "changed_at" in slower:
            changed = told(slower["changed_at"]) + timedelta(seconds=truth["clocks"][here["source"][0]]["offset_s"])
            split = here["ts"].dt.cast_time_unit("us") >= changed
            medians = [here.filter(~split)["duration_s"].median(), here.filter(split)["duration_s"].median()]
        else:
            other = requests.filter(~pl.col("source").str.contains(f"(?:^|/){fact['deployment']}/"))
            assert slower["deployments"][1] == fact["deployment"]
            medians = [other["duration_s"].median(), here["duration_s"].median()]
        assert [slower["before_median_s"], slower["after_median_s"]] == pytest.approx(medians)
        assert slower["ratio"] > 1.5
    memory = case.records(ProcessMemory).collect().filter(pl.col("resident_bytes").is_not_null()).sort("ts")
    for grown in facts(truth, "memory-growth"):
        sizes = memory.filter(pl.col("source").str.contains(grown["host"]))["resident_bytes"]
        assert (sizes.min(), sizes.max()) == (grown["from_bytes"], grown["to_bytes"])
    if half == "healthy" and memory.height:
        assert memory["resident_bytes"].max() < 1.01 * memory["resident_bytes"].min()


LAB = Path(__file__).resolve().parents[2] / "data"
SHAPES: tuple[tuple[ModuleType, str, type[Record], set[str]], ...] = (
    (base_files, "vanished_images/guilty/rsyslog/nc03/nova.log", BaseFileEvent, set()),
    (
        base_files,
        "vanished_images/guilty/rsyslog/nc02/nova.log",
        InstanceEvent,
        {"instance_name"},
    ),  # old qemu names the disk alone
    (base_files, "vanished_images/guilty/controller/nova.sql.gz", Instance, {"availability_zone", "flavor", "node"}),
    (console_floods, "rabbit_hole/guilty/cloud/nova-api.log", ApiRequest, set()),
    (console_floods, "rabbit_hole/guilty/cc12/nova-compute.log", ConsoleRequest, set()),
    (console_floods, "rabbit_hole/guilty/mq1/rabbit@mq1.log", BrokerEvent, {"user", "version", "vhost"}),
    (api_latency, "haunted_api/guilty/havana-cloud/nova-api.log", ApiRequest, set()),
    (api_latency, "haunted_api/guilty/havana-cloud/row-counts.csv", RowCount, set()),
    (api_latency, "haunted_api/guilty/havana-cloud/ps-nova-api.txt", ProcessMemory, set()),
)


def filled(frame: pl.DataFrame) -> set[str]:
    """Columns that say something."""
    return {name for name in frame.columns if frame[name].null_count() < frame.height}


@pytest.mark.parametrize(
    ("module", "name", "record", "left_out"), SHAPES, ids=lambda one: getattr(one, "__name__", None)
)
def test_records_say_what_those_of_real_programs_say(
    module: ModuleType, name: str, record: type[Record], left_out: set[str], made: Made
) -> None:
    real = forensics.scan_records(str(LAB / name), record).collect()
    ours = [filled(made(module, "guilty", seed)[2].records(record).collect()) for seed in SEEDS]
    assert filled(real) - set().union(*ours) <= left_out
