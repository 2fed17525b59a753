"""Writes `docs/records.md`: the columns of every record, from the schemas themselves."""

from pathlib import Path
from textwrap import dedent

import polars as pl

from forensics.case._tables import TABLES, UNTIMED
from forensics.records import Observed, Operation, Record

PAGE = Path(__file__).with_name("records.md")
HEAD = """# Records

What the rows of a case are; `make docs` writes this page from the schemas. Each record is a table of `forensics sql
CASE` and of `case.sql`, and `case.records(RECORD)` in Python (`from forensics.records import RECORD`). Instants are
UTC in whole nanoseconds. Units are part of a name: `_s` is seconds, `_bytes` octets, `_at` an instant.

Every row of evidence has these columns first; they are not repeated below.
"""


def page() -> str:
    """The page."""
    parts = [HEAD, _columns(Observed, ())]
    shared = tuple(Observed.columns())
    parts.append("## Of the evidence\n")
    for table, record in TABLES.items():
        if record not in UNTIMED:
            parts += [_title(record, f"Table `{table}`"), _columns(record, shared)]
    parts.append("## Of the case\n")
    for table, record in TABLES.items():
        if record in UNTIMED:
            parts += [_title(record, f"Table `{table}`"), _columns(record, ())]
    parts += [_title(Operation, "`case.operations`"), _columns(Operation, ())]
    return "\n".join(parts)


def _title(record: type[Record], where: str) -> str:
    said = dedent(record.__doc__ or "").strip().replace("\n\n", "\n").replace("\n", " ")
    return f"### {record.__name__}\n\n{where}. {' '.join(said.split())}\n"


def _columns(record: type[Record], but: tuple[str, ...]) -> str:
    rows = ["| column | type | what it says |", "|---|---|---|"]
    for name, column in record.columns().items():
        twin = name.startswith("inner_") and name.removeprefix("inner_") in record.columns()
        if name not in but and not twin:
            maybe = ", may be null" if column.nullable else ""
            said = (column.description or "").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
            rows.append(f"| `{name}` | {_kind(column.dtype)}{maybe} | {said} |")
    return "\n".join(rows) + "\n"


def _kind(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Datetime):
        return "instant"
    if isinstance(dtype, pl.List):
        return f"list of {_kind(dtype.inner)}"  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return f"({', '.join(f'{field.name} {_kind(field.dtype)}' for field in dtype.fields)})"  # type: ignore[arg-type]
    return {"String": "text", "Boolean": "yes or no", "Binary": "octets"}.get(str(dtype), str(dtype))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
