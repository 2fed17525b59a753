# ruff: noqa: E501, ISC004 - lists are wide
"""Numbers of rows in all shapes that operators leave them in. formats.md 10.x, 10.3, Appendix A A14."""

from __future__ import annotations

import pytest

from forensics.loaders._reader import Origin
from forensics.loaders._registry import pick
from forensics.records import Instance, RowCount, ShellCommand
from tests.loaders.documents._accounts import Read, read


def loaded(text: str, name: str = "counts.csv", **origin: object) -> Read:
    label = f"$ {origin['command']}" if origin.get("command") else name
    reader = pick(text.encode()[:65_536], label)
    assert reader is not None
    return read(reader, text.encode(), Origin(name, **origin))  # type: ignore[arg-type]


def told(found: Read) -> list[tuple[object, ...]]:
    rows = found.of(RowCount).select("ts", "database", "table", "state", "rows").rows()
    return [(None if row[0] is None else str(row[0])[:19], *row[1:]) for row in rows]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "captured_at,table_schema,table_name,table_rows\n2013-02-15T01:40:18-07:00,nova,instances,312345\n",
            [("2013-02-15 08:40:18", "nova", "instances", "all", 312345)],
        ),
        (
            "time\tschema\ttable\trows\n1360917618\tnova\tinstances\t5\n1360917618\tnova\tquotas\t6\n",
            [("2013-02-15 08:40:18", "nova", "instances", "all", 5), ("2013-02-15 08:40:18", "nova", "quotas", "all", 6)],
        ),
        (
            "ts,table,state,count\n2013-02-15 08:40:18,instances,deleted,\"300,001\"\n",
            [("2013-02-15 08:40:18", None, "instances", "deleted", 300001)],
        ),
        (
            "date,instances,instance_system_metadata,instances_deleted\n2013-02-15,10,200,3\n2013-02-16,11,,4\n",
            [
                ("2013-02-15 00:00:00", None, "instances", "all", 10),
                ("2013-02-15 00:00:00", None, "instance_system_metadata", "all", 200),
                ("2013-02-15 00:00:00", None, "instances", "deleted", 3),
                ("2013-02-16 00:00:00", None, "instances", "all", 11),
                ("2013-02-16 00:00:00", None, "instances", "deleted", 4),
            ],
        ),
        (
            "time,nova.instances,nova.shadow_instances\n1360917618,10,0\n",
            [("2013-02-15 08:40:18", "nova", "instances", "all", 10), ("2013-02-15 08:40:18", "nova", "shadow_instances", "all", 0)],
        ),
        (
            "Fri Feb 15 08:40:18 UTC 2013\ntable_name\ttable_rows\ninstances\t312345\n"
            "Sat Feb 16 08:40:18 UTC 2013\ntable_name\ttable_rows\ninstances\t312400\n",
            [("2013-02-15 08:40:18", None, "instances", "all", 312345), ("2013-02-16 08:40:18", None, "instances", "all", 312400)],
        ),
        (
            "Fri Feb 15 08:40:18 UTC 2013\n+------------+------------+\n| TABLE_NAME | TABLE_ROWS |\n+------------+------------+\n"
            "| instances  |     312345 |\n| quotas     |       NULL |\n+------------+------------+\n2 rows in set (0.00 sec)\n",
            [("2013-02-15 08:40:18", None, "instances", "all", 312345)],
        ),
        (
            'mysql_info_schema_table_rows{schema="nova",table="instances"} 312345 1360917618000\n'
            'mysql_info_schema_table_rows{schema="nova",table="quotas"} 3.12e+02 1360917618000\n',
            [("2013-02-15 08:40:18", "nova", "instances", "all", 312345), ("2013-02-15 08:40:18", "nova", "quotas", "all", 312)],
        ),
        (
            "db1.mysql.nova.instances.rows 312345 1360917618\ndb1.mysql.nova.instances.deleted.rows 300000 1360917618\n",
            [("2013-02-15 08:40:18", "nova", "instances", "all", 312345), ("2013-02-15 08:40:18", "nova", "instances", "deleted", 300000)],
        ),
    ],
)  # fmt: skip
def test_lists_over_time(text: str, wanted: list[tuple[object, ...]]) -> None:
    found = loaded(text)
    assert told(found) == wanted
    assert set(found.of(RowCount)["ts_basis"]) == {"stated"}


