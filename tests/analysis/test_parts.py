"""Keys cut into parts: all of them, in order, none too large, as few as can be."""

from itertools import pairwise

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from forensics.analysis._parts import in_parts


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 20))
def test_parts_hold_all_keys_and_no_more_rows_than_allowed(sizes: list[int], most: int) -> None:
    counts = pl.DataFrame({"key": range(len(sizes)), "n": sizes}, schema={"key": pl.Int64, "n": pl.UInt32})
    parts = list(in_parts(counts, most))
    assert [key for part in parts for key in part["key"]] == list(range(len(sizes)))
    assert all(part.height == 1 or part["n"].sum() <= most for part in parts)
    for part, following in pairwise(parts):
        assert part["n"].sum() + following["n"][0] > most
