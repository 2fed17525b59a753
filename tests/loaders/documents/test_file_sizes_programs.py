"""What this machine's own ls, find and stat print of files that a test made, against what the system says of each."""

import io
import os
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from forensics.evidence import stream_of
from forensics.loaders._reader import Origin
from forensics.records import FileSize
from tests._linear import repeated, takes_linear_time
from tests.loaders.documents._said import Said, likeness, reader_of, said

NAMES = ("empty", "small one", "back\\slash", "tab\there", "ümlaut", "'quoted'")
KINDS = {"-": "file", "d": "folder", "l": "link"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for size, name in enumerate(NAMES):
        (tmp_path / name).write_bytes(b"x" * size * 1234)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "mega").write_bytes(b"x" * 3_000_001)
    (tmp_path / "link").symlink_to("below/mega")
    return tmp_path


def printed(command: str, folder: Path, **origin: Any) -> Said:
    environment = {**os.environ, "TZ": "Asia/Kolkata", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(shlex.split(command), cwd=folder, capture_output=True, env=environment, check=False)
    text = done.stderr + done.stdout
    module = command.split()[0]
    found = said(module, text, command=command, directory=str(folder), **origin)
    assert found.format == module
    assert found.rejects == []
    return found


def held_against_the_system(row: dict[str, Any], precise_s: float = 1.0) -> None:
    true = os.lstat(row["path"])
    if row["size_bytes"] is not None:
        assert row["size_bytes"] == true.st_size
    if row["allocated_bytes"] is not None:
        assert true.st_blocks * 512 <= row["allocated_bytes"] < true.st_blocks * 512 + 1024
    assert row["inode"] in (None, true.st_ino)
    assert row["links"] in (None, true.st_nlink)
    if row["modified_at"] is not None:
        assert 0 <= true.st_mtime - row["modified_at"].timestamp() < precise_s + 0.001
    assert row["kind"] in ("unknown", "folder" if Path(row["path"]).is_dir() and not row["target"] else row["kind"])


@pytest.mark.parametrize(
    ("command", "columns"),
    [
        ("find . -ls", ("inode", "links", "allocated_bytes", "size_bytes", "owner")),
        (r"find . -printf '%s %b %i %n %y %T@ %p\n'", ("size_bytes", "allocated_bytes", "inode", "modified_at")),
        (r"find . -printf '%10s\t%k %u %h/%f\n'", ("size_bytes", "allocated_bytes", "owner")),
        (r"find . -printf '%m %M %y %5n %TY-%Tm-%Td %l %p%%\n'", ("links",)),
        ("find . missing", ()),
    ],
)
def test_find(command: str, columns: tuple[str, ...], folder: Path) -> None:
    rows = printed(command, folder).rows[FileSize].to_dicts()
    (folder / "notes").write_bytes(b"")  # later than the command
    paths = {str(path) for path in folder.rglob("*") if path.name != "notes"}
    if "%%" in command:
        rows = [row | {"path": row["path"].removesuffix("%")} for row in rows]
    odd = {path for path in paths if "\\" in path or "\t" in path} if "-ls" in command else set()
    assert paths - odd <= {row["path"] for row in rows}
    for row in rows:
        if row["path"] in paths:
            held_against_the_system(row)
            assert all(row[name] is not None for name in columns)


@pytest.mark.parametrize(
    ("command", "columns"),
    [
        ("stat below/mega link below empty 'small one' missing", ("size_bytes", "inode", "modified_at", "owner")),
        ("stat -c '%n %s %b %B %i %h %U %Y' below/mega empty", ("size_bytes", "allocated_bytes", "modified_at")),
        ("stat --format='%N|%s|%y|%F' below/mega link missing", ("size_bytes", "modified_at")),
        (r"stat --printf='%A %-9s%n\n' below/mega empty", ("size_bytes",)),
    ],
)
def test_stat(command: str, columns: tuple[str, ...], folder: Path) -> None:
    rows = printed(command, folder).rows[FileSize].to_dicts()
    assert str(folder / "below" / "mega") in {row["path"] for row in rows}
    for row in rows:
        held_against_the_system(row)
        assert all(row[name] is not None for name in columns)
        if row["path"] == str(folder / "link"):
            assert (row["kind"], row["target"]) == ("link", "below/mega")


@pytest.mark.parametrize(
    "command",
    ["ls -lF", "ls -lp", "ls -lQ", "ls -lg", "ls -lo", "ls -ln", "ls -lsi", "ls -li below link", "ls -ls below",
     "ls -m",
        "ls -l --time-style=iso", "ls -l --time-style=+%s", "ls -l --time-style=long-iso missing . below"],
)  # fmt: skip
def test_ls(command: str, folder: Path) -> None:
    (folder / "'quoted'").unlink()  # as a terminal would show another name
    (folder / "run me").write_text("exit 0\n")
    (folder / "run me").chmod(0o755)
    os.utime(folder / "empty", (1_329_177_600, 1_329_177_600))  # 14 February 2012, of which ls tells the day alone
    found = printed(command, folder, zone="Asia/Kolkata", taken_ns=time.time_ns(), taken_basis="command")
    rows = {row["path"]: row for row in found.rows[FileSize].to_dicts()}
    seen = {str(path) for path in (folder / "below" if command.endswith(" below") else folder).iterdir()}
    assert rows.keys() >= ({str(folder / "link")} if command.endswith("link") else seen)
    for path, row in rows.items():
        day_alone = path.endswith("/empty") and "+%s" not in command
        held_against_the_system(row, precise_s=86_400 if day_alone else 60)
        if command == "ls -m":
            continue
        assert row["target"] == ("below/mega" if path.endswith("/link") else None)
        assert row["kind"] == ("link" if row["target"] else "folder" if Path(path).is_dir() else "file")


@pytest.mark.parametrize(
    ("date", "told"),
    [
        ("Feb 29 10:00", None),
        ("Foo 14 10:00", ...),
        ("14 Foo 2012", ...),
        ("Feb 30  2012", None),
        ("??? ?? ??:??", ...),
    ],
)
def test_dates_that_there_are_not(date: str, told: object) -> None:
    """29 February with no leap year near; words that no locale has for a month are no date at all."""
    found = said("ls", f"-rw-r--r-- 1 a b 7 {date} x\n" * 2, command="ls -l", taken_ns=1_424_000_000 * 10**9)
    if told is ...:
        assert len(found.rejects) == 2
    else:
        assert found.of(FileSize, "size_bytes", "modified_at") == [(7, None)] * 2


def test_a_file_system_is_no_file(folder: Path) -> None:
    found = printed("stat empty", folder)
    both = subprocess.run("stat empty; stat -f . ; stat empty", shell=True, cwd=folder, capture_output=True, check=True)
    assert len(said("stat", both.stdout, directory=str(folder)).of(FileSize, "path")) == 2 * found.rows[FileSize].height


@pytest.mark.parametrize("end", ["", "!"], ids=["matches", "does not match"])
def test_a_hostile_format_takes_linear_time(end: str) -> None:
    command = f"find . -printf '{'%p' * 24}{end}'"

    def read(octets: bytes) -> None:
        stream = stream_of(io.BytesIO(octets), "x")
        for _ in reader_of("find").batches(stream, Origin("x", command=command)):
            pass

    assert likeness("find", "a" * 8000 + "\n", command=command) == (0.97 if not end else 0.0)
    takes_linear_time(read, repeated(b"a" * 8000 + b"\n"), size=1 << 18)


@pytest.mark.parametrize(
    "command",
    [
        r"find . -printf '%s %Z\n'",
        r"find . -printf '%p\n%s\n'",
        r"find . -printf 'no directive\n'",
        "find . -print0",
        "stat -t x",
        "stat -c",
        "stat -c '%n %q'",
        f"stat -c '{'%n ' * 30}'",
        f"stat -c '{'%n ' * 2000}'",
        "stat -c '%a %A'",
        "stat -c '%n",
    ],
)
def test_formats_that_tell_no_file_a_line_are_left_alone(command: str) -> None:
    assert likeness(command.split()[0], "12 a\n13 b\n", command=command) == 0


@pytest.mark.parametrize("command", ["du -sh --si .", "du -a --si", "du -ah", "du -ab --time", "du -c . missing"])
def test_du(command: str, folder: Path) -> None:
    rows = {row["path"]: row for row in printed(command, folder).rows[FileSize].to_dicts()}
    for path, row in rows.items():
        if row["kind"] != "total" and Path(path).is_file():
            true = os.lstat(path)
            assert row["low_bytes"] <= (true.st_size if "-ab" in command else true.st_blocks * 512) <= row["high_bytes"]
    assert str(folder) in rows


@pytest.mark.parametrize("options", ["", "-h", "--si", "-H", "-B1", "-m", "-T"])
def test_df(options: str, folder: Path) -> None:
    (row,) = printed(f"df {options} .", folder).rows[FileSize].to_dicts()
    system = os.statvfs(folder)
    assert row["size_bytes"] == pytest.approx(system.f_blocks * system.f_frsize, rel=0.06)
    assert Path(row["path"]).is_mount()
