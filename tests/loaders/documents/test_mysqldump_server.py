"""Dumps that mysqldump makes of a real server, against what the server itself says. formats.md 4.6, 10.2, 10.3."""

from collections.abc import Iterator

import polars as pl
import pytest

from forensics.loaders._registry import pick
from forensics.records import Instance, RowCount
from tests.loaders.documents._accounts import Read, read
from tests.loaders.documents._mariadb import Server, server
from tests.loaders.documents._schemas import FOLSOM, GRIZZLY, METADATA, ODD, quoted, uuid

ROWS = 60
TOKENS = """INSERT INTO instance_system_metadata (instance_uuid, `key`, deleted)
SELECT uuid, 'EC2_client_token', deleted FROM instances;"""
POWER = ["nostate", "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "suspended"]


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    with server() as running:
        statements = [
            "CREATE DATABASE nova; USE nova;",
            GRIZZLY,
            METADATA,
            "CREATE TABLE shadow_instances LIKE instances;",
        ]
        for number in range(1, ROWS + 1):
            odd, dead = ODD[number % len(ODD)], number % 3 == 0
            statements.append(
                "INSERT INTO instances SET created_at='2013-01-01 00:00:00', "
                f"deleted_at={quoted('2013-02-01 00:00:01' if dead else None)}, id={number}, image_ref="
                f"{quoted([uuid(900), 'http://glance:9292/images/' + uuid(901).upper(), '7', '', None][number % 5])}, "
                f"key_data={quoted(odd * 3)}, user_data='c2VjcmV0', admin_pass='s3cret', power_state={number % 8}, "
                f"vm_state={quoted(['active', 'error', None][number % 3])}, host={quoted(odd or None)}, uuid="
                f"{quoted(uuid(number))}, display_name={quoted(odd)}, launched_at='0000-00-00 00:00:00', "
                f"memory_mb=2048, deleted={number if dead else 0}, "
                f"blob_column=0x{bytes(range(256)).hex() if number % 2 else '00'};"
            )
        statements.append("INSERT INTO shadow_instances SELECT * FROM instances WHERE id <= 5;")
        statements += [
            TOKENS,
            "INSERT INTO quotas VALUES (1, 'it''s', 3), (2, NULL, 4);",
            "CREATE DATABASE old; USE old;", FOLSOM,
            "INSERT INTO instances SET id=5, deleted=1, uuid='B', image_ref='3', vm_state='deleted';",
            "INSERT INTO instances SET id=6, deleted=0, uuid='C', vm_state='active';",
        ]  # fmt: skip
        running.client("\n".join(statements).encode())
        yield running


def loaded(dump: bytes) -> Read:
    reader = pick(dump[:65_536], "nova.sql")
    assert reader is not None
    assert reader.name == "mysqldump"
    found = read(reader, dump)
    assert found.kinds() <= {"framing"}
    return found


OPTIONS = [
    (),
    ("--skip-extended-insert",),
    ("--complete-insert",),
    ("--complete-insert", "--skip-extended-insert"),
    ("--hex-blob",),
    ("--single-transaction", "--quick", "--skip-opt"),
    ("--insert-ignore", "--no-create-info", "--complete-insert"),
    ("--replace", "--compact"),
    ("--skip-comments",),
    ("--add-drop-database", "--databases", "--routines", "--triggers", "--events"),
    ("--skip-add-locks", "--skip-disable-keys", "--net-buffer-length=16384"),
]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_every_row_is_as_the_server_has_it(database: Server, options: tuple[str, ...]) -> None:
    found = loaded(database.dump(*options, "nova"))
    rows = found.of(Instance).filter(pl.col("is_archived").not_()).sort("instance_id")
    assert rows.height == int(database.client("SELECT COUNT(*) FROM nova.instances", "-BN"))
    for row in rows.iter_rows(named=True):
        number = row["instance_id"]
        odd = ODD[number % len(ODD)]
        assert row["instance"] == uuid(number)
        assert row["display_name"] == (odd or None)
        assert row["compute_host"] == (odd or None)
        assert row["is_deleted"] is (number % 3 == 0)
        assert row["vm_state"] == ["active", "error", None][number % 3]
        assert row["image"] == [uuid(900), uuid(901), "7", None, None][number % 5]
        assert row["instance_name"] == f"instance-{number:08x}"
        assert row["launched_at"] is None
        assert row["power_state"] == POWER[number % 8]
        assert str(row["created_at"]).startswith("2013-01-01 00:00:00")
    assert rows["deleted_at"].drop_nulls().unique().dt.to_string().to_list() == ["2013-02-01 00:00:01.000000000+00:00"]
    archived = found.of(Instance).filter("is_archived")
    assert archived["instance_id"].sort().to_list() == [1, 2, 3, 4, 5]
    assert archived["is_deleted"].all()
    assert not rows.select(pl.any_horizontal((pl.col(pl.String) == "s3cret").any())).item()


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_counts_are_those_of_the_server(database: Server, options: tuple[str, ...]) -> None:
    counts = loaded(database.dump(*options, "nova")).of(RowCount)
    said = {(row["table"], row["state"]): row["rows"] for row in counts.iter_rows(named=True)}
    for table in ("instances", "shadow_instances", "instance_system_metadata", "quotas"):
        assert said[table, "all"] == int(database.client(f"SELECT COUNT(*) FROM nova.{table}", "-BN"))
    for table in ("instances", "instance_system_metadata"):
        sql = f"SELECT COUNT(*) FROM nova.{table} WHERE deleted"
        assert said[table, "deleted"] == int(database.client(f"{sql} <> 0", "-BN")) > 0
        assert said[table, "live"] == int(database.client(f"{sql} = 0", "-BN")) > 0
    assert said["instance_system_metadata", "key = 'EC2_client_token'"] == ROWS
    assert said["instances", "error"] == int(
        database.client("SELECT COUNT(*) FROM nova.instances WHERE vm_state = 'error'", "-BN")
    )
    assert ("quotas", "live") not in said


def test_two_schemas_in_one_dump_are_kept_apart(database: Server) -> None:
    found = loaded(database.dump("--databases", "nova", "old"))
    rows = found.of(Instance).filter(pl.col("database") == "old")
    assert rows.select("instance_id", "is_deleted", "image", "vm_state").rows() == [
        (5, True, "3", "deleted"), (6, False, None, "active"),
    ]  # fmt: skip
    counts = found.of(RowCount).filter((pl.col("database") == "old") & (pl.col("table") == "instances"))
    assert dict(counts.select("state", "rows").rows()) == {
        "all": 2, "live": 1, "deleted": 1, "active": 1, "vm_state = 'deleted'": 1,
    }  # fmt: skip
    assert counts["is_complete"].to_list() == [True] * 5


def test_the_release_is_told_by_the_columns(database: Server) -> None:
    assert loaded(database.dump("nova")).facts["release"] == "Grizzly"
    assert loaded(database.dump("old")).facts["release"] == "Essex or Folsom"


def test_names_need_no_quotes(database: Server) -> None:
    rows = loaded(database.dump("--skip-quote-names", "old")).of(Instance)
    assert rows["instance_id"].to_list() == [5, 6]
