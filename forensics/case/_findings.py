"""Runs every analysis that a case has evidence for, and says what was not looked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import polars as pl

from forensics import escape
from forensics._discovery import modules
from forensics.case._figure import save
from forensics.errors import CaseError
from forensics.records import Alternative, Finding, Record, Reference, Step
from forensics.records.finding import KINDS

if TYPE_CHECKING:
    import plotly.graph_objects as go

Rows = Callable[[type[Record]], pl.LazyFrame]
Explain = Callable[[Finding, Sequence[Finding]], Sequence[str]]
"""``explained(cause, findings)`` of an analysis: ids of the findings that are symptoms of one of its own."""
NOT_YET = "nothing that you could add: this version has no analysis for it yet"


@dataclass(slots=True)
class Conclusions:
    """What the analyses of a case say."""

    findings: list[Finding] = field(default_factory=list)
    not_checked: list[dict[str, Any]] = field(default_factory=list)
    """``{"kind": …, "missing": [what would let it be looked for]}``."""
    problems: list[dict[str, Any]] = field(default_factory=list)
    """Analyses that failed, as rows of `forensics.records.Problem`."""


def analyses() -> Iterator[ModuleType]:
    """Every module that states what it needs and yields findings, by name."""
    for module in modules("forensics.analysis"):
        if hasattr(module, "NEEDS") and hasattr(module, "findings"):
            yield module


def arguments(module: ModuleType) -> tuple[type[Record], ...]:
    """The records that an analysis takes, in the order of its arguments."""
    return (*module.NEEDS, *getattr(module, "NEEDS_ANY", ()), *getattr(module, "USES", ()))


def _served(module: ModuleType, present: Collection[type[Record]]) -> bool:
    """Whether there are rows of all that an analysis needs, and of one of those that can stand for each other."""
    either = getattr(module, "NEEDS_ANY", ())
    return all(record in present for record in module.NEEDS) and (not either or any(r in present for r in either))


def conclude(rows: Rows, present: Collection[type[Record]]) -> Conclusions:
    """Run the analyses.

    Args:
        rows: All rows of a record.
        present: The records that the case has rows of.

    Returns:
        Findings with the most severe first, then by start, then by id.
    """
    said = Conclusions()
    checked: set[str] = set()
    missing: dict[str, list[str]] = {}
    explain: list[Explain] = []
    for module in analyses():
        if hasattr(module, "explained"):
            explain.append(module.explained)
        kinds: dict[str, Sequence[str]] = module.KINDS
        if not _served(module, present):
            for kind, wanted in kinds.items():
                missing.setdefault(kind, []).extend(wanted)
            continue
        try:
            said.findings += module.findings(*(rows(record) for record in arguments(module)))
            checked |= kinds.keys()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of polars is no Exception; the other analyses still run
            name = module.__name__.rpartition(".")[2]
            sample = f"{type(error).__name__}: {error}"[:300]
            said.problems.append({"source": f"(analysis {name})", "type": "the analysis failed", "example": sample})
            for kind in kinds:
                missing.setdefault(kind, []).append(f"a repair of the analysis {name}, which failed: see problems")
    for kind in dict.fromkeys((*KINDS, *missing)):
        if kind not in checked:
            said.not_checked.append({"kind": kind, "missing": list(dict.fromkeys(missing.get(kind, [NOT_YET])))})
    said.findings = sorted(_hung(said.findings, explain), key=Finding.order)
    return said


def _hung(findings: Sequence[Finding], explain: Sequence[Explain]) -> list[Finding]:
    """Symptoms under their causes: a cause names them, and what is explained ranks as ``info``."""
    told = []
    for cause in findings:
        symptoms = (name for say in explain for name in say(cause, findings) if name != cause.id)
        told.append(replace(cause, explains=tuple(dict.fromkeys((*cause.explains, *symptoms)))))
    explained = {name for cause in told for name in cause.explains}
    return [replace(one, severity="info") if one.id in explained else one for one in told]


def as_file(findings: Sequence[Finding], not_checked: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The content of ``findings.json``."""
    return {
        "schema": 1,
        "findings": [_plain(finding.as_dict()) for finding in findings],
        "not_checked": list(not_checked),
    }


