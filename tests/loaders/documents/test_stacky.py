"""StackTach's lists of notifications: REST answers, tables of `stacky`, CSV (formats.md 4.5, 4.8)."""

import json

import polars as pl
import pytest

from forensics.loaders.documents.stacky import READERS as JSON_READERS
from forensics.loaders.documents.stacky_table import READERS as TABLE_READERS
from tests.loaders.documents._notifications import IMAGE, INSTANCE, REQUEST, at, legacy, read

REST, TABLE = JSON_READERS[0], TABLE_READERS[0]
HEADER = ["#", "?", "When", "Deployment", "Event", "Host", "State", "State'", "Task'"]
SNAPSHOT = "compute.instance.snapshot"
ROWS = [
    [40065869, " ", "2014-01-14 15:39:22.574829", "region-1", f"{SNAPSHOT}.start", "compute-99", "active", "", ""],
    [40065879, " ", "2014-01-14 15:39:23", "region-1", "x.update", "compute-99", "active", "active", "image_snapshot"],
    [40065880, "E", "2014-01-14 15:39:24.5", "region-1", f"{SNAPSHOT}.error", "compute-99", None, None, None],
]  # fmt: skip


@pytest.mark.parametrize("indent", [None, 1, 4])
def test_a_list_of_the_rest_interface(indent: int | None) -> None:
    data = json.dumps([HEADER, *ROWS], indent=indent)
    rows, stretches, note = read(REST, data, "answer.json")
    assert rows["raw_id"].to_list() == [40065869, 40065879, 40065880]
    assert rows["ts"].to_list() == [
        at("2014-01-14 15:39:22.574829"), at("2014-01-14 15:39:23"), at("2014-01-14 15:39:24.5")
    ]  # fmt: skip
    assert rows["priority"].to_list() == [None, None, "ERROR"]
    assert rows.select("host", "deployment", "state", "old_state", "old_task_state").row(1) == (
        "compute-99", "region-1", "active", "active", "image_snapshot"
    )  # fmt: skip
    assert rows["payload"].null_count() == 3
    for offset, length, position, cells in zip(
        *rows.select("offset_bytes", "length_bytes", "position"), ROWS, strict=True
    ):
        assert json.loads(data[offset : offset + length]) == cells
        assert position == data[:offset].count("\n") + 1
    assert {one.kind for one in stretches} <= {"framing", "padding"}
    assert note is None
    assert REST.likeness(data.encode(), "x") > 0.9


def test_the_question_tells_the_instance_and_the_request() -> None:
    data = json.dumps([HEADER, *ROWS])
    assert set(read(REST, data, f"uuid-{INSTANCE}.json")[0]["instance"]) == {INSTANCE}
    assert set(read(REST, data, f"{REQUEST}.json")[0]["request_id"]) == {REQUEST}
    glance = ["#", "?", "When", "Deployment", "Event", "Host", "Status"]
    data = json.dumps([glance, [7, " ", "2014-01-14 15:39:22", "r", "image.upload", "ctl1", "active"]])
    row = read(REST, data, f"{IMAGE}.json")[0].row(0, named=True)
    assert (row["image"], row["instance"], row["state"], row["host"]) == (IMAGE, None, "active", "ctl1")


def test_a_list_that_was_cut_short_says_so() -> None:  # formats.md 4.5: 50 by default, 1000 at most
    for count, cut in ((50, True), (49, False), (1000, True), (1001, False)):
        data = json.dumps(
            [
                HEADER,
                *([*ROWS[0][:2], f"2014-01-14 15:{n // 60 % 60:02}:{n % 60:02}", *ROWS[0][3:]] for n in range(count)),
            ]
        )
        rows, _, note = read(REST, data)
        assert rows.height == count
        assert (note is not None) == cut
        assert not cut or "there were probably more" in str(note)


def test_show_holds_the_notification_itself() -> None:
    pairs = [["Key", "Value"], ["#", 40065869], ["When", "2014-01-14 15:39:22.574829"], ["Deployment", "region-1"],
             ["Category", "monitor.info"], ["Publisher", "compute.compute-99"], ["State", "active"],
             ["Event", "compute.instance.snapshot.start"], ["Service", "compute"], ["Host", "compute-99"],
             ["UUID", INSTANCE], ["Req ID", REQUEST]]  # fmt: skip
    body = json.dumps(["monitor.info", legacy("compute.instance.snapshot.start")], indent=2)
    data = json.dumps([pairs, body, INSTANCE])
    rows, _, _ = read(REST, data)
    row = rows.row(0, named=True)
    assert (row["raw_id"], row["deployment"], row["image"]) == (40065869, "region-1", IMAGE)
    assert row["offset_bytes"] == 0
    assert row["length_bytes"] == len(data)
    row = read(REST, json.dumps([pairs, "cut", INSTANCE]))[0].row(0, named=True)
    assert (row["instance"], row["request_id"], row["host"]) == (INSTANCE, REQUEST, "compute-99")
    assert (row["routing_key"], row["ts"]) == ("monitor.info", at("2014-01-14 15:39:22.574829"))
    assert REST.likeness(data.encode(), "x") > 0.9
    long = json.dumps([pairs, body + "x" * 70_000, INSTANCE])
    assert REST.likeness(long.encode()[:65_536], "x") > 0.9


