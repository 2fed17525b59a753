"""A running database, read in one read-only transaction into a dump that is kept as evidence like any other."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forensics import escape
from forensics.errors import DatabaseError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL

PASSWORD = "FORENSICS_DATABASE_PASSWORD"  # noqa: S105 - the name of a variable
"""Environment variable for the password, which on a command line every user of the machine can read."""

_DRIVERS = {
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}
_OWN = frozenset({"information_schema", "performance_schema", "mysql", "sys", "pg_catalog", "pg_toast"})
_BATCH_ROWS = 5_000
_STATEMENT_BYTES = 1 << 20
_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\0": "\\0", "\x1a": "\\Z"})

Wanted = Callable[[str, Sequence[str]], Sequence[str] | None]
"""Which columns of a table to read, given its name and all its columns; None where its rows are only counted."""
Write = Callable[[bytes], object]


def url_of(text: str) -> URL:
    """A database's URL, with its driver; a password that it lacks is taken from the environment.

    Raises:
        DatabaseError: If it is none, of a database that is not known, or the drivers are not installed.
    """
    try:
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError
    except ImportError as error:
        raise DatabaseError(
            "the drivers of databases are not installed", hint="pip install 'cloud-forensics[db]'"
        ) from error
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # the text may hold a password: it is not repeated
        url = None
    if url is None or (url.drivername not in _DRIVERS and url.drivername not in _DRIVERS.values()):
        hint = "write mysql://USER@HOST/nova or postgresql://USER@HOST/nova"
        raise DatabaseError("no URL of a database that is known", where="--database", hint=hint) from None
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.password is None and os.environ.get(PASSWORD):
        url = url.set(password=os.environ[PASSWORD])
    return url


def shown(url: URL) -> str:
    """A URL as any output may show it: without password, query and driver.

    Examples:
        >>> shown(url_of("mysql://nova:s3cret@db1/nova?charset=utf8"))
        'mysql://nova@db1/nova'
    """
    bare = url.set(drivername=url.get_backend_name(), query={})
    return bare._replace(password=None).render_as_string(hide_password=True)


def snapshot(url: URL, folder: Path, wanted: Wanted, write: Callable[[Path], Any]) -> list[Path]:
    """Read the tables of interest of a running server into SQL files, one a schema, all as of one instant.

    MySQL and MariaDB: ``START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY``; PostgreSQL: a read-only transaction
    of isolation level ``REPEATABLE READ``. Rows are streamed; nothing is ever written to the server.

    Args:
        url: The server; with the name of a schema that one alone, otherwise all that hold a table of interest.
        folder: Where the files go.
        wanted: Chooses columns: see `Wanted`.
        write: Opens a file for writing octets, as a context manager.

    Returns:
        The files, by name: ``nova.sql``.

    Raises:
        DatabaseError: If the server cannot be reached or refuses, or holds nothing of interest.
    """
    with _session(url) as connection:
        made = []
        for schema, tables in _schemas(connection, url):
            chosen = {table: wanted(table, columns) for table, columns in tables.items()}
            if not any(chosen.values()):
                continue
            path = folder / f"{_safe(schema)}.sql"
            with write(path) as file:
                _dump(connection, url, schema, tables, chosen, file.write)
            made.append(path)
    if not made:
        raise DatabaseError(
            "holds no table of nova, neutron, glance or StackTach that this user may read",
            where=shown(url),
            hint="name the schema in the URL, or give the user SELECT on it",
        )
    return made


@contextmanager
def _session(url: URL) -> Iterator[Connection]:
    """One read-only transaction; the errors of the driver become ours, without what they could tell of a password."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    engine: Engine | None = None
    try:
        engine = create_engine(url, connect_args=_arguments(url))
        with engine.connect() as connection:
            if url.get_backend_name() == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                connection.exec_driver_sql("SET TIME ZONE 'UTC'")
            else:
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")
                connection.exec_driver_sql("SET time_zone = '+00:00'")
                connection.exec_driver_sql("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            yield connection
            connection.rollback()
    except (SQLAlchemyError, ImportError, OSError) as error:
        raise DatabaseError(_said(error, url), where=shown(url), hint=_hint(error)) from None
    finally:
        if engine is not None:
            engine.dispose()


def _arguments(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "postgresql":
        return {"connect_timeout": 10}
    return {"connect_timeout": 10, "charset": "utf8mb4"}


def _said(error: Exception, url: URL) -> str:
    """The first line of what a driver says, without the password should it ever repeat it."""
    told = str(getattr(error, "orig", None) or error).strip().split("\n")[0]
    password = url.password
    return told.replace(str(password), "•••") if password else told


def _hint(error: Exception) -> str:
    if isinstance(error, ImportError):
        return "pip install 'cloud-forensics[db]'"
    return f"check host, port and user; the password may be in the URL or in {PASSWORD}"


def _schemas(connection: Connection, url: URL) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Schemas that can be seen, each with its tables and their columns, by name."""
    postgres = url.get_backend_name() == "postgresql"
    kinds = "('BASE TABLE')"
    rows = connection.exec_driver_sql(
        "SELECT c.table_schema, c.table_name, c.column_name FROM information_schema.columns c "
        "JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name "
        f"WHERE t.table_type IN {kinds} ORDER BY c.table_schema, c.table_name, c.ordinal_position"
    )
    found: dict[str, dict[str, list[str]]] = {}
    for schema, table, column in rows:
        if schema not in _OWN and (postgres or url.database in (None, "", schema)):
            found.setdefault(schema, {}).setdefault(table, []).append(column)
    yield from sorted(found.items())


def _dump(
    connection: Connection,
    url: URL,
    schema: str,
    tables: dict[str, list[str]],
    chosen: dict[str, Sequence[str] | None],
    write: Write,
) -> None:
    """One schema, in the form of mysqldump."""
    named = url.database if url.get_backend_name() == "postgresql" else schema
    write(f"-- Snapshot of {shown(url)} by cloud-forensics\n".encode())
    write(f"-- Host: {url.host or 'localhost'}    Database: {named}\n\nUSE {_quoted(named or schema)};\n".encode())
    for table, columns in sorted(tables.items()):
        picked = chosen[table]
        if picked:
            _rows(connection, url, schema, table, picked, write)
        else:
            _counted(connection, url, schema, table, columns, write)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    write(f"-- Dump completed on {now} UTC\n".encode())


def _rows(connection: Connection, url: URL, schema: str, table: str, columns: Sequence[str], write: Write) -> None:
    names = ", ".join(_quoted(column) for column in columns)
    body = ",\n".join(f"  {_quoted(column)} text" for column in columns)
    write(f"\nCREATE TABLE {_quoted(table)} (\n{body}\n);\n".encode())
    found = connection.exec_driver_sql(
        f"SELECT {', '.join(_identifier(column, url) for column in columns)} FROM {_place(schema, table, url)}",
        execution_options={"stream_results": True, "yield_per": _BATCH_ROWS},
    )
    start = f"INSERT INTO {_quoted(table)} ({names}) VALUES ".encode()
    waiting, size = [], 0
    for row in found:
        octets = b"(" + b",".join(literal(value) for value in row) + b")"
        waiting.append(octets)
        size += len(octets)
        if size >= _STATEMENT_BYTES:
            write(start + b",".join(waiting) + b";\n")
            waiting, size = [], 0
    if waiting:
        write(start + b",".join(waiting) + b";\n")


def _counted(connection: Connection, url: URL, schema: str, table: str, columns: Sequence[str], write: Write) -> None:
    """A table whose rows are only counted, by their flag of deletion where there is one."""
    place = _place(schema, table, url)
    if "deleted" in columns:
        flag = _identifier("deleted", url)
        dead = (
            f"CAST({flag} AS TEXT) NOT IN ('0', 'false')" if url.get_backend_name() == "postgresql" else f"{flag} <> 0"
        )
        found = connection.exec_driver_sql(
            f"SELECT CASE WHEN {dead} THEN 'deleted' ELSE 'live' END, COUNT(*) FROM {place} GROUP BY 1"
        )
        counts = {str(state): int(count) for state, count in found}
        counts = {"live": counts.get("live", 0), "deleted": counts.get("deleted", 0)}
    else:
        counts = {"all": int(connection.exec_driver_sql(f"SELECT COUNT(*) FROM {place}").scalar_one())}
    for state, count in counts.items():
        write(f"-- Rows of {_quoted(table)}: {count} {state}\n".encode())


def literal(value: Any) -> bytes:
    r"""A value as mysqldump writes it; what secrets JSON holds are left out.

    Examples:
        >>> [literal(v) for v in (None, "it's\n", 7, True, b"\xff", datetime(2013, 2, 15, 1, 40, 18))]
        [b'NULL', b"'it\\'s\\n'", b'7', b'1', b'0xFF', b"'2013-02-15 01:40:18'"]
    """
    if value is None:
        return b"NULL"
    if isinstance(value, bool):
        return b"1" if value else b"0"
    if isinstance(value, (int, float, Decimal)):
        return str(value).encode()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return b"0x" + bytes(value).hex().upper().encode() if len(value) else b"''"
    if isinstance(value, datetime):
        value = (value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value).isoformat(" ")
    elif isinstance(value, (date, time, timedelta)):
        value = str(value)
    elif isinstance(value, (dict, list)):
        value = json.dumps(value, ensure_ascii=False)
    text = str(value)
    if text[:1] in "{[":
        text = escape.masked(text)
    return b"'" + text.translate(_ESCAPES).encode("utf-8", "backslashreplace") + b"'"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _identifier(name: str, url: URL) -> str:
    return '"' + name.replace('"', '""') + '"' if url.get_backend_name() == "postgresql" else _quoted(name)


def _place(schema: str, table: str, url: URL) -> str:
    return f"{_identifier(schema, url)}.{_identifier(table, url)}"


def _safe(name: str) -> str:
    return "".join(character if character.isalnum() or character in "_-" else "_" for character in name) or "database"
