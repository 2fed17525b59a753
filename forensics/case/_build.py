"""Makes a case out of a folder of evidence: everything read, put on one clock, concluded, written, and then shown."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import polars as pl

from forensics.analysis import clock_alignment, entities
from forensics.case._cite import with_excerpts
from forensics.case._cluster import Cluster
from forensics.case._config import NAME, CaseFile, read_case_file
from forensics.case._database import carried, host_of_url, take
from forensics.case._database import kept as dumps_of
from forensics.case._duplicates import mark
from forensics.case._findings import as_file, conclude
from forensics.case._hosts import Hosts, taken_at, told_hosts, told_instants
from forensics.case._keep import Reading, same_octets, versions
from forensics.case._load import Advance, Job, Outcome
from forensics.case._notes import NAME as NOTES
from forensics.case._pool import load_all
from forensics.case._rows import Rows
from forensics.case._years import misdated
from forensics.case._zones import Zones, combined, told_zones
from forensics.errors import CaseError, StoppedError
from forensics.evidence import EvidenceFile, capture_point, name_of, open_stream, series_of, unfolded, walk
from forensics.loaders._reader import Origin
from forensics.records import Clock, DhcpMessage, Edge, Packet, Problem, Record, Source
from forensics.store import Draft, Store, as_json, checksum_line

_DERIVED = (("sources", Source), ("problems", Problem), ("clocks", Clock), ("edges", Edge))
"""Tables of the whole case."""

_AHEAD = "POLARS_ROW_GROUP_PREFETCH_SIZE"
Kept = Callable[[int, int], None]
"""Told how many sources are taken over from an earlier run, and of how many."""
Finish = Callable[[Path, Rows, Mapping[str, Any]], Mapping[str, bytes]]
"""Makes further files of the case from its rows and the content of ``findings.json``."""


def tool() -> str:
    """Name and version of this tool, as ``case.json`` has it."""
    try:
        return f"cloud-forensics {version('cloud-forensics')}"
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "cloud-forensics, not installed"


def default_target(evidence: Path) -> Path:
    """Where the case of some evidence goes: beside what one works on, never inside the evidence."""
    whole = evidence.resolve()
    here = Path.cwd().resolve()
    folder = whole.parent if here.is_relative_to(whole) else here
    return folder / f"{whole.name or 'evidence'}.case"


def unchanged(sources: pl.DataFrame, store: Store, evidence: Path) -> bool:
    """Whether a case is one of this evidence, as it is now, by this version of the tool.

    Names, sizes and modification times tell; and the digest, where the system has touched a file since it was read.
    """
    if store.about["tool"] != tool():
        return False
    files = list(walk(evidence))
    now = [(file.source, file.size_bytes, file.modified_ns) for file in files]
    read = sources.filter(pl.col("archive").is_null())
    then = read.select("source", "size_bytes", pl.col("modified_at").to_physical()).rows()
    own = {file.source for file in dumps_of(store.path, [name for name, _, _ in now])}
    if sorted(now) != sorted(row for row in then if row[0] not in own):
        return False
    sha256 = dict(read.select("source", "sha256").iter_rows())
    since_ns = store.began_ns or 0
    doubtful = (file for file in files if sha256[file.source] and file.path.lstat().st_ctime_ns >= since_ns)
    return all(same_octets(file, sha256[file.source]) for file in doubtful)


@contextlib.contextmanager
def _reading_little_ahead() -> Iterator[None]:
    """Meanwhile polars holds few row groups that nobody asked for yet: by default it decodes many in advance."""
    before = os.environ.get(_AHEAD)
    os.environ[_AHEAD] = before or "2"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_AHEAD, None)


@_reading_little_ahead()
def build(
    evidence: Path | None,
    target: Path,
    *,
    database: str | None = None,
    workers: int = 0,
    client: Any = None,
    url: str | None = None,
    again: bool = False,
    advance: Advance | None = None,
    begin: Callable[[int], None] | None = None,
    kept: Kept | None = None,
    finish: Finish | None = None,
) -> Path:
    """Read a folder of evidence, or one file, into a new case.

    What an earlier run read of files that are still the same is taken over, whether it came to its end or not.

    Args:
        evidence: What to read, if anything. Nothing is ever written there.
        target: Folder of the case; an earlier case there is replaced when the new one is whole.
        database: URL of a running database to read as well.
        workers: Most processes at a time; 0 to choose.
        client: A client of the cluster that reads, instead of processes here.
        url: Object store that the case will go to: the cluster hands over its work there.
        again: Take over nothing.
        advance: Called with octets of evidence that were done.
        begin: Called once with the octets that there are to do.
        kept: Called with the number of sources that are taken over, and of all, if any is.
        finish: Makes further files, such as the report.

    Raises:
        StoppedError: If the system refuses what the case needs; what was finished is kept for the next run.
        DatabaseError: If the database cannot be read.
        CaseError: If ``case.toml`` makes no sense, or the target cannot be written.
        EvidenceError: If there is no such folder.
    """
    if evidence is not None and target.resolve().is_relative_to(evidence.resolve()):
        raise CaseError("the case would lie inside the evidence", where=str(target), hint="give another --out")
    if client is not None and evidence is not None:
        evidence = evidence.absolute()  # other machines have other current folders
    files = [] if evidence is None else list(unfolded(walk(evidence)))
    config = next((file for file in files if file.source == NAME and not file.refusal and _is_folder(evidence)), None)
    declared = read_case_file(config) if config else CaseFile()
    draft = Draft(target, {"tool": tool(), **versions()}, fresh=again)
    try:
        url = carried(draft) if database is None else take(database, draft)
        dumps = dumps_of(draft.path, [file.source for file in files])
        files += dumps
        declared = declared.and_host(host_of_url(url), [file.source for file in dumps])
        if begin is not None:
            begin(sum(file.size_bytes for file in files))
        load = load_all if client is None else Cluster(client, draft.path, url).load_all
        reading = Reading(draft, files, workers, advance, kept, load)
        outcomes = _outcomes(files, config, declared, reading, draft.path)
        rows = _on_one_clock(draft, outcomes, declared)
        unmarked = mark(draft.path, rows)
        rows = _related(rows)
        said = conclude(rows, _present(outcomes, rows))
        by_source = {file.source: file for file in files if not file.refusal}
        content = as_file(with_excerpts(said.findings, rows, by_source), said.not_checked)
        extra = pl.DataFrame(
            [{"offset_bytes": None, "length_bytes": None, "count": 1} | row for row in (*unmarked, *said.problems)],
            schema=Problem.polars_schema(),
        )
        rows = _with_problems(rows, extra)
        for name, record in _DERIVED:
            draft.table(name, record, rows(record).collect())
        draft.put("findings.json", as_json(content))
        draft.put("evidence.sha256", _checksums(outcomes))
        about = {
            "tool": tool(),
            "title": declared.title,
            "database": url,
            "zone_shifts_s": dict(sorted(rows.zone_shifts_s.items())),
        }
        if (target / NOTES).is_file():
            draft.put(NOTES, (target / NOTES).read_bytes())
        for name, data in (finish(target, rows, {**content, "about": about}) if finish else {}).items():
            draft.put(name, data)
        lies = None if evidence is None else os.path.relpath(evidence.resolve(), target.resolve())
        return draft.seal(about, lies)
    except (KeyboardInterrupt, SystemExit, StoppedError, OSError, MemoryError):
        draft.leave()
        raise
    except BaseException:
        draft.abandon()
        raise


def _is_folder(evidence: Path | None) -> bool:
    return evidence is not None and evidence.is_dir()


def _outcomes(
    files: Sequence[EvidenceFile],
    config: EvidenceFile | None,
    declared: CaseFile,
    reading: Reading,
    folder: Path,
) -> list[Outcome]:
    evidence = [file for file in files if file is not config]
    hosts, names = told_hosts(evidence)
    told = told_zones(evidence)
    zones = Zones(told, hosts.of)
    dates = told_instants(evidence, zones, hosts)
    origins = {file.source: _origin(file, declared, zones, hosts, dates) for file in files}
    jobs = [
        Job(number, file, origins[file.source], folder, told.get(file.source), names.get(file.source))
        for number, file in enumerate(files, 1)
        if file is not config
    ]
    outcomes = reading.first(jobs)
    better = {job.number: job for job in (*jobs, *misdated(jobs, outcomes))}
    for number, zone in combined(jobs, outcomes, zones).items():
        better[number] = replace(better[number], origin=replace(better[number].origin, zone=zone))
    outcomes = reading.last(list(better.values()), outcomes)
    if config is not None:
        outcomes.insert(files.index(config), _configuration(config, declared, files))
    return outcomes


def _origin(
    file: EvidenceFile,
    declared: CaseFile,
    zones: Zones,
    hosts: Hosts,
    dates: Mapping[str, int],
) -> Origin:
    said = declared.of(file.source)
    host = said.host or hosts.of(file.source)
    zone = said.zone or zones.of(file.source, host)
    rotated_on = series_of(file.source).rotated_on_ns
    taken_ns = taken_at(file.source, dates) if rotated_on is None else None
    return Origin(
        source=file.source,
        host=host,
        capture_point=said.host or capture_point(file.source),
        modified_ns=file.modified_ns,
        zone=zone,
        zone_basis="declared",
        year=said.year,
        rotated_on=rotated_on,
        taken_ns=taken_ns,
        taken_basis="none" if taken_ns is None else "command",
    )


def _configuration(file: EvidenceFile, declared: CaseFile, files: Sequence[EvidenceFile]) -> Outcome:
    with open_stream(file, digest=True) as stream:
        sha256 = stream.finish().sha256
    row = {"source": file.source, "status": "configuration", "size_bytes": file.size_bytes, "sha256": sha256}
    row |= {"modified_at": file.modified_ns, "rows": 0, "rejects": 0, "gaps": 0}
    idle = [
        one.match
        for one in declared.declared
        if not any(CaseFile(None, (one,)).of(other.source) != CaseFile().of(other.source) for other in files)
    ]
    problem = {
        "source": file.source,
        "type": "a [[source]] matches no file",
        "offset_bytes": None,
        "length_bytes": None,
    }
    return Outcome(row, [problem | {"count": len(idle), "example": ", ".join(idle)[:300]}] if idle else [])


def _on_one_clock(draft: Draft, outcomes: Sequence[Outcome], declared: CaseFile) -> Rows:
    """Sources, problems and clocks of what was read, and the rows with their zones put right."""
    instants = {"modified_at": pl.Int64}
    schema = {name: instants.get(name, kind) for name, kind in Source.polars_schema().items()}
    sources = pl.DataFrame([outcome.source for outcome in outcomes], schema=schema).cast(Source.polars_schema())
    problems = pl.DataFrame(
        [problem for outcome in outcomes for problem in outcome.problems], schema=Problem.polars_schema()
    )
    rows = Rows(draft.parts, sources, Clock.empty(), problems, {})
    clocks, failed = _clocks(rows)
    offsets = {name: declared.of(name).clock_offset_s for name in sources["source"].to_list()}
    told = {name: offset for name, offset in offsets.items() if offset is not None}
    clocks = clocks.filter(~pl.col("source").is_in(list(told)))
    own = [
        {"source": name, "offset_s": offset, "bound_s": 0.0, "exchanges": 0, "basis": f"declared in {NAME}"}
        for name, offset in told.items()
    ]
    hosts = dict(sources.select("source", "host").iter_rows())
    own = [row | {"host": hosts[str(row["source"])]} for row in own]
    clocks = pl.concat([clocks, pl.DataFrame(own, schema=Clock.polars_schema())]).sort("source")
    return Rows(draft.parts, sources, clocks, pl.concat([problems, failed]), {}).matched()


def _clocks(rows: Rows) -> tuple[pl.DataFrame, pl.DataFrame]:
    """How far the sources' clocks are apart, and a problem where that could not be worked out."""
    try:
        others: dict[type[Record], pl.LazyFrame] = {record: rows(record) for record in clock_alignment.SHARED}
        found = clock_alignment.clocks(rows(DhcpMessage), rows(Packet), rows.sources, others)
        return found.select(Clock.polars_schema().names()).cast(Clock.polars_schema()), Problem.empty()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of polars is no Exception; the rows are there all the same
        return Clock.empty(), _failed("(clocks)", "the clocks could not be compared", error)


