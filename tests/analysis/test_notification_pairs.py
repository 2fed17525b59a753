"""Starts and ends of operations, paired (formats.md 4.10: a start without an end is a failure or a crash)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from forensics.analysis._notification_pairs import operations
from forensics.records import Notification

T0 = datetime(2014, 1, 14, 15, 0, tzinfo=UTC)
START, END, ERROR = ".start", ".end", ".error"
REBOOT = "compute.instance.reboot"


def told(*rows: tuple[Any, ...]) -> pl.DataFrame:
    """Operations of rows: seconds, event, instance, request, and other columns."""
    made = []
    for number, (seconds, event, instance, request, *other) in enumerate(rows, 1):
        made.append({
            "ts": None if seconds is None else T0 + timedelta(seconds=seconds), "event_type": event,
            "instance": instance, "request_id": request, "message_id": f"m{number}", "host": "cc12",
            "source": "events.json", "position": number, "offset_bytes": 0, "length_bytes": 1,
            "priority": "INFO", "versioned": False, **(other[0] if other else {}),
        })  # fmt: skip
    schema = Notification.polars_schema()
    frame = pl.DataFrame([{name: row.get(name) for name in schema} for row in made], schema=schema)
    return operations(frame.lazy())


def short(answer: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Positions of start and end, and the outcome."""
    return answer.select("start_position", "end_position", "outcome").rows()


def test_one_operation_in_full() -> None:
    answer = told(
        (0, REBOOT + START, "i", "r", {"user_id": "u", "project_id": "p", "host": "cc12"}),
        (2.5, REBOOT + END, "i", "r", {"image": "g", "host": "cc13"}),
    )
    assert answer.row(0, named=True) == {
        "event": REBOOT, "instance": "i", "request_id": "r", "host": "cc12", "user_id": "u", "project_id": "p",
        "image": "g", "started_at": T0, "ended_at": T0 + timedelta(seconds=2.5), "duration_s": 2.5,
        "outcome": "completed", "start_source": "events.json", "start_position": 1, "end_source": "events.json",
        "end_position": 2,
    }  # fmt: skip


def test_how_it_ends() -> None:
    answer = told(
        (0, "compute.instance.create.start", "a", "r1"),
        (1, "compute.instance.create.error", "a", "r1", {"priority": "ERROR"}),
        (2, "compute.instance.snapshot.start", "b", "r2"),
        (3, "compute.instance.delete.end", "c", "r3"),
        (4, "compute.instance.resize.start", "d", "r4"),
        (5, "compute.instance.resize.end", "d", "r4", {"priority": "ERROR"}),
        (6, "compute.instance.update", "d", "r4"),
        (7, "compute.instance.exists", "d", "r4"),
    )
    assert short(answer) == [(1, 2, "failed"), (3, None, "unfinished"), (None, 4, "start not seen"), (5, 6, "failed")]


def test_requests_that_interleave_for_one_instance() -> None:
    answer = told(
        (0, REBOOT + START, "i", "r1"),
        (1, REBOOT + START, "i", "r2"),
        (2, REBOOT + END, "i", "r1"),
        (3, REBOOT + END, "i", "r2"),
    )
    assert short(answer) == [(1, 3, "completed"), (2, 4, "completed")]


def test_one_request_for_many_instances() -> None:
    answer = told(
        *[(n, "compute.instance.create.start", f"i{n}", "r") for n in range(5)],
        *[(10 + n, "compute.instance.create.end", f"i{4 - n}", "r") for n in range(5)],
    )
    assert short(answer) == [(n + 1, 10 - n, "completed") for n in range(5)]


def test_repeated_reboots_without_a_request() -> None:
    answer = told(
        (0, REBOOT + START, "i", None),
        (5, REBOOT + END, "i", None),
        (10, REBOOT + START, "i", None),  # crashed
        (20, REBOOT + START, "i", None),
        (25, REBOOT + END, "i", None),
        (26, REBOOT + END, "j", None),
    )
    assert short(answer) == [
        (1, 2, "completed"), (3, None, "unfinished"), (4, 5, "completed"), (None, 6, "start not seen")
    ]  # fmt: skip


def test_nested_starts_of_one_key_each_get_an_end() -> None:
    answer = told(
        (0, REBOOT + START, "i", None),
        (1, REBOOT + START, "i", None),
        (2, REBOOT + END, "i", None),
        (3, REBOOT + END, "i", None),
    )
    assert short(answer) == [(1, 4, "completed"), (2, 3, "completed")]


def test_where_one_side_names_no_request() -> None:
    answer = told(
        (0, REBOOT + START, "i", "r1"),
        (1, REBOOT + END, "i", None),
        (2, REBOOT + START, "i", None),
        (3, REBOOT + END, "i", "r2"),
        (4, REBOOT + START, "i", "r3"),
        (5, REBOOT + END, "i", "r4"),  # two requests are never one
        (6, REBOOT + START, "i", None),
        (6 + 86_401, REBOOT + END, "i", None),  # too far away
    )
    assert short(answer) == [
        (1, 2, "completed"), (3, 4, "completed"), (5, None, "unfinished"), (None, 6, "start not seen"),
        (7, None, "unfinished"), (None, 8, "start not seen"),
    ]  # fmt: skip


