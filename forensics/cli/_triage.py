"""`forensics triage`: what was read, what follows, what was not looked for, where the report is."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from forensics import report
from forensics.case import Case, open_case
from forensics.case._cluster import connected
from forensics.case._findings import NOT_YET, citations, told
from forensics.case._load import ATIME
from forensics.cli import _show as show
from forensics.errors import CaseError, EvidenceError
from forensics.evidence import walk
from forensics.records import Finding, Step
from forensics.records.finding import SEVERITIES
from forensics.store import is_store

_MOST_SOURCES = 40
_FIRST_STEPS, _LAST_STEPS, _MOST_SYMPTOMS = 8, 4, 6
_GAPS, _FOUND = 3, 6


def triage(
    evidence: Path | None,
    out: Path | None,
    *,
    database: str | None,
    as_json: bool,
    fail_on: str,
    workers: int,
    again: bool,
    scheduler: str = "",
) -> int:
    """Load, conclude and show; returns the exit code."""
    if fail_on and fail_on not in SEVERITIES:
        raise CaseError(f"unknown severity {fail_on!r}", where="--fail-on", hint=f"one of {', '.join(SEVERITIES)}")
    if evidence is None and database is None:
        raise CaseError("there is nothing to read", hint="give a folder of evidence, or --database URL")
    if evidence is not None and is_store(evidence) and (out is not None or again):
        wrong, hint = "is a case already", "give the evidence, or leave --out and --again away"
        raise CaseError(wrong, where=str(evidence), hint=hint)
    fresh = evidence is not None and evidence.exists() and not is_store(evidence)
    if evidence is not None and fresh and next(iter(walk(evidence)), None) is None:
        raise EvidenceError("there is nothing in it", where=str(evidence), hint="give the folder that holds the files")
    if scheduler and workers:
        raise CaseError("--scheduler and --workers do not go together", hint="the cluster knows its workers")
    with connected(scheduler) as client, show.progress() as (begin, advance):
        case = open_case(
            evidence,
            database=database,
            out=out,
            workers=workers,
            client=client,
            again=again,
            begin=begin,
            advance=advance,
            kept=_say_kept,
            finish=report.pages,
        )
    if not (case.path / report.NAME).is_file():
        report.write(case)
    if as_json:
        show.as_json({key: value for key, value in case.content.items() if key != "about"})
    else:
        show_case(case)
    return exit_code(case, fail_on)


def exit_code(case: Case, fail_on: str = "") -> int:
    """What the command ends with, once the case is there."""
    severities = [SEVERITIES.index(finding.severity) for finding in case.findings]
    if fail_on and severities and min(severities) <= SEVERITIES.index(fail_on):
        return _FOUND
    return _GAPS if has_gaps(case) else 0


def _say_kept(kept: int, sources: int) -> None:
    show.say(f"resuming: {kept:,} of {show.counted(sources, 'source')} kept")


def has_gaps(case: Case) -> bool:
    """Whether there is anything in the evidence that was not understood."""
    whole = case.sources["status"].is_in(["read", "configuration"]).all()
    return not whole or case.problems.filter(pl.col("type") != ATIME).height > 0


def show_case(case: Case) -> None:
    """What was read, what follows, what was not looked for, where the report is."""
    if case.title:
        show.put(show.tinted(show.safe(case.title), "bold"))
        show.put()
    _sources(case.sources)
    _problems(case.problems)
    show.heading(_count(len(case.findings), "finding"))
    findings = {one.finding.id: one.finding for one in case.findings}
    symptoms = {name for finding in findings.values() for name in finding.explains}
    for number, finding in enumerate((one for one in findings.values() if one.id not in symptoms), 1):
        show_finding(number, finding)
        _explained([findings[name] for name in finding.explains if name in findings])
    _not_checked(case)
    show.put()
    show.put(f"Report: {show.safe(str(case.path / report.NAME))}")


def _count(number: int, noun: str) -> str:
    text = show.counted(number, noun)
    return text[0].upper() + text[1:]


def _sources(sources: pl.DataFrame) -> None:
    strange = sources.filter(~pl.col("status").is_in(["read", "configuration"]))
    if sources.height > _MOST_SOURCES:
        groups = (
            sources.filter(pl.col("status").is_in(["read", "configuration"]))
            .group_by(_what(), pl.col("host").fill_null(""))
            .agg(files=pl.len(), rows=pl.col("rows").sum(), start=pl.col("started_at").min())
            .sort("host", "format")
        )
        rows = [
            [host, name, files, count, f"{start:%Y-%m-%d %H:%M}" if start else ""]
            for name, host, files, count, start in groups.head(_MOST_SOURCES).iter_rows()
        ]
        show.table(["HOST", "FORMAT", "FILES", "ROWS", "FROM (UTC)"], rows, numbers=["FILES", "ROWS"])
        if groups.height > _MOST_SOURCES:
            show.put(f"… and {groups.height - _MOST_SOURCES} more kinds: see `sources` of the case")
        listed = strange
    else:
        listed = sources
    if listed.height:
        if sources.height > _MOST_SOURCES:
            show.heading("Not read, or not all of it")
        show.table(
            ["SOURCE", "FORMAT", "ROWS", "FROM (UTC)", "TO"],
            [_source_row(row) for row in listed.head(_MOST_SOURCES).iter_rows(named=True)],
            numbers=["ROWS"],
            path="SOURCE",
        )
        if listed.height > _MOST_SOURCES:
            show.put(f"… and {listed.height - _MOST_SOURCES} more: see `sources` of the case")
    read = sources.filter(pl.col("status") != "configuration")
    size = show.bytes_text(int(read["size_bytes"].sum()))
    show.put(f"{_count(read.height, 'file')}, {size}, {int(read['rows'].sum()):,} rows")


def _what() -> pl.Expr:
    """Format of a file that was read, with the release that wrote it where its lines tell; else what else it is."""
    declared = pl.when(pl.col("status") == "configuration").then(pl.lit("configuration"))
    released = pl.concat_str("format", pl.concat_str(pl.lit(" ("), "release", pl.lit(")")), ignore_nulls=True)
    return pl.coalesce(pl.when(pl.col("format").is_not_null()).then(released), declared, "note").alias("format")


def _source_row(row: dict[str, Any]) -> list[object]:
    status = str(row["status"])
    what = row["format"] if status == "read" else f"{row['format']}, damaged" if status == "damaged" else status
    if status == "read" and row["format"] is None:
        what = row["note"]
    elif row["release"] is not None:
        what = f"{what} ({row['release']})"
    return [
        row["source"],
        what,
        row["rows"] or None,
        *show.from_to(row["started_at"], row["ended_at"]),
    ]


def _problems(problems: pl.DataFrame) -> None:
    if not problems.height:
        return
    show.heading("What could not be understood")
    for row in problems.sort("count", descending=True).head(12).iter_rows(named=True):
        often = f"{row['count']:,} × " if row["count"] > 1 else ""
        at = f", at octet {row['offset_bytes']:,}" if row["offset_bytes"] else ""
        sample = f" ({show.safe(row['example'])})" if row["example"] else ""
        text = f"{show.safe(row['source'])}: {often}{show.safe(row['type'])}{at}{sample}"
        for line in show.wrapped(text, "  ", "    "):
            show.put(line)
    if problems.height > 12:
        show.put(f"  … and {problems.height - 12} more: see `problems` of the case")


def show_finding(number: int, finding: Finding) -> None:
    """One finding, told."""
    show.put()
    lead = f"{number}. "
    label = f"{finding.severity.upper()}, {finding.confidence}"
    show.put(f"{lead}{show.tinted(label, finding.severity)}  {finding.kind}")
    pad = " " * len(lead)
    for line in show.wrapped(show.safe(finding.title), pad):
        show.put(show.tinted(line, "bold"))
    if finding.start:
        show.put(f"{pad}{show.span(finding.start, finding.end)}")
    _put(pad, "Concerns", ", ".join(dict.fromkeys(_concerned(finding))))
    steps = told(finding.story)
    kept = len(steps) <= _FIRST_STEPS + _LAST_STEPS + 2
    for first, last, count in steps if kept else steps[:_FIRST_STEPS]:
        _step(pad, first, last, count)
    if not kept:
        show.put(f"{pad}  … {len(steps) - _FIRST_STEPS - _LAST_STEPS} more steps in the report")
        for first, last, count in steps[-_LAST_STEPS:]:
            _step(pad, first, last, count)
    if not finding.story and finding.evidence:
        _put(pad, "Evidence", citations(finding.evidence, 4))
    ruled_out = [other.hypothesis.partition(":")[0] for other in finding.alternatives if other.verdict == "ruled out"]
    still = [other.hypothesis.partition(":")[0] for other in finding.alternatives if other.verdict != "ruled out"]
    _put(pad, "Ruled out", ", ".join(map(show.safe, ruled_out)))
    _put(pad, "Still open", ", ".join(map(show.safe, still)))
    _put(pad, "Do first", show.safe(finding.remedy[0]) if finding.remedy else "")


def _explained(symptoms: Sequence[Finding]) -> None:
    """The findings that another one explains, a line each."""
    for finding in symptoms[:_MOST_SYMPTOMS]:
        for line in show.wrapped(f"{finding.kind}: {show.safe(finding.title)}", "   explains ", "            "):
            show.put(line)
    if len(symptoms) > _MOST_SYMPTOMS:
        show.put(f"   explains {len(symptoms) - _MOST_SYMPTOMS} more: see the report")


def _put(pad: str, title: str, text: str) -> None:
    for line in show.wrapped(f"{title}: {text}", pad, f"{pad}  ") if text else ():
        show.put(line)


def _concerned(finding: Finding) -> list[str]:
    wanted = ("hosts", "instances", "ips", "macs", "interfaces")
    return [show.safe(name) for kind in wanted for name in finding.entities.get(kind, ())[:4]]


def _step(pad: str, first: Step, last: str | None, count: int) -> None:
    at = f"{_clock(first.at)} " if first.at else ""
    often = f" ({count} times, until {_clock(last)})" if count > 1 and last else ""
    cited = f" [{citations(first.evidence, 2)}]" if first.evidence else ""
    for line in show.wrapped(f"{at}{show.safe(first.text)}{often}{cited}", f"{pad}- ", f"{pad}  "):
        show.put(line)


def _clock(at: str) -> str:
    """Time of day of an ISO instant, to the millisecond."""
    return show.moment(at).partition(" ")[2]


def _not_checked(case: Case) -> None:
    rows = case.not_checked.rows()
    if not rows:
        return
    wanting = [(kind, missing) for kind, missing in rows if missing != [NOT_YET]]
    unknown = [kind for kind, missing in rows if missing == [NOT_YET]]
    show.heading("Not looked for")
    reasons = Counter("; ".join(missing) for _, missing in wanting)
    for reason in reasons:
        kinds = ", ".join(kind for kind, missing in wanting if "; ".join(missing) == reason)
        for line in show.wrapped(f"{kinds}: would need {show.safe(reason)}", "  ", "    "):
            show.put(line)
    if unknown:
        text = f"{show.counted(len(unknown), 'further kind')} that this version has no analysis for: see the report"
        for line in show.wrapped(text, "  ", "    "):
            show.put(line)


def demo(out: Path | None, *, as_json: bool) -> int:
    """Triage the bundled incidents, and one's healthy twin, each in a few lines.

    Returns:
        0, also where evidence is damaged: one of the incidents has a torn capture on purpose.
    """
    folder = Path(__file__).resolve().parents[2] / "data"
    cases = [path.parent for path in sorted(folder.glob("*/guilty/case.toml"))]
    if not cases:
        raise CaseError(
            "the bundled cases are not here",
            where=str(folder),
            hint="they come with the source: run it from a checkout, or triage a folder of your own",
        )
    target = out if out is not None else Path(tempfile.mkdtemp(prefix="forensics-demo-"))
    told = []
    for half in (*cases, folder / "lost_lease" / "healthy"):
        with show.progress() as (begin, advance):
            name = target / f"{half.parent.name}-{half.name}.case"
            case = open_case(half, out=name, workers=1, begin=begin, advance=advance, finish=report.pages)
        told.append({"case": str(case.path), "title": case.title, "findings": case.content["findings"]})
        if not as_json:
            _demonstrated(half, case)
    if as_json:
        show.as_json(told)
    else:
        show.put("More of one of them: forensics triage data/NAME/guilty")
    return 0


def _demonstrated(half: Path, case: Case) -> None:
    """One half of a bundled incident: its title, its findings' titles, where its report is."""
    show.put(show.tinted(f"=== {half.parent.name}, {half.name}", "bold"))
    if case.title:
        show.put(show.safe(case.title))
    found = [one.finding for one in case.findings]
    symptoms = {known for finding in found for known in finding.explains}
    causes = [finding for finding in found if finding.id not in symptoms]
    for finding in causes[:_MOST_SYMPTOMS]:
        label = show.tinted(f"{finding.severity.upper()}, {finding.confidence}", finding.severity)
        show.put(f"  {label}  {finding.kind}")
        for line in show.wrapped(show.safe(finding.title), "    "):
            show.put(line)
    if not causes:
        show.put("  no findings")
    if len(causes) > _MOST_SYMPTOMS:
        show.put(f"  and {len(causes) - _MOST_SYMPTOMS} more: see the report")
    show.put(f"  Report: {show.safe(str(case.path / report.NAME))}")
    show.put()
