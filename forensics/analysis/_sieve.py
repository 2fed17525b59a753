"""Which of very many keys stand elsewhere, too: a table of their hashes tells, of one size whatever the evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

SLOTS = 2**24
"""Of ten million keys that stand in one place each, nearly half are taken for ones that stand in several."""
_ROWS = 100_000
_NOWHERE, _SEVERAL = 0, 2**32 - 1

Slots = npt.NDArray[np.uint64]
Places = npt.NDArray[np.uint32]


class Sieve:
    """Lets those keys pass that stand in a second place beside the one where they are at home, and few others.

    Args:
        home: ``key`` (text) and ``place`` (text) of keys where they are at home; in several places they are in several.
        others: The same of all places where they may stand.
        most: How many may pass, about; of more, a part.

    Examples:
        >>> home = pl.LazyFrame({"key": ["a", "b", "c"], "place": ["x", "x", "y"]})
        >>> others = pl.LazyFrame({"key": ["a", "a", "c", "d"], "place": ["x", "z", "y", "z"]})
        >>> home.filter(Sieve(home, [others], 10).passes("key")).collect()["key"].to_list()
        ['a']
    """

    def __init__(self, home: pl.LazyFrame, others: Iterable[pl.LazyFrame], most: int) -> None:
        where = np.zeros(SLOTS, np.uint32)
        numbers: dict[str, int] = {}
        for slots, places in _batches(home, numbers):
            free = where[slots] == _NOWHERE
            where[slots[free]] = places[free]
            where[slots[where[slots] != places]] = _SEVERAL
        for slots, places in (batch for rows in others for batch in _batches(rows, numbers)):
            held = where[slots]
            where[slots[(held != _NOWHERE) & (held != places)]] = _SEVERAL
        several = np.flatnonzero(where == _SEVERAL)
        self._open = np.zeros(SLOTS, np.bool_)
        self._open[several[:: 1 + len(several) // most]] = True

    def passes(self, key: str) -> pl.Expr:
        """Whether the key in a column does."""

        def told(slots: pl.Series) -> pl.Series:
            return pl.Series(self._open[slots.to_numpy()])

        return _slot(key).map_batches(told, return_dtype=pl.Boolean, is_elementwise=True)


def _slot(key: str) -> pl.Expr:
    return pl.col(key).hash() % SLOTS


def _batches(rows: pl.LazyFrame, numbers: dict[str, int]) -> Iterator[tuple[Slots, Places]]:
    """Slots of keys, and numbers of their places; new places are added to those."""
    slots = rows.select(_slot("key"), "place")
    for some in slots.collect_batches(chunk_size=_ROWS, maintain_order=False, engine="streaming"):
        for place in some["place"].unique():
            numbers.setdefault(place, len(numbers) + 1)
        places = some["place"].replace_strict(numbers, return_dtype=pl.UInt32)
        yield some["key"].to_numpy(), places.to_numpy()
