"""Glance's table of images, Diablo to 2026.1."""

from __future__ import annotations

import polars as pl

from forensics.loaders.documents._table import Lookups, Table, gone, hashes, lower, timed, told, truth, word
from forensics.records import Image, Record


def _images(frame: pl.DataFrame, lookups: Lookups) -> dict[type[Record], pl.DataFrame]:  # noqa: ARG001 - a `Shape`
    frame = timed(frame, "created_at", "updated_at", "deleted_at").with_columns(image=lower("id"))
    public = pl.when(truth("is_public")).then(pl.lit("public")).otherwise(pl.lit("private"))
    return {Image: told(
        Image, frame, image="image", image_hash=pl.lit(hashes(frame["image"])), name=word("name"),
        status=word("status"), project_id=word("owner"),
        visibility=pl.coalesce(word("visibility"), pl.when(pl.col("is_public").is_not_null()).then(public)),
        size_bytes="size", checksum=word("checksum"), is_deleted=gone(), created_at="created_at",
        updated_at="updated_at", deleted_at="deleted_at",
    )}  # fmt: skip


# `location` may hold the store's credentials, so it is not among the columns read
TABLES: tuple[Table, ...] = (
    Table(("images",), (Image,), ("id", "status", "checksum"),
          ("id", "name", "size", "status", "is_public", "visibility", "owner", "checksum", "created_at", "updated_at",
           "deleted_at", "deleted"), _images, alone=("container_format", "checksum"),
          tells=("container_format", "disk_format")),
)  # fmt: skip
