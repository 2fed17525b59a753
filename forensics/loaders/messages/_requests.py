"""What the formats of access lines share: the columns of `ApiRequest` out of what their patterns found."""

from __future__ import annotations

import polars as pl

from forensics.loaders.messages._masked import masked_target
from forensics.loaders.messages._operations import operations, parameter, plain_query
from forensics.loaders.messages._services import services

ALONE = ('" status: ', '] "', "] code ", "[pid: ")
"""Texts of access lines that reach a log without a logger's name."""
SPAN = r"\d{1,9}(?:\.\d{1,9})?"
"""Seconds with a decimal fraction, so that nanoseconds fit into 64 bits."""

_LINE = r"^(?P<method>[A-Z][A-Z_-]{1,19}) (?P<path>\S.*?)(?: (?P<http_version>HTTP/\d{1,2}(?:\.\d{1,2})?))?$"
_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"


def nanoseconds(span: str) -> pl.Expr:
    """Seconds as text in exact nanoseconds."""
    whole = pl.col(span).str.extract(r"^(\d+)").cast(pl.Int64, strict=False)
    rest = pl.col(span).str.extract(r"\.(\d+)$").str.pad_end(9, "0").cast(pl.Int64, strict=False).fill_null(0)
    return whole * 1_000_000_000 + rest


def _seconds(nanos: pl.Expr) -> pl.Expr:
    """Nanoseconds as the nearest number of seconds; polars divides by a constant less exactly than that."""
    text = nanos.cast(pl.String).str.zfill(10)
    return pl.concat_str(text.str.head(-9), pl.lit("."), text.str.tail(9)).cast(pl.Float64)


def parsed(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with ``method``, ``path``, ``http_version`` and ``malformed``, from the request line in ``request``."""
    found = rows["request"].str.strip_chars_end().str.extract_groups(_LINE).struct.unnest()
    return rows.with_columns(found, malformed=found["method"].is_null())


def requests(rows: pl.DataFrame, server: str, starts: pl.Expr | None = None) -> pl.DataFrame:
    """Rows with every column of `ApiRequest` that can be derived.

    Args:
        rows: Columns of `LogRecord`, and ``clients`` (the addresses, the origin first, with commas between),
            ``method``, ``path``, ``duration_ns``.
        server: What the service is called where nothing tells.
        starts: Whether ``ts`` is when the request came in; it is when the response was finished where None.
    """
    clients = pl.col("clients").str.replace_all(" ", "", literal=True).replace("-", None).replace("", None)
    listed = clients.str.split(",")
    origins = listed.list.head(listed.list.len().cast(pl.Int64) - 1)
    start = pl.lit(False) if starts is None else starts
    rows = services(rows, server).with_columns(
        client=listed.list.last(),
        forwarded_for=pl.when(origins.list.len() > 0).then(origins),
        stamped=pl.when(start).then(pl.lit("start")).otherwise(pl.lit("end")),
        started_at=pl.when(start).then("ts").otherwise(pl.col("ts") - pl.col("duration_ns").cast(pl.Duration("ns"))),
        duration_s=_seconds(pl.col("duration_ns")),
    )
    asked = rows.select("method", "path").unique()
    told = asked.with_columns(operations(asked).alias("operation"), *_named(pl.col("path")))
    keys = rows.select("method", "path")
    found = keys.join(told, on=["method", "path"], how="left", nulls_equal=True, maintain_order="left")
    return rows.with_columns(found.drop("method", "path").rename({"shown": "path"}))


def _named(path: pl.Expr) -> list[pl.Expr]:
    """What a target names, and the target as it may be kept."""
    plain = plain_query(path)
    network = plain.str.contains("device_owner=network", literal=True)
    return [
        pl.coalesce(
            path.str.extract(rf"^[^?]*/servers/({_UUID}|\d+)(?:[/?.]|$)"),
            parameter(plain, r"InstanceId(?:\.1)?"),
            pl.when(network.not_()).then(parameter(plain, "device_id", _UUID)),
        ).alias("instance"),
        pl.coalesce(
            path.str.extract(rf"^[^?]*/images/({_UUID}|\d+)(?:[/?.]|$)"),
            parameter(plain, r"ImageId(?:\.1)?"),
            parameter(plain, "image", _UUID),
        ).alias("image"),
        parameter(plain, "ClientToken").alias("client_token"),
        masked_target(path).alias("shown"),
    ]
