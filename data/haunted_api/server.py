"""A MariaDB server of one's own, asked by its own client, by a terminal session and by mysqldump."""

import os
import pty
import pwd
import re
import select
import shutil
import subprocess
import time
from pathlib import Path

from _lab import FAKETIME, AstrayError

PROMPT = "mysql> "


class Server:
    """A server that listens on a socket alone; it ends with `close`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.socket = folder, folder / "s"
        user = ["--user=mysql"] if os.geteuid() == 0 else []
        (folder / "data").mkdir(parents=True)
        for part in (folder, folder / "data"):
            part.chmod(0o755)
            if user:
                owner = pwd.getpwnam("mysql")
                os.chown(part, owner.pw_uid, owner.pw_gid)
        common = ["--no-defaults", f"--datadir={folder / 'data'}", *user]
        install = ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
        made = subprocess.run(install, capture_output=True, text=True, check=False)
        if made.returncode:
            raise RuntimeError(f"mariadb-install-db: {made.stderr.strip()[-300:]}")
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                ["mariadbd", *common, f"--socket={self.socket}", f"--pid-file={folder / 'data' / 'pid'}",
                 "--skip-networking", "--skip-grant-tables", "--innodb-flush-log-at-trx-commit=0", "--sql-mode=",
                 "--innodb-buffer-pool-size=128M", "--default-time-zone=+00:00", "--max-allowed-packet=64M"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        until = time.monotonic() + 60
        while not self.socket.exists():
            if self.process.poll() is not None or time.monotonic() > until:
                self.close()
                raise RuntimeError(f"mariadbd: {(folder / 'log').read_text('utf-8', 'replace')[-300:]}")
            time.sleep(0.05)

    @property
    def options(self) -> list[str]:
        """What each of its clients is told."""
        return ["--no-defaults", f"--socket={self.socket}", "--user=root", "--default-character-set=utf8"]

    def ask(self, sql: str, *options: str, database: str = "nova") -> str:
        """What the client prints for statements."""
        command = ["mariadb", *self.options, *options, *([database] if database else [])]
        done = subprocess.run(command, input=sql, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"mariadb: {sql[:120]}: {done.stderr.strip()}")
        return done.stdout

    def dump(self, tables: list[str], wall: str, zone: str) -> bytes:
        """What mysqldump writes of tables of `nova` when the wall clock of `zone` shows `wall`."""
        env = os.environ | {"LD_PRELOAD": FAKETIME, "FAKETIME": f"@{wall}", "TZ": zone}
        command = ["mysqldump", *self.options, "--single-transaction", "nova", *tables]
        return subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True).stdout

    def session(self, statements: list[str], timestamp: int) -> str:
        """A terminal's text of statements typed at the client's prompt, while the server's clock shows `timestamp`."""
        clock = f"--init-command=SET timestamp = {timestamp}"
        command = ["mariadb", *self.options, f"--prompt={PROMPT}", clock, "nova"]
        shell, terminal = pty.openpty()
        env = {"PATH": os.environ["PATH"], "TERM": "dumb", "LC_ALL": "C", "HOME": str(self.folder)}
        client = subprocess.Popen(
            command, stdin=terminal, stdout=terminal, stderr=terminal, env=env, start_new_session=True
        )
        os.close(terminal)
        said = self._until_prompt(shell)
        for statement in statements:
            time.sleep(0.5)  # until the client reads keys itself: before, the terminal would show them once more
            os.write(shell, statement.encode() + b"\n")
            said += self._until_prompt(shell)
        os.write(shell, b"exit\n")
        client.wait(30)
        while select.select([shell], [], [], 0.2)[0]:
            try:
                said += os.read(shell, 65536)
            except OSError:  # the terminal's other end is closed
                break
        os.close(shell)
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode())
        text = text.replace("\r\n", "\n").replace("\r", "")
        if any(text.count(statement) != 1 for statement in statements):
            raise AstrayError("mariadb: the terminal showed a statement twice")
        return text

    @staticmethod
    def _until_prompt(shell: int) -> bytes:
        said, until = b"", time.monotonic() + 60
        while not said.endswith(PROMPT.encode()):
            if time.monotonic() > until:
                raise RuntimeError(f"mariadb: no prompt after {said[-200:]!r}")
            if select.select([shell], [], [], 1)[0]:
                said += os.read(shell, 65536)
        return said

    def close(self) -> None:
        """End the server and remove its files."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
