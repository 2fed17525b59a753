"""Section 10 of the reference: nova's database in every form in which it is handed over, and counts of its rows."""

import hashlib

import pytest

from forensics.records import Instance, Network, RowCount, ServiceState, ShellCommand
from tests.formats._met import Line, Wanted, meet, parameters
from tests.formats._tables import boxed

UUID = "871e24ab-fc79-4dc9-8071-7b5dc1b50cd0"
OTHER = "971e24ab-fc79-4dc9-8071-7b5dc1b50cd0"
IMAGE = "0c3ff1d0-fc79-4dc9-8071-7b5dc1b50cd0"
DELETE = "delete from nova.instances where deleted=1 and terminated_at < (NOW() - INTERVAL 1 YEAR);"
NOW = "2014-01-09 03:11:02"


def _sha1(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def table(name: str, **columns: str) -> str:
    said = ",\n".join(f"  `{column}` {kind} DEFAULT NULL" for column, kind in columns.items())
    return f"CREATE TABLE `{name}` (\n{said}\n) ENGINE=InnoDB;\n"


def dump(*statements: str) -> str:
    head = (
        "-- MySQL dump 10.13  Distrib 5.5.35, for debian-linux-gnu (x86_64)\n--\n-- Host: localhost    Database: nova"
    )
    return head + "\n" + "".join(statements) + "-- Dump completed on 2014-01-10  1:10:01\n"


INSTANCES = table(
    "instances", created_at="datetime", deleted_at="datetime", id="int(11)", uuid="varchar(36)",
    image_ref="varchar(255)", host="varchar(255)", vm_state="varchar(255)", power_state="int(11)",
    launched_at="datetime", terminated_at="datetime", deleted="int(11)",
)  # fmt: skip


def instances(rows: str, *want: Wanted, section: str = "10.1") -> Line:
    return Line(section, dump(INSTANCES, f"INSERT INTO `instances` VALUES {rows};\n"), Instance, want, "nova.sql",
                {"zone": "UTC"})  # fmt: skip


def row(image: str = "''", state: str = "'active'", power: object = 1, ended: str = "NULL", deleted: int = 0) -> str:
    return f"('{NOW}',NULL,3589,'{UUID}',{image},'cc12',{state},{power},'{NOW}',{ended},{deleted})"


META = table(
    "instance_system_metadata", created_at="datetime", updated_at="datetime", deleted_at="datetime", id="int(11)",
    instance_uuid="varchar(36)", key="varchar(255)", value="varchar(255)", deleted="int(11)",
)  # fmt: skip


def counted(text: str, *want: Wanted, section: str = "10.x", name: str = "x/counts.txt", **known: object) -> Line:
    return Line(section, text, RowCount, want, name, {"modified_ns": 1_389_237_062_000_000_000} | known)


def affected(answer: str, rows: int) -> Line:
    return Line("10.3", f"mysql> {DELETE}\n{answer}\n", ShellCommand,
                {"shell": "mysql", "command": DELETE, "affected": rows})  # fmt: skip


def asked(where: str, state: str) -> Line:
    answer = boxed("count(*)", "123")
    text = "adm@db:~$ date -u\nThu Jan  9 03:11:02 UTC 2014\nadm@db:~$ mysql nova\nmysql> select count(*) from nova."
    return counted(f"{text}instances{where};\n{answer}1 row in set (0.01 sec)\n", {
        "ts": NOW, "ts_basis": "command", "host": "db", "database": "nova", "table": "instances", "state": state,
        "rows": 123, "is_estimate": False,
    }, modified_ns=None)  # fmt: skip


ONE = {"table": "instances", "rows": 123, "ts": NOW, "ts_basis": "stated", "state": "all"}
NULLED = {"instance": UUID, "is_deleted": False}
LINES = [
    # 10.1: power states of nova and of Essex alone; releases by their columns:
    # tests/loaders/documents/test_mysqldump.py::test_release_by_the_columns
    *(instances(row(power=number), {"power_state": name, "vm_state": "active", "compute_host": "cc12",
      "instance_id": 3589, "instance_name": "instance-00000e05", "instance": UUID})
      for number, name in ((0, "nostate"), (1, "running"), (3, "paused"), (4, "shutdown"), (6, "crashed"),
                           (7, "suspended"), ("NULL", None), (2, "blocked"), (5, "shutoff"), (8, "failed"),
                           (9, "building"))),
    instances(row(state="'soft-delete'"), {"vm_state": "soft-delete"}),
    instances(row(state="'shelved_offloaded'"), {"vm_state": "shelved_offloaded"}),
    Line("10.1", dump(table("networks", id="int(11)", bridge="varchar(255)", bridge_interface="varchar(255)",
         vlan="int(11)", cidr="varchar(255)", dhcp_server="varchar(255)", project_id="varchar(255)"),
         "INSERT INTO `networks` VALUES (1,'br100','vlan20',100,'10.0.0.0/24','10.0.0.1','p');\n"), Network,
         {"bridge": "br100", "bridge_interface": "vlan20", "vlan_id": 100, "cidr": "10.0.0.0/24", "project_id": "p",
          "dhcp_server": "10.0.0.1"}, "nova.sql"),
    # 10.2: deleted is a flag up to Folsom and the row's id afterwards; terminated_at and deleted_at may be null
    instances(row(deleted=1), {"is_deleted": True, "terminated_at": None, "deleted_at": None}, section="10.2"),
    instances(row(deleted=3589, ended=f"'{NOW}'"), {"is_deleted": True, "terminated_at": NOW}, section="10.2"),
    instances(row(state="'error'"), {"is_deleted": False, "vm_state": "error"}, section="10.2"),
    Line("10.2", dump(table("shadow_instances", id="int", uuid="varchar(36)", deleted="int"),
         f"INSERT INTO `shadow_instances` VALUES (5,'{UUID}',5);\n"), RowCount,
         [{"table": "shadow_instances", "state": state, "rows": rows, "ts": "2014-01-10 01:10:01"}
          for state, rows in (("all", 1), ("live", 0), ("deleted", 1))], "nova.sql", {"zone": "UTC"}),
    # 10.3: dumps of MySQL, batch output, vertical output, OUTFILE, PostgreSQL; SQLite in
    # tests/loaders/documents/test_mysqldump.py::test_dump_of_sqlite
    instances(row(ended="'0000-00-00 00:00:00'"), {"terminated_at": None, "created_at": NOW}, section="10.3"),
    Line("10.3", dump(table("instances", vm_state="varchar(9)", uuid="varchar(36)"),
         f"INSERT INTO `instances` VALUES ('error',_binary '{UUID}');\n"), Instance, {"instance": UUID}, "nova.sql"),
    Line("10.3", dump(table("instances", uuid="varchar(36)", deleted="int", vm_state="varchar(9)", id="int"),
         f"INSERT INTO `instances` VALUES ('{UUID}',0,'error',5);\n"), Instance,
         {"instance": UUID, "instance_id": 5, "vm_state": "error", "is_deleted": False}, "nova.sql"),
    Line("10.3", f"created_at\tid\tuuid\timage_ref\tdeleted\tdisplay_name\n{NOW}\t3589\t{UUID}\tNULL\t0\ta\\tb\n",
         Instance, {"instance": UUID, "image": None, "display_name": "a\tb", "is_deleted": False, "created_at": NOW},
         "instances.tsv", {"command": "mysql -e 'select * from nova.instances'", "zone": "UTC"}),
    Line("10.3", f"{'*' * 27} 1. row {'*' * 27}\ncreated_at: {NOW}\n        id: 3589\n      uuid: {UUID}\n  vm_state: "
         f"error\n   deleted: 3589\n1 row in set (0.00 sec)\n", Instance,
         {"instance": UUID, "is_deleted": True, "vm_state": "error"}, "x",
         {"command": "mysql> select * from instances\\G"}),
    Line("10.3", f"COPY instances (created_at, id, uuid, deleted, terminated_at, vm_state) FROM stdin;\n{NOW}\t3589\t"
         f"{UUID}\t3589\t\\N\terror\n\\.\n", Instance,
         {"instance": UUID, "is_deleted": True, "terminated_at": None, "created_at": NOW}, "pg.sql"),
    Line("10.3", "COPY services (created_at, id, host, \"binary\", disabled) FROM stdin;\n"
         f"{NOW}\t1\tcc12\tnova-compute\tt\n{NOW}\t2\tcc13\tnova-compute\tf\n\\.\n", ServiceState,
         [{"service_host": "cc12", "status": "disabled"}, {"service_host": "cc13", "status": "enabled"}], "pg.sql"),
    # `Query OK` with each of its parts
    affected("Query OK, 123456 rows affected (5 min 3.21 sec)", 123456),
    affected("Query OK, 1 row affected (0.00 sec)", 1),
    affected("Query OK, 5 rows affected, 1 warning (0.50 sec)", 5),
    affected("Query OK, 5 rows affected, 2 warnings (1 hour 3 min 0.50 sec)", 5),
    affected("Query OK, 5 rows affected (2 hours 3 min 0.50 sec)", 5),
    *(counted(f"{NOW}\n" + boxed("table_name|table_rows", "instances|123"), ONE, section="10.3", zone=zone)
      for zone in ("UTC", None)),
    counted("Thu Jan  9 04:11:02 CET 2014\n" + boxed("table_name|table_rows", "instances|123"),
            ONE | {"is_estimate": True}, section="10.3"),
    # 10.4
    Line("10.4", boxed("Id|Binary|Host|Zone|Status|State|Updated At",
                       "7|nova-compute|controller|nova|enabled|up|2016-08-18T12:16:58.000000"), ServiceState,
         {"service": "nova-compute", "service_host": "controller", "zone": "nova", "status": "enabled", "state": "up",
          "seen_at": "2016-08-18 12:16:58"}),
    Line("10.4", "Binary           Host                                 Zone             Status     State Updated_At\n"
         "nova-compute     cc12                                 nova             enabled    XXX   2013-02-15 "
         "01:39:41\n",
         ServiceState, {"service_host": "cc12", "state": "down", "seen_at": "2013-02-15 01:39:41"}),
    Line("10.4", dump(META, f"INSERT INTO `instance_system_metadata` VALUES ('2014-01-09 03:11:02',NULL,NULL,7812345,"
         f"'0c3f…','EC2_client_token','tok-1',0),('{NOW}',NULL,'{NOW}',7812346,'0c3f…','image_min_ram','0',7812346);\n"),
         RowCount, [{"table": "instance_system_metadata", "state": state, "rows": rows, "is_estimate": False}
                    for state, rows in (("all", 2), ("live", 1), ("deleted", 1), ("key = 'EC2_client_token'", 1))],
         "nova.sql"),
    Line("10.4", f"mysql> {DELETE}\n", ShellCommand, {"shell": "mysql", "command": DELETE, "affected": None}),
    # 10.5: image_ref in lower case, the SHA-1 of which names the base file
    instances(row(image=f"'{IMAGE.upper()}'"), {"image": IMAGE, "image_hash": _sha1(IMAGE)}, section="10.5"),
    # 10.6: boot from volume; a URL; an integer
    instances(row(image="''"), {"image": None, "image_hash": None}, section="10.6"),
    instances(row(image="NULL"), {"image": None, "image_hash": None}, section="10.6"),
    instances(row(image=f"'http://glance:9292/v1/images/{IMAGE}'"), {"image": IMAGE, "image_hash": _sha1(IMAGE)},
              section="10.6"),
    instances(row(image="'14'"), {"image": "14", "image_hash": _sha1("14")}, section="10.6"),
    # orphans are rows like others
    Line("10.6", dump(META, f"INSERT INTO `instance_system_metadata` VALUES (NULL,NULL,NULL,1,'{OTHER}','a','b',0);\n"),
         RowCount, [{"state": "all", "rows": 1}, {"state": "live", "rows": 1}, {"state": "deleted", "rows": 0}],
         "nova.sql"),
    Line("10.6", dump(INSTANCES, "INSERT INTO `instances` VALUES "
         f"('{NOW}','{NOW}',3589,'{UUID}','',NULL,'deleted',4,NULL,'{NOW}',3589);\n"), Instance,
         {"compute_host": None, "is_deleted": True, "deleted_at": NOW}, "nova.sql", {"zone": "UTC"}),
    # 10.x: lists over time, samples, questions, metrics, dumps
    counted("captured_at,schema,table_name,table_rows\n2014-01-09T03:11:02Z,nova,instances,123\n",
            ONE | {"database": "nova", "is_estimate": True}),
    counted(f"time,table,rows\n{NOW} UTC,instances,123\n", ONE),
    counted("ts\ttable\tcount\n1389237062\tinstances\t123\n", ONE | {"is_estimate": False}),
    counted(f"date,instances,services\n{NOW},123,5\n", ONE, ONE | {"table": "services", "rows": 5}, zone="UTC"),
    counted("Thu Jan  9 03:11:02 UTC 2014\n" + boxed("table_name|table_rows", "instances|123"),
            ONE | {"is_estimate": True}),
    counted("Name\tEngine\tVersion\tRow_format\tRows\tAvg_row_length\tData_length\ninstances\tInnoDB\t10\tCompact\t123"
            "\t99\t16384\n", ONE | {"ts_basis": "modified", "is_estimate": True, "data_bytes": 16384}),
    counted("table_name\ttable_rows\ninstances\t123\n", ONE | {"ts_basis": "modified", "is_estimate": True}),
    asked("", "all"),
    asked(" where deleted = 1", "deleted"),
    asked(" where deleted != 0", "deleted"),
    asked(" where deleted = 0", "live"),
    asked(" where terminated_at < NOW()", "terminated_at < NOW()"),
    asked(" where vm_state = 'error'", "error"),
    counted("nova.instances.rows 123 1389237062\n", ONE | {"database": "nova"}),
    counted('mysql_table_rows{schema="nova",table="instances"} 123 1389237062000\n', ONE | {"database": "nova"}),
    counted(dump(table("instances", id="int"), "INSERT INTO `instances` VALUES (1),(2);\n"),
            {"table": "instances", "rows": 2, "ts": "2014-01-10 01:10:01", "is_estimate": False}, name="nova.sql",
            zone="UTC"),
]  # fmt: skip


@pytest.mark.parametrize("line", parameters(LINES))
def test_section_10(line: Line) -> None:
    meet(line)