def test_estimates_are_marked_and_counts_are_not() -> None:
    assert loaded("time,table_name,table_rows\n1360917618,instances,5\n").of(RowCount)["is_estimate"].to_list() == [
        True
    ]
    assert loaded("time,table,rows\n1360917618,instances,5\n").of(RowCount)["is_estimate"].to_list() == [False]


def test_show_table_status() -> None:
    text = (
        "Name\tEngine\tVersion\tRow_format\tRows\tAvg_row_length\tData_length\n"
        "instances\tInnoDB\t10\tCompact\t312345\t900\t281018368\nv\tNULL\tNULL\tNULL\tNULL\tNULL\tNULL\n"
    )
    rows = loaded(text, command="mysql nova -e 'show table status'").of(RowCount)
    assert rows.select("table", "rows", "is_estimate", "data_bytes").rows() == [("instances", 312345, True, 281018368)]


def test_when_nothing_tells_the_time_the_file_does() -> None:
    text = "table_name\ttable_rows\ninstances\t5\n"
    rows = loaded(text, modified_ns=1_360_917_618 * 10**9).of(RowCount)
    assert rows["ts_basis"].to_list() == ["modified"]
    rows = loaded(text, rotated_on=1_360_886_400 * 10**9, modified_ns=1).of(RowCount)
    assert rows["ts_basis"].to_list() == ["file-name"]


def test_local_stamps_are_of_the_declared_zone() -> None:
    found = loaded("time,table,rows\n2013-02-15 01:40:18,instances,5\n", zone="America/Edmonton")
    assert told(found)[0][0] == "2013-02-15 08:40:18"


def test_command_with_a_count() -> None:
    found = loaded("count(*)\n312345\n", command='mysql nova -e "select count(*) from instances where deleted != 0"')
    assert told(found) == [(None, None, "instances", "deleted", 312345)]


SESSION = """\
Welcome to the MariaDB monitor.  Commands end with ; or \\g.
Server version: 5.5.34-MariaDB

mysql> use nova
Reading table information for completion of table and column names
Database changed
mysql> select utc_timestamp();
+---------------------+
| utc_timestamp()     |
+---------------------+
| 2014-01-10 09:11:45 |
+---------------------+
1 row in set (0.00 sec)

mysql> select count(*) from instances;
+----------+
| count(*) |
+----------+
|   312345 |
+----------+
1 row in set (12.81 sec)

mysql> select count(*) from nova.instances where deleted != 0
    -> and terminated_at < (NOW() - INTERVAL 1 YEAR);
+----------+
| count(*) |
+----------+
|   200001 |
+----------+
1 row in set (12.81 sec)

mysql> SELECT vm_state, COUNT(*) FROM instances GROUP BY vm_state;
+----------+----------+
| vm_state | COUNT(*) |
+----------+----------+
| active   |       12 |
| error    |       34 |
| NULL     |        1 |
+----------+----------+
3 rows in set (0.00 sec)

mysql> delete from nova.instances where deleted=1 and terminated_at < (NOW() - INTERVAL 1 YEAR);
Query OK, 123456 rows affected (5 min 3.21 sec)

mysql> GRANT ALL ON nova.* TO 'nova'@'%' IDENTIFIED BY 's3cret';
Query OK, 0 rows affected, 1 warning (0.00 sec)

mysql> select id, uuid, vm_state, host from instances limit 1\\G
*************************** 1. row ***************************
      id: 7
    uuid: 0C3F7C1A-0000-4000-8000-000000000007
vm_state: active
    host: cc12
1 row in set (0.00 sec)

MariaDB [nova]> select nonsense;
ERROR 1054 (42S22): Unknown column 'nonsense' in 'field list'
mysql> exit
Bye
"""


def test_session_of_mysql() -> None:  # formats.md Appendix A, A14
    found = loaded(SESSION, "notes.txt")
    assert found.kinds() <= {"framing", "padding"}
    assert told(found) == [
        ("2014-01-10 09:11:45", "nova", "instances", "all", 312345),
        (
            "2014-01-10 09:11:45",
            "nova",
            "instances",
            "deleted != 0 and terminated_at < (NOW() - INTERVAL 1 YEAR)",
            200001,
        ),
        ("2014-01-10 09:11:45", "nova", "instances", "active", 12),
        ("2014-01-10 09:11:45", "nova", "instances", "error", 34),
        ("2014-01-10 09:11:45", "nova", "instances", "vm_state is null", 1),
    ]
    commands = found.of(ShellCommand)
    assert set(commands["shell"]) == {"mysql"}
    affected = dict(commands.select("command", "affected").rows())
    assert (
        affected["delete from nova.instances where deleted=1 and terminated_at < (NOW() - INTERVAL 1 YEAR);"] == 123456
    )
    assert affected["GRANT ALL ON nova.* TO 'nova'@'%' IDENTIFIED BY •••;"] == 0
    assert "s3cret" not in str(commands.to_dicts())
    assert "`deleted != 0` is right in both" in found.facts["note"]
    row = found.of(Instance).row(0, named=True)
    assert (row["instance"], row["instance_id"], row["vm_state"], row["compute_host"]) == (
        "0c3f7c1a-0000-4000-8000-000000000007", 7, "active", "cc12",
    )  # fmt: skip


