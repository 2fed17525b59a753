"""What two logs tell of one request ties their clocks, unless its times say that the id means something else."""

import random

import polars as pl
import pytest

from forensics.analysis import _shared_events
from forensics.analysis._correlate import SECOND_NS
from forensics.analysis._pieces import Tie
from forensics.analysis._shared_events import event_ties
from forensics.records import ApiRequest, LogRecord, Record
from forensics.store import shaped

BEGAN = 1_355_900_000 * SECOND_NS


def tied(asked_s: list[float], named_s: list[float]) -> Tie | None:
    """The tie of an API's log and a compute node's, whose stamps of each request these are."""
    times = [[BEGAN + round(1e9 * second) for second in seconds] for seconds in (asked_s, named_s)]
    ids = [f"req-{n:036d}" for n in range(len(asked_s))]

    def rows(record: type[Record]) -> pl.LazyFrame:
        nothing = record.empty().lazy()
        if record not in (ApiRequest, LogRecord):
            return nothing
        source, ns = ("api", times[0]) if record is ApiRequest else ("cc12", times[1])
        at = pl.Series(ns, dtype=pl.Datetime("ns", "UTC"))
        frame = pl.DataFrame({"source": source, "position": range(1, len(ids) + 1), "request_id": ids, "ts": at})
        own: dict[str, object] = (
            {"started_at": at, "duration_s": pl.lit(0.02), "stamped": pl.lit("start")} if record is ApiRequest else {}
        )
        return shaped(record, frame.with_columns(**own)).lazy()

    return event_ties(rows, pl.col("source"), {}).get(("api", "cc12"))


def test_the_fastest_of_many_requests_bounds_the_offset() -> None:
    rng = random.Random(1)
    asked = [10.0 * n for n in range(60)]
    tie = tied(asked, [at + 40 + rng.choice((0.05, 0.3, 2, 60)) for at in asked])
    assert tie is not None
    assert abs(tie.offset_ns + 40 * SECOND_NS) <= tie.bound_ns <= 6 * SECOND_NS


def test_ids_whose_times_have_nothing_in_common_tie_nothing() -> None:
    rng = random.Random(2)
    asked, named = ([rng.uniform(0, 700) for _ in range(90)] for _ in range(2))
    assert tied(asked, named) is None


def test_lines_of_so_many_hosts_at_a_time_tie_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(3)
    lines = []
    for n in range(400):
        host, at = f"cc{n % 4}", BEGAN + n * SECOND_NS + rng.randrange(SECOND_NS)
        message = f"line {n if n % 5 else 0} of what {host} has to say"
        lines += [(source, n + 1, host, message, at + late) for source, late in
                  ((f"{host}/syslog", 0), (f"{host}/other", 0), ("all", 7 * SECOND_NS + rng.randrange(10**8)))
                  if rng.random() < 0.7]  # fmt: skip
    frame = pl.DataFrame(lines, schema=["source", "position", "host", "message", "ts"], orient="row")
    logs = shaped(LogRecord, frame.with_columns(pl.col("ts").cast(pl.Datetime("ns", "UTC")))).lazy()

    def ties() -> dict[tuple[str, str], Tie]:
        node = pl.concat_str("source", pl.lit(" "), "host")
        return event_ties(lambda record: logs if record is LogRecord else record.empty().lazy(), node, {})

    whole = ties()
    assert len(whole) == 3 * 4
    monkeypatch.setattr(_shared_events, "MOST_LINES", 150)  # a host and no more
    assert ties() == whole
    monkeypatch.setattr(_shared_events, "MOST_OF_HOST", 60)
    assert set(ties()) == set(whole)
    assert all(few.pairs < whole[pair].pairs for pair, few in ties().items())
