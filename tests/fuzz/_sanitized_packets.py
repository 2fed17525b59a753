"""The functions of ``packets.c`` under sanitizers, fed mutated packets and captures beside the reference engine.

    python -m tests.fuzz._sanitized_packets [--seconds 60] [--seed 1]

Ends with 1, and the sanitizer's report, at the first octet read or written where it must not be. Python's own
allocator is switched off, so that each buffer has guards at both ends.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
KERNELS = ROOT / "forensics" / "kernels"
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")


def runtime() -> str | None:
    """The library that has to be loaded before all others; None where the compiler has none."""
    try:
        said = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return said.stdout.strip() if Path(said.stdout.strip()).is_absolute() else None


def built(folder: Path) -> Path:
    """The kernel with sanitizers."""
    found = folder / "kernel.so"
    command = ["gcc", "-O1", "-g", *SANITIZERS, "-shared", "-fPIC", f"-I{KERNELS}", "-o", str(found)]
    subprocess.run([*command, str(KERNELS / "packets.c")], check=True)
    return found


def run(seconds: float, seed: str) -> subprocess.CompletedProcess[str]:
    """Feed each target for so long, in a process of its own."""
    preload = runtime()
    if preload is None:
        raise SystemExit("no compiler with AddressSanitizer is here")
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "LD_PRELOAD": preload,
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
            "PYTHONMALLOC": "malloc",
            "PYTHONPATH": str(ROOT),
            "POLARS_MAX_THREADS": "1",
        }
        command = [sys.executable, "-m", "tests.fuzz._sanitized_packets", "--kernel"]
        command += [str(built(Path(folder))), "--seconds", str(seconds), "--seed", seed]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def child(kernel: str, seconds: float, seed: str) -> None:
    """In a process with the sanitizers: load the kernel, and feed it."""
    import ctypes
    import itertools
    import time

    from forensics import kernels

    library = ctypes.CDLL(kernel)
    kernels.library = lambda: library  # type: ignore[assignment]
    from forensics.loaders.captures._kernel import kernel as loaded
    from tests.fuzz._mutation import endless
    from tests.fuzz.engines import TARGETS

    assert loaded() is library
    for target in TARGETS:
        seeds, count = target.seeds(), 0
        until = time.monotonic() + seconds
        for data in itertools.chain(seeds, endless(seeds, f"{target.name} {seed}")):
            target.one(data)
            count += 1
            if count >= len(seeds) and time.monotonic() > until:
                break
        print(target.name, count, "inputs, nothing found")


def main() -> int:
    """Run, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="for each target; every seed is tried at least")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--kernel", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.kernel:
        child(given.kernel, given.seconds, given.seed)
        return 0
    done = run(given.seconds, given.seed)
    print(done.stdout + done.stderr, end="")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
