"""A throw-away MariaDB server on a socket, for the tests that compare dumps with what the server itself counts."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from tests._system import program

PACKAGE = "mariadb-server"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    socket: Path
    folder: Path
    """Where it may write files, as `INTO OUTFILE` and `mysqldump --tab` need."""

    def client(self, sql: str | bytes, *options: str, database: str = "") -> bytes:
        """What the client prints for statements."""
        argv = [
            program("mariadb", "mariadb-client"),
            *self._options(),
            "--binary-mode",
            *options,
            *([database] if database else []),
        ]
        octets = sql.encode() if isinstance(sql, str) else sql
        return subprocess.run(argv, input=octets, stdout=subprocess.PIPE, check=True).stdout

    def dump(self, *options: str, into: IO[bytes] | None = None) -> bytes:
        """What mysqldump writes, or nothing where it writes that into a file."""
        argv = [program("mysqldump", "mariadb-client"), *self._options(), *options]
        return subprocess.run(argv, stdout=into or subprocess.PIPE, check=True).stdout or b""

    def _options(self) -> list[str]:
        return ["--no-defaults", f"--socket={self.socket}", "--user=root", "--default-character-set=utf8mb4"]


@contextmanager
def server(*, grants: bool = False) -> Iterator[Server]:
    """Start a server that listens on a socket alone, and end it; skips the test where it cannot be.

    Args:
        grants: Whether it asks for passwords; its root has none.
    """
    daemon, install = program("mariadbd", PACKAGE), program("mariadb-install-db", PACKAGE)
    folder = Path(tempfile.mkdtemp(prefix="mdb"))  # a socket's path must be short
    process = None
    try:
        user, owner = _user()
        for part in (folder, folder / "data", folder / "out"):
            part.mkdir(exist_ok=True)
            part.chmod(0o755)
            if owner is not None:
                os.chown(part, owner.pw_uid, owner.pw_gid)
        common = ["--no-defaults", f"--datadir={folder / 'data'}", *user]
        made = subprocess.run(
            [install, *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
            capture_output=True, text=True,
        )  # fmt: skip
        if made.returncode:
            pytest.skip(f"mariadb-install-db fails here: {made.stderr.strip()[-300:]}")
        log = (folder / "log").open("wb")
        with log:
            process = subprocess.Popen(
                [daemon, *common, f"--socket={folder / 's'}", f"--pid-file={folder / 'data' / 'pid'}",
                 "--skip-networking", *([] if grants else ["--skip-grant-tables"]),
                 "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M",
                 f"--secure-file-priv={folder / 'out'}", "--max-allowed-packet=256M", "--sql-mode=",
                 "--default-time-zone=+00:00"],
                stdout=log, stderr=log,
            )  # fmt: skip
        until = time.monotonic() + 60
        while not (folder / "s").exists():
            if process.poll() is not None or time.monotonic() > until:
                pytest.skip(f"mariadbd does not start here: {(folder / 'log').read_text('utf-8', 'replace')[-300:]}")
            time.sleep(0.05)
        yield Server(folder / "s", folder / "out")
    finally:
        if process is not None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> tuple[list[str], pwd.struct_passwd | None]:
    """As whom it runs: the server refuses to be root."""
    if os.geteuid():
        return [], None
    for name in ("mysql", "nobody"):
        try:
            return [f"--user={name}"], pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("there is no user that the server could run as")