def _related(rows: Rows) -> Rows:
    """The rows with what belongs to what, or with a problem where that could not be worked out."""
    try:
        asked: tuple[type[Record], ...] = (Clock, *entities.RECORDS)
        found = entities.edges(*(rows(record) for record in asked))
        return replace(rows, edges=found.select(Edge.polars_schema().names()).cast(Edge.polars_schema()))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of polars is no Exception; the rows are there all the same
        return _with_problems(rows, _failed("(entities)", "what belongs to what could not be worked out", error))


def _failed(source: str, what: str, error: BaseException) -> pl.DataFrame:
    problem = {"source": source, "type": what, "count": 1, "offset_bytes": None, "length_bytes": None}
    example = f"{type(error).__name__}: {error}"[:300]
    return pl.DataFrame([problem | {"example": example}], schema=Problem.polars_schema())


def _with_problems(rows: Rows, more: pl.DataFrame) -> Rows:
    return replace(rows, problems=pl.concat([rows.problems, more]))


def _present(outcomes: Sequence[Outcome], rows: Rows) -> set[type[Record]]:
    names = {name for outcome in outcomes for name, count in outcome.rows.items() if count}
    tables: list[type[Record]] = [
        record for record in (Source, Problem, Clock, Edge) if rows(record).first().collect().height
    ]
    return {*tables, *(record for record in _records() if record.__name__ in names)}


def _records() -> list[type[Record]]:
    """Every record there is."""
    found = importlib.import_module("forensics.records")
    public = (getattr(found, name) for name in found.__all__)
    return [one for one in public if isinstance(one, type) and issubclass(one, Record)]


def _checksums(outcomes: Sequence[Outcome]) -> bytes:
    """Digests of the files of the evidence in the form of ``sha256sum``, with the names' own octets."""
    rows = (outcome.source for outcome in outcomes)
    files = (row for row in rows if row.get("sha256") and row.get("archive") is None)
    return b"".join(checksum_line(name_of(row["source"]), row["sha256"]) for row in files)
