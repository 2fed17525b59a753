"""Rows as a table that a notebook shows whole: text wraps, instants are short, evidence is only ever text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl

from forensics import escape

_MOST, _SHORT, _LONGEST = 200, 24, 400
_CELL = "vertical-align:top;padding:.15em .6em;overflow-wrap:anywhere"


class Table:
    """Rows to be shown: see `table`."""

    def __init__(self, rows: pl.DataFrame, most: int) -> None:
        self.rows = rows
        self._most = most

    def __repr__(self) -> str:
        shown = _masked(self.rows.head(self._most))  # before the lines are broken: a secret may stand across two
        with pl.Config(tbl_rows=-1, tbl_cols=-1, fmt_str_lengths=_LONGEST, tbl_hide_column_data_types=True):
            return escape.terminal(str(shown)) + self._more("\n")

    def _repr_html_(self) -> str:
        shown = self.rows.head(self._most)
        texts, styles = _cells(shown)
        head = _row("th", shown.columns, styles)
        body = "".join(_row("td", row, styles) for row in texts)
        return (
            "<div class='tex2jax_ignore mathjax_ignore' style='overflow-x:auto'>"
            f"<table><thead>{head}</thead><tbody>{body}</tbody></table>{self._more('')}</div>"
        )

    def _more(self, before: str) -> str:
        rest = self.rows.height - self._most
        return f"{before}… and {rest:,} more rows" if rest > 0 else "" if self.rows.height else f"{before}(no rows)"


def table(rows: pl.DataFrame | pl.LazyFrame, most: int = _MOST) -> Table:
    """Rows as a table for a notebook or a report.

    Args:
        rows: Any columns. Instants are shown to the millisecond, passwords and tokens as ``•••``.
        most: Rows to show at most; the others are counted.

    Returns:
        What a notebook shows as HTML, and a terminal as text; ``rows`` of it are the rows.

    Examples:
        ``fx.table(case.sources.select("source", "format", "rows", "sha256"))``
    """
    return Table(rows.lazy().collect(), most)


def _cells(rows: pl.DataFrame) -> tuple[list[list[str]], list[str]]:
    """The texts of all rows, and a style for each column."""
    texts = [[_text(value) for value in row] for row in rows.iter_rows()]
    styles = [
        f"{_CELL};text-align:{'right' if kind.is_numeric() else 'left'};"
        + ("white-space:nowrap" if all(len(row[n]) <= _SHORT for row in texts) else "min-width:14em")
        for n, kind in enumerate(rows.dtypes)
    ]
    return texts, styles


def _masked(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the secrets in their texts replaced."""
    return rows.with_columns(
        pl.Series(name, [None if text is None else escape.masked(text) for text in rows[name]], pl.String)
        for name, kind in rows.schema.items()
        if kind == pl.String
    )


def _text(value: Any) -> str:
    """A value on its way to `forensics.escape`, passwords and tokens left out."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        text = f"{value:%Y-%m-%d %H:%M:%S.%f}"[:-3].removesuffix(".000")
    elif isinstance(value, float):
        text = f"{value:,.6g}"
    elif isinstance(value, int) and not isinstance(value, bool):
        text = f"{value:,}"
    elif isinstance(value, bytes):
        text = value.hex()
    elif isinstance(value, (list, tuple)):
        text = ", ".join(map(str, value))
    else:
        text = str(value)
    text = escape.masked(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _row(tag: str, texts: Sequence[str], styles: Sequence[str]) -> str:
    cells = (f"<{tag} style='{style}'>{escape.html(text)}</{tag}>" for text, style in zip(texts, styles, strict=True))
    return f"<tr>{''.join(cells)}</tr>"
