"""What the tables of nova, neutron, glance and StackTach tell: columns of text, however they were stored, as records.

A reader asks `Tables.wanted` which columns of a table are worth reading, hands their text to `Tables.rows`, and takes
what was counted from `Tables.counts` at the end. Rows that only help to understand others (which address a port has)
are remembered, so tables are best handed over in the order of their names, as dumps have them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from forensics.loaders.documents._glance_tables import TABLES as GLANCE
from forensics.loaders.documents._neutron_tables import TABLES as NEUTRON
from forensics.loaders.documents._nova_tables import TABLES as NOVA
from forensics.loaders.documents._nova_tables import release
from forensics.loaders.documents._stacktach_tables import TABLES as STACKTACH
from forensics.loaders.documents._table import PLACES, Lookups, Table, gone
from forensics.records import Record, RowCount

_ALL: tuple[Table, ...] = (*NOVA, *NEUTRON, *GLANCE, *STACKTACH)
_BY_NAME: dict[str, tuple[Table, ...]] = {
    name: tuple(table for table in _ALL if name in table.names) for table in _ALL for name in table.names
}
_MOST_STATES = 100
YIELDS: tuple[type[Record], ...] = (*dict.fromkeys(record for table in _ALL for record in table.records), RowCount)
"""Every record that tables can tell."""


def known(name: str, columns: Sequence[str]) -> Table | None:
    """What is known of a table of that name that has these columns."""
    there = {column.lower() for column in columns}
    called = _BY_NAME.get(name.lower(), ())
    return next(
        (one for one in called if there.issuperset(one.marks) or (one.alone and there.issuperset(one.alone))), None
    )


def known_name(name: str) -> bool:
    """Whether a table that is known is called so."""
    return name.lower() in _BY_NAME


def guess(columns: Sequence[str]) -> str | None:
    """The table that rows with these columns are most likely from, where nothing names it.

    Examples:
        >>> guess(["id", "uuid", "vm_state", "host"]), guess(["id", "name"])
        ('instances', None)
    """
    there = {column.lower() for column in columns}
    fits = [table for table in _ALL if table.alone and there.issuperset(table.alone)]
    return max(fits, key=lambda table: len(there & {*table.needs})).names[0] if fits else None


def needed(table: str, columns: Sequence[str]) -> tuple[str, ...] | None:
    """Columns of a table that are read; None where its rows need only be counted.

    Args:
        table: Its name.
        columns: All its columns, as they are spelled there.

    Examples:
        >>> needed("s3_images", ["created_at", "id", "uuid", "secret"]), needed("quotas", ["id", "deleted"])
        (('created_at', 'id', 'uuid'), None)
    """
    found = known(table, columns)
    if found is None or (not found.records and not found.keeps):
        return None
    return tuple(column for column in columns if column.lower() in found.needs or column.lower() in found.tells)


@dataclass(slots=True)
class _Count:
    database: str | None
    table: str
    all: int = 0
    states: dict[str, int] = field(default_factory=dict)
    by_flag: bool = True
    place: tuple[int, int, int] = (1, 0, 0)
    places: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Where the number of one state stands by itself."""


