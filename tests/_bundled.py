"""The bundled cases, triaged once a run as a person would, whoever of the workers asks first."""

import fcntl
import subprocess
import sys
from pathlib import Path
from typing import Protocol

from tests._evidence import REPOSITORY


class Bundled(Protocol):
    """Gives the case of a bundled half, which nobody writes to; what the terminal showed lies beside it."""

    def __call__(self, name: str, half: str = "guilty") -> Path:
        """Where it is: what the terminal showed has the same name with ``.txt``."""
        ...


def made(name: str, half: str, folder: Path) -> Path:
    """The case in a folder that all workers share."""
    out, evidence = folder / f"{name}-{half}.case", REPOSITORY / "data" / name / half
    said = out.with_suffix(".txt")
    with (folder / f"{name}-{half}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            command = [sys.executable, "-P", "-m", "forensics", "triage", str(evidence), "--out", str(out)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
            assert done.returncode in (0, 3), done.stderr
            said.write_text(done.stdout)
    return out
