# ruff: noqa: E501 - tables are wide
"""Rows of tables as clients print them: boxed, vertical, batch, CSV, --tab. formats.md 4.6, 10.3, Appendix C 9."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensics.loaders._reader import Origin
from forensics.loaders._registry import pick
from forensics.loaders.documents import _ledger
from forensics.loaders.documents._tables import Tables, guess, known, needed
from forensics.records import Instance, Notification, RowCount
from tests.loaders.documents._accounts import Read, read
from tests.loaders.documents._mariadb import Server, server
from tests.loaders.documents._schemas import GRIZZLY, ODD, quoted, uuid

COLUMNS = ["id", "uuid", "vm_state", "display_name", "deleted"]


def loaded(octets: bytes, name: str = "x.txt", command: str | None = None) -> Read:
    reader = pick(octets[:65_536], f"$ {command}" if command else name)
    assert reader is not None
    return read(reader, octets, Origin(name, command=command))


def told(found: Read) -> list[tuple[object, ...]]:
    return (
        found.of(Instance)
        .sort("instance_id")
        .select("instance_id", "instance", "vm_state", "display_name", "is_deleted")
        .rows()
    )


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    with server() as running:
        rows = [
            f"INSERT INTO instances SET id={at}, uuid={quoted(uuid(at))}, vm_state={quoted(['active', None][at % 2])}, "
            f"display_name={quoted(odd)}, deleted={at if at % 3 == 0 else 0};"
            for at, odd in enumerate(ODD, 1)
        ]
        running.client(("CREATE DATABASE nova; USE nova;" + GRIZZLY + "\n".join(rows)).encode())
        yield running


def wanted(*, but: str = "") -> list[tuple[object, ...]]:
    null = ["", *([] if but == "csv" else ["NULL"])]
    return [
        (at, uuid(at), ["active", None][at % 2], None if odd in null else odd, at % 3 == 0)
        for at, odd in enumerate(ODD, 1)
    ]


SELECT = f"SELECT {', '.join(COLUMNS)} FROM instances"


def test_batch_output(database: Server) -> None:
    found = loaded(database.client(SELECT, "--batch", database="nova"), command=f'mysql nova -Be "{SELECT}"')
    assert found.kinds() == {"framing"}
    # text that reads NULL or \N cannot be told from a null there; the client escapes what would break a line
    assert told(found) == wanted()


@pytest.mark.parametrize("form", ["--table", "--vertical"])
def test_output_for_people(database: Server, form: str) -> None:
    easy = "display_name NOT LIKE '%\\n%' AND display_name NOT LIKE '%\\0%' AND display_name NOT IN ('NULL', ' padded ', '\\\\\\\\N')"
    octets = database.client(f"{SELECT} WHERE {easy}", form, database="nova")
    found = loaded(octets)
    assert found.kinds() <= {"framing", "padding"}
    ids = {row[0] for row in told(found)}
    assert len(ids) >= 9
    assert told(found) == [row for row in wanted() if row[0] in ids]


def test_lines_inside_a_vertical_value(database: Server) -> None:
    octets = database.client(f"{SELECT} WHERE id = 6", "--vertical", database="nova")
    row = told(loaded(octets))[0]
    assert row[3] == "a\nb\n\tc"  # the carriage return before a line feed is not told from the line's end


def test_csv_of_into_outfile(database: Server) -> None:
    for ends in ("\\n", "\\r\\n"):
        path = database.folder / f"instances{len(ends)}.csv"
        sql = (
            f"SELECT {', '.join(repr(name) for name in COLUMNS)} UNION ALL (SELECT {', '.join(COLUMNS)} FROM instances) INTO OUTFILE "
            f"'{path}' FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' LINES TERMINATED BY '{ends}'"
        )
        database.client(sql, database="nova")
        found = loaded(path.read_bytes(), "instances.csv")
        assert "reject" not in found.kinds()
        assert [row[:3] for row in told(found)] == [row[:3] for row in wanted()]
        names = dict(found.of(Instance).select("instance_id", "display_name").rows())
        assert names[3] == 'say "so"'
        assert names[4] == "back\\slash"
        assert names[10] == "Zoë 雪 😀"


def test_tab_dump_is_counted(database: Server) -> None:
    database.dump(f"--tab={database.folder}", "nova")
    octets = (database.folder / "instances.txt").read_bytes()
    found = loaded(octets, "nova/instances.txt")
    assert found.of(RowCount).select("table", "state", "rows").rows() == [("instances", "all", len(ODD))]
    assert "told by its .sql file" in found.facts["note"]
    statements = loaded((database.folder / "instances.sql").read_bytes(), "nova/instances.sql")
    assert statements.of(RowCount)["rows"].to_list() == [0]


TEXT = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), min_size=1, max_size=9)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 99), TEXT), max_size=9),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from([8 << 20, 29]),
)
def test_any_csv(rows: list[tuple[int, str | None]], mark: str, chunk: int) -> None:
    if mark == "\t":
        lines = ["\t".join(("id", "uuid", "vm_state", "display_name", "deleted"))]
        escape = str.maketrans({"\\": "\\\\", "\n": "\\n", "\t": "\\t"})
        lines += [
            f"{number}\tA\tactive\t{'NULL' if name is None else name.translate(escape)}\t0" for number, name in rows
        ]
        text = "\n".join(lines) + "\n"
    else:
        file = io.StringIO()
        writer = csv.writer(
            file,
            delimiter=mark,
            lineterminator="\n",
            quoting=csv.QUOTE_NOTNULL if hasattr(csv, "QUOTE_NOTNULL") else csv.QUOTE_ALL,
        )
        writer.writerow(COLUMNS)
        writer.writerows([number, "A", "active", name, 0] for number, name in rows)
        text = file.getvalue().replace("\\N", "N").replace('\\"', '"')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_ledger, "CHUNK_BYTES", chunk)
        found = loaded(text.encode(), "x.csv").of(Instance)
    ours = [(number, name) for number, name in rows]
    if mark != "\t":
        ours = [(n, None if s is None else s.replace("\\N", "N").replace('\\"', '"')) for n, s in ours]
    if mark == "\t":  # a client's NULL and the text cannot be told apart there; in quotes it is a text
        ours = [(n, None if s == "NULL" else s) for n, s in ours]
    assert found.select("instance_id", "display_name").rows() == ours


def test_stacktach_as_csv() -> None:  # formats.md 4.6
    body = (
        '["monitor.info", {"event_type": "compute.instance.create.end", "payload": {"instance_id": "'
        + uuid(7)
        + '", "n": "a,\n\\"b\\""}}]'
    )
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["id", "deployment_id", "json", "routing_key", "when", "host"])
    writer.writerow([5, 1, body, "monitor.info", "1389713962.574829", "cc12"])
    found = loaded(file.getvalue().encode(), "rawdata.csv").of(Notification)
    assert found.select("instance", "raw_id", "event_type").rows() == [(uuid(7), 5, "compute.instance.create.end")]


def test_rows_that_are_too_short_are_rejects() -> None:
    found = loaded(b"id,uuid,vm_state\n1,A,active\n2,B\n\n3,C,error\n", "x.csv")
    assert found.of(Instance)["instance_id"].to_list() == [1, 3]
    assert [s.reason for s in found.stretches if s.kind == "reject"] == ["row of instances without 3 fields"]


def test_table_of_psql() -> None:
    text = " id |  uuid  | vm_state | deleted \n----+--------+----------+---------\n  1 | AA     | active   | 0\n  2 | BB     |          | 2\n(2 rows)\n"
    rows = loaded(text.encode()).of(Instance).select("instance_id", "instance", "vm_state", "is_deleted").rows()
    assert rows == [(1, "aa", "active", False), (2, "bb", None, True)]


def test_what_the_tables_are() -> None:
    assert guess(["id", "name", "status"]) is None
    assert known("instances", ["id", "name", "volume_id"]) is None  # of another project
    wanted_columns = needed(
        "instances", ["id", "uuid", "image_ref", "admin_pass", "user_data", "key_data", "vm_state", "deleted"]
    )
    assert wanted_columns == ("id", "uuid", "image_ref", "vm_state", "deleted")
    assert needed("instance_system_metadata", ["id", "key", "value", "deleted"]) is None
    assert needed("unheard_of", ["id"]) is None


def test_rows_of_a_live_reader() -> None:
    tables = Tables()
    frame = pl.DataFrame(
        {"id": ["1", "2"], "uuid": ["A", "B"], "image_ref": ["", "7"], "deleted": ["0", "2"], "host": ["cc12", None]}
    )
    places = pl.DataFrame({"source": ["db", "db"], "position": [1, 2], "offset_bytes": [0, 1], "length_bytes": [1, 1]})
    rows = tables.rows("nova", "instances", frame, places)[Instance]
    assert rows.select("instance", "image", "is_deleted", "compute_host", "host").rows() == [
        ("a", None, False, "cc12", None), ("b", "7", True, None, None),
    ]  # fmt: skip
    counts = tables.counts({"source": "db", "ts": 0, "ts_basis": "stated"})
    assert dict(counts.select("state", "rows").rows()) == {"all": 2, "live": 1, "deleted": 1}
    RowCount.validate(counts)


@pytest.mark.parametrize(
    "text",
    [
        "ID,Name,MAC Address,Fixed IP Addresses,Status\n1,a,fa:16:3e:00:00:01,x,ACTIVE\n",
        "+----+------+--------+\n| ID | Name | Status |\n+----+------+--------+\n| 1  | a    | ACTIVE |\n+----+------+--------+\n",
        "a,b\n1,2\n",
        "host\tcpu\ncc12\t5\n",
        "*************************** 1. row ***************************\nVariable_name: port\nValue: 3306\n",
        "2014-01-10 09:11:45.072 129745 INFO nova.compute [-] id,uuid,vm_state\n",
        "",
    ],
)
def test_other_tables_are_left_alone(text: str) -> None:
    found = pick(text.encode(), "instances.txt")
    assert found is None or Instance not in found.bases or found.name not in ("sql-rows", "sql-table", "mysqldump")