@dataclass(slots=True)
class Tables:
    """The tables of one source.

    Args:
        records: The records that are wanted; all where None.
    """

    records: Collection[type[Record]] | None = None
    facts: dict[str, str] = field(default_factory=dict)
    """``release`` and ``release_basis``, once a table has told them."""
    _lookups: Lookups = field(default_factory=Lookups)
    _counts: dict[tuple[str | None, str], _Count] = field(default_factory=dict)
    _known: dict[tuple[str | None, str], Table] = field(default_factory=dict)

    def seen(self, database: str | None, table: str, columns: Sequence[str], place: tuple[int, int, int]) -> None:
        """A table was met, with these columns, at this position, offset and length; it may yet have no row."""
        key = (database, table.lower())
        if key not in self._counts:
            self._counts[key] = _Count(database, table, place=place)
        found = known(table, columns)
        if found is not None:
            self._known[key] = found
        if found is not None and found.tells and "release" not in self.facts:
            self.facts |= release(table.lower(), {column.lower() for column in columns})

    def met(self, database: str | None, table: str) -> bool:
        """Whether a table was met before."""
        return (database, table.lower()) in self._counts

    def cite(self, database: str | None, table: str, place: tuple[int, int, int]) -> None:
        """What the count of a table points to: position, offset and length."""
        self._counts[database, table.lower()].place = place

    def told(self, database: str | None, table: str, state: str, rows: int, place: tuple[int, int, int]) -> None:
        """Rows in one state, as the source itself counts them."""
        count = self._counts.setdefault((database, table.lower()), _Count(database, table, place=place))
        count.places[state] = place
        if state != "all":
            count.states[state] = count.states.get(state, 0) + rows
        if state in ("all", "live", "deleted"):
            count.all += rows
        count.by_flag = count.by_flag and state != "all"

    def _table(self, database: str | None, table: str, columns: Sequence[str]) -> Table | None:
        """What is known of a table; a statement may give fewer columns than the table was seen to have."""
        return known(table, columns) or self._known.get((database, table.lower()))

    def wanted(self, database: str | None, table: str, columns: Sequence[str]) -> tuple[str, ...]:
        """The columns to hand to `rows`: none where rows are to be counted alone."""
        found = self._table(database, table, columns)
        if found is not None and not found.records and not found.keeps:
            return tuple(column for column in columns if column.lower() in found.needs)
        if found is not None and self._asked(found):
            return tuple(column for column in columns if column.lower() in found.needs)
        if self.records is not None and RowCount not in self.records:
            return ()
        return tuple(column for column in columns if column.lower() == "deleted")

    def _asked(self, table: Table) -> bool:
        wanted = self.records
        return bool(table.keeps) or wanted is None or any(record in wanted for record in table.records)

    def count(self, database: str | None, table: str, rows: int) -> None:
        """Rows that nothing was read of."""
        found = self._counts.setdefault((database, table.lower()), _Count(database, table))
        found.all += rows
        found.by_flag = found.by_flag and not rows

    def rows(
        self, database: str | None, table: str, frame: pl.DataFrame, places: pl.DataFrame
    ) -> dict[type[Record], pl.DataFrame]:
        """Rows of one table as rows of records, counted.

        Args:
            database: The schema, where known.
            table: The table's name.
            frame: Its columns, as text; null for NULL. What `wanted` named suffices.
            places: As many rows: ``source``, ``position``, ``offset_bytes``, ``length_bytes``, and of `Snapshot`
                ``ts``, ``ts_basis`` and ``host`` where known.
        """
        frame = frame.rename({name: name.lower() for name in frame.columns if name != name.lower()})
        found = self._table(database, table, frame.columns)
        self._tally(database, table, frame, found)
        if found is None or not self._asked(found):
            return {}
        absent = [pl.lit(None, pl.String).alias(name) for name in found.needs if name not in frame.columns]
        own = frame.select(*(name for name in found.needs if name in frame.columns), *absent)
        placed = own.with_columns(
            *(
                (places[name].cast(kind) if name in places.columns else pl.lit(None, kind)).alias(f"@{name}")
                for name, kind in PLACES.items()
            ),
            pl.lit(database, pl.String).alias("@database"),
            pl.lit(table.lower().startswith("shadow_")).alias("@shadow"),
        )
        told = found.shape(placed, self._lookups)
        return {record: rows for record, rows in told.items() if self.records is None or record in self.records}

    def _tally(self, database: str | None, table: str, frame: pl.DataFrame, found: Table | None) -> None:
        count = self._counts.setdefault((database, table.lower()), _Count(database, table))
        count.all += frame.height
        if "deleted" not in frame.columns:
            count.by_flag = count.by_flag and not frame.height
        else:
            dead = int(frame.select(gone().fill_null(False).sum()).item())
            count.states["deleted"] = count.states.get("deleted", 0) + dead
            count.states["live"] = count.states.get("live", 0) + frame.height - dead
        if found is None or found.by is None or found.by not in frame.columns:
            return
        words = sorted(frame[found.by].drop_nulls().value_counts().rows())
        for word, number in words:
            if found.only and word not in found.only:
                continue
            plain = found.only == () and word not in ("live", "deleted", "all")
            state = word if plain else f"{found.by} = '{word}'"
            if state in count.states or len(count.states) < _MOST_STATES:
                count.states[state] = count.states.get(state, 0) + number

    def counts(
        self, places: Mapping[str, object], last: tuple[str | None, str] | None = None, complete: bool | None = True
    ) -> pl.DataFrame:
        """What was counted, one row of `RowCount` a table and state; every table that was met has a row for all.

        Args:
            places: ``source`` and, where known, ``ts`` (nanoseconds since 1970, UTC), ``ts_basis`` and ``host``.
            last: Schema and name of the table that was read last.
            complete: Whether that one's rows are all there; None where that cannot be told.
        """
        rows: list[dict[str, object]] = []
        for key, count in self._counts.items():
            states = {"all": count.all}
            if count.by_flag and count.all:
                states |= {word: count.states.get(word, 0) for word in ("live", "deleted")}
            states |= {word: number for word, number in count.states.items() if word not in ("live", "deleted")}
            whole = complete if last and key == (last[0], last[1].lower()) else True
            own: dict[str, object] = {"is_estimate": False, "database": count.database, "table": count.table}
            for state, number in states.items():
                position, offset, length = count.places.get(state, count.place)
                place = {"position": position, "offset_bytes": offset, "length_bytes": length}
                rows.append({**places, **own, **place, "is_complete": whole, "state": state, "rows": number})
        if not rows:
            return RowCount.empty()
        schema = {name: pl.Int64() if name == "ts" else kind for name, kind in RowCount.polars_schema().items()}
        told = [{name: row.get(name) for name in schema} for row in rows]
        return pl.DataFrame(told, schema=schema, orient="row").cast(RowCount.polars_schema())