def test_watch() -> None:
    data = json.dumps([[10, 1, 15, 20, 50, 36], [
        [40065869, " ", "2014-01-14", "15:39:22.574829", "region-1", "compute.instance.update", INSTANCE],
        [40065870, "E", "2014-01-14", "15:39:23.1", "region-1", "terminate_instance", ""],
    ], "1389713962.574829"])  # fmt: skip
    rows, _, _ = read(REST, data)
    assert rows["ts"].to_list() == [at("2014-01-14 15:39:22.574829"), at("2014-01-14 15:39:23.1")]
    assert rows.select("instance", "priority").rows() == [(INSTANCE, None), (None, "ERROR")]
    assert REST.likeness(data.encode(), "x") > 0.9


OTHERS = [
    [["#", "Name"], [1, "region-1"]],
    [["Event Name"], ["compute.instance.create.end"]],
    [["Host Name"], ["compute-1"]],
    [["?", "Event", "Time (secs)"], [".", "compute.instance.snapshot", "0d 00:14:11.71"], ["S", "x", ""]],
    [["compute.instance.reboot", "Time"], [INSTANCE, "0d 00:00:55.50"]],
    [["Event", "N", "Min", "Max", "Avg"], ["compute.instance.create", 50, "0d 00:00:52.88", "0d", "0d"]],
    [["Event", "Time", "UUID", "Deployment"], ["compute.instance.create", "0d 00:00:05.00", INSTANCE, "region-1"]],
    [["Id", "Start", "End", "Created", "Name", "Version"], [5971, 1389726000.0, 1389729599.0, 1389730212.9, "n", 4]],
    [["Error", "Message"], ["Bad Request", "uuid"]],
]


@pytest.mark.parametrize("answer", OTHERS, ids=lambda answer: str(answer[0][0]))
def test_answers_that_are_no_notifications(answer: list[list[object]]) -> None:
    data = json.dumps(answer)
    rows, stretches, note = read(REST, data)
    assert rows.height == 0
    assert [one.kind for one in stretches] == ["framing"]
    assert "no notifications" in str(note)
    assert REST.likeness(data.encode(), "x") > 0.9


def test_answers_behind_one_another_and_one_that_is_cut() -> None:
    whole = json.dumps([HEADER, *ROWS])
    data = whole + "\n" + json.dumps(OTHERS[3]) + "\n" + whole[: whole.index("40065880") + 20]
    rows, stretches, _ = read(REST, data)
    assert rows["raw_id"].to_list() == [40065869, 40065879, 40065880, 40065869, 40065879]
    assert stretches[-1].kind == "reject"
    for text in ("[[" * 40_000, "[[[", '[["#", "?", "When"', "[[1,1,1,1,1,1],[", "[[1,2],3]", "[[[1]]]"):
        assert read(REST, text)[0].height == 0


TEXT = f"""\
$ stacky uuid {INSTANCE}
Events related to {INSTANCE}
+----------+---+----------------------------+------------+--------+------------+--------+--------+----------------+
|    #     | ? |            When            | Deployment |  Event  |    Host    | State  | State' |     Task'      |
+----------+---+----------------------------+------------+--------+------------+--------+--------+----------------+
| 40065869 |   | 2014-01-14 15:39:22.574829 |  region-1  | snapshot.start | c99 | active |        |                |
| 40065879 |   | 2014-01-14 15:39:23.599298 |  region-1  | update | c99 | active | active | spawning |
| 40065880 | E | 2014-01-14 15:39:24        |  region-1  | snapshot.error | c99 |  None  |  None  |      None      |
+----------+---+----------------------------+------------+--------+------------+--------+--------+----------------+
+---+---------------------------+----------------+
| ? |           Event           |  Time (secs)   |
+---+---------------------------+----------------+
| . | compute.instance.snapshot | 0d 00:14:11.71 |
+---+---------------------------+----------------+
"""


