"""``df.forensics``: what a case knows about rows, where users of polars and of pandas look for it."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from types import ModuleType

    import plotly.graph_objects as go

    from forensics.case import Case

# What the methods do is imported when they are called: this file is read where `import forensics` must cost nothing.

Instant = str | datetime | None


@pl.api.register_lazyframe_namespace("forensics")
class LazyForensics:
    """What a case knows about these rows; nothing is read before ``collect``, but by ``cite``.

    Examples:
        ``case.packets.forensics.speaks_of("10.0.0.5").forensics.on_one_clock(case).collect()``
    """

    def __init__(self, rows: pl.LazyFrame) -> None:
        self._rows = rows

    def cite(self, case: Case) -> pl.DataFrame:
        """The original bytes behind the rows, read from the evidence again: see `Case.cite`."""
        return case.cite(self._rows)

    def on_one_clock(self, case: Case) -> pl.LazyFrame:
        """The rows with ``at`` (instant on the case's reference clock) and ``bound_s`` (how sure that is) before them.

        Needs ``ts`` and ``source``. ``bound_s`` is null where nothing ties the source's clock.
        """
        from forensics.case._frames import on_one_clock

        return on_one_clock(self._rows, case.clocks)

    def between(self, start: Instant = None, end: Instant = None, *, column: str | None = None) -> pl.LazyFrame:
        """The rows of a time, ``[start, end)``: ISO 8601, UTC unless they name a zone; open where None.

        Looks at ``column``: by default ``at``, else ``ts``, else the first instant.
        """
        from forensics.case._frames import between

        return between(self._rows, start, end, column)

    def speaks_of(self, entity: str) -> pl.LazyFrame:
        """The rows that name an address, a host or an id, or have the text in a message."""
        from forensics.case._frames import speaking_of

        return speaking_of(self._rows, entity)

    def timeline(self, case: Case | None = None) -> pl.LazyFrame:
        """One line of text a row, by time; on one clock where a case is given.

        Columns, as far as there are: ``at bound_s host record text source position ts offset_bytes length_bytes``.
        """
        from forensics.case._frames import as_timeline, on_one_clock

        return as_timeline(self._rows if case is None else on_one_clock(self._rows, case.clocks))


@pl.api.register_dataframe_namespace("forensics")
class FrameForensics:
    """What a case knows about these rows.

    Examples:
        ``packets.forensics.between("2013-02-15 01:40", "2013-02-15 01:45").forensics.cite(case)``
    """

    def __init__(self, rows: pl.DataFrame) -> None:
        self._rows = LazyForensics(rows.lazy())

    def cite(self, case: Case) -> pl.DataFrame:
        """The original bytes behind the rows, read from the evidence again: see `Case.cite`."""
        return self._rows.cite(case)

    def on_one_clock(self, case: Case) -> pl.DataFrame:
        """The rows with ``at`` (instant on the case's reference clock) and ``bound_s`` (how sure that is) before them.

        Needs ``ts`` and ``source``. ``bound_s`` is null where nothing ties the source's clock.
        """
        return self._rows.on_one_clock(case).collect()

    def between(self, start: Instant = None, end: Instant = None, *, column: str | None = None) -> pl.DataFrame:
        """The rows of a time, ``[start, end)``: ISO 8601, UTC unless they name a zone; open where None.

        Looks at ``column``: by default ``at``, else ``ts``, else the first instant.
        """
        return self._rows.between(start, end, column=column).collect()

    def speaks_of(self, entity: str) -> pl.DataFrame:
        """The rows that name an address, a host or an id, or have the text in a message."""
        return self._rows.speaks_of(entity).collect()

    def timeline(self, case: Case | None = None) -> pl.DataFrame:
        """One line of text a row, by time; on one clock where a case is given.

        Columns, as far as there are: ``at bound_s host record text source position ts offset_bytes length_bytes``.
        """
        return self._rows.timeline(case).collect()

    def chart(self, case: Case, lanes: str = "host", *, dark: bool = False) -> go.Figure:
        """The rows as lanes of events on one clock; in bins where they are many.

        Args:
            case: The case that they are of.
            lanes: ``host``, ``entity`` (the instance that a row names, else an address), ``record`` or ``source``.
            dark: For a dark page.

        Examples:
            ``case.timeline(search="renewal").forensics.chart(case, lanes="entity")``
        """
        from forensics.case._frames import as_timeline
        from forensics.report._timeline import drawn

        rows = self._rows._rows
        told = rows if "at" in rows.collect_schema() else self._rows.on_one_clock(case)
        return drawn(as_timeline(told).collect(), case.rows, lanes=lanes, dark=dark)


class PandasForensics:
    """What a case knows about these rows; results are pandas again, with an index of their own."""

    def __init__(self, rows: Any) -> None:
        self._rows = FrameForensics(pl.from_pandas(rows))

    def cite(self, case: Case) -> Any:
        """The original bytes behind the rows, read from the evidence again: see `Case.cite`."""
        return self._rows.cite(case).to_pandas()

    def on_one_clock(self, case: Case) -> Any:
        """The rows with ``at`` (instant on the reference clock) and ``bound_s`` (how sure that is) before them."""
        return self._rows.on_one_clock(case).to_pandas()

    def between(self, start: Instant = None, end: Instant = None, *, column: str | None = None) -> Any:
        """The rows of a time, ``[start, end)``: ISO 8601, UTC unless they name a zone; open where None."""
        return self._rows.between(start, end, column=column).to_pandas()

    def speaks_of(self, entity: str) -> Any:
        """The rows that name an address, a host or an id, or have the text in a message."""
        return self._rows.speaks_of(entity).to_pandas()

    def timeline(self, case: Case | None = None) -> Any:
        """One line of text a row, by time; on one clock where a case is given."""
        return self._rows.timeline(case).to_pandas()

    def chart(self, case: Case, lanes: str = "host", *, dark: bool = False) -> go.Figure:
        """The rows as lanes of events on one clock: by ``host``, ``entity``, ``record`` or ``source``."""
        return self._rows.chart(case, lanes, dark=dark)


def pandas_accessor(pandas: ModuleType | None = None) -> None:
    """Give the frames of pandas the accessor ``df.forensics``; it is there already if pandas was imported first.

    Args:
        pandas: The module; the one that is imported where None.

    Raises:
        CaseError: If pandas is not imported.

    Examples:
        ``import pandas as pd``, then ``fx.pandas_accessor()`` and ``df.forensics.cite(case)``
    """
    from forensics.errors import CaseError

    pandas = pandas or sys.modules.get("pandas")
    if pandas is None:
        raise CaseError("pandas is not imported", hint="import pandas, then call this again")
    if getattr(pandas.DataFrame, "forensics", None) is not PandasForensics:
        pandas.api.extensions.register_dataframe_accessor("forensics")(PandasForensics)


if hasattr(sys.modules.get("pandas"), "DataFrame"):
    pandas_accessor()
