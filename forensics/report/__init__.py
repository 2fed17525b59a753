"""Findings and charts as one HTML file that needs no network, runs no script and shows evidence as text."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import polars as pl
from markupsafe import Markup

from forensics import escape
from forensics.case import Case
from forensics.case._findings import NOT_YET, from_file, pieces, told
from forensics.case._rows import Rows
from forensics.report import _markdown, _notebook
from forensics.report._chart import charts
from forensics.report._pdf import pdf

__all__ = ["NAME", "TWIN", "markdown", "notebook", "pages", "pdf", "render", "write"]

NAME, TWIN = "report.html", "report.md"
_MOST_CHARTS = 50
_ALL_EXCERPTS, _LEAST_EXCERPT = 1_200_000, 80
"""Characters of excerpts in a page, and of one where they are so many: it stays small enough for a mail."""


def pages(_target: Path, rows: Rows, content: Mapping[str, Any]) -> dict[str, bytes]:
    """The report and its twin as files of a case that is being made: see `forensics.case.open_case`."""
    return {NAME: render(content, rows), TWIN: markdown(content, rows)}


def write(case: Case) -> Path:
    """Put the report and its twin into a case; the same case gives the same bytes."""
    case.add(TWIN, markdown(case.content, case.rows))
    return case.add(NAME, render(case.content, case.rows))


def markdown(content: Mapping[str, Any], rows: Rows) -> bytes:
    """The report in Markdown, to paste into a ticket, in UTF-8; arguments as for `render`."""
    return _markdown.render(content, rows, _fact, _instant).encode("utf-8", "backslashreplace")


def notebook(content: Mapping[str, Any], rows: Rows, case: str) -> bytes:
    """The case as a post-mortem notebook; ``case`` is where it lies, seen from there."""
    return _notebook.render(content, rows, case, _instant)


def render(content: Mapping[str, Any], rows: Rows) -> bytes:
    """The report.

    Args:
        content: The content of ``findings.json``, with ``about`` the case.
        rows: The rows of the case.

    Returns:
        HTML in UTF-8. All text in it went through `forensics.escape`.
    """
    findings = from_file(dict(content))
    headline = findings[0] if findings and findings[0].severity != "info" else None
    title = content["about"]["title"]
    style = _template("report.css")
    sources = rows.sources
    files = sources.filter(pl.col("status") != "configuration")
    strange = ~pl.col("status").is_in(["read", "configuration"])
    text = _environment().get_template(NAME).render(
        heading=title or (headline.title if headline else "No incident was found"),
        headline=headline,
        style=escape.own(style),
        style_hash="sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        findings=findings,
        room=max(_LEAST_EXCERPT, _ALL_EXCERPTS // (1 + sum(len(step.evidence) for f in findings for step in f.story))),
        numbers={finding.id: n for n, finding in enumerate(findings, 1)},
        causes={name: finding for finding in reversed(findings) for name in finding.explains},
        charts=charts(findings[:_MOST_CHARTS], rows) + [None] * len(findings[_MOST_CHARTS:]),
        not_checked=content["not_checked"],
        wanting=[one for one in content["not_checked"] if one["missing"] != [NOT_YET]],
        unknown=[one["kind"] for one in content["not_checked"] if one["missing"] == [NOT_YET]],
        sources=sources.to_dicts(),
        files=files.height,
        total_bytes=_size(int(files["size_bytes"].sum())),
        damaged=sources.filter(strange).height > 0,
        problems=rows.problems.sort("count", "source", "type", descending=[True, False, False]).to_dicts(),
        clocks=rows.clocks.to_dicts(),
        about=content["about"],
    )  # fmt: skip
    return text.encode("utf-8", "backslashreplace")


@cache
def _template(name: str) -> str:
    return resources.files("forensics.report").joinpath("templates", name).read_text("utf-8")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(_template),
        finalize=_safe,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "cite": str,
        "fact": _fact,
        "clipped": lambda text, size: text if len(text) <= size else text[: size - 1] + "…",
        "instant": _instant,
        "name": lambda key: _UNIT.sub("", key).replace("_", " "),
        "pieces": pieces,
        "told": told,
        "second": _second,
        "short": lambda text, size: text if len(text) <= size else "…" + text[len(text) - size + 1 :],
    }
    return environment


def _safe(value: Any) -> Any:
    """What every expression of a template goes through."""
    return value if isinstance(value, Markup) else escape.html(str(value))


_UNIT = re.compile(r"_(?:s|at|bytes|ppm)$")
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def _instant(text: str, beside: str | None = None) -> str:
    """An ISO instant to the millisecond, as a person reads it; without the day where that stands beside it."""
    day, clock, rest = str(text).partition("T")
    whole, dot, fraction = rest.rstrip("Z").partition(".")
    time = whole + dot + fraction[:3]
    return time if clock and beside and str(beside).startswith(day) else f"{day} {time}".rstrip()


def _size(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} bytes"


def _second(at: datetime | None, beside: datetime | None = None) -> str:
    """To the second; without the day where that stands beside it."""
    if at is None:
        return ""
    return f"{at:%H:%M:%S}" if beside is not None and beside.date() == at.date() else f"{at:%Y-%m-%d %H:%M:%S}"


def _fact(value: Any, key: str = "") -> str:
    """A figure with its unit, which the name of the fact tells."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        if key.endswith("_s"):
            return _seconds(float(value))
        text = f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
        return text + {"bytes": " bytes", "ppm": " ppm"}.get(key.rpartition("_")[2], "")
    if isinstance(value, Mapping):
        return ", ".join(f"{inner} {_fact(one, str(inner))}" for inner, one in value.items())
    if isinstance(value, (list, tuple)):
        return "; ".join(map(_fact, value)) or "none"
    return f"{_instant(value)} UTC" if isinstance(value, str) and _ISO.fullmatch(value) else str(value)


def _seconds(value: float) -> str:
    if 0 < abs(value) < 1e-3:
        return f"{value * 1e6:,.4g} µs"
    return f"{value:,.6f}".rstrip("0").rstrip(".") + " s"
