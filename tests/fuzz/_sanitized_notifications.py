"""The functions of ``json_rows.c`` under the address and undefined-behaviour sanitizers, over mutated notifications.

    python -m tests.fuzz._sanitized_notifications --seconds 60

Builds them into a scratch folder, and starts itself again with the sanitizer's runtime ahead of all others. Each input
lies in memory of just its size, so that one octet too far is found out.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz._sanitized import _FLAGS, KERNELS


def main() -> None:
    """Build and start again, or run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--library", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.library:
        print(f"{run(ctypes.CDLL(str(chosen.library)), chosen.seconds, chosen.seed)} inputs, nothing found")
        return
    with tempfile.TemporaryDirectory() as scratch:
        library = Path(scratch) / "json_rows.so"
        compiler = os.environ.get("CC", "gcc")
        subprocess.run([compiler, *_FLAGS, "-o", library, KERNELS / "json_rows.c"], check=True)
        asked = [compiler, "-print-file-name=libasan.so"]
        runtime = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        again = [sys.executable, "-m", "tests.fuzz._sanitized_notifications", "--library", library]
        again += ["--seconds", str(chosen.seconds), "--seed", chosen.seed]
        environment = os.environ | {"LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc"}
        sys.exit(subprocess.run(again, env=environment, check=False).returncode)


def run(library: ctypes.CDLL, seconds: float, seed: str) -> int:
    """Call each function on the seeds, and on mutations for so long; a fault ends the process."""
    import numpy as np

    from forensics.loaders.documents import _notification_kernel as kernel
    from tests.fuzz._mutation import endless
    from tests.fuzz.notifications import seeds

    kernel.typed(library)
    own = seeds()
    until, count = time.monotonic() + seconds, 0
    for data in itertools.chain(own, endless(own, f"sanitized {seed}")):
        octets = np.frombuffer(data, np.uint8).copy()
        end = np.append(kernel.feeds(library, octets), len(octets))
        start = np.append(0, end[:-1])
        read = kernel.read(library, octets, start, end, commas=bool(count % 2))
        for name in read.frame.columns:
            read.frame[name].to_list()
        count += 1
        if count >= len(own) and time.monotonic() > until:
            break
    return count


if __name__ == "__main__":
    main()
