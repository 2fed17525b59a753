"""When a relation held: sightings and spans of it, put together until something contradicts them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

ENDS = ("subject_kind", "subject", "object_kind", "object")
PLACE = ("source", "position", "offset_bytes", "length_bytes")
CLAIM = {
    **dict.fromkeys(ENDS, pl.String()),
    "network": pl.String(),
    "a": pl.Int64(),
    "b": pl.Int64(),
    "opened": pl.Boolean(),
    "closed": pl.Boolean(),
    "told_by": pl.String(),
    "n": pl.Int64(),
    "source": pl.String(),
    "position": pl.Int64(),
    "offset_bytes": pl.Int64(),
    "length_bytes": pl.Int64(),
}
"""One row of evidence for one relation: it held from ``a`` to ``b`` (ns on the case's clock; null: no time is told);
``opened`` and ``closed`` say whether it began and ended there, or was only seen to hold; ``n`` counts the rows."""

_FIRST, _LAST = -(2**62), 2**62
_ONE_OF_SUBJECT = ("host", "image", "user", "project", "flavor")
_ONE_OF_OBJECT = ("mac", "ip", "tap", "switch_port")


def _exclusive(kinds: tuple[str, str]) -> tuple[str, ...]:
    """Columns of which each value has but one partner at a time; all columns where several may hold."""
    subject, thing = kinds
    if thing == "request" or subject in ("request", "image") or kinds == ("host", "mac") or kinds == ("host", "ip"):
        return (*ENDS, "network")
    if kinds == ("mac", "switch_port"):
        return ("subject", "switch")
    if kinds == ("mac", "host") or thing in _ONE_OF_SUBJECT:
        return ("subject", "speaker")
    if thing in _ONE_OF_OBJECT:
        return ("object", "network")
    return (*ENDS, "network")


def kin() -> pl.Expr:
    """A number that claims have in common which may exclude each other; it is one for all hosts of instances."""
    subject, thing = pl.col("subject_kind"), pl.col("object_kind")
    by_object = thing.is_in((*_ONE_OF_OBJECT, "request")) & ~((subject == "mac") & (thing == "switch_port"))
    own = pl.when(by_object).then("object").otherwise("subject").hash()
    return pl.when((subject == "instance") & (thing == "host")).then(pl.lit(0, pl.UInt64)).otherwise(own)


def spans(parts: Iterable[pl.DataFrame], lives: pl.DataFrame) -> pl.DataFrame:
    """Relations with the time in which they held.

    What is seen at an instant held until the next sighting that contradicts it, and, where nothing came before it,
    since the subject began. What evidence proves to have held is never cut: two relations that exclude each other
    and overlap all the same are a conflict.

    Args:
        parts: Rows as `CLAIM` says, in parts that hold together what is `kin`.
        lives: ``instance``, ``born``, ``dead``: ns or null.

    Returns:
        `ENDS`, ``network``, ``from_ns``, ``to_ns`` (null: open), ``told_by``, ``rows`` and `PLACE` of the first row.
    """
    held = [runs for of_part in map(_runs_of_kinds, parts) for runs in of_part]
    schema = {name: kind for name, kind in CLAIM.items() if name not in ("a", "b", "n", "opened", "closed")}
    empty = pl.DataFrame(schema=schema | {"from_ns": pl.Int64(), "to_ns": pl.Int64(), "rows": pl.Int64()})
    return _merged(_clipped(pl.concat([empty, *held], how="diagonal"), lives))


def _runs_of_kinds(claims: pl.DataFrame) -> list[pl.DataFrame]:
    kinds = ("subject_kind", "object_kind")
    return [
        _runs(claims.filter(pl.col(kinds[0]) == subject, pl.col(kinds[1]) == thing), _exclusive((subject, thing)))
        for subject, thing in claims.select(kinds).unique().sort(kinds).rows()
    ]


def _runs(claims: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """One row for each stretch of claims that nothing interrupts."""
    start, end = pl.col("a").fill_null(_FIRST), pl.coalesce("b", "a", pl.lit(_FIRST))
    marked = claims.with_columns(
        a=start,
        b=pl.max_horizontal(start, end),
        switch=pl.col("object").str.extract(r"^(\S+) "),
        speaker=pl.when(pl.col("object_kind") == "flavor").then("told_by"),
    ).sort(*keys, "a", "object", "subject", "source", "position", nulls_last=False)
    same_key = pl.all_horizontal(pl.col(key).eq_missing(pl.col(key).shift()) for key in keys)
    same = pl.all_horizontal(pl.col(end) == pl.col(end).shift() for end in ("subject", "object"))
    place = [pl.col(name).first() for name in (*ENDS, "network", "told_by", *PLACE)]
    runs = (
        marked.with_columns(
            key=(~same_key).fill_null(True).cum_sum(), run=(~(same & same_key)).fill_null(True).cum_sum()
        )
        .group_by("key", "run", maintain_order=True)
        .agg(
            *place,
            a=pl.col("a").first(),
            opened=pl.col("opened").first() | (pl.col("a").first() == _FIRST),
            b=pl.col("b").max(),
            closed=(pl.col("closed") & (pl.col("b") == pl.col("b").max())).any(),
            rows=pl.col("n").sum(),
        )
    )  # fmt: skip
    first = pl.col("key") != pl.col("key").shift().fill_null(0)
    following = pl.when(pl.col("key") == pl.col("key").shift(-1)).then(pl.col("a").shift(-1)).fill_null(_LAST)
    return runs.select(
        *ENDS,
        "network",
        pl.when(first & ~pl.col("opened")).then(_FIRST).otherwise("a").alias("from_ns"),
        pl.when("closed").then("b").otherwise(pl.max_horizontal("b", following)).alias("to_ns"),
        "told_by",
        "rows",
        *PLACE,
    )


def _clipped(held: pl.DataFrame, lives: pl.DataFrame) -> pl.DataFrame:
    """No instance has anything before it is made, but the request for it, nor after it is gone."""
    known = held.join(lives, left_on="subject", right_on="instance", how="left", maintain_order="left")
    mine = pl.col("subject_kind") == "instance"
    born = pl.when(mine & (pl.col("object_kind") != "request")).then("born").fill_null(_FIRST)
    dead = pl.when(mine & (pl.col("object_kind") != "request")).then("dead").fill_null(_LAST)
    open_start = pl.col("from_ns") == _FIRST
    start = pl.when(open_start).then(born).otherwise("from_ns")
    end = pl.max_horizontal(pl.min_horizontal("to_ns", dead), start + 1)
    return known.filter(open_start | (pl.col("from_ns") < dead)).with_columns(from_ns=start, to_ns=end)


def _merged(held: pl.DataFrame) -> pl.DataFrame:
    """Overlapping spans of one relation become one, those that tell no network joining the one network that is told."""
    twice = held.select(ENDS).is_duplicated()
    whole = pl.concat([held.filter(~twice), _joined(held.filter(twice))], how="diagonal")
    return whole.with_columns(
        from_ns=pl.when(pl.col("from_ns") > _FIRST).then("from_ns"),
        to_ns=pl.when(pl.col("to_ns") < _LAST).then("to_ns"),
    )


def _joined(held: pl.DataFrame) -> pl.DataFrame:
    relation = list(ENDS)
    known = pl.col("network").drop_nulls()
    only = pl.when(known.n_unique().over(relation) == 1).then(known.first().over(relation))
    ordered = held.with_columns(network=pl.coalesce("network", only)).sort(
        *relation, "network", "from_ns", "source", "position", nulls_last=False
    )
    whole = [*relation, "network"]
    new = (pl.col("from_ns") > pl.col("to_ns").cum_max().shift().over(whole)).fill_null(True)
    return (
        ordered.with_columns(span=new.cum_sum())
        .group_by(*whole, "span", maintain_order=True)
        .agg(
            pl.col("from_ns").first(),
            pl.col("to_ns").max(),
            pl.col("rows").sum(),
            *(pl.col(name).first() for name in ("told_by", *PLACE)),
        )
        .drop("span")
    )
