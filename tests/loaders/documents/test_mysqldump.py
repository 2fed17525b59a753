# ruff: noqa: E501 - rows of tables are long
"""Dumps that the tests write themselves: any rows, cut anywhere, damaged anywhere. formats.md 4.6, 10.2, 10.6, C9."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forensics.loaders._reader import Origin
from forensics.loaders._registry import pick
from forensics.loaders.documents import _ledger, _sql_dump
from forensics.loaders.documents.mysqldump import READERS
from forensics.records import Instance, InstanceEvent, InstancePort, Network, Notification, RowCount, ServiceState
from tests.loaders.documents._accounts import read
from tests.loaders.documents._schemas import ODD, uuid

MYSQLDUMP = READERS[0]
HEAD = "-- MySQL dump 10.13  Distrib 5.5.28, for debian-linux-gnu (x86_64)\n--\n-- Host: localhost    Database: nova\n"
END = "-- Dump completed on 2014-01-10  9:11:45\n"
# mysql_real_escape_string
ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\0": "\\0", "\x1a": "\\Z"})
CREATE = (
    "CREATE TABLE `instances` (\n  `id` int(11) NOT NULL AUTO_INCREMENT,\n  `uuid` varchar(36) DEFAULT NULL,\n"
    "  `image_ref` varchar(255) DEFAULT NULL COMMENT 'a (b), c;',\n  `display_name` varchar(255) DEFAULT NULL,\n"
    "  `memory_mb` int(11) DEFAULT NULL,\n  `deleted` int(11) DEFAULT NULL,\n  PRIMARY KEY (`id`),\n"
    "  KEY `uuid` (`uuid`,`deleted`),\n  CONSTRAINT `x` CHECK (`id` > 0)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8;\n"
)

Row = tuple[int, str, str | None, str | None, int | None, int]


def literal(value: object) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + str(value).translate(ESCAPES) + "'"


def tuples(rows: list[Row]) -> list[str]:
    return ["(" + ",".join(map(literal, row)) + ")" for row in rows]


def dump(
    rows: list[Row], *, separator: str = ",", each: int = 3, lead: str = "INSERT INTO `instances` VALUES "
) -> bytes:
    told = tuples(rows)
    parts = [lead + separator.join(told[at : at + each]) + ";\n" for at in range(0, len(told), each)]
    return (HEAD + CREATE + "LOCK TABLES `instances` WRITE;\n" + "".join(parts) + "UNLOCK TABLES;\n" + END).encode()


def told(octets: bytes) -> list[Row]:
    frame = read(MYSQLDUMP, octets).of(Instance)
    columns = ("instance_id", "instance", "image", "display_name", "memory_mb", "is_deleted")
    return [(*row[:5], int(row[5])) for row in frame.select(columns).rows()]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(ODD)
ROWS = st.lists(
    st.tuples(st.integers(0, 2**31), st.integers(0, 9).map(uuid), st.none(), st.none() | TEXT, st.none() | st.integers(0, 9),
              st.integers(0, 1)), max_size=12,
)  # fmt: skip


def wanted(rows: list[Row]) -> list[Row]:
    return [(*row[:3], row[3] or None, *row[4:]) for row in rows]


@pytest.fixture(params=[_ledger.CHUNK_BYTES, 37, 501], ids=["whole", "37", "501"])
def chunks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(_ledger, "CHUNK_BYTES", request.param)
    return int(request.param)


@settings(max_examples=30, deadline=None)
@given(ROWS, st.sampled_from([",", ",\n", ", "]), st.sampled_from([1, 3, 100]), st.sampled_from([8 << 20, 37, 211]))
def test_any_rows_come_back(rows: list[Row], separator: str, each: int, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_ledger, "CHUNK_BYTES", chunk)
        octets = dump(rows, separator=separator, each=each)
        assert told(octets) == wanted(rows)
        counts = read(MYSQLDUMP, octets).of(RowCount).filter(pl.col("state") == "all")
        assert counts.select("table", "rows", "is_complete").rows() == [("instances", len(rows), True)]


ROWS_OF_ODD: list[Row] = [(at, uuid(at), None, odd, at, at % 2) for at, odd in enumerate(ODD, 1)]


TUPLES_OF_ODD = tuples(ROWS_OF_ODD)


@pytest.mark.parametrize("each", [1, 4, 100])
def test_a_dump_that_is_cut_keeps_every_whole_row_before_the_cut(each: int) -> None:
    octets = dump(ROWS_OF_ODD, each=each)
    first = octets.index(b"LOCK TABLES")
    ends, at = [], first
    for text in TUPLES_OF_ODD:
        at = octets.index(text.encode(), at) + len(text.encode())
        ends.append(at)
    for cut in range(0, len(octets), 11):
        found = read(MYSQLDUMP, octets[:cut]) if cut else read(MYSQLDUMP, b"")
        whole = sum(end <= cut for end in ends)
        assert found.of(Instance).height == whole, cut
        counts = found.of(RowCount).filter(pl.col("state") == "all")
        assert counts["rows"].to_list() in ([], [whole])
        inside = any(end - len(text.encode()) < cut < end for end, text in zip(ends, TUPLES_OF_ODD, strict=True))
        if inside:
            assert "cut in the middle of the rows of instances" in found.facts["note"]
            assert counts["is_complete"].to_list() == [False]
            assert "gap" in found.kinds()
            assert [loss[2] for loss in found.losses] == ["dump that was cut"]
        elif cut < len(octets) - 30:
            assert found.facts["note"].endswith("complete") or "cut in the middle" in found.facts["note"]


@pytest.mark.parametrize("each", [1, 100])
def test_damage_stays_local(each: int) -> None:
    rows: list[Row] = [(at, uuid(at), None, f"name {at} it's", at, 0) for at in range(1, 60)]
    octets = dump(rows, each=each)
    start = octets.index(b"(1,'")
    for at in range(start + 700, start + 1000, 7):
        for hurt in (
            octets[:at] + octets[at + 40 :],
            octets[:at] + b"'" + octets[at + 1 :],
            octets[:at] + bytes(20) + octets[at + 20 :],
        ):
            found = read(MYSQLDUMP, hurt)
            ids = found.of(Instance)["instance_id"].to_list()
            assert len(set(ids) & set(range(1, 60))) >= 59 - 6, at
            assert {58, 59} <= set(ids)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=200), st.integers(1, 900), st.sampled_from([8 << 20, 61]))
def test_no_octets_crash_it(noise: bytes, place: int, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_ledger, "CHUNK_BYTES", chunk)
        octets = dump(ROWS_OF_ODD)
        read(MYSQLDUMP, octets[:place] + noise + octets[place:])
        read(MYSQLDUMP, b"-" + noise)
        read(MYSQLDUMP, HEAD.encode() + b"INSERT INTO `instances` VALUES " + noise)


def test_pieces_of_a_stream_do_not_matter(chunks: int) -> None:
    assert told(dump(ROWS_OF_ODD, each=5)) == wanted(ROWS_OF_ODD)


def test_a_row_points_to_its_octets() -> None:
    octets = dump(ROWS_OF_ODD, each=5)
    for row in read(MYSQLDUMP, octets).of(Instance).iter_rows(named=True):
        text = octets[row["offset_bytes"] : row["offset_bytes"] + row["length_bytes"]]
        assert tuples([ROWS_OF_ODD[row["instance_id"] - 1]])[0].encode() in text
        assert text.count(b"(") >= 1


def test_when_the_dump_was_complete_is_when_its_rows_were_counted() -> None:
    octets = dump(ROWS_OF_ODD)
    rows = read(MYSQLDUMP, octets).of(RowCount)
    assert {str(ts) for ts in rows["ts"]} == {"2014-01-10 09:11:45+00:00"}
    assert set(rows["ts_basis"]) == {"stated"}
    rows = read(MYSQLDUMP, octets, Origin("x", zone="America/Edmonton", modified_ns=10**18)).of(RowCount)
    assert {str(ts) for ts in rows["ts"]} == {"2014-01-10 16:11:45+00:00"}
    bare = octets.replace(END.encode(), b"")
    rows = read(MYSQLDUMP, bare, Origin("x", modified_ns=10**18)).of(RowCount)
    assert set(rows["ts_basis"]) == {"modified"}
    assert rows["is_complete"].to_list() == [None] * rows.height


def test_a_long_row_is_counted_and_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sql_dump, "LONGEST_ROW", 1_500_000)
    monkeypatch.setattr(_ledger, "CHUNK_BYTES", 300_000)
    rows: list[Row] = [
        (1, uuid(1), None, "a", 1, 0),
        (2, uuid(2), None, "b" * 3_000_000, 1, 0),
        (3, uuid(3), None, "c", 1, 0),
    ]
    found = read(MYSQLDUMP, dump(rows, each=3))
    assert found.of(Instance)["instance_id"].to_list() == [1, 3]
    assert "row of instances longer than" in str([s.reason for s in found.stretches if s.kind == "gap"])


def test_line_of_more_than_16_mib_with_escaped_json() -> None:  # formats.md Appendix C, 9
    body = '["monitor.info", {"event_type": "compute.instance.create.end", "message_id": "%s", "payload": {"instance_id": "%s", "x": "it\'s \\\\ \\n %s"}}]'
    texts = [body % (uuid(at), uuid(at), "y" * 4000) for at in range(4200)]
    octets = (
        HEAD + "CREATE TABLE `stacktach_deployment` (\n  `id` int,\n  `name` varchar(9)\n);\n"
        "INSERT INTO `stacktach_deployment` VALUES (1,'prod');\n"
        "CREATE TABLE `stacktach_rawdata` (\n  `id` int,\n  `deployment_id` int,\n  `json` longtext,\n  `when` decimal(20,6)\n);\n"
        "INSERT INTO `stacktach_rawdata` VALUES "
        + ",".join(f"({at},1,{literal(text)},1389713962.574829)" for at, text in enumerate(texts))
        + ";\n" + END
    ).encode()  # fmt: skip
    assert len(octets) > 16 << 20
    rows = read(MYSQLDUMP, octets).of(Notification)
    assert rows["instance"].to_list() == [uuid(at) for at in range(4200)]
    assert rows["raw_id"].to_list() == list(range(4200))
    assert set(rows["deployment"]) == {"prod"}
    assert str(rows["ts"][0]) == "2014-01-14 15:39:22.574829+00:00"


def test_other_tables_of_nova() -> None:  # formats.md 10.1, 7.5
    text = (
        HEAD
        + """