def test_where_one_side_names_no_instance() -> None:
    answer = told(
        (0, "scheduler.run_instance.start", "i", "r"),
        (1, "scheduler.run_instance.end", None, "r"),
        (2, "port.create.start", None, "r"),
        (3, "port.create.end", "i", "r"),
        (4, "volume.create.start", None, "q"),
        (5, "volume.create.end", None, "q"),
        (6, "aggregate.create.start", None, None),
        (7, "aggregate.create.end", None, None),
        (8, "aggregate.create.end", None, None, {"host": "other"}),
    )
    assert short(answer)[:4] == [(n, n + 1, "completed") for n in (1, 3, 5, 7)]
    assert short(answer)[4:] == [(None, 9, "start not seen")]


def test_a_rescheduled_build() -> None:
    create = "compute.instance.create"
    answer = told(
        (0, create + START, "i", "r", {"host": "cc12"}),
        (3, create + ERROR, "i", "r", {"host": "cc12"}),
        (4, create + START, "i", "r", {"host": "cc13"}),
        (9, create + END, "i", "r", {"host": "cc13"}),
    )
    assert short(answer) == [(1, 2, "failed"), (3, 4, "completed")]
    assert answer["duration_s"].to_list() == [3.0, 5.0]


def test_two_clocks_may_make_a_negative_duration() -> None:
    delete = "compute.instance.delete"
    answer = told((2, delete + START, "i", "r", {"host": "ctl1"}), (0, delete + END, "i", "r", {"host": "cc12"}))
    assert answer.select("duration_s", "outcome").rows() == [(-2.0, "completed")]
    answer = told((2, delete + START, "i", "r"), (0, delete + END, "i", "r"))  # one clock goes forward
    assert sorted(answer["outcome"]) == ["start not seen", "unfinished"]


def test_equal_instants() -> None:
    assert short(told((0, REBOOT + END, "i", "r"), (0, REBOOT + START, "i", "r"))) == [(2, 1, "completed")]


def test_doubles_count_once() -> None:
    rows = [(0, REBOOT + START, "i", "r", {"message_id": "a"}), (1, REBOOT + END, "i", "r", {"message_id": "b"})]
    again = [(*row[:4], {**row[4], "source": "rawdata.csv"}) for row in rows]
    listed = [(*row[:2], None, None, {"message_id": None, "source": "stacky.txt"}) for row in rows]
    answer = told(*rows, *again, *listed, *listed)
    assert short(answer) == [(1, 2, "completed")]
    assert answer["duration_s"].to_list() == [1.0]


def test_lists_alone_pair_by_what_they_have() -> None:
    listed = {"message_id": None}
    answer = told((0, REBOOT + START, "i", None, listed), (1, REBOOT + END, "i", None, listed))
    assert short(answer) == [(1, 2, "completed")]


def test_both_kinds_of_one_event_count_once() -> None:
    for old, new in (
        ("compute.instance.reboot", "instance.reboot"),
        ("compute.instance.finish_resize", "instance.resize_finish"),
        ("compute.instance.resize.prep", "instance.resize_prep"),
        ("compute.instance.live_migration.post.dest", "instance.live_migration_post_dest"),
    ):
        answer = told(
            (0, old + START, "i", "r"),
            (0.004, new + START, "i", "r", {"versioned": True}),
            (5, old + END, "i", "r"),
            (5.003, new + END, "i", "r", {"versioned": True}),
            (9, new + START, "i", "r9", {"versioned": True}),
            (10, new + END, "i", "r9", {"versioned": True}),
        )
        assert short(answer) == [(1, 3, "completed"), (5, 6, "completed")]
        assert answer["event"].to_list() == [old, new]


def test_without_instants_the_order_of_lines_decides() -> None:
    answer = told((None, REBOOT + START, "i", "r"), (None, REBOOT + END, "i", "r"), (None, REBOOT + START, "i", "r"))
    assert short(answer) == [(1, 2, "completed"), (3, None, "unfinished")]
    assert answer["duration_s"].to_list() == [None, None]


def test_images_are_operations_too() -> None:
    answer = told(
        (0, "image.import.start", None, "r", {"image": "g"}), (1, "image.import.end", None, "r", {"image": "g"})
    )
    assert answer.select("instance", "image", "outcome").rows() == [("g", "g", "completed")]


def test_nothing_of_nothing() -> None:
    assert operations(Notification.empty().lazy()).height == 0
    assert told((0, "compute.instance.update", "i", "r")).height == 0


def test_many_at_once() -> None:
    count = 2_000
    rows = [(n * 0.5, REBOOT + START, f"i{n % 7}", f"r{n}") for n in range(count)]
    rows += [(n * 0.5 + 60, REBOOT + END, f"i{n % 7}", f"r{n}") for n in range(count) if n % 100]
    answer = told(*rows)
    assert answer["outcome"].value_counts().sort("count")["count"].to_list() == [20, 1980]
    assert answer.filter(pl.col("outcome") == "completed")["duration_s"].unique().to_list() == [60.0]
