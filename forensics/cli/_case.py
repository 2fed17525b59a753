"""Commands that ask a finished case, and those that say what the tool can do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from forensics import report as pages
from forensics.case import Case, open_case
from forensics.case import verify as verified
from forensics.case._findings import analyses as all_analyses
from forensics.cli import _show as show
from forensics.cli._triage import has_gaps
from forensics.errors import CaseError

_MISMATCH, _GAPS = 5, 3


def _opened(path: Path, evidence: Path | None = None) -> Case:
    with show.progress() as (begin, advance):
        return open_case(path, evidence=evidence, begin=begin, advance=advance, finish=pages.pages)


def note(path: Path, text: str, at: str | None, on: str | None, tags: list[str], *, as_json: bool) -> int:
    """Write a note into a case."""
    source, _, position = (on or "").rpartition(":")
    if on and not (source and position.isdecimal()):
        raise CaseError(f"{on!r} is no place", where="--on", hint="write SOURCE:LINE, such as web-3/syslog:118")
    case = _opened(path)
    case.note(text, at=at, tags=tags, source=source or None, position=int(position) if on else None)
    if as_json:
        show.as_json({"case": str(case.path), "notes": case.notes.with_columns(_iso(case.notes)).to_dicts()})
        return 0
    show.put(show.counted(case.notes.height, "note") + f" in {show.safe(str(case.path))}")
    return 0


def _iso(rows: pl.DataFrame) -> list[pl.Expr]:
    return [
        pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ")
        for name, kind in rows.schema.items()
        if isinstance(kind, pl.Datetime)
    ]


def who(path: Path, entity: str, at: str | None, limit: int, *, as_json: bool) -> int:
    """Say what belongs to something, and where the records speak of it."""
    case = _opened(path)
    held, told = case.who(entity, at), case.mentions(entity)
    if as_json:
        belongs, mentions = (rows.with_columns(_iso(rows)).to_dicts() for rows in (held, told))
        show.as_json({"belongs": belongs, "mentions": mentions})
        return 0
    for row in held.head(limit).iter_rows(named=True):
        span = f"{_second(row['from_at']) or '…'} to {_second(row['to_at']) or '…'}"
        doubt = f" contradicted: {row['conflict']}" if row["conflict"] else ""
        text = f"{row['kind']:12} {show.safe(row['name'])} {span} [{show.safe(_place(row))}]{doubt}"
        for line in show.wrapped(text, "", " " * 13):
            show.put(line)
    if held.height > limit:
        show.put(f"… and {held.height - limit:,} more (--limit)")
    if held.height and told.height:
        show.put("")
    if told.height:
        table = [
            [row["record"], row["source"], row["rows"], *show.from_to(row["first_at"], row["last_at"])]
            for row in told.iter_rows(named=True)
        ]
        show.table(["RECORD", "SOURCE", "ROWS", "FIRST (UTC)", "LAST"], table, numbers=["ROWS"], path="SOURCE")
    elif held.is_empty():
        show.put(f"no record speaks of {show.safe(entity)}")
    return 0


def _second(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def _place(row: Mapping[str, Any]) -> str:
    place: str = row["source"] if row["position"] is None else f"{row['source']}:{row['position']}"
    return place


def sql(path: Path, query: str, limit: int, *, as_json: bool) -> int:
    """Answer a query."""
    rows = _opened(path).sql(query)
    if as_json:
        show.as_json(rows.with_columns(_iso(rows)).to_dicts())
    else:
        show.frame(rows, limit=limit)
    return 0


def report(path: Path, out: Path | None, *, as_pdf: bool, as_markdown: bool, as_json: bool) -> int:
    """Write the report."""
    if as_pdf and as_markdown:
        raise CaseError("--pdf and --markdown are two reports", hint="ask for one at a time")
    case = _opened(path)
    suffix = ".pdf" if as_pdf else ".md" if as_markdown else ".html"
    if out is None and as_pdf:
        out = Path.cwd() / f"{case.path.name.removesuffix('.case')}{suffix}"
    if out is None:
        written = pages.write(case)
        written = written.with_name(pages.TWIN) if as_markdown else written
    else:
        if out.resolve().is_relative_to(case.path.resolve()):
            raise CaseError("the file would lie inside the case", where=str(out), hint="leave --out away")
        if out.is_dir() or not out.parent.is_dir():
            wrong = "is a folder" if out.is_dir() else "its folder does not exist"
            hint = f"name a file, such as incident{suffix}, in a folder that exists"
            raise CaseError(wrong, where=str(out), hint=hint)
        if as_pdf:
            pages.pdf(pages.render(case.content, case.rows), out)
        else:
            out.write_bytes((pages.markdown if as_markdown else pages.render)(case.content, case.rows))
        written = out
    show.made("report", written, machine=as_json)
    return _GAPS if has_gaps(case) else 0


def verify(path: Path, evidence: Path | None, *, as_json: bool) -> int:
    """Compare a case and its evidence with their digests."""
    wrong = verified(path, evidence=evidence)
    if as_json:
        show.as_json({"whole": not wrong, "wrong": [{"name": name, "what": what} for name, what in wrong]})
        return _MISMATCH if wrong else 0
    for name, what in wrong:
        show.put(f"{show.safe(name)}: {what}")
    if wrong:
        show.put(f"{len(wrong)} of the case's files and the evidence do not match")
        return _MISMATCH
    show.put("The case is whole, and the evidence is what it was made of")
    return 0


def formats(*, as_json: bool) -> int:
    """List what can be read."""
    from forensics.loaders._registry import formats as all_formats

    found = all_formats()
    if as_json:
        show.as_json([{"name": f.name, "tier": f.tier, "yields": f.yields, "reference": f.reference} for f in found])
        return 0
    for tier, meaning in _TIERS.items():
        own = [one for one in found if one.tier == tier]
        if own:
            show.heading(meaning)
            for one in own:
                for line in show.wrapped(f"{one.name}: {', '.join(one.yields)}. {one.reference}", "  ", "    "):
                    show.put(line)
    return 0


_TIERS = {
    "captures": "Captures",
    "lines": "Logs",
    "documents": "Documents",
    "messages": "Messages inside logs",
}


def analyses(*, as_json: bool) -> int:
    """List what can be concluded."""
    found = [
        {
            "name": module.__name__.rpartition(".")[2],
            "question": (module.__doc__ or "").partition("\n")[0],
            "needs": [record.__name__ for record in module.NEEDS],
            "needs_any": [record.__name__ for record in getattr(module, "NEEDS_ANY", ())],
            "uses": [record.__name__ for record in getattr(module, "USES", ())],
            "kinds": {kind: list(missing) for kind, missing in module.KINDS.items()},
        }
        for module in all_analyses()
    ]
    if as_json:
        show.as_json(found)
        return 0
    for one in found:
        show.heading(str(one["name"]))
        for line in show.wrapped(str(one["question"]), "  "):
            show.put(line)
        kinds = one["kinds"]
        assert isinstance(kinds, dict)
        for kind, missing in kinds.items():
            for line in show.wrapped(f"{kind}: needs {'; '.join(missing)}", "  - ", "    "):
                show.put(line)
    return 0
