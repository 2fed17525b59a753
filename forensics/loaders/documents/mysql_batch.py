r"""What clients print of a table: boxed (``mysql -t``, ``psql``) and vertical (``\G``); batch output: see `sql_csv`."""

from __future__ import annotations

from forensics.loaders.documents._answers import add_answer, table_of
from forensics.loaders.documents._boxes import boxes, is_foot
from forensics.loaders.documents._document import Document, DocumentFormat, Head
from forensics.loaders.documents._tables import YIELDS, Tables
from forensics.records import RowCount

_LONGEST_LINE = 20_000


def _recognise(head: Head) -> float:
    first = next((at for at, line in enumerate(head.lines) if line.strip()), 0)
    for box in boxes([line[:_LONGEST_LINE] for line in head.lines[first : first + 120]]):
        return 0.98 if box.start <= 2 and table_of(box.columns, head.command) else 0.0
    return 0.0


def _read(document: Document) -> None:
    tables = Tables()
    for box in boxes(document.lines):
        if not add_answer(document, tables, box, document.head.command):
            continue
        if box.end < len(document.lines) and is_foot(document.lines[box.end]):
            document.skip(box.end)


READERS = (
    DocumentFormat(
        "sql-table",
        tuple(record for record in YIELDS if record is not RowCount),
        "client/mysql.cc (print_table_data, print_table_data_vertically), MySQL 5.0 to 9; psql",
        _recognise,
        _read,
    ),
)
