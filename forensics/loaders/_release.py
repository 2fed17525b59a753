"""Which OpenStack release wrote a log, told by its own lines: each rule allows some releases, all together few."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import polars as pl

from forensics.loaders._release_rules import (
    DATED,
    IDENTITY,
    LAST,
    LOGGERS,
    MARKS,
    NAMES,
    SERVICES,
    SHAPES,
    VENV,
    WORDINGS,
    Rule,
    of_version,
)

__all__ = ["ReleaseObserver"]

_SAMPLE = 1024
"""So many rows of a chunk are looked at for the shape of their header: those between two of a kind are of that kind."""
_MOST_SPANS = 4
"""A file whose lines change their mind oftener holds the lines of several services."""
_MOST_LOGGERS = 4096
_INNERMOST = r"([^+]+)$"
_VERSION = (
    r"^(?:Starting\x20\S+\x20node\x20\(version\x20([^)\s]+)\)|\S*(?:nova|neutron|cinder)-[\w-]+\x20version\x20(\S+))"
)
_STARTS = re.compile(r"(?:^|\.)service$|^(?:nova|neutron|cinder)\.(?:service|wsgi|common\.config)$")
_PYTHON = (
    r"/usr/(?:local/)?lib/(?:python(2\.[67])/|python(3)(?:\.\d+)?/(?:site|dist)-packages/(?:nova|neutron|cinder)/)"
)


@dataclass(slots=True)
class _Span:
    """Lines that one release may have written."""

    first: int = 0
    last: int = LAST
    because: dict[str, tuple[int, str]] = field(default_factory=dict)
    """What decides either end: the line and the words."""
    dated: tuple[int, str, int] | None = None
    """A line that has a date, the month, and the newest release that could be run then."""

    def allows(self, rule: Rule) -> bool:
        return rule.first <= self.last and rule.last >= self.first

    def narrow(self, position: int, rule: Rule) -> None:
        """Leave what a rule allows; one line that decides both ends stands for both."""
        if rule.first >= self.first and rule.last <= self.last and (rule.first, rule.last) != (self.first, self.last):
            self.because = {"first": (position, rule.words), "last": (position, rule.words)}
            self.first, self.last = rule.first, rule.last
        if rule.first > self.first:
            self.first, self.because["first"] = rule.first, (position, rule.words)
        if rule.last < self.last:
            self.last, self.because["last"] = rule.last, (position, rule.words)

    def closed(self) -> _Span:
        """The same, less releases that did not exist when the lines were written."""
        if self.dated is None or not self.because or not self.first <= self.dated[2] < self.last:
            return self
        position, month, newest = self.dated
        return _Span(self.first, newest, self.because | {"last": (position, f"written in {month}")})

    def named(self) -> str | None:
        """Words for the releases: ``Grizzly``, ``Havana to Kilo``, ``Zed or later``."""
        first, last = NAMES[self.first], NAMES[self.last]
        if (self.first, self.last) == (0, LAST):
            return None
        if self.first == self.last:
            return first.alone
        if first.stem == last.stem:
            return first.stem
        if self.last == LAST:
            return f"{first.begins} or later"
        return f"{last.ends} or earlier" if self.first == 0 else f"{first.begins} to {last.ends}"


class ReleaseObserver:
    """Watches the chunks of one log, in the order of its lines.

    Rules follow upstream; where distributions or other projects than nova differed, a rule allows more releases.
    A line that no release fits any more begins a new span: there the service was upgraded.
    """

    def __init__(self) -> None:
        self._spans = [_Span()]

    def see(self, rows: pl.DataFrame, marks: Mapping[str, int]) -> None:
        """Take in a chunk.

        Args:
            rows: Rows of `LogRecord`, by position.
            marks: What rows do not show: see `forensics.loaders.lines._marks`.
        """
        if len(self._spans) > _MOST_SPANS or rows.is_empty():
            return
        loggers = rows["logger"].unique().drop_nulls().to_list() if rows["logger"].null_count() < rows.height else []
        loggers = [name for name in sorted(loggers)[:_MOST_LOGGERS] if _of_openstack(name)]
        if not loggers and not marks:
            return
        found = [(position, MARKS[name]) for name, position in marks.items()]
        if loggers:
            found += [*self._shapes(rows), *self._loggers(rows, loggers), *self._wordings(rows, loggers)]
        dated = _dated(rows) if found else None
        for position, rule in sorted(found, key=lambda one: (one[0], one[1].first, -one[1].last, one[1].words)):
            span = self._spans[-1]
            if not span.allows(rule):
                span = _Span()
                self._spans.append(span)
                if len(self._spans) > _MOST_SPANS:
                    return
            span.narrow(position, rule)
            span.dated = span.dated or dated

    def _useful(self, rule: Rule) -> bool:
        """Whether a rule could say anything new of the span that is being read."""
        span = self._spans[-1]
        return rule.first > span.first or rule.last < span.last

    def _shapes(self, rows: pl.DataFrame) -> Iterator[tuple[int, Rule]]:
        """How headers look; and what paths of code in the messages tell."""
        sample = rows if rows.height <= _SAMPLE else rows.gather_every(-(-rows.height // _SAMPLE))
        sample = sample.select(
            "position",
            "message",
            framing=pl.col("framing").str.extract(_INNERMOST, 1),
            service=pl.col("logger").str.extract(SERVICES, 1),
            asked=pl.col("request_id").is_not_null(),
            known=pl.coalesce("user_id", "project_id").str.contains(IDENTITY).fill_null(False),
        ).filter(pl.col("service").is_not_null())
        if self._useful(MARKS["audit"]) and (audit := rows["severity"] == "AUDIT").any():
            yield int(rows["position"][audit.arg_max() or 0]), MARKS["audit"]
        key = pl.struct("framing", "service", "asked", "known")
        headers = sample.filter(key.ne_missing(key.shift()).fill_null(True))
        for position, _, framing, service, asked, known in headers.iter_rows():
            whose = "nova" if service == "nova" else "other"
            for shape, rule in SHAPES.get(framing, ()):
                if shape in ((whose, "any"), (whose, "known" if known else "asked" if asked else "none")):
                    yield position, rule
        code = sample.select(
            "position",
            python=pl.coalesce(pl.col("message").str.extract(_PYTHON, 1), pl.col("message").str.extract(_PYTHON, 2)),
            venv=pl.col("message").str.extract(VENV, 1),
        ).filter(pl.col("python").is_not_null() | pl.col("venv").is_not_null())
        code = code.unique(["python", "venv"], keep="first", maintain_order=True)
        for position, python, venv in code.iter_rows():
            rules = [
                MARKS.get(f"python {python}"),
                of_version("nova", venv, f"/openstack/venvs/…-{venv}") if venv else None,
            ]
            yield from ((position, rule) for rule in rules if rule is not None)

    def _loggers(self, rows: pl.DataFrame, loggers: list[str]) -> Iterator[tuple[int, Rule]]:
        for name in loggers:
            for rule in _of_logger(name):
                if self._useful(rule):
                    yield int(rows["position"][(rows["logger"] == name).arg_max() or 0]), rule

    def _wordings(self, rows: pl.DataFrame, loggers: list[str]) -> Iterator[tuple[int, Rule]]:
        for wanted, most, wordings in WORDINGS:
            mine = [name for name in loggers if re.search(wanted, name)]
            useful = [(pattern, rule) for pattern, rule in wordings if self._useful(rule)]
            if not mine or not useful:
                continue
            said = rows.filter(rows["logger"].is_in(mine)).head(most).select("position", "message")
            for pattern, rule in useful:
                hits = said["message"].str.contains(pattern)
                if hits.any():
                    yield int(said["position"][hits.arg_max() or 0]), rule
        starting = [name for name in loggers if _STARTS.search(name)]
        if starting:
            said = rows.filter(rows["logger"].is_in(starting))
            groups = said["message"].str.extract_groups("(?x)" + _VERSION).struct.unnest()
            told = said.select("position", "logger", version=pl.Series(pl.select(pl.coalesce(*groups)).to_series()))
            for position, logger, version in (
                told.drop_nulls().unique("version", keep="first", maintain_order=True).iter_rows()
            ):
                stated = of_version(logger.partition(".")[0], version, f"version {version[:40]}")
                if stated is not None:
                    yield position, stated

    def facts(self) -> dict[str, str]:
        """``release`` and ``release_basis`` for `Batch.facts`; nothing where no line tells."""
        spans = [span.closed() for span in self._spans]
        told = [(name, span) for span in spans if (name := span.named()) is not None]
        if not told:
            return {}
        names = list(dict.fromkeys(name for name, _ in told))
        several = len(self._spans) > _MOST_SPANS or len(names) < len(told)
        basis = "; then ".join(
            "; ".join(dict.fromkeys(f"line {position}: {words}" for position, words in sorted(span.because.values())))
            for _, span in told
        )
        return {"release": f"several: {'; '.join(names)}" if several else ", then ".join(names), "release_basis": basis}


@lru_cache(maxsize=4096)
def _of_openstack(logger: str) -> bool:
    return re.search(SERVICES, logger) is not None or bool(_of_logger(logger))


@lru_cache(maxsize=4096)
def _of_logger(logger: str) -> tuple[Rule, ...]:
    return tuple(rule for pattern, rule in LOGGERS if re.search(pattern, logger))


def _dated(rows: pl.DataFrame) -> tuple[int, str, int] | None:
    """The first line of a chunk whose own stamp has a year, and the newest release of that time."""
    first = rows.filter(rows["year_basis"].is_in(["stated", "inner"])).select("position", "ts").drop_nulls().head(1)
    if first.is_empty():
        return None
    position, at = first.row(0)
    month = f"{at:%Y-%m}"
    newest = next((number for number, date in DATED if date > month), LAST)
    return None if month < DATED[0][1] else (position, month, newest)
