"""The functions of ``log_lines.c`` under the address and undefined-behaviour sanitizers, over mutated log lines.

    python -m tests.fuzz._sanitized --seconds 60

Builds them into a scratch folder, and starts itself again with the sanitizer's runtime ahead of all others. Each input
lies in memory of just its size, so that one octet too far is found out.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KERNELS = Path(__file__).resolve().parents[2] / "forensics" / "kernels"
_FLAGS = ("-g", "-O1", "-shared", "-fPIC", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def main() -> None:
    """Build and start again, or run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--library", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.library:
        print(f"{run(ctypes.CDLL(str(chosen.library)), chosen.seconds)} inputs, nothing found")
        return
    with tempfile.TemporaryDirectory() as scratch:
        library = Path(scratch) / "log_lines.so"
        compiler = os.environ.get("CC", "gcc")
        subprocess.run([compiler, *_FLAGS, "-o", library, KERNELS / "log_lines.c"], check=True)
        asked = [compiler, "-print-file-name=libasan.so"]
        runtime = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        again = [sys.executable, "-m", "tests.fuzz._sanitized", "--seconds", str(chosen.seconds), "--library", library]
        environment = os.environ | {"LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0"}
        sys.exit(subprocess.run(again, env=environment, check=False).returncode)


def run(library: ctypes.CDLL, seconds: float) -> int:
    """Call each function on mutated inputs for so long; a fault ends the process."""
    import numpy as np

    from forensics.loaders.lines import _kernel
    from forensics.loaders.lines._fields import Fields
    from forensics.loaders.lines._reader import grammar
    from forensics.loaders.lines._text import Text
    from tests.fuzz._mutation import endless
    from tests.fuzz.log_lines import seeds

    _kernel.typed(library)
    until, count = time.monotonic() + seconds, 0
    for data in endless(seeds(), "sanitized"):
        octets = np.frombuffer(data, np.uint8).copy()
        feeds, _ = _kernel.split(library, octets)
        end = np.append(feeds, len(octets)) if not data.endswith(b"\n") else feeds
        start = np.concatenate([np.zeros(1, np.int64), end[:-1] + 1])[: len(end)]
        number = np.arange(len(end), dtype=np.int64)
        text, fields = Text(octets, start, end, start, end, number, start, end), Fields(len(end))
        _kernel.headers(library, text, fields, number, grammar().codes)
        _kernel.possible(library, text, number)
        _kernel.remarks(library, octets)
        for name in fields.start:
            _kernel.views(library, octets, fields.start[name], fields.end[name])
        count += 1
        if time.monotonic() > until:
            return count
    return count


if __name__ == "__main__":
    main()
