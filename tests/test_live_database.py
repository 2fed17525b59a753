"""Running databases: read in one read-only transaction, kept as a dump, and never a word of the password."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import polars as pl
import pytest

import forensics
from forensics.errors import CaseError, DatabaseError
from forensics.loaders.live_database import PASSWORD, shown, url_of
from forensics.records import Instance, InstancePort, Notification, RowCount, ServiceState
from tests._databases import NASTY, STACKTACH, UUIDS, filled
from tests._system import program
from tests.loaders.documents import _mariadb

SECRET = "s3cret-of-the-database"


@pytest.fixture(scope="module")
def mariadb() -> Iterator[_mariadb.Server]:
    with _mariadb.server(grants=True) as server:
        sql = "SET NAMES utf8mb4; CREATE DATABASE nova CHARACTER SET utf8mb4; USE nova;" + filled(postgres=False)
        sql += STACKTACH + "CREATE DATABASE wordpress; CREATE TABLE wordpress.posts (id int);"
        for database in ("nova", "stacktach", "wordpress"):
            sql += f"GRANT SELECT ON {database}.* TO 'reader'@'localhost' IDENTIFIED BY '{SECRET}';"
        server.client(sql)
        yield server


def url(server: _mariadb.Server, *, password: str | None = SECRET, database: str = "") -> str:
    word = "" if password is None else f":{password}"
    return f"mysql://reader{word}@/{database}?unix_socket={server.socket}"


def check(case: forensics.Case) -> None:
    """What every database of these tests says."""
    instances = case.records(Instance).sort("instance_id").collect()
    assert instances["instance"].to_list() == UUIDS
    assert instances["display_name"][0] == NASTY
    assert instances["is_deleted"].to_list() == [n % 3 == 0 for n in range(300)]
    assert instances["compute_host"].to_list() == [f"cc{n % 7}" for n in range(300)]
    assert set(instances["image_hash"]) == {"a489c868f0c37da93b76227c91bb03908ac0e742"}
    assert str(instances["created_at"][0]) == "2012-01-01 00:00:00+00:00"
    assert case.records(InstancePort).collect().select("mac", "instance").rows() == [("fa:16:3e:24:e7:22", UUIDS[1])]
    service = case.records(ServiceState).collect().row(0, named=True)
    assert (service["service"], service["service_host"], service["told_by"]) == ("nova-compute", "cc12", "database")
    counts = case.records(RowCount).filter(pl.col("table") != "posts").collect()
    told = {(row["table"], row["state"]): row["rows"] for row in counts.iter_rows(named=True)}
    assert (told["instances", "live"], told["instances", "deleted"]) == (200, 100)
    assert (told["instance_system_metadata", "live"], told["instance_system_metadata", "deleted"]) == (500, 500)
    assert told["alembic_version", "all"] == 0
    assert not counts["is_estimate"].any()
    assert (counts["ts"].to_physical() > 1_700_000_000 * 10**9).all()


def everything(folder: Path) -> bytes:
    """All octets of a case, dumps decompressed."""
    parts = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            octets = path.read_bytes()
            if path.suffix == ".zst":
                import zstandard

                octets = zstandard.ZstdDecompressor().decompressobj().decompress(octets)
            if path.suffix == ".parquet":
                octets = pl.read_parquet(path).write_json().encode()
            parts.append(octets)
    return b"\n".join(parts)


def test_a_running_mariadb(mariadb: _mariadb.Server, tmp_path: Path) -> None:
    case = forensics.open_case(None, database=url(mariadb), out=tmp_path / "x.case")
    check(case)
    (event,) = case.records(Notification).collect().iter_rows(named=True)
    assert (event["event_type"], event["host"], event["instance"]) == ("compute.instance.create.end", "cc3", UUIDS[1])
    assert (event["raw_id"], event["state"]) == (7, "active")
    assert case.sources["source"].to_list() == ["database/nova.sql.zst", "database/stacktach.sql.zst"]
    assert set(case.sources["status"]) == {"read"}
    octets = everything(case.path)
    for word in (SECRET, "hunter2", "c2VjcmV0", "AAAA"):
        assert word.encode() not in octets, word


def test_rows_can_be_cited_and_the_case_verified(mariadb: _mariadb.Server, tmp_path: Path) -> None:
    case = forensics.open_case(None, database=url(mariadb, database="nova"), out=tmp_path / "x.case")
    assert case.sources["source"].to_list() == ["database/nova.sql.zst"]
    row = case.records(Instance).filter(pl.col("instance_id") == 5)
    (cited,) = case.cite(row)["text"].to_list()
    assert UUIDS[4] in cited
    assert cited.startswith("(")
    assert forensics.case.verify(case.path) == []  # type: ignore[attr-defined]
    again = forensics.open_case(case.path)
    assert again.records(Instance).collect().height == 300


def test_beside_a_folder_and_kept_when_the_folder_grows(mariadb: _mariadb.Server, tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    (evidence / "database").mkdir(parents=True)
    line = "2014-01-10 09:11:45.072 129745 INFO nova.compute [-] Hello\n"
    (evidence / "database" / "nova.log").write_text(line)
    case = forensics.open_case(evidence, database=url(mariadb, database="nova"), out=tmp_path / "x.case")
    assert case.sources["source"].to_list() == ["database/nova.log", "database'/nova.sql.zst"]
    check(case)
    same = forensics.open_case(evidence, out=tmp_path / "x.case")
    assert same.content == case.content
    assert same.records(Instance).collect().height == 300
    (evidence / "more.log").write_text(line)
    grown = forensics.open_case(evidence, out=tmp_path / "x.case")
    assert grown.sources.height == 3
    check(grown)


def test_nothing_can_be_written(mariadb: _mariadb.Server) -> None:
    from forensics.loaders.live_database import _session

    mariadb.client(f"GRANT ALL ON nova.* TO 'writer'@'localhost' IDENTIFIED BY '{SECRET}';")
    writer = url_of(url(mariadb, database="nova").replace("reader", "writer"))
    with pytest.raises(DatabaseError, match="READ ONLY"), _session(writer) as connection:
        connection.exec_driver_sql("DELETE FROM nova.instances")
    assert mariadb.client("SELECT COUNT(*) FROM nova.instances", "-N").strip() == b"300"


def test_one_instant_for_all_tables(mariadb: _mariadb.Server, tmp_path: Path) -> None:
    """A row that is written while the dump is taken is not in it."""
    from forensics.loaders import live_database

    class File:
        def __init__(self, path: Path) -> None:
            self.path = tmp_path / path.name

        def __enter__(self) -> Self:
            mariadb.client("INSERT INTO nova.instances (id, uuid, deleted) VALUES (9999, 'late', 0)")
            return self

        def __exit__(self, *_: object) -> None:
            mariadb.client("DELETE FROM nova.instances WHERE id = 9999")

        def write(self, octets: bytes) -> int:
            with self.path.open("ab") as file:
                return file.write(octets)

    wanted = live_database.url_of(url(mariadb, database="nova"))
    live_database.snapshot(wanted, Path("x"), lambda _, columns: columns, File)
    assert b"late" not in (tmp_path / "nova.sql").read_bytes()


@pytest.mark.parametrize("given", ["url", "environment"])
def test_on_the_command_line(
    run, mariadb: _mariadb.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    if given == "environment":
        monkeypatch.setenv(PASSWORD, SECRET)
    where = url(mariadb, password=SECRET if given == "url" else None)
    code, out, err = run("triage", "--database", where, "--out", tmp_path / "x.case")
    assert code == 0, err
    assert "database/nova.sql" in out
    assert SECRET not in out + err
    assert SECRET.encode() not in everything(tmp_path / "x.case")


def test_errors_say_what_to_try_and_hold_no_password(run, mariadb: _mariadb.Server, tmp_path: Path) -> None:
    wrong = url(mariadb, password=SECRET + "-wrong")
    bad = [
        (wrong, "denied"),
        (f"mysql://reader:{SECRET}@127.0.0.1:1/nova", "connect"),
        (f"mysql://reader:{SECRET}@/nosuch?unix_socket={mariadb.socket}", "nosuch"),
        (f"mysql://reader:{SECRET}@/wordpress?unix_socket={mariadb.socket}", "no table of nova"),
        (f"oracle://reader:{SECRET}@h/nova", "no URL of a database"),
        (f"mysql://reader:{SECRET}@h:port/nova", "no URL of a database"),
        (f"not a url {SECRET}", "no URL of a database"),
    ]
    for where, told in bad:
        code, out, err = run("triage", "--database", where, "--out", tmp_path / "x.case")
        assert code == 2, (where, err)
        assert told in err, (where, err)
        assert "Hint:" in err
        assert SECRET not in out + err
        assert "Traceback" not in err
    assert not (tmp_path / "x.case").exists()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(CaseError, match="nothing to open"):
        forensics.open_case(None)


def test_urls_are_shown_without_secrets() -> None:
    for text, told in (
        ("mysql://nova:pw@db1/nova?ssl_key=/k", "mysql://nova@db1/nova"),
        ("mariadb://db1:3307", "mariadb://db1:3307"),
        ("postgres://u:p%40ss@[2001:db8::1]:5433/nova", "postgresql://u@[2001:db8::1]:5433/nova"),
    ):
        assert shown(url_of(text)) == told


@pytest.fixture(scope="module")
def postgres() -> Iterator[Path]:
    """A throw-away PostgreSQL on a socket, filled like nova's."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    bin_ = folders[-1] if folders else Path(program("initdb", "postgresql")).parent
    if not (bin_ / "initdb").exists():
        pytest.skip("initdb is missing: install Debian package postgresql (make system-deps)")
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    as_user = {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid}
    if owner is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(folder)}
    options = {"cwd": folder, "env": environment, "check": True, "capture_output": True, **as_user}
    process = None
    try:
        word = folder / "word"
        word.write_text(SECRET)
        if owner is not None:
            os.chown(word, owner.pw_uid, owner.pw_gid)
        told = ["-E", "UTF8", "-U", "nova", "--auth=scram-sha-256", f"--pwfile={word}"]
        subprocess.run([bin_ / "initdb", "-D", folder / "data", *told], **options)
        serve = [bin_ / "postgres", "-D", folder / "data", "-k", folder, "-c", "listen_addresses="]
        process = subprocess.Popen(serve, cwd=folder, env=environment, stderr=subprocess.DEVNULL, **as_user)
        until = time.monotonic() + 60
        while not (folder / ".s.PGSQL.5432").exists() and time.monotonic() < until and process.poll() is None:
            time.sleep(0.05)
        client = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", folder, "-U", "nova"]
        known = {**os.environ, "PGPASSWORD": SECRET}
        ask = [*client, "-d", "postgres", "-c", "select 1"]
        while subprocess.run(ask, env=known, capture_output=True).returncode and time.monotonic() < until:
            time.sleep(0.1)
        subprocess.run([*client, "-d", "postgres", "-c", "create database nova"], env=known, check=True)
        sql = "SET standard_conforming_strings = on;" + filled(postgres=True)
        subprocess.run([*client, "-d", "nova"], input=sql.encode(), env=known, check=True, stdout=subprocess.DEVNULL)
        yield folder
    finally:
        if process is not None:
            process.send_signal(2)
            process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def test_a_running_postgresql(postgres: Path, tmp_path: Path) -> None:
    where = f"postgresql://nova:{SECRET}@/nova?host={postgres}"
    case = forensics.open_case(None, database=where, out=tmp_path / "x.case")
    check(case)
    assert SECRET.encode() not in everything(case.path)
