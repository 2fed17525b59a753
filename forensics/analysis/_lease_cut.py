"""DHCP messages whose options a capture cut off: what the fixed fields still say of their type."""

from __future__ import annotations

import polars as pl

from forensics.analysis._alignment import NOWHERE

EVERYBODY = "255.255.255.255"


def typed(rows: pl.DataFrame) -> pl.DataFrame:
    """Give captured messages without options the type that RFC 2131 tables 3 and 5 leave for their fixed fields.

    A short snapshot length (96 octets was usual) ends before option 53, while transaction, addresses and hardware
    address are all there. A client that has an address and asks its server by it renews (or gives back, which nothing
    follows); one that asks everybody rebinds if the transaction is one that it renewed in or that was answered with an
    address. Answers with an address acknowledge, save the first to a client without one, which offers. What may as
    well be an INFORM, what a relay carries and plain BOOTP, whose options are there without a type, stay untyped.

    Args:
        rows: DHCP messages of any source, with ``at`` (ns) and ``bare``: whether they have no options.

    Returns:
        The rows, with ``inferred``: whether ``message_type`` was told by the fixed fields alone.
    """
    cut = (pl.col("seen_by") == "capture") & pl.col("message_type").is_null() & pl.col("bare")
    if rows.filter(cut).is_empty():
        return rows.with_columns(inferred=pl.lit(value=False))

    def has(name: str) -> pl.Expr:
        return pl.col(name).is_not_null() & (pl.col(name) != NOWHERE)

    known = cut & pl.col("chaddr").is_not_null() & pl.col("xid").is_not_null() & has("giaddr").not_()
    asks = (pl.col("src") == NOWHERE) | (has("ciaddr") & (pl.col("src") == pl.col("ciaddr")))
    to_all = pl.col("dst") == EVERYBODY
    group = ("source", "chaddr", "xid")
    ordered = rows.sort("source", "position").with_columns(_asks=asks.fill_null(value=False), _known=known)
    mine = ordered.filter("_known").with_columns(
        given=(pl.col("_asks").not_() & has("yiaddr")).any().over(group),
        informed=(pl.col("_asks").not_() & has("yiaddr").not_() & has("ciaddr")).any().over(group),
        alone=(pl.col("_asks") & has("ciaddr") & to_all.not_()).any().over(group),
        housed=(pl.col("_asks") & has("ciaddr")).any().over(group),
        offered=(pl.col("_asks").not_() & has("yiaddr")).cum_sum().over(group),
    )
    renews = has("ciaddr") & pl.col("informed").not_() & (to_all.not_() | pl.col("alone") | pl.col("given"))
    asked = (
        pl.when(renews)
        .then(pl.lit("REQUEST"))
        .when(has("ciaddr").not_())
        .then(pl.when(pl.col("offered") > 0).then(pl.lit("REQUEST")).otherwise(pl.lit("DISCOVER")))
    )
    answered = (
        pl.when(has("yiaddr"))
        .then(pl.when(pl.col("housed") | (pl.col("offered") > 1)).then(pl.lit("ACK")).otherwise(pl.lit("OFFER")))
        .when(has("ciaddr").not_() & to_all)
        .then(pl.lit("NAK"))
    )
    told = mine.select("source", "position", _told=pl.when("_asks").then(asked).otherwise(answered))
    joined = ordered.join(told, on=["source", "position"], how="left", maintain_order="left")
    return joined.with_columns(
        message_type=pl.coalesce(pl.col("message_type").cast(pl.String), "_told"),
        inferred=pl.col("_told").is_not_null(),
    ).drop("_asks", "_known", "_told")
