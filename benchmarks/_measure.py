"""Measures whole processes side by side: wall clock, CPU, and the memory that is theirs alone."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Command:
    """A process to measure; ``runs`` overrules the number of counted runs, for what takes minutes."""

    name: str
    argv: Sequence[str]
    runs: int | None = None
    env: dict[str, str] = field(default_factory=dict)
    cores: int | None = None
    """How many cores the process may use, where there is util-linux; all where None."""
    tells: bool = False
    """Whether the process prints, last, its own wall and CPU seconds: what it takes once all is imported."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians over the counted runs of one command."""

    name: str
    wall_s: float
    cpu_s: float
    resident_mib: float
    """Peak resident set as the kernel counts it, shared pages and files included."""
    private_mib: float
    """Peak of the anonymous pages, looked at every five milliseconds; 0 where the system does not tell."""
    runs: int


def run(command: Command) -> tuple[float, float, float, float]:
    """One run: wall seconds, CPU seconds, peak resident and peak private MiB."""
    started = time.perf_counter()
    argv = command.argv
    if command.cores is not None and shutil.which("taskset"):
        argv = ["taskset", "--cpu-list", f"0-{command.cores - 1}", *argv]
    output = subprocess.PIPE if command.tells else subprocess.DEVNULL
    process = subprocess.Popen(argv, stdout=output, env=os.environ | command.env)
    peak, ended = [0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, peak, ended))
    watcher.start()
    said = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    ended.set()
    watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command.name}: exit code {process.returncode}")
    cpu = usage.ru_utime + usage.ru_stime
    if command.tells:
        wall, cpu = map(float, said.split()[-2:])
    return wall, cpu, usage.ru_maxrss / 1024, peak[0] / 1024


def _watch(pid: int, peak: list[int], ended: threading.Event) -> None:
    status = Path(f"/proc/{pid}/status")
    while not ended.wait(0.005):
        try:
            lines = status.read_text().splitlines()
        except OSError:
            return
        peak[0] = max([peak[0], *(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))])


def measure(commands: Sequence[Command], *, runs: int = 3, warm_up: int = 1) -> list[Figures]:
    """Run the commands in turns, so that whatever else the machine does falls on all of them alike."""
    found: dict[str, list[tuple[float, float, float, float]]] = {command.name: [] for command in commands}
    for turn in range(warm_up + runs):
        for command in commands:
            counted = turn - (0 if command.runs == 1 else warm_up)
            if counted < (runs if command.runs is None else command.runs):
                figures = run(command)
                if counted >= 0:
                    found[command.name].append(figures)
    return [
        Figures(name, *(median(values) for values in zip(*figures, strict=True)), runs=len(figures))
        for name, figures in found.items()
    ]


def table(figures: Sequence[Figures], *, against: Sequence[str] = ()) -> str:
    """The figures as text, with the wall and the CPU time of others in multiples of each."""
    by_name = {row.name: row for row in figures}
    others = [name for name in against if name in by_name]
    head = ["command", "wall s", "CPU s", "resident MiB", "private MiB", "runs", *(f"{name} :" for name in others)]
    head += [f"{name} CPU :" for name in others]
    rows = [
        [
            row.name,
            f"{row.wall_s:.3f}",
            f"{row.cpu_s:.3f}",
            f"{row.resident_mib:.0f}",
            f"{row.private_mib:.0f}",
            str(row.runs),
            *(f"{by_name[name].wall_s / row.wall_s:.2f}" for name in others),
            *(f"{by_name[name].cpu_s / max(row.cpu_s, 1e-3):.2f}" for name in others),
        ]
        for row in figures
    ]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine() -> dict[str, object]:
    """What the figures were measured on, and how busy it was with other things."""
    told = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = next((line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name")), "")
    return {
        "processor": model or platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("polars", "pyarrow", "numpy")},
        "load": [round(one, 1) for one in os.getloadavg()],
    }


def save(figures: Sequence[Figures], path: Path) -> None:
    """The figures as JSON, beside the machine's description."""
    content = {"machine": machine(), "figures": [asdict(row) for row in figures]}
    path.write_text(json.dumps(content, indent=1) + "\n")
