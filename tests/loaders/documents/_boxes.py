"""Draws the tables that OpenStack's clients print."""

import csv
import io
import json
import unicodedata


def width(text: str) -> int:
    """Columns that a terminal needs."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def box(headings: str, *rows: list[str]) -> str:
    """A table as PrettyTable draws it; headings are divided by bars."""
    titles = headings.split("|")
    widths = [max(width(row[at]) for row in (titles, *rows)) for at in range(len(titles))]
    rule = "+" + "+".join("-" * (size + 2) for size in widths) + "+"

    def line(cells: list[str]) -> str:
        padded = (f" {cell}{' ' * (size - width(cell))} " for cell, size in zip(cells, widths, strict=True))
        return f"|{'|'.join(padded)}|"

    return "\n".join([rule, line(titles), rule, *map(line, rows), rule]) + "\n"


def shown(heading: str, **properties: str) -> str:
    """A table that shows one thing; ``__`` in a name stands for a colon."""
    return box(f"{heading}|Value", *([name.replace("__", ":"), value] for name, value in properties.items()))


def as_csv(headings: str, *rows: list[str]) -> str:
    """The same as cliff's ``-f csv``."""
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerows([headings.split("|"), *rows])
    return file.getvalue()


def as_json(headings: str, *rows: list[str]) -> str:
    """The same as cliff's ``-f json``."""
    titles = headings.split("|")
    return json.dumps([dict(zip(titles, row, strict=True)) for row in rows], indent=2)
