"""A case as a post-mortem notebook: words to edit, and steps that run again from the case."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from forensics.case._findings import charts_of, from_file, pieces, told
from forensics.case._rows import Rows
from forensics.errors import CaseError
from forensics.escape import line
from forensics.escape import markdown as escaped
from forensics.records import Finding, Reference

_MOST_CAUSES, _MOST_STEPS, _MOST_NAMES, _MOST_REFERENCES = 20, 30, 12, 3
_SURE = {
    "proven": "proven: every link of the chain stands in the evidence",
    "likely": "likely: one link is inferred",
    "possible": "possible: more than one link is inferred",
}
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_RUN = re.compile(r"(?:\\[\\$`])+")
_MINE = "✎ "
"""What the writer has to add."""


def render(content: Mapping[str, Any], rows: Rows, case: str, instant: Callable[..., str]) -> bytes:
    """The notebook.

    Args:
        content: The content of ``findings.json``, with ``about`` the case.
        rows: The rows of the case.
        case: Where the case lies, seen from the notebook.
        instant: An ISO instant as text, without the day where that stands beside it.

    Returns:
        The file, without outputs; the same case gives the same bytes.

    Raises:
        CaseError: If nbformat is not installed.
    """
    try:
        nbformat: Any = import_module("nbformat")
    except ImportError as error:
        raise missing("nbformat") from error
    of_kind = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
    cells = [
        of_kind[kind](words, id=f"post-mortem-{n:03d}", metadata={"tags": ["parameters"]} if n == 1 else {})
        for n, (kind, words) in enumerate(_cells(content, rows, case, instant))
    ]
    made = nbformat.from_dict({"cells": cells, "metadata": _METADATA, "nbformat": 4, "nbformat_minor": 5})
    nbformat.validate(made)
    written: str = nbformat.writes(made)
    return written.encode("utf-8", "backslashreplace") + b"\n"


def missing(what: str) -> CaseError:
    """The error of a computer on which the notebook extra is not installed."""
    hint = "pip install 'cloud-forensics[notebook]' brings all that notebooks need"
    return CaseError(f"{what} is not installed", hint=hint)


def text(words: str) -> str:
    r"""Text for a Markdown cell: as `forensics.escape.markdown`, and no mathematics either.

    What begins mathematics stands as code, where neither Jupyter nor nbconvert looks for it.

    Examples:
        >>> print(text(r"$x$ and <b> and \(y\)"))
        `$`x`$` and \<b\> and `\\`(y`\\`)
    """

    def code(match: re.Match[str]) -> str:
        inner = match.group()[1::2]
        if inner.strip("`") == "":
            return match.group()
        fence = "`" * (1 + max(map(len, re.findall("`*", inner))))
        pad = " " if "`" in inner else ""
        return f"{fence}{pad}{inner}{pad}{fence}"

    return _RUN.sub(code, escaped(words))


def _cells(content: Mapping[str, Any], rows: Rows, case: str, instant: Callable[..., str]) -> Iterator[tuple[str, str]]:
    findings = from_file(dict(content))
    by_id = {finding.id: finding for finding in findings}
    symptoms = {name for finding in findings for name in finding.explains}
    causes = [finding for finding in findings if finding.id not in symptoms and finding.severity != "info"]
    causes = causes[:_MOST_CAUSES]
    first = causes[0] if causes else None
    headline = first.title if first else "No incident was found"
    yield (
        "markdown",
        "\n".join(
            [
                f"# {text(content['about']['title'] or headline)}",
                "",
                (
                    "Post-mortem. The sentences were filled in from the case and are yours to edit; "
                    "every table and chart runs again from the case, and so from the evidence. "
                    f"Lines that begin with {_MINE.strip()} wait for what no log can know."
                ),
            ]
        ),
    )
    yield (
        "code",
        f"case_path = {_literal(case)}\nevidence = None  # where the evidence lies now, if it was moved\nminutes = 5",
    )
    yield "code", _OPEN
    yield "markdown", "\n".join(_summary(first, headline, instant))
    yield "markdown", "\n".join(_impact(first))
    if first:
        yield "markdown", "\n".join(_timeline(first, instant))
        if first.start:
            yield "code", _AROUND.format(id=first.id)
    for n, finding in enumerate(causes):
        yield "markdown", "\n".join(_cause(n, finding, [by_id[i] for i in finding.explains if i in by_id], instant))
        yield "code", f'finding = case.findings["{finding.id}"]\nfinding'
        if finding.facts:
            yield "markdown", "The figures behind it. `_s` is seconds, `_at` an instant in UTC on the reference clock."
            yield "code", _FACTS
            for key in (key for key, value in finding.facts.items() if _is_table(value)):
                yield (
                    "code",
                    f"fx.table(pl.DataFrame(finding.facts[{_literal(key)}], infer_schema_length=None, strict=False))",
                )
        for module, frames in charts_of(finding, rows):
            if frames() is not None:
                yield "code", f'finding.chart("{module.__name__.rpartition(".")[2]}")'
        yield "markdown", "What it rests on: each place, and the original line or what the packet is."
        yield "code", _PLACES
    if causes:
        yield "markdown", "\n".join(_ruled_out(causes))
        yield "markdown", "\n".join(_remedies(causes))
    yield "markdown", _CLOCKS
    yield "code", 'fx.table(case.clocks.select("source", "reference", "offset_s", "bound_s", "zone_s", "basis"))'
    yield "markdown", _SOURCES
    yield "code", 'fx.table(case.sources.select("source", "format", "status", "rows", "rejects", "sha256"))'
    yield "markdown", "What could not be read."
    yield "code", 'fx.table(case.problems.select("source", "type", "count", "example"))'
    yield "markdown", "## What was not looked for\n\nAnd which evidence would let it be."
    yield "code", "fx.table(case.not_checked)"
    if causes:
        yield "markdown", _ORIGINAL
        yield "code", _CITED.format(ids=", ".join(f'"{finding.id}"' for finding in causes))
    yield "markdown", f"---\n\nMade by {text(content['about']['tool'])}."


_OPEN = """import polars as pl