CREATE TABLE `fixed_ips` (`id` int, `address` varchar(39), `network_id` int, `virtual_interface_id` int,
  `instance_uuid` varchar(36), `allocated` tinyint(1), `leased` tinyint(1), `reserved` tinyint(1), `deleted` int);
INSERT INTO `fixed_ips` VALUES (1,'10.0.0.2',1,7,'AA',1,1,0,0),(2,'10.0.0.3',1,NULL,NULL,0,0,0,0);
CREATE TABLE `floating_ips` (`id` int, `address` varchar(39), `fixed_ip_id` int, `project_id` varchar(9), `deleted` int);
INSERT INTO `floating_ips` VALUES (1,'9.9.9.9',1,'p',0);
CREATE TABLE `instance_actions` (`id` int, `action` varchar(9), `instance_uuid` varchar(36), `request_id` varchar(40),
  `user_id` varchar(9), `project_id` varchar(9), `start_time` datetime, `message` varchar(9), `deleted` int);
INSERT INTO `instance_actions` VALUES (3,'reboot','AA','req-1','u','p','2014-01-10 09:11:45',NULL,0);
CREATE TABLE `instance_actions_events` (`id` int, `event` varchar(9), `action_id` int, `start_time` datetime,
  `finish_time` datetime, `result` varchar(9), `traceback` text, `host` varchar(9), `deleted` int);
