"""The functions of ``log_lines.c`` and ``log_records.c`` under the sanitizers for addresses and undefined behaviour.

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
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

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
    again("tests.fuzz._sanitized", ("log_lines.c", "log_records.c"), "--seconds", str(chosen.seconds))


def again(module: str, sources: Sequence[str], *arguments: str, **environment: str) -> NoReturn:
    """Build C files, and start a module with them and the sanitizer's runtime; ends as that ends."""
    with tempfile.TemporaryDirectory() as scratch:
        library = Path(scratch) / "kernel.so"
        compiler = os.environ.get("CC", "gcc")
        subprocess.run([compiler, *_FLAGS, "-o", library, *(KERNELS / name for name in sources)], check=True)
        asked = [compiler, "-print-file-name=libasan.so"]
        runtime = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        command = [sys.executable, "-m", module, *arguments, "--library", library]
        told = os.environ | {"LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0"} | environment
        sys.exit(subprocess.run(command, env=told, check=False).returncode)


def run(library: ctypes.CDLL, seconds: float) -> int:
    """Call each function on mutated inputs for so long; a fault ends the process."""
    import numpy as np

    from forensics import kernels
    from forensics.loaders.lines import _kernel
    from forensics.loaders.lines._fields import SECOND_NS, TEXT_FIELDS, Fields
    from forensics.loaders.lines._join import Grouping
    from forensics.loaders.lines._reader import grammar
    from forensics.loaders.lines._text import Text
    from forensics.loaders.lines._times import Years
    from tests.fuzz._mutation import endless
    from tests.fuzz.log_lines import seeds

    kernels.typed(library, _kernel.FUNCTIONS)
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
        _kernel.find(library, octets, 0)
        wall, joined = ((end - start) % most == 0 for most in (7, 5))
        records = Grouping(*_kernel.groups(library, fields.header, joined & fields.header, wall))
        *message, _ = _kernel.messages(library, text, fields, records)
        _kernel.columns(library, text, fields, records, (message[0], message[1]), TEXT_FIELDS)
        for unit in (SECOND_NS, 1):
            few, run = _kernel.runs(library, fields.inner, fields.outer, unit)
            good = few % 2 == 0
            _kernel.instants(library, fields.inner, fields.outer, Years(run, few, good, good.view(np.uint8)))
        _kernel.instants(library, fields.inner, fields.outer, None)
        for name in fields.start:
            _kernel.views(library, octets, fields.start[name], fields.end[name])
        count += 1
        if time.monotonic() > until:
            return count
    return count


if __name__ == "__main__":
    main()
