"""Fields of a log record that a line has as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

import polars as pl

_BARE_REQUEST = r"^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def of_json(column: pl.Series, paths: Mapping[str, str | tuple[str, ...]]) -> pl.DataFrame:
    """Fields of lines by their JSON paths, in groups as a pattern would give them.

    A traceback (a list of lines up to oslo.log 7, one text from 8) follows its message. Request ids get back the
    ``req-`` that exports take off. Of a message that is a list of octets (``journalctl -o json``, for what is no plain
    text), ``rest`` is its text.
    """
    found = pl.DataFrame(
        {
            name: pl.select(pl.coalesce(*(column.str.json_path_match(one) for one in _several(path)))).to_series()
            for name, path in paths.items()
        }
    )
    ids = [name for name in ("request_id", "global_request_id") if name in paths]
    found = found.with_columns(pl.col(ids).str.replace(_BARE_REQUEST, "req-$0")) if ids else found
    if "traceback" in paths:
        lines = _decoded(found["traceback"], _as_lines)
        found = found.with_columns(message=pl.concat_str("message", pl.lit("\n") + lines.fill_null("")))
        found = found.with_columns(pl.col("message").str.strip_suffix("\n")).drop("traceback")
    if "octets" in paths:
        listed = pl.col("octets").is_not_null()
        found = found.with_columns(rest=pl.when(listed).then(_decoded(found["rest"], _as_text)).otherwise("rest"))
        found = found.drop("octets")
    return found


def _several(path: str | tuple[str, ...]) -> tuple[str, ...]:
    return (path,) if isinstance(path, str) else path


def _decoded(values: pl.Series, how: Callable[[str], str]) -> pl.Series:
    """Values that are lists in JSON, as text; others as they are."""
    if not values.str.starts_with("[").any():
        return values
    return pl.Series([how(value) if value and value[0] == "[" else value for value in values], dtype=pl.String)


def _as_lines(value: str) -> str:
    """Lines of a list, each without its line feed."""
    try:
        return "\n".join(str(one).rstrip("\n") for one in json.loads(value))
    except (ValueError, RecursionError):
        return value


def _as_text(value: str) -> str:
    """Octets of a list as text, without colours: they are what makes a message of a list."""
    try:
        return _COLOUR.sub("", bytes(json.loads(value)).decode("utf-8", "backslashreplace"))
    except (TypeError, ValueError, RecursionError):
        return value
