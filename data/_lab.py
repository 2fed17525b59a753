"""What all makers of incidents share: machines made of namespaces, waiting, packing, arguments, missing programs."""

import argparse
import gzip
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
FAKETIME = next((str(p) for p in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), "libfaketimeMT.so.1")


TRIES = 3


class AstrayError(RuntimeError):
    """A run whose programs did not do what the truth tells; the next one may, on a machine that is less busy."""


class Machine:
    """A process in namespaces of its own; they are gone as soon as this process is."""

    def __init__(self, name: str, script: str, *arguments: str, env: Mapping[str, str], kinds: Sequence[str]) -> None:
        self.name, self.kinds, self.env = name, (*kinds, "--mount", "--pid"), dict(env)
        # `cat` ends every script: the namespaces' first process leaves when our end of its pipe closes, and takes all
        # others along.
        self.shell = subprocess.Popen(
            ["unshare", *self.kinds, "--fork", "--mount-proc", "--kill-child", "sh", "-c", script, "sh", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PATH": PATH}, cwd="/", start_new_session=True,
        )  # fmt: skip
        assert self.shell.stdout is not None
        if self.shell.stdout.readline() != b"ready\n":
            self.close()
            raise RuntimeError(f"{name}: its namespaces could not be set up (see the message above)")
        self.pid = child_of(self.shell.pid)

    def inside(self, command: Iterable[str]) -> list[str]:
        """A command as it is run on this machine."""
        return ["nsenter", "--target", str(self.pid), *self.kinds, "--", *command]

    def tried(self, *command: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, however it ends."""
        env = self.env if env is None else env
        return subprocess.run(self.inside(command), env=env, cwd="/", capture_output=True, text=True, check=False)

    def run(self, *command: str, **env: str) -> str:
        """Run a command to its end and return what it printed; a failure ends the whole run."""
        done = self.tried(*command, env=self.env | env)
        if done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(command)}: {(done.stderr or done.stdout).strip()[-600:]}")
        return done.stdout

    def start(self, *command: str, **env: str) -> subprocess.Popen[bytes]:
        """Start a program."""
        return subprocess.Popen(
            self.inside(command), env=self.env | env, cwd="/", start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def spawn(self, *command: str, **env: str) -> int:
        """Start a program and return its process id, as seen from outside."""
        return child_of(self.start(*command, **env).pid)

    def close(self) -> None:
        """End the machine and all that runs on it."""
        assert self.shell.stdin is not None
        self.shell.stdin.close()
        try:
            self.shell.wait(5)
        except subprocess.TimeoutExpired:
            self.shell.kill()  # --kill-child takes the rest along
            self.shell.wait()


def cable(
    one: Machine, end: str, other: Machine, other_end: str, ours: Sequence[str] = (), theirs: Sequence[str] = ()
) -> None:
    """Lay a cable between two machines; what `ip link add` shall set at either end."""
    lay = ["ip", "link", "add", end, *ours, "type", "veth", "peer", "name", other_end, *theirs]
    entered = ["nsenter", "--target", str(one.pid), "--net"]  # and no more: `netns` takes an outer process id
    subprocess.run([*entered, *lay, "netns", str(other.pid)], check=True)


def child_of(pid: int) -> int:
    """The process that `unshare` or `nsenter` forked."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    wait_until(lambda: bool(children.read_text()), 20, f"process {pid}")
    return int(children.read_text().split()[0])


def wait_until(happened: Callable[[], object], limit_s: float, what: str, every_s: float = 0.05) -> None:
    """Look again and again; give up after `limit_s`."""
    end = time.monotonic() + limit_s
    while not happened():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: nothing after {limit_s:.0f} s")
        time.sleep(every_s)


def pack(plain: Path | bytes, packed: Path) -> None:
    """Compress a file, or octets; the result names neither a file nor the time."""
    packed.parent.mkdir(parents=True, exist_ok=True)
    with open(packed, "wb") as target, gzip.GzipFile("", "wb", 9, target, mtime=0) as zipped:
        zipped.write(plain if isinstance(plain, bytes) else plain.read_bytes())


def parser(what: str, halves: Iterable[str], every: str) -> argparse.ArgumentParser:
    """Which half, and where to; `every` names them all."""
    told = argparse.ArgumentParser(description=what)
    told.add_argument("--half", choices=(*halves, every), default=every)
    told.add_argument("--out", type=Path, default=Path(sys.argv[0]).resolve().parent, help="default: beside make.py")
    return told


def ready(packages: Mapping[str, str], modules: Mapping[str, str] = {}, *, root_may: str = "") -> bool:
    """Whether all is there: root, programs, files and Python's modules, each with its Debian package."""
    if root_may and os.geteuid():
        print(f"make.py: only root may {root_may}\nHint: sudo make lab", file=sys.stderr)
        return False
    os.environ["PATH"] = PATH if root_may else f"{os.environ['PATH']}:/usr/sbin:/sbin"
    absent = [name for name in packages if not (shutil.which(name) or Path(name).exists())]
    absent += [name for name in modules if importlib.util.find_spec(name) is None]
    if absent:
        named = " ".join(sorted({(packages | modules)[name] for name in absent}))  # type: ignore[operator]
        print(f"make.py: not found: {', '.join(absent)}\nHint: apt install {named}", file=sys.stderr)
    return not absent


def each(halves: Iterable[str], make: Callable[[str], None]) -> int:
    """Make one half after the other; returns the exit status. Whatever ends it, all is put away."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exception, so that everything is put away
    half = ""
    try:
        for half in halves:
            for again in reversed(range(TRIES)):
                try:
                    make(half)
                    break
                except AstrayError as error:
                    if not again:
                        raise
                    print(f"make.py: {half}: {error}; once more", file=sys.stderr)
    except RuntimeError as error:
        print(f"make.py: {half}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def apart(halves: Sequence[str], out: Path, at_a_time: int) -> int:
    """Make each half in a process of its own, so many at a time; returns the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    command = [sys.executable, "-P", sys.argv[0], "--out", str(out), "--half"]
    for n in range(0, len(halves), at_a_time):
        running = [subprocess.Popen([*command, half], start_new_session=True) for half in halves[n : n + at_a_time]]
        try:
            statuses = [process.wait() for process in running]
            if any(statuses):
                return 1
        except KeyboardInterrupt:
            return 130
        finally:
            for process in running:
                process.terminate()
                process.wait()
    return 0


def main(
    what: str, halves: Sequence[str], make: Callable[[str, Path], None], packages: Mapping[str, str], *,
    every: str = "both", at_a_time: int = 0, root_may: str = "make network namespaces",
    modules: Mapping[str, str] = {},
) -> int:  # fmt: skip
    """Read the arguments, check what is needed, make what was asked for: in this process, or so many `at_a_time`."""
    arguments = parser(what, halves, every).parse_args()
    if not ready(packages, modules, root_may=root_may):
        return 1
    wanted = list(halves) if arguments.half == every else [arguments.half]
    if at_a_time and arguments.half == every:
        return apart(wanted, arguments.out, at_a_time)
    return each(wanted, lambda half: make(half, arguments.out))
