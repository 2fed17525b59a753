"""The command that draws a finding for a document."""

from __future__ import annotations

from pathlib import Path

from forensics.case import Case
from forensics.case._findings import CaseFinding
from forensics.cli import _show as show
from forensics.cli._case import _opened
from forensics.errors import CaseError


def chart(path: Path, finding: str, name: str | None, out: Path | None, *, dark: bool, as_json: bool) -> int:
    """Write a chart of a finding; of the worst that has one where none is named."""
    case = _opened(path)
    drawn = case.findings[finding] if finding else _worst(case)
    target = out or Path.cwd() / f"{drawn.finding.id}.png"
    if target.resolve().is_relative_to(case.path.resolve()):
        raise CaseError("the file would lie inside the case", where=str(target), hint="give another --out")
    show.made("chart", drawn.save_chart(target, name, dark=dark), machine=as_json)
    return 0


def _worst(case: Case) -> CaseFinding:
    for finding in case.findings:
        if finding.charts:
            found: CaseFinding = finding
            return found
    raise CaseError("no finding of this case has a chart", where=str(case.path))