INSERT INTO `instance_actions_events` VALUES
  (1,'compute_reboot_instance',3,'2014-01-10 09:11:45','2014-01-10 09:11:47','Error','Traceback\\n  x\\nOops: no disk\\n','cc12',0);
CREATE TABLE `instance_faults` (`created_at` datetime, `instance_uuid` varchar(36), `code` int, `message` text);
INSERT INTO `instance_faults` VALUES ('2014-01-10 09:11:47','AA',500,'No valid host password=x1y2');
CREATE TABLE `instance_info_caches` (`instance_uuid` varchar(36), `network_info` text, `deleted` int);
INSERT INTO `instance_info_caches` VALUES ('AA','[{\\"id\\": \\"P\\", \\"address\\": \\"FA:16:3e:24:e7:22\\", \\"network\\":
 {\\"id\\": \\"n\\", \\"subnets\\": [{\\"ips\\": [{\\"address\\": \\"10.0.0.2\\"}]}]}}]',0),('BB','[]',0);
CREATE TABLE `networks` (`id` int, `uuid` varchar(36), `label` varchar(9), `vlan` int, `bridge` varchar(9), `bridge_interface`
  varchar(9), `cidr` varchar(20), `project_id` varchar(9), `deleted` int);
INSERT INTO `networks` VALUES (1,'N','net',100,'br100','vlan20','10.0.0.0/24',NULL,0);
CREATE TABLE `services` (`id` int, `host` varchar(9), `binary` varchar(20), `topic` varchar(9), `report_count` int,
  `disabled` tinyint(1), `updated_at` datetime, `deleted` int);
