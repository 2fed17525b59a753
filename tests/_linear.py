"""R04: what a reader takes grows as its octets do, whatever they are; measured so that a busy machine does no harm."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable

from tests._slow import SLOW

MIB = 1 << 20
SIZE = 4 * MIB if SLOW else MIB // 2
"""Octets that a reader gets, and an eighth of them."""
_TRIES = 6
_NOISE_S = 0.005
"""Less than this says nothing."""
_EXPONENT = math.log2(2.5)
"""Twice the octets may take 2.5 times as long, eight times 2.5 ** 3; what is quadratic takes 64 times as long."""


def takes_linear_time(
    read: Callable[[bytes], object],
    made: Callable[[int], bytes],
    *,
    size: int = SIZE,
    s_per_mib: float = 1.0,
) -> None:
    """Read so many octets, and an eighth of them, again and again until the best of each keep to the bounds.

    An eighth and not a half: a busy machine makes the same work take twice as long, which is all but what the bound
    leaves between a half and the whole, and far from what stands between linear and quadratic at an eighth.

    Args:
        read: Reads all of what it is given.
        made: About so many octets.
        size: How many.
        s_per_mib: Processor time that a mebibyte may take, and whatever is less.
    """
    whole, part = made(size), made(size // 8)
    at_most = (len(whole) / len(part)) ** _EXPONENT
    long = short = float("inf")
    for _ in range(_TRIES):
        long = min(long, _seconds(read, whole))
        if long > at_most * _NOISE_S:
            short = min(short, _seconds(read, part))
        if long <= at_most * max(min(short, long), _NOISE_S) and long <= s_per_mib * max(size / MIB, 1):
            return
    raise AssertionError(f"{len(whole)} octets take {long:.3f} s, {len(part)} take {short:.3f} s")


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