import forensics as fx

case = fx.open_case(case_path, evidence=evidence)
case"""
_AROUND = """cause = case.findings["{id}"]
names = [name for names in cause.entities.values() for name in names]
fx.table(
    case.timeline(around=cause.start, minutes=minutes)
    .filter(pl.col("text").str.contains_any(names, ascii_case_insensitive=True))
    .select("at", "host", "record", "text", "source", "position"),
    most=100,
)"""
_FACTS = """fx.table(
    pl.DataFrame(
        [
            {"figure": name, "value": str(value)}
            for name, value in finding.facts.items()
            if not (isinstance(value, list) and value and isinstance(value[0], dict))
        ],
        schema={"figure": pl.String, "value": pl.String},
    )
)"""
_PLACES = """fx.table(
    pl.DataFrame(
        [{"place": str(ref), "what stands there": ref.excerpt} for ref in finding.references()],
        schema={"place": pl.String, "what stands there": pl.String},
    ),
    most=60,
)"""
_ORIGINAL = """## The original lines

Read from the evidence again. Where the evidence was moved, say so in `evidence` above."""
_CITED = """captures = case.sources.filter(pl.col("format").str.starts_with("pcap"))["source"].to_list()
cited = case.cite([case.findings[name] for name in [{ids}]])
fx.table(
    cited.filter(~pl.col("source").is_in(captures)).select("source", "position", "offset_bytes", "text"),
    most=100,
)"""
_CLOCKS = """## Clocks

Every host keeps its own time. Subtract `offset_s` to be on the reference's clock; it is sure within `bound_s`."""
_SOURCES = """## Evidence

Every file that was read, with its SHA-256. `forensics verify CASE` says whether all of it is still what it was."""