def from_file(content: dict[str, Any]) -> list[Finding]:
    """The findings in the content of ``findings.json``."""

    def refs(items: Sequence[dict[str, Any]]) -> tuple[Reference, ...]:
        return tuple(Reference(**item) for item in items)

    def one(item: dict[str, Any]) -> Finding:
        item = dict(item)
        item["entities"] = {key: tuple(values) for key, values in item["entities"].items()}
        item["story"] = tuple(Step(step["at"], step["text"], refs(step["evidence"])) for step in item["story"])
        item["evidence"] = refs(item["evidence"])
        item["alternatives"] = tuple(
            Alternative(other["hypothesis"], other["verdict"], other["because"], refs(other["evidence"]))
            for other in item["alternatives"]
        )
        return Finding(**item | {key: tuple(item[key]) for key in ("remedy", "explains", "next_evidence")})

    return [one(item) for item in content["findings"]]


def _plain(value: Any) -> Any:
    """Values that JSON has: tuples as lists, numbers of numpy as Python's, no infinities."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not (abs(value) < float("inf")):
        return None
    if hasattr(value, "item"):
        return _plain(value.item())
    return value


def charts_of(finding: Finding, rows: Rows) -> Iterator[tuple[ModuleType, Callable[[], dict[str, Any] | None]]]:
    """The charts that can draw a finding, and what gives their arguments (None where it does not apply after all).

    An analysis names its charts in ``CHARTS``: the name of a module of `forensics.charts`, which has a function of
    that name, and a function that takes the finding and the same records as ``findings`` does.
    """
    for module in analyses():
        if finding.kind in module.KINDS:
            charts = {chart.__name__.rpartition(".")[2]: chart for chart in modules("forensics.charts")}
            for name, frames in getattr(module, "CHARTS", {}).items():
                given = (rows(record) for record in arguments(module))
                yield charts[name], partial(frames, finding, *given)


def frames_of(finding: Finding, rows: Rows, name: str | None = None) -> tuple[ModuleType, dict[str, Any]] | None:
    """The chart that draws a finding and what it is to be given; None for a finding without one.

    Args:
        finding: What to draw.
        rows: The rows of the case.
        name: Which chart; the first that applies where None.
    """
    for module, frames in charts_of(finding, rows):
        if name in (None, module.__name__.rpartition(".")[2]) and (given := frames()) is not None:
            return module, given
    return None


def lanes_of(findings: Sequence[Finding], rows: Rows) -> dict[str, Mapping[str, Any]]:
    """What lanes over time show of findings, by id, where their analysis tells: all at once, which reads the rows once.

    An analysis tells by ``lanes``, a function that takes findings and the same records as ``findings`` does.
    """
    told: dict[str, Mapping[str, Any]] = {}
    for module in analyses():
        own = [finding for finding in findings if finding.kind in module.KINDS]
        if own and hasattr(module, "lanes"):
            told |= module.lanes(own, *(rows(record) for record in arguments(module)))
    return told


class CaseFinding:
    """A finding of a case: everything that `forensics.records.Finding` has, and its chart."""

    def __init__(self, finding: Finding, rows: Rows) -> None:
        self.finding = finding
        self._rows = rows

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.finding, name)

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *dir(self.finding)})

    @property
    def charts(self) -> list[str]:
        """Names of the charts that can draw it, the first the one that `chart` draws."""
        drawn = (module for module, frames in charts_of(self.finding, self._rows) if frames() is not None)
        return [module.__name__.rpartition(".")[2] for module in drawn]

    def chart(self, name: str | None = None, *, dark: bool = False) -> go.Figure:
        """The figure that shows it.

        Args:
            name: Which of its `charts`; the first that applies where None.
            dark: For a dark page.

        Raises:
            CaseError: If there is no such chart for findings of this kind.
        """
        found = frames_of(self.finding, self._rows, name)
        if found is None:
            hint = f"there are {', '.join(self.charts)}" if self.charts else None
            raise CaseError(f"no chart {name or ''} shows this {self.finding.kind}", where=self.finding.id, hint=hint)
        module, frames = found
        return getattr(module, module.__name__.rpartition(".")[2])(**frames, dark=dark)

    def save_chart(self, path: str | os.PathLike[str], name: str | None = None, *, dark: bool = False) -> Path:
        """Write its chart for a document: ``.png``, ``.svg``, or ``.html`` with zoom and hover, which needs no network.

        Args:
            path: The file; its suffix says how.
            name: Which of its `charts`; the first that applies where None.
            dark: For a dark page.

        Raises:
            CaseError: If there is no such chart, or no browser to draw pictures with (extra ``charts``).

        Examples:
            ``case.findings[0].save_chart("outage.svg")``
        """
        return save(partial(self.chart, name, dark=dark), Path(path))

    def __repr__(self) -> str:
        return "\n".join(plain(self.finding))

    def _repr_html_(self) -> str:
        return str(html(self.finding))


class Findings(Sequence[CaseFinding]):
    """The findings of a case, worst first."""

    def __init__(self, findings: Sequence[Finding], rows: Rows) -> None:
        self._findings = [CaseFinding(finding, rows) for finding in findings]

    def __len__(self) -> int:
        return len(self._findings)

    def __getitem__(self, place: Any) -> Any:
        """By place, or by the id of the finding: ``case.findings["9f2c1b7d4a60"]``."""
        if not isinstance(place, str):
            return self._findings[place]
        for finding in self._findings:
            if finding.finding.id == place:
                return finding
        hint = "the case may have been made anew; its findings are in case.findings"
        raise CaseError("there is no such finding", where=place, hint=hint)

    def __repr__(self) -> str:
        return "\n\n".join(map(repr, self._findings)) or "no findings"

    def _repr_html_(self) -> str:
        return "".join(finding._repr_html_() for finding in self._findings) or "<p>no findings</p>"


def told(story: Sequence[Step]) -> list[tuple[Step, str | None, int]]:
    """Steps with those that say the same one after another taken together: all of it, when last, how often."""
    runs: list[tuple[Step, str | None, int]] = []
    for step in story:
        if runs and runs[-1][0].text == step.text:
            first, _, count = runs[-1]
            evidence = tuple(dict.fromkeys((*first.evidence, *step.evidence)))
            runs[-1] = (Step(first.at, first.text, evidence), step.at, count + 1)
        else:
            runs.append((step, step.at, 1))
    return runs


def citations(references: Sequence[Reference], most: int) -> str:
    """The first few places of a list, in plain text."""
    more = f" and {len(references) - most} more" if len(references) > most else ""
    return ", ".join(escape.line(str(ref)) for ref in references[:most]) + more


def _on_hover(references: Sequence[Reference], most: int) -> str:
    """The same in HTML: the line, or what the packet is, shows when the pointer rests on its place."""
    shown = [
        f"<abbr title='{escape.html(ref.excerpt)}'>{escape.html(escape.line(str(ref)))}</abbr>"
        if ref.excerpt
        else str(escape.html(escape.line(str(ref))))
        for ref in references[:most]
    ]
    return ", ".join(shown) + (f" and {len(references) - most} more" if len(references) > most else "")


def plain(finding: Finding) -> list[str]:
    """A finding in a few lines of text that a terminal shows and never obeys."""
    lines = [f"{finding.severity.upper()} ({finding.confidence})  {escape.line(finding.title)}"]
    until = f"{_moment(finding.end)} UTC" if finding.end else "the end of the evidence"
    span = f"{_moment(finding.start)} to {until}" if finding.start else ""
    lines.append("  ".join(text for text in (f"  {finding.kind}", span, finding.id) if text))
    for first, last, count in told(finding.story):
        at = f"{_clock(first.at)} " if first.at else ""
        often = f" ({count} times, until {_clock(last)})" if count > 1 and last else ""
        cited = f"  [{citations(first.evidence, 3)}]" if first.evidence else ""
        lines.append(f"  - {at}{escape.line(first.text)}{often}{cited}")
    lines += [f"  {title}: {escape.line(text)}" for title, text in _rest(finding)]
    return lines


def _moment(at: str) -> str:
    """An ISO instant to the millisecond, as a person reads it."""
    return f"{at.partition('T')[0]} {_clock(at)}".rstrip()


def _clock(at: str | None) -> str:
    """Time of day of an ISO instant, to the millisecond."""
    whole, dot, fraction = (at or "").partition("T")[2].rstrip("Z").partition(".")
    return escape.line(whole + (f".{fraction[:3]}" if dot else ""))


def _rest(finding: Finding) -> list[tuple[str, str]]:
    """What stands behind the story: what it was not, what to do, what would settle it."""
    ruled_out = [other.hypothesis for other in finding.alternatives if other.verdict == "ruled out"]
    still = [f"{other.hypothesis} ({other.because})" for other in finding.alternatives if other.verdict != "ruled out"]
    lines = [("ruled out", "; ".join(ruled_out))] if ruled_out else []
    lines += [("still open", text) for text in still]
    lines += [("to do", text) for text in finding.remedy]
    return lines + [("would settle it", text) for text in finding.next_evidence]


def pieces(text: str) -> list[str]:
    """Text cut at its backticks: every second piece is code. A backtick without a partner stays what it is.

    Examples:
        >>> pieces("run `ip link`, or `wait")
        ['run ', 'ip link', ', or `wait']
    """
    parts = text.split("`")
    return parts if len(parts) % 2 else [*parts[:-2], f"{parts[-2]}`{parts[-1]}"]


def _code(text: str) -> str:
    shown = [str(escape.html(piece)) for piece in pieces(text)]
    return "".join(f"<code>{piece}</code>" if n % 2 else piece for n, piece in enumerate(shown))


_COLOURS = {"critical": "#a40e26", "high": "#c4432b", "medium": "#9a6700", "low": "#1a7f64", "info": "#57606a"}


def html(finding: Finding) -> str:
    """A finding as a few elements of HTML, for a notebook; all text in it is escaped."""
    shown = escape.html
    colour = _COLOURS[finding.severity]
    until = f"{_moment(finding.end)} UTC" if finding.end else "the end of the evidence"
    span = f"{_moment(finding.start)} to {until} · " if finding.start else ""
    steps = "".join(
        f"<tr><td style='text-align:left;vertical-align:top;white-space:nowrap'>{shown(_clock(first.at))}</td>"
        f"<td style='text-align:left'>{shown(first.text)}"
        f"{shown(f' ({count} times, until {_clock(last)})') if count > 1 and last else ''}"
        f" <small style='opacity:.65'>{_on_hover(first.evidence, 3)}</small></td></tr>"
        for first, last, count in told(finding.story)
    )
    rest = "".join(f"<li><b>{shown(title)}:</b> {_code(text)}</li>" for title, text in _rest(finding))
    return (
        f"<div style='border-left:4px solid {colour};padding:.2em 1em;margin:.8em 0'>"
        f"<div><b style='color:{colour}'>{shown(finding.severity)}</b>, {shown(finding.confidence)}: "
        f"<b>{shown(finding.title)}</b></div>"
        f"<div style='opacity:.65'>{shown(span + finding.kind)} · <code>{shown(finding.id)}</code></div>"
        f"{f'<table>{steps}</table>' if steps else ''}{f'<ul>{rest}</ul>' if rest else ''}</div>"
    )