def test_tables_of_stacky() -> None:
    text = TEXT.partition("\n")[2]
    rows, stretches, note = read(TABLE, text, "notes.txt")
    assert rows["raw_id"].to_list() == [40065869, 40065879, 40065880]
    assert set(rows["instance"]) == {INSTANCE}
    assert rows["position"].to_list() == [5, 6, 7]
    assert rows["ts"][0] == at("2014-01-14 15:39:22.574829")
    assert rows.select("priority", "state", "old_state").rows()[2] == ("ERROR", None, None)
    assert rows["old_task_state"].to_list() == [None, "spawning", None]
    assert {one.kind for one in stretches} == {"framing"}
    assert note == "1 rows of timings are no notifications"
    assert TABLE.likeness(text.encode(), "notes.txt") > 0.9


def test_csv_of_the_same_headings() -> None:
    text = (
        ",".join(HEADER) + "\n" + "\n".join(",".join("" if c is None else str(c) for c in row) for row in ROWS) + "\n"
    )
    rows, _, _ = read(TABLE, text, "x.csv")
    assert rows["event_type"].to_list() == [row[4] for row in ROWS]
    assert rows["priority"].to_list() == [None, None, "ERROR"]
    assert TABLE.likeness(text.encode(), "x.csv") > 0.9


def test_what_stacky_watch_prints() -> None:
    text = (
        "All Deployments\nPolling every 2 seconds\n+----------+-+---------------+----------+----------------+----+\n"
        "|    #     |?|  2014-01-14   |Deployment|     Event      |UUID|\n"
        "+----------+-+---------------+----------+----------------+----+\n"
        f"| 40065869 | |23:59:58.574829|  region-1|compute.instance.update|{INSTANCE}|\n"
        f"| 40065870 |E|00:00:01.100000|  region-1|   rebuild_instance    |{INSTANCE}|\n"
    )
    rows, stretches, _ = read(TABLE, text)
    assert rows["ts"].to_list() == [at("2014-01-14 23:59:58.574829"), at("2014-01-15 00:00:01.1")]
    assert rows["instance"].to_list() == [INSTANCE] * 2
    assert not [one for one in stretches if one.kind == "reject"]
    assert TABLE.likeness(text.encode(), "x") > 0.9


def test_what_stacky_show_prints() -> None:
    body = json.dumps(["monitor.info", legacy("compute.instance.snapshot.start")], indent=2)
    keys = {"#": "40065869", "When": "2014-01-14 15:39:22.574829", "Event": "compute.instance.snapshot.start",
            "Host": "compute-99", "UUID": INSTANCE, "Req ID": REQUEST}  # fmt: skip
    text = (
        "+---+---+\n| Key | Value |\n+---+---+\n" + "".join(f"| {k} | {v} |\n" for k, v in keys.items()) + "+---+---+\n"
    )
    rows, _, _ = read(TABLE, text + TEXT)
    assert rows.height == 4
    assert rows.row(0, named=True)["request_id"] == REQUEST
    rows, stretches, _ = read(TABLE, text + body + "\n")
    assert rows.select("raw_id", "image", "position").rows() == [(40065869, IMAGE, 2)]
    assert not [one for one in stretches if one.kind == "reject"]
    assert TABLE.likeness(text.encode(), "x") > 0.9


def test_limits_are_told_of_tables_too() -> None:
    row = TEXT.splitlines()[5]
    text = "\n".join([*TEXT.splitlines()[2:5], *[row] * 50, TEXT.splitlines()[4]]) + "\n"
    assert "50 rows are a limit" in str(read(TABLE, text)[2])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[[1, 2], [3, 4]]",
        '[["a", "b"], ["c", "d"]]',
        '[["monitor.info", {"event_type": "x", "publisher_id": "compute.a"}]]',
        '[{"ifname": "lo"}]',
        "+----+------+\n| ID | Name |\n+----+------+\n| 1 | x |\n",
        "+----------+-------+\n| Key | Value |\n+----------+-------+\n| name | x |\n",
        "+---+------+\n| # | Name |\n+---+------+\n",
        "#,Name\n1,x\n",
        "# comment, with words\n",
        TEXT,  # with the prompt it was typed at: a transcript
    ],
)
def test_false_friends(text: str) -> None:
    assert REST.likeness(text.encode(), "x") == 0
    assert TABLE.likeness(text.encode(), "x") == 0


def test_rows_fit_the_record() -> None:
    rows, _, _ = read(REST, json.dumps([HEADER, *ROWS]))
    assert rows.filter(pl.col("versioned")).height == 0
