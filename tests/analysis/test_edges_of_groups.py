"""The first and the last row of a group: the same whatever order rows come in, and whatever polars has."""

import polars as pl
import pytest

from forensics.analysis._correlate import of_first, of_last

AT = 1_700_000_000_000_000_000
ROWS = pl.DataFrame(
    {
        "key": ["a"] * 4 + ["b"],
        "at": [AT, AT, AT + 1, AT + 1, AT],
        "position": [1, 2, 3, 4, 9],
        "n": [10, 20, 30, 40, 50],
    }
)


@pytest.mark.parametrize("lacks", [False, True])
@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_of_rows_of_one_instant_the_first_in_its_file_counts(
    monkeypatch: pytest.MonkeyPatch, engine: str, lacks: bool
) -> None:
    if lacks:
        monkeypatch.delattr(pl.Expr, "max_by", raising=False)
    for rows in (ROWS, ROWS.reverse()):
        edges = rows.lazy().group_by("key").agg(first=of_first("n"), last=of_last("n")).sort("key")
        assert edges.collect(engine=engine).rows() == [("a", 10, 30), ("b", 50, 50)]  # type: ignore[call-overload]
