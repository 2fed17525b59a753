"""Nothing leaves the machine: no connection is made, whatever names and lines look like addresses (R25)."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests._small_evidence import log, small_evidence

URLS = [
    "http:", "https:__127.0.0.1:9", "s3:", "gs:", "hf:", "ftp:", "file:", "az:", "tcp:", "postgresql:", "ssh:",
]  # fmt: skip
NAMES = "connect|sendto|sendmsg|sendmmsg|bind|listen"
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


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is missing: install the Debian package strace")
def test_no_connection_is_made(tmp_path: Path) -> None:
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
    traced = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-e",
        "signal=none",
        "-o",
        str(trace),
        "-e",
        "trace=" + NAMES.replace("|", ","),
    ]
    if (known := subprocess.run([*traced, "true"], capture_output=True)).returncode:
        pytest.skip(f"strace may not trace here: {known.stderr.decode()[:200]}")

    def calls(program: str) -> list[str]:
        done = subprocess.run(
            [*traced, sys.executable, "-P", "-c", program], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        made = [line for line in trace.read_text().splitlines() if re.match(rf"\d+ +({NAMES})\(", line)]
        return [line for line in made if "AF_UNIX" not in line]

    assert calls(COMMANDS) == []
    assert (tmp_path / "x.case" / "report.html").is_file()
    assert len(calls("import socket; socket.socket(type=socket.SOCK_DGRAM).connect(('127.0.0.1', 9))")) == 1
