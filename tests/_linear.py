"""R04: twice the octets take twice the time, whatever the octets are; measured so that a busy machine does no harm."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

from tests._slow import SLOW

MIB = 1 << 20
SIZE = 4 * MIB if SLOW else MIB // 2
"""Octets that a reader gets, and half as many."""
_TRIES = 6
_NOISE_S = 0.02
"""Less than this says nothing."""
_RATIO = 2.5
"""What is quadratic takes four times as long."""


def takes_linear_time(
    read: Callable[[bytes], object],
    made: Callable[[int], bytes],
    *,
    size: int = SIZE,
    s_per_mib: float = 1.0,
) -> None:
    """Read so many octets, and half of them, again and again until the best of each keep to the bounds.

    Args:
        read: Reads all of what it is given.
        made: About so many octets.
        size: How many.
        s_per_mib: Processor time that a mebibyte may take, and whatever is less.
    """
    whole, half = made(size), made(size // 2)
    long = short = float("inf")
    for _ in range(_TRIES):
        long = min(long, _seconds(read, whole))
        if long > _RATIO * _NOISE_S:
            short = min(short, _seconds(read, half))
        if long <= _RATIO * max(min(short, long), _NOISE_S) and long <= s_per_mib * max(size / MIB, 1):
            return
    raise AssertionError(f"{len(whole)} octets take {long:.2f} s, {len(half)} take {short:.2f} s")


def repeated(unit: bytes, head: bytes = b"") -> Callable[[int], bytes]:
    """A head, and something again and again."""
    return lambda size: head + unit * max((size - len(head)) // len(unit), 1)


def _seconds(read: Callable[[bytes], object], octets: bytes) -> float:
    gc.disable()  # which runs when it likes, and through all that there is
    try:
        start = time.process_time()
        read(octets)
        return time.process_time() - start
    finally:
        gc.enable()
