"""Rows as a table that a notebook sorts and searches; where no script runs it is still the table."""

from __future__ import annotations

from collections.abc import Sequence
from shutil import get_terminal_size

import polars as pl

from forensics import escape
from forensics.report._table import Table, _cells, _row

_MOST, _MOST_AS_TEXT = 1000, 100

# Sorts by ranks that are counted here, so that instants keep their nanoseconds; reads evidence as text alone. What it
# needs for that, it makes itself: without it (paper, an untrusted notebook) nothing is shown that does not work.
_SCRIPT = """
(() => {
  for (const box of document.querySelectorAll("div.forensics-show:not([data-ready])")) {
    box.dataset.ready = "1";
    const table = box.querySelector("table"), body = table.tBodies[0], rows = [...body.rows];
    const heads = [...table.tHead.rows[0].cells], said = box.querySelector("[role=status]"), whole = said.textContent;
    const text = (row) => [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase();
    const texts = new Map(rows.map((row) => [row, text(row)]));
    const search = document.createElement("input");
    Object.assign(search, { type: "search", placeholder: "search", ariaLabel: "search these rows" });
    search.style.cssText = "font:inherit;color:inherit;background:transparent;border:1px solid currentColor;" +
      "border-radius:4px;padding:.15em .5em;margin:.2em 0;opacity:.8;min-width:18em";
    search.addEventListener("input", () => {
      const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean);
      const found = rows.filter((row) => words.every((word) => texts.get(row).includes(word)));
      for (const row of rows) row.style.display = "none";
      for (const row of found) row.style.display = "";
      said.textContent = words.length ? `${found.length} of ${rows.length} rows` + (whole && `; ${whole}`) : whole;
    });
    box.prepend(search);
    heads.forEach((head, n) => {
      const rank = (row) => (row.cells[n].dataset.r === "" ? Infinity : Number(row.cells[n].dataset.r));
      const mark = document.createElement("span");
      mark.ariaHidden = "true";
      head.append(mark);
      head.tabIndex = 0;
      head.title = "sort";
      head.style.cursor = "pointer";
      const sort = () => {
        const sign = head.ariaSort === "ascending" ? -1 : 1;
        for (const other of heads) { other.ariaSort = null; other.lastChild.textContent = ""; }
        head.ariaSort = sign > 0 ? "ascending" : "descending";
        mark.textContent = sign > 0 ? " ▴" : " ▾";
        const ranked = rows.filter((row) => rank(row) < Infinity);
        const empty = rows.filter((row) => rank(row) === Infinity);
        ranked.sort((a, b) => sign * (rank(a) - rank(b)) || a.dataset.n - b.dataset.n);
        body.append(...ranked, ...empty);  // no value: last, whichever way
      };
      head.addEventListener("click", sort);
      head.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); }
      });
    });
  }
})();
"""


class Sortable(Table):
    """Rows to be looked through: see `show`."""

    def __repr__(self) -> str:
        with pl.Config(tbl_width_chars=max(get_terminal_size((160, 24)).columns, 100)):
            return repr(Table(self.rows, min(self._most, _MOST_AS_TEXT)))

    def _repr_html_(self) -> str:
        shown = self.rows.head(self._most)
        texts, styles = _cells(shown)
        columns = [[row[n] for row in texts] for n in range(shown.width)]
        ranks = [_ranks(shown[name], column) for name, column in zip(shown.columns, columns, strict=True)]
        head = _row("th", shown.columns, styles)
        body = "".join(
            f"<tr data-n='{place}'>"
            + "".join(
                f"<td style='{styles[n]}' data-r='{ranks[n][place]}'>{escape.html(text)}</td>"
                for n, text in enumerate(row)
            )
            + "</tr>"
            for place, row in enumerate(texts)
        )
        return (
            "<div class='forensics-show tex2jax_ignore mathjax_ignore' data-lm-suppress-shortcuts='true' "
            "style='overflow-x:auto'>"
            f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"
            f"<div role='status' style='opacity:.65'>{self._more('')}</div></div><script>{_SCRIPT}</script>"
        )


def show(rows: pl.DataFrame | pl.LazyFrame, most: int = _MOST) -> Sortable:
    """Rows as a table that a notebook sorts (click a heading) and searches (all words, in any column).

    Args:
        rows: Any columns. Instants are shown to the millisecond and sorted to the nanosecond; passwords and tokens
            are shown as ``•••``.
        most: Rows to show at most; the others are counted. Sorting and searching is among those shown.

    Returns:
        What a notebook shows as HTML, and a terminal as text; ``rows`` of it are the rows.

    Examples:
        ``fx.show(case.timeline(entity="10.0.0.5"))``
    """
    return Sortable(rows.lazy().collect(), most)


def _ranks(column: pl.Series, texts: Sequence[str]) -> list[int | str]:
    """The place of each value among its column's, from 1; empty for none. By text where values have no order."""
    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        column = pl.Series([text or None for text in texts], dtype=pl.String)
    elif column.dtype == pl.Boolean:
        column = column.cast(pl.Int8)
    elif column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    elif column.dtype == pl.Null:
        return [""] * column.len()
    return ["" if rank is None else rank for rank in column.rank("dense").to_list()]
