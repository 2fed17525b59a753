"""What this machine's own find and stat print of files that a test made, against what the system says of each."""

import io
import os
import shlex
import subprocess
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


def printed(command: str, folder: Path) -> Said:
    environment = {**os.environ, "TZ": "Asia/Kolkata", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(shlex.split(command), cwd=folder, capture_output=True, env=environment, check=False)
    text = done.stderr + done.stdout
    module = command.split()[0]
    found = said(module, text, command=command, directory=str(folder))
    assert found.format == module
    assert found.rejects == []
    return found


def held_against_the_system(row: dict[str, Any]) -> None:
    true = os.lstat(row["path"])
    if row["size_bytes"] is not None:
        assert row["size_bytes"] == true.st_size
    if row["allocated_bytes"] is not None:
        assert true.st_blocks * 512 <= row["allocated_bytes"] < true.st_blocks * 512 + 1024
    assert row["inode"] in (None, true.st_ino)
    assert row["links"] in (None, true.st_nlink)
    if row["modified_at"] is not None:
        assert 0 <= true.st_mtime - row["modified_at"].timestamp() < 1.001
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