INSERT INTO `services` VALUES (1,'cc12','nova-compute','compute',5,0,'2014-01-10 09:11:40',0),
  (2,'cc13','nova-compute','compute',5,1,NULL,0);
CREATE TABLE `virtual_interfaces` (`id` int, `address` varchar(60), `network_id` int, `instance_uuid` varchar(36),
  `uuid` varchar(36), `deleted` int);
INSERT INTO `virtual_interfaces` VALUES (7,'FA:16:3E:24:E7:22',1,'AA','V',0),(8,'fa:16:3e:00:00:01/ab',1,'BB','W',8);
"""
        + END
    )
    found = read(MYSQLDUMP, text.encode())
    assert found.kinds() == {"framing"}
    ports = found.of(InstancePort).select("mac", "ip", "floating_ip", "instance", "port", "state").rows()
    assert ports == [
        (None, "10.0.0.2", None, "aa", None, "leased"),
        (None, "10.0.0.3", None, None, None, "free"),
        (None, "10.0.0.2", "9.9.9.9", "aa", None, None),
        ("fa:16:3e:24:e7:22", "10.0.0.2", None, "aa", "p", None),
        ("fa:16:3e:24:e7:22", "10.0.0.2", None, "aa", "v", None),
        ("fa:16:3e:00:00:01", None, None, "bb", "w", None),
    ]
    events = found.of(InstanceEvent).select("event", "action", "instance", "request_id", "host", "error").rows()
    assert events == [
        ("action", "reboot", "aa", "req-1", None, None),
        ("action", "reboot", "aa", "req-1", "cc12", "Oops: no disk"),
        ("fault", None, "aa", None, None, "No valid host password=•••"),
    ]
    assert found.of(Network).select("network", "vlan_id", "bridge", "bridge_interface").rows() == [
        ("n", 100, "br100", "vlan20")
    ]
    states = found.of(ServiceState).select("service_host", "status", "state", "told_by").rows()
    assert states == [("cc12", "enabled", "unknown", "database"), ("cc13", "disabled", "unknown", "database")]


def test_neutron_ports_know_their_addresses_and_hosts() -> None:  # formats.md 7.5
    text = (
        HEAD.replace("nova", "neutron")
        + """