def _literal(path: str) -> str:
    """A path as Python has it, whatever is in its name."""
    simple = path.isascii() and path.isprintable() and not {'"', "\\"} & set(path)
    return f'"{path}"' if simple else repr(path)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _span(finding: Finding, instant: Callable[..., str]) -> str:
    if not finding.start:
        return "no time is known"
    until = f"{instant(finding.end, finding.start)} UTC" if finding.end else "the end of the evidence"
    return text(f"{instant(finding.start)} to {until}")


def _summary(first: Finding | None, headline: str, instant: Callable[..., str]) -> list[str]:
    lines = ["## Summary", "", f"**{text(headline.strip())}.**", ""]
    if first:
        lines += [f"- When: {_span(first, instant)}", f"- How sure: {_SURE[first.confidence]}"]
    return [*lines, f"- {_MINE}In two sentences, for people who were not there:"]


def _impact(first: Finding | None) -> list[str]:
    lines = ["## Impact", ""]
    for kind, names in (first.entities if first else {}).items():
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        lines.append(f"- {kind.replace('_', ' ')}: {', '.join(map(text, names[:_MOST_NAMES]))}{more}")
    return [*lines, f"- {_MINE}Who noticed, when, and what could they not do?", f"- {_MINE}What did it cost?"]


def _timeline(first: Finding, instant: Callable[..., str]) -> list[str]:
    lines = ["## Timeline", "", "All times are UTC, on the reference clock.", ""]
    steps = told(first.story)
    for step, last, count in steps[:_MOST_STEPS]:
        at = f"**{text(instant(step.at, first.start))}** " if step.at else ""
        often = f" ({count} times, until {text(instant(last, step.at))})" if count > 1 and last else ""
        lines.append(f"- {at}{text(step.text)}{often}{_cited(step.evidence)}")
    if len(steps) > _MOST_STEPS:
        lines.append(f"- … {len(steps) - _MOST_STEPS} more steps")
    lines.append(f"- {_MINE}When was it noticed, what was tried, what helped?")
    if first.start:
        lines += ["", "What the records say of those concerned, `minutes` before and after it began:"]
    return lines


def _cause(n: int, finding: Finding, symptoms: Sequence[Finding], instant: Callable[..., str]) -> list[str]:
    lines = ["## Cause, with its proof", ""] if n == 0 else []
    lines += [f"### {text(finding.title)}", "", f"{_span(finding, instant)}. {_SURE[finding.confidence].capitalize()}."]
    if symptoms:
        lines += ["", "It explains:", "", *(f"- {text(one.title)}" for one in symptoms)]
    return lines


def _ruled_out(causes: Sequence[Finding]) -> list[str]:
    lines = ["## What was ruled out", ""]
    told = [other for finding in causes for other in finding.alternatives]
    for other in sorted(dict.fromkeys(told), key=lambda one: one.verdict != "open"):
        verdict = "**still open**" if other.verdict == "open" else "ruled out"
        lines.append(f"- {text(other.hypothesis)}: {verdict}, because {text(other.because)}{_cited(other.evidence)}")
    if not told:
        lines.append("Nothing else was in question.")
    wanted = dict.fromkeys(item for finding in causes for item in finding.next_evidence)
    if wanted:
        lines += ["", "What would settle the rest:", "", *(f"- {_with_code(item)}" for item in wanted)]
    return lines


def _remedies(causes: Sequence[Finding]) -> list[str]:
    steps = dict.fromkeys(item for finding in causes for item in finding.remedy)
    lines = ["## Remedies", "", *(f"{n}. {_with_code(step)}" for n, step in enumerate(steps, 1))]
    return [*lines, "", f"{_MINE}Who does which of it, and by when?"]


def _with_code(words: str) -> str:
    """Text whose commands stand in backticks."""
    return "".join(f"`{line(one)}`" if n % 2 and one.strip() else text(one) for n, one in enumerate(pieces(words)))


def _cited(references: Sequence[Reference]) -> str:
    if not references:
        return ""
    more = f" and {len(references) - _MOST_REFERENCES} more" if len(references) > _MOST_REFERENCES else ""
    return f" \\[{', '.join(text(str(ref)) for ref in references[:_MOST_REFERENCES])}{more}\\]"
