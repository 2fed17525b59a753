"""What a table is to the loaders, and its columns as values: instants, flags, numbers, words."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from forensics.clocks import iso
from forensics.records import Record

PLACES: dict[str, pl.DataType] = {
    "ts": pl.Int64(), "ts_basis": pl.String(), "host": pl.String(), "source": pl.String(),
    "position": pl.Int64(), "offset_bytes": pl.Int64(), "length_bytes": pl.Int64(),
}  # fmt: skip
_MOST_KEPT = 1_000_000
_INSTANT = pl.Datetime("ns", "UTC")


class Lookups:
    """Rows of earlier tables that later ones refer to: at most a million of each kind are remembered."""

    def __init__(self) -> None:
        self._kept: dict[str, list[pl.DataFrame]] = {}
        self._sizes: dict[str, int] = {}

    def keep(self, name: str, rows: pl.DataFrame) -> None:
        """Remember rows whose column ``key`` later rows refer to."""
        rows = rows.filter(pl.col("key").is_not_null())
        size = self._sizes.get(name, 0)
        if rows.height and size < _MOST_KEPT:
            self._kept.setdefault(name, []).append(rows.head(_MOST_KEPT - size))
            self._sizes[name] = size + min(rows.height, _MOST_KEPT - size)

    def join(self, name: str, frame: pl.DataFrame, key: str, columns: dict[str, pl.DataType]) -> pl.DataFrame:
        """The rows with the remembered columns (null where nothing is), one row for each that fits, in order."""
        kept = self._kept.get(name)
        if kept is None:
            return frame.with_columns(pl.lit(None, kind).alias(column) for column, kind in columns.items())
        if len(kept) > 1:
            kept[:] = [pl.concat(kept)]
        return frame.join(
            kept[0].select("key", *columns), left_on=key, right_on="key", how="left", maintain_order="left"
        )


Shape = Callable[[pl.DataFrame, Lookups], dict[type[Record], pl.DataFrame]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table that tells records.

    Args:
        names: What it is called.
        records: What its rows become; nothing where they are only counted or remembered.
        marks: Columns that it must have to be this one, and not another project's of the same name.
        needs: Columns that are read; no other is ever looked at, so that no secret leaves the dump.
        shape: Makes rows of records of them: it sees ``needs``, null where the table lacks one, and places (``@…``).
        alone: Columns that tell it even where no name does, as in the output of a SELECT.
        keeps: What it leaves for other tables.
        by: Column whose words are counted beside live and deleted rows.
        only: The words of ``by`` that are counted; all where empty.
        tells: Columns whose presence tells a release.
    """

    names: tuple[str, ...]
    records: tuple[type[Record], ...]
    marks: tuple[str, ...]
    needs: tuple[str, ...]
    shape: Shape
    alone: tuple[str, ...] = ()
    keeps: str = ""
    by: str | None = None
    only: tuple[str, ...] = ()
    tells: tuple[str, ...] = field(default=())


def told(record: type[Record], frame: pl.DataFrame, **columns: pl.Expr | str) -> pl.DataFrame:
    """Rows of a record: some columns given, places as they are, the others null; what does not fit becomes null."""
    schema = record.polars_schema()

    def one(name: str, kind: pl.DataType) -> pl.Expr:
        given = columns.get(name)
        if given is not None:
            return (pl.col(given) if isinstance(given, str) else given).cast(kind, strict=False).alias(name)
        if f"@{name}" in frame.columns:
            return pl.col(f"@{name}").cast(kind, strict=False).alias(name)
        return pl.lit(None, kind).alias(name)

    return frame.select(one(name, kind) for name, kind in schema.items())


def timed(frame: pl.DataFrame, *names: str) -> pl.DataFrame:
    """Columns of DATETIME or timestamp as instants, UTC; null for a zero date and for what nanoseconds cannot hold.

    Examples:
        >>> timed(pl.DataFrame({"a": ["2014-01-09 03:11:02", "0000-00-00 00:00:00", "2014-01-09T04:11:02.5+01:00"]}),
        ...       "a")["a"].dt.epoch("ms").to_list()
        [1389237062000, None, 1389237062500]
    """
    return frame.with_columns(_instants(frame[name]).alias(name) for name in names)


def _instants(text: pl.Series) -> pl.Series:
    """The form that MySQL writes is read fast; others, where there are any, by `forensics.clocks`."""
    if text.dtype != pl.String or text.null_count() == len(text):
        return text.cast(_INSTANT)
    held = text.str.slice(0, 4).cast(pl.Int32, strict=False).is_between(1678, 2261)
    fast = text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="ns", strict=False)
    fast = pl.select(pl.when(held).then(fast)).to_series().dt.replace_time_zone("UTC")
    left = (held & fast.is_null()).arg_true()
    if len(left):
        slow = iso(text.gather(left))
        local = slow["local_ns"].cast(_INSTANT)
        fast = fast.scatter(left, slow["ts"].zip_with(slow["offset_s"].is_not_null(), local))
    return fast.rename(text.name)


def counted_from_1970(name: str) -> pl.Expr:
    """Seconds since 1970 with a fraction, as nanoseconds; no float is involved."""
    whole = pl.col(name).str.extract(r"^(\d{1,10})(?:\.\d*)?$").cast(pl.Int64, strict=False)
    fraction = pl.col(name).str.extract(r"\.(\d{1,9})").fill_null("").str.pad_end(9, "0").cast(pl.Int64, strict=False)
    return pl.when((whole > 0) & (whole < 9_223_372_036)).then(whole * 1_000_000_000 + fraction)


def word(name: str) -> pl.Expr:
    """Text; null where it is empty."""
    return pl.when(pl.col(name) != "").then(pl.col(name))


def lower(name: str) -> pl.Expr:
    """Text in lower case, as uuids and hardware addresses are compared; null where it is empty."""
    return word(name).str.to_lowercase()


def integer(name: str) -> pl.Expr:
    """A whole number."""
    return pl.col(name).cast(pl.Int64, strict=False)


def truth(name: str) -> pl.Expr:
    """A flag: 0 and 1, f and t, or a bit."""
    value = pl.col(name).str.to_lowercase()
    return pl.when(pl.col(name).is_not_null()).then(~value.is_in(["0", "f", "false", "no", "n", "", "\0"]))


def gone(name: str = "deleted") -> pl.Expr:
    """Whether a row is marked deleted: a flag up to Folsom, its own id from Grizzly on."""
    return truth(name)


def hashes(ids: pl.Series) -> pl.Series:
    """SHA-1 of each id, in hexadecimal digits: nova names an image's base file so.

    References:
        nova/virt/libvirt/imagecache.py get_cache_fname, Essex to 2026.1.

    Examples:
        >>> hashes(pl.Series(["0673dd71-34c5-4fbb-86c4-40623fbe45b4", None])).to_list()
        ['a489c868f0c37da93b76227c91bb03908ac0e742', None]
    """
    once = ids.unique().drop_nulls().to_list()
    digests = [hashlib.sha1(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest() for text in once]
    return ids.replace_strict(once, digests, default=None, return_dtype=pl.String) if once else ids.cast(pl.String)


def nothing(frame: pl.DataFrame, lookups: Lookups) -> dict[type[Record], pl.DataFrame]:  # noqa: ARG001 - a `Shape`
    """Rows that are only counted."""
    return {}