CREATE TABLE `ipallocations` (`port_id` varchar(36), `ip_address` varchar(64), `subnet_id` varchar(36), `network_id` varchar(36));
INSERT INTO `ipallocations` VALUES ('P1','10.0.0.5','s','N'),('P1','fd00::5','s','N');
CREATE TABLE `ml2_port_bindings` (`port_id` varchar(36), `host` varchar(9), `vif_type` varchar(9));
INSERT INTO `ml2_port_bindings` VALUES ('P1','cc12','ovs');
CREATE TABLE `ports` (`tenant_id` varchar(9), `id` varchar(36), `network_id` varchar(36), `mac_address` varchar(32),
  `admin_state_up` tinyint(1), `status` varchar(16), `device_id` varchar(255), `device_owner` varchar(255));
INSERT INTO `ports` VALUES ('t','P1','N','FA:16:3E:AA:BB:CC',1,'ACTIVE','AAAA','compute:nova'),
  ('t','P2','N','fa:16:3e:00:00:02',1,'ACTIVE','dhcp-1','network:dhcp');
CREATE TABLE `networks` (`tenant_id` varchar(9), `id` varchar(36), `name` varchar(9), `status` varchar(9), `admin_state_up` tinyint(1));
INSERT INTO `networks` VALUES ('t','N','net','ACTIVE',1);
"""
        + END
    )
    found = read(MYSQLDUMP, text.encode())
    ports = found.of(InstancePort).filter(pl.col("mac").is_not_null())
    assert ports.select("mac", "ip", "instance", "port", "compute_host", "device_owner").rows() == [
        ("fa:16:3e:aa:bb:cc", "10.0.0.5", "aaaa", "p1", "cc12", "compute:nova"),
        ("fa:16:3e:aa:bb:cc", "fd00::5", "aaaa", "p1", "cc12", "compute:nova"),
        ("fa:16:3e:00:00:02", None, None, "p2", None, "network:dhcp"),
    ]
    assert found.of(Network).select("network", "name", "bridge").rows() == [("n", "net", None)]


def test_statements_around_the_rows() -> None:
    text = (
        HEAD + CREATE + "DELIMITER ;;\n/*!50003 CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN\n"
        "INSERT INTO `instances` VALUES (9,'z',NULL,NULL,NULL,0);\nEND */;;\nDELIMITER ;\nuse `other`;\n"
        "insert ignore into nova.instances (`id`, `deleted`,uuid) values (1,0,'A'), ( 2 , 2 , 'B' )\n"
        "ON DUPLICATE KEY UPDATE id=VALUES(id);\nREPLACE INTO `nova`.`instances` (`id`) VALUES (3);\n"
        "INSERT INTO instances SELECT * FROM nova.instances;\nwhat is this\n" + END
    )
    found = read(MYSQLDUMP, text.encode())
    rows = found.of(Instance).select("instance_id", "instance", "is_deleted", "database").rows()
    assert rows == [(1, "a", False, "nova"), (2, "b", True, "nova"), (3, None, None, "nova")]
    assert [s.reason for s in found.stretches if s.kind == "reject"] == ["line not understood in mysqldump"]


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (HEAD, "mysqldump"),
        ("/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19  Distrib 10.11\n", "mysqldump"),
        ("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE instances (id INTEGER);\n", "mysqldump"),
        ("INSERT INTO `instances` VALUES (1,'a');\n", "mysqldump"),
        ("--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n", "pg_dump"),
    ],
)
def test_dumps_are_recognised(head: str, name: str) -> None:
    found = pick(head.encode(), "x")
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "text",
    [
        "2014-01-10 09:11:45.072 129745 INFO nova.db [-] INSERT INTO instances VALUES (1)\n" * 3,
        "adm@cc12:~$ mysqldump nova\n-- MySQL dump 10.13\n",
        "CREATE a cloud\nand be happy\n",
        "mysql> INSERT INTO t VALUES (1);\nQuery OK, 1 row affected (0.00 sec)\n",
    ],
)
def test_what_only_speaks_of_sql_is_no_dump(text: str) -> None:
    assert MYSQLDUMP.likeness(text.encode(), "nova.sql") == 0.0


def test_dump_of_sqlite() -> None:  # formats.md 10.3
    text = (
        "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE instances (id INTEGER NOT NULL, uuid VARCHAR(36), image_ref TEXT,"
        " display_name TEXT, PRIMARY KEY (id));\nINSERT INTO instances VALUES(1,'A',NULL,'C:\\');\n"
        "INSERT INTO instances VALUES(2,'B',NULL,'it''s\nhere');\nCOMMIT;\n"
    )
    rows = read(MYSQLDUMP, text.encode()).of(Instance)
    assert rows.select("instance_id", "display_name", "position").rows() == [(1, "C:\\", 4), (2, "it's\nhere", 5)]


def test_xml_says_that_it_is_not_read() -> None:  # formats.md 4.6
    text = b'<?xml version="1.0"?>\n<mysqldump xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n<database name="nova">\n'
    found = pick(text, "nova.xml")
    assert found is not None
    assert found.name == "mysqldump"
    assert [s.reason for s in read(found, text).stretches] == ["mysqldump --xml is not read: dump again without it"]


@pytest.mark.parametrize(
    "noise",
    [
        b"\\",
        b"'",
        b"\\'",
        b"(",
        b")",
        b"),(",
        b",",
        b";",
        b";\n",
        b"\n",
        b"\nINSERT INTO `instances` VALUES (",
        b"`",
        b"/*",
        b"x ",
    ],
)
def test_hostile_octets_take_linear_time(noise: bytes) -> None:
    lead = HEAD.encode() + CREATE.encode()
    for start in (b"INSERT INTO `instances` VALUES (1,'", b"INSERT INTO `instances` VALUES ", b"CREATE TABLE x (", b""):
        read(MYSQLDUMP, lead + start + noise * (30_000 // len(noise)))


def test_a_snapshot_that_counts_on_the_server() -> None:
    text = (
        "-- Snapshot of mysql://nova@db1/nova by cloud-forensics\n-- Host: db1    Database: nova\n\nUSE `nova`;\n"
        "-- Rows of `instance_metadata`: 5 live\n-- Rows of `instance_metadata`: 7 deleted\n-- Rows of `quotas`: 3 all\n"
        "\nCREATE TABLE `instances` (\n  `id` text,\n  `image_ref` text,\n  `deleted` text\n);\n"
        "INSERT INTO `instances` (`id`, `image_ref`, `deleted`) VALUES (1,NULL,0);\n"
        "-- Dump completed on 2014-01-10 09:11:45 UTC\n"
    )
    found = read(MYSQLDUMP, text.encode(), Origin("x", zone="America/Edmonton"))
    counts = found.of(RowCount)
    assert counts.select("table", "state", "rows").rows() == [
        ("instance_metadata", "all", 12), ("instance_metadata", "live", 5), ("instance_metadata", "deleted", 7),
        ("quotas", "all", 3), ("instances", "all", 1), ("instances", "live", 1), ("instances", "deleted", 0),
    ]  # fmt: skip
    assert {str(ts) for ts in counts["ts"]} == {"2014-01-10 09:11:45+00:00"}
    assert set(counts["database"]) == {"nova"}


def test_columns_that_nothing_names_leave_rows_counted_alone() -> None:
    text = "/*!40101 SET NAMES binary*/;\nINSERT INTO `instances` VALUES(1,'A'),\n(2,'B')\n,(3,'C');\n"  # mydumper
    found = read(MYSQLDUMP, text.encode())
    assert found.of(Instance).height == 0
    assert found.of(RowCount).select("table", "state", "rows").rows() == [("instances", "all", 3)]
    assert "no statement names their columns" in found.facts["note"]


@pytest.mark.parametrize(
    ("columns", "release"),
    [
        ("local_gb state", "Cactus or earlier"),
        ("local_gb vm_state", "Diablo"),
        ("root_gb vm_state server_name", "Essex or Folsom"),
        ("root_gb vm_state node scheduled_at", "Grizzly"),
        ("root_gb vm_state node scheduled_at cleaned", "Havana to Kilo"),
        ("root_gb vm_state node cleaned", "Liberty to Stein"),
        ("root_gb vm_state node cleaned hidden", "Train to 2023.1"),
        ("root_gb vm_state node cleaned hidden compute_id", "2023.2 or later"),
    ],
)
def test_release_by_the_columns(columns: str, release: str) -> None:  # formats.md 10.1
    body = ",\n".join(f"  `{name}` int" for name in ("id", "image_ref", *columns.split()))
    found = read(MYSQLDUMP, (HEAD + f"CREATE TABLE `instances` (\n{body}\n);\n" + END).encode())
    assert found.facts["release"] == release
    assert found.facts["release_basis"].startswith("table instances has ")


def test_tables_of_the_first_releases() -> None:  # formats.md 10.1, 10.6, 7.5
    text = (
        HEAD
        + "CREATE TABLE `instances` (`id` int, `image_ref` varchar(255), `state` int, `local_gb` int, `deleted` tinyint(1));\n"
        "INSERT INTO `instances` VALUES (3589,'7',1,10,1),(3590,'http://glance:9292/v1/images/0673DD71-34c5-4fbb-86c4-40623fbe45b4',5,20,0);\n"
        "CREATE TABLE `virtual_interfaces` (`id` int, `address` varchar(17), `network_id` int, `instance_id` int, `uuid` varchar(36));\n"
        "INSERT INTO `virtual_interfaces` VALUES (1,'02:16:3e:7f:00:01',1,3589,'V');\n" + END
    )
    found = read(MYSQLDUMP, text.encode())
    rows = (
        found.of(Instance).select("instance_name", "image", "image_hash", "power_state", "root_gb", "is_deleted").rows()
    )
    assert rows[0] == ("instance-00000e05", "7", "902ba3cda1883801594b6e1b452790cc53948fda", "running", 10, True)
    assert rows[1] == (
        "instance-00000e06", "0673dd71-34c5-4fbb-86c4-40623fbe45b4", "a489c868f0c37da93b76227c91bb03908ac0e742", "shutoff", 20, False,
    )  # fmt: skip
    assert found.of(InstancePort).select("mac", "instance_id").rows() == [("02:16:3e:7f:00:01", 3589)]


def test_no_secret_leaves_the_dump() -> None:
    text = (
        HEAD
        + "CREATE TABLE `instances` (`id` int, `image_ref` varchar(9), `admin_pass` varchar(9), `user_data` text, `key_data` text);\n"
        "INSERT INTO `instances` VALUES (1,NULL,'hunter2','hunter2','hunter2');\n"
        "CREATE TABLE `images` (`id` varchar(36), `status` varchar(9), `checksum` varchar(32), `location` text, `size` bigint, `is_public` tinyint(1));\n"
        "INSERT INTO `images` VALUES ('I','active','c','swift://u:hunter2@h/c',5,1);\n" + END
    )
    found = read(MYSQLDUMP, text.encode())
    assert found.of(Instance).height == 1
    assert all("hunter2" not in str(frame.to_dicts()) for frame in found.rows.values())