def test_statement_alone_without_an_answer() -> None:  # formats.md Appendix A, A14
    line = "mysql> delete from nova.instances where deleted=1 and terminated_at < (NOW() - INTERVAL 1 YEAR);\n"
    found = loaded(line, "notes.txt")
    row = found.of(ShellCommand).row(0, named=True)
    assert row["command"] == line[7:-1]
    assert row["affected"] is None
    assert "at most one" in found.facts["note"]


def test_counts_below_a_shell_prompt_with_a_date() -> None:
    text = (
        "adm@db1:~$ date -u\nFri Jan 10 09:11:45 UTC 2014\nadm@db1:~$ mysql -u root nova\n"
        "mysql> select count(*) from instances where deleted = 0;\n"
        "+----------+\n| count(*) |\n+----------+\n|     1234 |\n+----------+\n1 row in set (0.00 sec)\n"
    )
    found = loaded(text, "db1/paste.txt")
    assert told(found) == [("2014-01-10 09:11:45", "nova", "instances", "live", 1234)]
    assert found.of(RowCount)["ts_basis"].to_list() == ["command"]


def test_session_of_psql() -> None:
    text = "nova=# select count(*) from instances where deleted <> 0;\n count \n-------\n 77\n(1 row)\n\nnova=# \\q\n"
    found = loaded(text, "notes.txt", command="psql nova")
    assert told(found) == [(None, "nova", "instances", "deleted", 77)]


@pytest.mark.parametrize(
    "text",
    [
        "time,host,value\n1360917618,cc12,5\n",
        "date,cpu,memory\n2013-02-15,1,2\n",
        "ID,Name,Status\n1,a,ACTIVE\n",
        "+----+------+\n| ID | Name |\n+----+------+\n| 1  | a    |\n+----+------+\n",
        "instances are rows\nrows 5\n",
        "2014-01-10 09:11:45.072 129745 INFO nova.compute [-] count(*) 5\n",
        "epoch,value\n1360917618.000,5\n",
        "cpu.load.total.rows 5 1360917618\n",
    ],
)
def test_other_lists_are_left_alone(text: str) -> None:
    found = pick(text.encode(), "x.csv")
    assert found is None or RowCount not in found.bases or found.name not in ("row-counts", "sql-session")


def test_answer_to_a_command_in_a_transcript() -> None:
    text = (
        "[root@db1 ~]# date -u\nFri Jan 10 09:11:45 UTC 2014\n"
        "[root@db1 ~]# mysql -e 'select count(*) from nova.instances where vm_state=\"error\"'\n"
        "+----------+\n| count(*) |\n+----------+\n|     1234 |\n+----------+\n"
        "[root@db1 ~]# mysql -Be 'select table_name, table_rows from information_schema.tables'\n"
        "table_name\ttable_rows\ninstances\t312345\n"
    )
    found = loaded(text, "paste.txt")
    assert told(found) == [
        ("2014-01-10 09:11:45", "nova", "instances", "error", 1234),
        ("2014-01-10 09:11:45", None, "instances", "all", 312345),
    ]
    assert found.of(RowCount)["is_estimate"].to_list() == [False, True]


def test_a_statement_that_was_given_up_and_a_long_one() -> None:
    text = "mysql> select 1\n    -> ^C\nmysql> select count(*)\n" + "    -> \n" * 20_000 + "    -> from quotas;\n"
    text += "+----------+\n| count(*) |\n+----------+\n|        3 |\n+----------+\n"
    found = loaded(text, "paste.txt")
    assert found.of(ShellCommand)["command"].to_list() == ["select 1 ^C", "select count(*) from quotas;"]
    assert told(found) == [(None, None, "quotas", "all", 3)]
