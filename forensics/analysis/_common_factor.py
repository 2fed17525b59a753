"""What do some instances have in common that others have not? An exact test, which says when they are too few."""

from __future__ import annotations

from collections.abc import Collection
from math import comb

import polars as pl

FACTORS = ("user", "image", "flavor", "project", "host")
SIGNIFICANT = 0.05
VERDICTS = ("shared", "as the rest", "too few to tell")
_TOLD = {
    "factor": pl.String,
    "value": pl.String,
    "with_it": pl.Int64,
    "incidents": pl.Int64,
    "others_with_it": pl.Int64,
    "others": pl.Int64,
    "odds_ratio": pl.Float64,
    "p": pl.Float64,
    "least_p": pl.Float64,
    "verdict": pl.String,
}


def common_factors(incidents: Collection[str], population: pl.DataFrame) -> pl.DataFrame:
    """Test, for each user, image, flavor, project and host of the instances concerned, whether it is theirs by chance.

    Fisher's exact test, one-sided: given how many instances have a value, how likely is it that so many of those
    concerned have it? Every value is one test, so what counts as significant is divided by their number (Bonferroni).
    Where even the clearest outcome would not have been significant, nothing can be told, whatever was seen.

    Args:
        incidents: Instances concerned.
        population: One row an instance, those concerned among them: ``instance`` and a column for each factor.

    Returns:
        One row per factor and value: ``factor``, ``value``, ``with_it`` of ``incidents``, ``others_with_it`` of
        ``others``, ``odds_ratio`` (null where it is infinite), ``p``, ``least_p`` (that of the clearest outcome that so
        many could have), ``verdict`` (``shared``, ``as the rest``, ``too few to tell``); most telling first.

    References:
        Fisher, The Design of Experiments (1935), section 12.

    Examples:
        >>> rest = [f"i{n}" for n in range(40)]
        >>> cloud = pl.DataFrame({"instance": ["a", "b", *rest], "image": ["bad", "bad", *["good"] * 40]})
        >>> common_factors(["a", "b"], cloud).select("value", "p", "verdict").row(0)
        ('bad', 0.0011614401858304297, 'shared')
        >>> common_factors(["a", "b"], cloud.head(5))["verdict"].to_list()
        ['too few to tell']
    """
    known = population.unique("instance", keep="first", maintain_order=True)
    marked = known.with_columns(hit=pl.col("instance").is_in(list(incidents)))
    hits = [
        (factor, value, count)
        for factor in FACTORS
        if factor in marked.columns
        for value, count in _counts(marked.filter("hit"), factor)
    ]
    rows = []
    for factor, value, with_it in hits:
        told = marked.filter(pl.col(factor).is_not_null())
        n, all_with = told.height, told.filter(pl.col(factor) == value).height
        concerned = told.filter("hit").height
        others, others_with = n - concerned, all_with - with_it
        p = _at_least(with_it, concerned, all_with, n)
        least = 1 / comb(n, concerned)
        level = SIGNIFICANT / len(hits)
        verdict = VERDICTS[0] if p <= level else VERDICTS[2] if least > level else VERDICTS[1]
        off = (concerned - with_it) * others_with
        odds = with_it * (others - others_with) / off if off else None
        rows.append((factor, value, with_it, concerned, others_with, others, odds, p, least, verdict))
    table = pl.DataFrame(rows, schema=_TOLD, orient="row")
    place = pl.col("factor").replace_strict({name: n for n, name in enumerate(FACTORS)}, return_dtype=pl.Int64)
    return table.sort(pl.col("with_it") < pl.col("incidents"), "p", place, "value")


def _counts(rows: pl.DataFrame, factor: str) -> list[tuple[str, int]]:
    counted = rows.filter(pl.col(factor).is_not_null()).group_by(factor).len()
    return [(str(value), int(count)) for value, count in counted.sort(factor).iter_rows()]


def _at_least(seen: int, drawn: int, marked: int, n: int) -> float:
    """How likely at least so many marked ones are among those drawn (hypergeometric), to the last digit."""
    ways = sum(comb(marked, k) * comb(n - marked, drawn - k) for k in range(seen, min(drawn, marked) + 1))
    return ways / comb(n, drawn)


def population(edges: pl.DataFrame) -> pl.DataFrame:
    """What each instance is made of, for `common_factors`.

    Args:
        edges: One row per `Edge`.

    Returns:
        One row an instance: ``instance``, ``user``, ``image``, ``flavor``, ``project``, ``host`` (the last of each).
    """
    own = edges.filter((pl.col("subject_kind") == "instance") & pl.col("object_kind").is_in(FACTORS))
    rows = own.sort("from_at", "object", nulls_last=False).select(
        instance="subject", kind="object_kind", value="object"
    )
    table = rows.pivot("kind", index="instance", values="value", aggregate_function="last")
    absent = [pl.lit(None, dtype=pl.String).alias(name) for name in FACTORS if name not in table.columns]
    return table.with_columns(absent).select("instance", *FACTORS).sort("instance")
