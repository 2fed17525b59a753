"""Tables as database clients print them for people: boxed, vertical, and psql's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import polars as pl

BORDER = re.compile(r"^\+(?:-+\+)+\s*$")
_STARS = re.compile(r"^\*{5,} (\d+)\. row \*{5,}\s*$")
_PAIR = re.compile(r"^\s*([A-Za-z_][\w.()*:$ -]{0,80}?): ?(.*)$")
_PSQL = re.compile(r"^-+(?:\+-+)*$")
_FOOT = re.compile(r"^(?:\d+ rows? in set|Empty set|Query OK|\(\d+ rows?\)|\d+ rows? selected)")


@dataclass(slots=True)
class Box:
    """One answer: its columns and rows; ``lines`` has the first line and the number of lines of each row."""

    columns: list[str]
    start: int
    end: int = 0
    rows: list[list[str | None]] = field(default_factory=list)
    lines: list[tuple[int, int]] = field(default_factory=list)
    odd: list[int] = field(default_factory=list)
    """Lines that are no row of it."""

    def frame(self) -> pl.DataFrame:
        """Its rows as text; NULL is null."""
        names = [name if self.columns.index(name) == at else f"{name}#{at}" for at, name in enumerate(self.columns)]
        return pl.DataFrame(self.rows, schema=dict.fromkeys(names, pl.String), orient="row")

    def places(self, source: str) -> pl.DataFrame:
        """Where its rows stand: ``position`` is the index of the line, ``length_bytes`` the number of lines."""
        return pl.DataFrame(
            {"source": [source] * len(self.lines), "position": [at for at, _ in self.lines],
             "offset_bytes": [at for at, _ in self.lines], "length_bytes": [count for _, count in self.lines]},
            schema={"source": pl.String, "position": pl.Int64, "offset_bytes": pl.Int64, "length_bytes": pl.Int64},
        )  # fmt: skip


def boxes(lines: list[str]) -> Iterator[Box]:
    r"""Every answer in some lines.

    Examples:
        >>> [(box.columns, box.rows) for box in boxes("+---+\n| a |\n+---+\n| 1 |\n+---+".split("\n"))]
        [(['a'], [['1']])]
    """
    at = 0
    while at < len(lines):
        line = lines[at]
        box = None
        if BORDER.match(line) and at + 2 < len(lines) and BORDER.match(lines[at + 2]):
            box = _boxed(lines, at)
        elif _STARS.match(line):
            box = _vertical(lines, at)
        elif _PSQL.match(line) and at and lines[at - 1].count("|") == line.count("+") and lines[at - 1].startswith(" "):
            box = _of_psql(lines, at)
        if box is None:
            at += 1
            continue
        yield box
        at = max(box.end, at + 1)


def is_foot(line: str) -> bool:
    """Whether a line says how many rows an answer had."""
    return _FOOT.match(line) is not None


def _null(cell: str) -> str | None:
    return None if cell == "NULL" else cell


def _boxed(lines: list[str], at: int) -> Box:
    border = lines[at].rstrip()
    edges = [place for place, mark in enumerate(border) if mark == "+"]
    box = Box([name.strip() for name in _cells(lines[at + 1], edges) or []], at)
    here = at + 3
    while here < len(lines):
        line = lines[here]
        here += 1
        if BORDER.match(line):
            break
        cells = _cells(line, edges)
        if cells is not None:
            box.rows.append([_null(cell.strip()) for cell in cells])
            box.lines.append((here - 1, 1))
        elif not line.startswith("|") and is_foot(line):
            here -= 1
            break
        else:
            box.odd.append(here - 1)
    box.end = here
    return box


def _cells(line: str, edges: list[int]) -> list[str] | None:
    """Cells by the places of the border, or else by their bars: characters that are two wide move what follows."""
    bare = line.rstrip()
    if not bare.startswith("|") or not bare.endswith("|"):
        return None
    if len(bare) == edges[-1] + 1 and all(bare[edge] == "|" for edge in edges):
        return [bare[left + 1 : right] for left, right in pairwise(edges)]
    parts = bare[1:-1].split("|")
    return parts if len(parts) == len(edges) - 1 else None


def _vertical(lines: list[str], at: int) -> Box:
    """Rows of a vertical answer: the last value may go on over lines that are no pair."""
    rows: list[dict[str, list[str]]] = []
    box = Box([], at)
    here, name = at, ""
    while here < len(lines):
        line = lines[here]
        if _STARS.match(line):
            rows.append({})
            box.lines.append((here, 1))
        elif not line.strip() or is_foot(line) or line.startswith(("mysql>", "MariaDB [")):
            break
        elif (pair := _PAIR.match(line[:120])) and (len(rows) == 1 or pair[1] in rows[0]) and pair[1] not in rows[-1]:
            name = pair[1]
            rows[-1][name] = [line[pair.start(2) :]]
            box.lines[-1] = (box.lines[-1][0], here - box.lines[-1][0] + 1)
        elif name and rows[-1]:
            rows[-1][name].append(line)
            box.lines[-1] = (box.lines[-1][0], here - box.lines[-1][0] + 1)
        else:
            box.odd.append(here)
        here += 1
    box.columns = list(rows[0])
    box.rows = [[_null("\n".join(row[name])) if name in row else None for name in box.columns] for row in rows]
    box.end = here
    return box


def _of_psql(lines: list[str], at: int) -> Box:
    box = Box([name.strip() for name in lines[at - 1].split("|")], at - 1)
    here = at + 1
    while here < len(lines) and lines[here].startswith(" ") and lines[here].count("|") == len(box.columns) - 1:
        box.rows.append([cell.strip() or None for cell in lines[here].split("|")])
        box.lines.append((here, 1))
        here += 1
    box.end = here
    return box
