"""The report as Markdown, to paste into a ticket: the findings in full, the rest in a few lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from forensics.case._findings import NOT_YET, from_file, pieces, told
from forensics.case._rows import Rows
from forensics.escape import markdown
from forensics.records import Finding, Reference

_MOST_STEPS, _MOST_REFERENCES, _MOST_SOURCES = 30, 3, 60


def render(content: Mapping[str, Any], rows: Rows, fact: Callable[[Any, str], str], instant: Callable[..., str]) -> str:
    """The report in Markdown (CommonMark, with GitHub's tables).

    Args:
        content: The content of ``findings.json``, with ``about`` the case.
        rows: The rows of the case.
        fact: A figure and its name as text.
        instant: An ISO instant as text, without the day where that stands beside it.

    Returns:
        Text whose evidence is escaped: none of it is a link, a mention or markup.
    """
    findings = from_file(dict(content))
    by_id = {finding.id: finding for finding in findings}
    symptoms = {name for finding in findings for name in finding.explains}
    headline = findings[0].title if findings and findings[0].severity != "info" else "No incident was found"
    lines = [f"# {markdown(content['about']['title'] or headline)}", ""]
    for finding in findings:
        if finding.id not in symptoms:
            lines += _finding(finding, [by_id[name] for name in finding.explains if name in by_id], fact, instant)
    if not findings:
        lines += ["Nothing was found.", ""]
    wanting = [one for one in content["not_checked"] if one["missing"] != [NOT_YET]]
    if wanting:
        lines += ["## What was not looked for", ""]
        lines += [f"- {markdown(one['kind'])}: would need {markdown('; '.join(one['missing']))}" for one in wanting]
        lines.append("")
    return "\n".join([*lines, *_sources(rows), "", f"Made by {markdown(content['about']['tool'])}.", ""])


def _finding(
    finding: Finding, symptoms: Sequence[Finding], fact: Callable[[Any, str], str], instant: Callable[..., str]
) -> list[str]:
    lines = [f"## {markdown(finding.title)}", ""]
    until = f"{instant(finding.end, finding.start)} UTC" if finding.end else "the end of the evidence"
    span = f", {instant(finding.start)} to {until}" if finding.start else ""
    lines += [f"**{finding.severity}**, {finding.confidence}: `{finding.kind}`{markdown(span)} (`{finding.id}`)", ""]
    steps = told(finding.story)
    for step, last, count in steps[:_MOST_STEPS]:
        at = f"{markdown(instant(step.at, finding.start))} " if step.at else ""
        often = f" ({count} times, until {markdown(instant(last, step.at))})" if count > 1 and last else ""
        lines.append(f"- {at}{markdown(step.text)}{often}{_cited(step.evidence)}")
    if len(steps) > _MOST_STEPS:
        lines.append(f"- … {len(steps) - _MOST_STEPS} more steps")
    for title, items in (("What to do", finding.remedy), ("What would settle the rest", finding.next_evidence)):
        if items:
            lines += ["", f"**{title}**", "", *(f"{n}. {_with_code(text)}" for n, text in enumerate(items, 1))]
    if finding.facts:
        lines += ["", "| figure | value |", "|---|---|"]
        plain = {key: value for key, value in finding.facts.items() if not _rows_of(value)}
        lines += [f"| {markdown(key)} | {markdown(fact(value, key))} |" for key, value in plain.items()]
        for key in (name for name in finding.facts if name not in plain):
            lines += _table(key, finding.facts[key], fact)
    if finding.alternatives:
        lines += ["", "**What else it could have been**", ""]
        for other in finding.alternatives:
            because = f"{markdown(other.because)}{_cited(other.evidence)}"
            lines.append(f"- {markdown(other.hypothesis)}: {other.verdict}, because {because}")
    if symptoms:
        lines += ["", "**Explains**", "", *(f"- `{one.kind}`: {markdown(one.title)}" for one in symptoms)]
    return [*lines, ""]


def _rows_of(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], Mapping)


def _table(key: str, value: Sequence[Mapping[str, Any]], fact: Callable[[Any, str], str]) -> list[str]:
    """A figure that is a list of small structures, one row each."""
    names = list(value[0])
    head = ["", f"**{markdown(key)}**", "", f"| {' | '.join(map(markdown, names))} |", "|---" * len(names) + "|"]
    rows = (" | ".join(markdown(fact(one.get(name), name)) for name in names) for one in value[:_MOST_SOURCES])
    more = [f"\n{len(value) - _MOST_SOURCES} more in findings.json."] if len(value) > _MOST_SOURCES else []
    return [*head, *(f"| {row} |" for row in rows), *more]


def _with_code(text: str) -> str:
    """Text whose commands stand in backticks."""
    parts = pieces(text)
    return "".join(f"`{part}`" if n % 2 else markdown(part) for n, part in enumerate(parts))


def _cited(references: Sequence[Reference]) -> str:
    if not references:
        return ""
    more = f" and {len(references) - _MOST_REFERENCES} more" if len(references) > _MOST_REFERENCES else ""
    return f" \\[{', '.join(markdown(str(ref)) for ref in references[:_MOST_REFERENCES])}{more}\\]"


def _sources(rows: Rows) -> list[str]:
    files = rows.sources.select("source", "format", "status", "rows", "sha256").to_dicts()
    lines = ["## Evidence", "", "| source | what it is | rows | SHA-256 begins |", "|---|---|---|---|"]
    for row in files[:_MOST_SOURCES]:
        what = row["format"] if row["status"] in ("read", "configuration") else f"{row['status']} {row['format'] or ''}"
        digest = (row["sha256"] or "")[:12]
        lines.append(f"| {markdown(row['source'])} | {markdown(what or '')} | {row['rows'] or ''} | {digest} |")
    if len(files) > _MOST_SOURCES:
        lines.append(f"\n{len(files) - _MOST_SOURCES} more in the case.")
    return lines
