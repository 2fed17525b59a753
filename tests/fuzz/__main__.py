"""`make fuzz`: every target for a while, one after another; says what was executed, what failed, what was reached.

With atheris (`pip install atheris`) inputs follow the branches that they reach; without it they are mutations of the
seeds alone, and the summary says so. Failing inputs, the smallest of each kind, are left in ``build/fuzz/findings``.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import gc
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType, FunctionType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fuzz import Target

WORK = Path("build/fuzz")
FINDINGS, GROWN = WORK / "findings", WORK / "corpus"
MOST_BYTES = 1 << 16
SEEDS = 200
AMPLIFIED_BYTES = 1 << 18
EVERY = 64
"""One input in so many is also tried repeated to `AMPLIFIED_BYTES`: what is not linear shows."""
BUDGET_S = 2.0
BUDGET_S_PER_MIB = 12.0
"""Processor time that an input may take, instrumented as the code is then, which makes it some 5 times slower."""
_STATISTICS = re.compile(r"^#(\d+)\s.*?cov: (\d+) ft: (\d+)", re.MULTILINE)
_EXECUTED = re.compile(r"^(?:stat::number_of_executed_units:|executed) +(\d+)", re.MULTILINE)
_BRANCHES = re.compile(r"^branches +(\d+)", re.MULTILINE)


def place(error: BaseException) -> str:
    """What failed and where: the kind of error, and the deepest lines of the package and of the tests."""
    frames = traceback.extract_tb(error.__traceback__)
    mine = [f"{Path(frame.filename).stem}:{frame.lineno}" for frame in frames if "forensics" in frame.filename]
    held = [f"{Path(frame.filename).stem}:{frame.lineno}" for frame in frames if "tests" in frame.filename]
    return "-".join([type(error).__name__, *(mine[-1:] if not isinstance(error, AssertionError) else held[-1:])])


class Guard:
    """Calls a target, and keeps what fails instead of ending at it."""

    def __init__(self, name: str, one: Callable[[bytes], None]) -> None:
        self.folder = FINDINGS / name
        self.one = one
        self.calls = 0

    def __call__(self, data: bytes) -> None:
        self.calls += 1
        self._try(data)
        if self.calls % EVERY == 0 and 0 < len(data) < AMPLIFIED_BYTES // 4:
            self._try(data * (AMPLIFIED_BYTES // len(data)))

    def _try(self, data: bytes) -> None:
        start = time.process_time()
        try:
            self.one(data)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._keep(place(error), data, "".join(traceback.format_exception(error)))
        took = time.process_time() - start
        if took > BUDGET_S + BUDGET_S_PER_MIB * len(data) / (1 << 20):
            self._keep("slow", data, f"{took:.1f} s for {len(data)} octets\n")

    def _keep(self, what: str, data: bytes, said: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        known = self.folder / re.sub(r"[^\w.:-]", "_", what)
        if not known.exists() or known.stat().st_size > len(data):
            known.write_bytes(data)
            known.with_name(f"{known.name}.txt").write_text(said, "utf-8", "backslashreplace")


def reached(target: Target, seeds: list[bytes]) -> set[str]:
    """Modules of the package that the seeds call."""
    modules: set[str] = set()

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            modules.add(frame.f_globals.get("__name__", ""))

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        for data in seeds[:60]:
            with contextlib.suppress(Exception):
                target.one(data)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return {module for module in modules if module.startswith("forensics.")}


def instrumented(modules: set[str]) -> int:
    """Make atheris follow every function of some modules; returns how many branches they have."""
    import atheris

    reserve, count = atheris._reserve_counter, 0

    def counting() -> int:
        nonlocal count
        count += 1
        return reserve()

    atheris._reserve_counter = counting
    for one in [one for one in gc.get_objects() if isinstance(one, FunctionType) and one.__module__ in modules]:
        with contextlib.suppress(Exception):  # what it cannot rewrite stays as it is
            atheris.instrument_func(one)
    atheris._reserve_counter = reserve
    return count


def child(name: str, seconds: int) -> None:
    """Fuzz one target in this process."""
    from tests.fuzz import targets
    from tests.fuzz._mutation import endless, grown

    target = targets()[name]
    seeds = [*target.seeds(), *(path.read_bytes() for path in target.regressions)]
    guard = Guard(name, target.one)
    if importlib.util.find_spec("atheris") is None:
        end = time.monotonic() + seconds
        for data in grown(seeds, SEEDS, name):
            guard(data)
        inputs = endless(seeds, f"{name} {time.time_ns()}")
        while time.monotonic() < end:
            guard(next(inputs))
        print(f"executed {guard.calls}")
        return
    import atheris

    print("branches", instrumented(reached(target, seeds)))
    corpus = GROWN / name
    corpus.mkdir(parents=True, exist_ok=True)
    for data in grown(seeds, SEEDS, name):
        (corpus / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data[:MOST_BYTES])
    options = [
        f"-max_total_time={seconds}", f"-max_len={MOST_BYTES}", "-timeout=120", "-rss_limit_mb=4096",
        "-print_final_stats=1", "-verbosity=1", f"-artifact_prefix={FINDINGS}/{name}-", str(corpus),
    ]  # fmt: skip
    FINDINGS.mkdir(parents=True, exist_ok=True)
    atheris.Setup([sys.argv[0], *options], guard)
    atheris.Fuzz()


def summary(name: str, said: str, code: int) -> tuple[str, int]:
    """One line on a target, and how many findings it has."""
    executed = _EXECUTED.findall(said)
    reached = _STATISTICS.findall(said)
    counters = sum(map(int, _BRANCHES.findall(said)))
    found = sorted(path.name for path in (FINDINGS / name).glob("*") if path.suffix != ".txt")
    found += [path.name for path in FINDINGS.glob(f"{name}-*") if path.is_file()]
    branches = f"{reached[-1][1]:>6} of {counters} branches" if reached and counters else "not guided"
    line = f"{name:28} {int(executed[-1]) if executed else 0:>9,} executions  {branches}  {len(found)} findings"
    if code:
        line += f"  ended with {code}"
        found = found or [said.strip().splitlines()[-1] if said.strip() else "no output"]
    return "\n".join([line, *(f"    {one}" for one in found)]), len(found)


def main() -> int:
    """Run the targets; 1 where something failed."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--target", default="*", help="name or pattern, such as 'decode-*'")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.seconds)
        return 0
    from tests.fuzz import targets

    names = [name for name in targets() if fnmatch.fnmatchcase(name, given.target)]
    if not names:
        print(f"no target {given.target!r}: there are {', '.join(targets())}")
        return 2
    findings = 0
    for name in names:
        command = [sys.executable, "-m", "tests.fuzz", "--child", name, "--seconds", str(given.seconds)]
        ran = subprocess.run(command, capture_output=True, check=False, env={**os.environ, "POLARS_MAX_THREADS": "1"})
        said = (ran.stdout + ran.stderr).decode("utf-8", "replace")
        line, found = summary(name, said, ran.returncode)
        print(line, flush=True)
        findings += found
    print(f"{len(names)} targets, {findings} findings" + (f": see {FINDINGS}" if findings else ""))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
