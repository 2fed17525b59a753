"""Nothing leaves the machine, whatever names and lines look like addresses (R25), and evidence is only read (R12)."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests._small_evidence import log, small_evidence

URLS = [
    "http:", "https:__127.0.0.1:9", "s3:", "gs:", "hf:", "ftp:", "file:", "az:", "tcp:", "postgresql:", "ssh:",
]  # fmt: skip
CALLS = ["connect", "sendto", "sendmsg", "sendmmsg", "bind", "listen"]
FILES = """
    open openat openat2 creat truncate unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat mkdir
    mkdirat rmdir mknod mknodat chmod fchmod fchmodat chown fchown lchown fchownat utime utimes utimensat futimesat
    setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
"""
COMMANDS = """
import sys
from forensics import cli
for words in (
    "triage evidence --out x.case --workers 2",
    "sql x.case select~message~from~log_records~where~message~like~'%127.0.0.1%'",
):
    sys.argv = ["forensics", *(word.replace("~", " ") for word in words.split())]
    assert cli.main() in (0, 3), words
"""

ONE_CONNECTION = "import socket; socket.socket(type=socket.SOCK_DGRAM).connect(('127.0.0.1', 9))"


def state(folder: Path) -> dict[Path, tuple[object, ...]]:
    """What a reader could change, access times too."""
    found = {}
    for path in (folder, *sorted(folder.rglob("*"))):
        there = path.lstat()
        times = (there.st_mtime_ns, there.st_ctime_ns, *((there.st_atime_ns,) if path.is_file() else ()))
        found[path] = (there.st_size, there.st_mode, there.st_uid, there.st_gid, *times)
    return found


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is missing: install the Debian package strace")
def test_no_connection_is_made_and_evidence_is_only_read(tmp_path: Path) -> None:
    """Triage in processes of its own, then every kind of question; one connection made on purpose is seen."""
    evidence = small_evidence(tmp_path / "evidence")
    for n, name in enumerate(URLS):
        path = evidence / "node1" / f"{name}.log"
        path.write_bytes(log(12).replace(b"kernel: ", b"kernel: http://127.0.0.1:9/%d " % n))
        (evidence / "node1" / f"{name}x.csv").write_text("url,at\nhttp://127.0.0.1:9/x,s3://x/y\n")
        os.utime(path, (1_360_900_000, 1_360_900_000))
    (evidence / "case.toml").write_text('title = "http://127.0.0.1:9/title"\n')
    os.utime(evidence / "case.toml", (1, 1))
    trace = tmp_path / "trace"
    names = ",".join(f"?{name}" for name in (*CALLS, *FILES.split()))
    traced = [
        "strace",
        "-f",
        "-y",
        "--seccomp-bpf",
        "-qq",
        "-e",
        "signal=none",
        "-o",
        str(trace),
        "-e",
        f"trace={names}",
    ]
    if (known := subprocess.run([*traced, "true"], capture_output=True)).returncode:
        pytest.skip(f"strace may not trace here: {known.stderr.decode()[:200]}")

    def calls(program: str) -> list[tuple[str, str]]:
        command = [*traced, sys.executable, "-P", "-c", program]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        told = (re.match(r"\d+ +(\w+)\((.*)", line) for line in trace.read_text().splitlines())
        return [(one[1], one[2]) for one in told if one]

    def connections(made: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return [call for call in made if call[0] in CALLS and "AF_UNIX" not in call[1]]

    before = state(evidence)
    time.sleep(0.05)  # so that a new time would differ
    made = calls(COMMANDS)
    assert connections(made) == []
    assert (tmp_path / "x.case" / "report.html").is_file()
    assert len(connections(calls(ONE_CONNECTION))) == 1

    assert state(evidence) == before
    inside = [call for call in made if call[0] in FILES.split() and re.search(r"[\"/<]evidence[\"/>]", call[1])]
    assert len(inside) > len(before)
    assert [call for call in inside if call[0] not in ("open", "openat", "openat2")] == []
    written = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND")
    assert [call for call in inside if written.search(call[1]) or "O_RDONLY" not in call[1]] == []
