"""The functions of ``json_rows.c`` under the address and undefined-behaviour sanitizers, over mutated notifications.

    python -m tests.fuzz._sanitized_notifications --seconds 60

Builds them into a scratch folder, and starts itself again with the sanitizer's runtime ahead of all others. Each input
lies in memory of just its size, so that one octet too far is found out.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import time
from pathlib import Path

from tests.fuzz._sanitized import again


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
    arguments = ("--seconds", str(chosen.seconds), "--seed", chosen.seed)
    again("tests.fuzz._sanitized_notifications", ("json_rows.c",), *arguments, PYTHONMALLOC="malloc")


def run(library: ctypes.CDLL, seconds: float, seed: str) -> int:
    """Call each function on the seeds, and on mutations for so long; a fault ends the process."""
    import numpy as np

    from forensics import kernels
    from forensics.loaders.documents import _notification_kernel as kernel
    from tests.fuzz._mutation import endless
    from tests.fuzz.notifications import seeds

    kernels.typed(library, kernel.FUNCTIONS)
    own = seeds()
    until, count = time.monotonic() + seconds, 0
    for data in itertools.chain(own, endless(own, f"sanitized {seed}")):
        octets = np.frombuffer(data, np.uint8).copy()
        end = np.append(kernel.feeds(library, octets), len(octets))
        start = np.append(0, end[:-1])
        read = kernel.read(library, octets, start, end, commas=bool(count % 2))
        found = kernel.run(library, data, min(count % 3, len(data)))
        assert (found.start < found.end).all()
        for name in (*read.frame.columns, *found.read.frame.columns):
            (read if name in read.frame.columns else found.read).frame[name].to_list()
        count += 1
        if count >= len(own) and time.monotonic() > until:
            break
    return count


if __name__ == "__main__":
    main()
