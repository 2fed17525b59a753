"""Stamps of any resolution as whole nanoseconds since 1970."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from forensics.loaders.captures._chain import Bools, Ints

NS = 1_000_000_000
EARLIEST_NS, LATEST_NS = -(1 << 63), (1 << 63) - 1


def instants(stamps: npt.NDArray[np.uint64], base: int, exponent: int, offset_s: int) -> tuple[Ints, Bools | None]:
    """Turn stamps into nanoseconds; what is finer than a nanosecond is cut off, as Wireshark does.

    Args:
        stamps: Units since 1970.
        base: 10 or 2.
        exponent: 0 to 127; a unit is ``base ** -exponent`` seconds.
        offset_s: Seconds to be added.

    Returns:
        Nanoseconds, and where they are valid (None: everywhere). A stamp that 63 bits do not hold is 0 and
        not valid: nothing wraps around.

    Examples:
        >>> instants(np.array([1_340_954_905_298_858], np.uint64), 10, 6, 0)
        (array([1340954905298858000]), None)
        >>> instants(np.array([2**63 + 2**62], np.uint64), 2, 63, 0)
        (array([1500000000]), None)
    """
    per_second = base**exponent
    if (base == 10 and exponent <= 19) or (base == 2 and exponent <= 34):
        seconds, rest = np.divmod(stamps, np.uint64(per_second))
        if base == 2:
            low = rest * np.uint64(NS) >> np.uint64(exponent)  # fits: 2**34 * 10**9 < 2**64
        elif exponent <= 9:
            low = rest * np.uint64(NS // per_second)
        else:
            low = rest // np.uint64(per_second // NS)
        spare = NS  # room for the part below one second
        least, greatest = -(-EARLIEST_NS // NS) - offset_s, (LATEST_NS - spare) // NS - offset_s
        whole = seconds.astype(np.int64)  # a stamp above 2**63 seconds turns negative, and is out of range below
        valid = (seconds < np.uint64(1 << 63)) & (whole >= least) & (whole <= greatest)
        whole = np.where(valid, whole, -offset_s)
        ns = np.where(valid, (whole + offset_s) * NS + low.astype(np.int64), 0)
        return ns, None if valid.all() else valid
    # Rare: whole numbers without bound, one by one.
    exact = [int(stamp) * NS // per_second + offset_s * NS for stamp in stamps.tolist()]
    fits = np.array([EARLIEST_NS <= ns <= LATEST_NS for ns in exact], np.bool_)
    ns = np.array([ns if EARLIEST_NS <= ns <= LATEST_NS else 0 for ns in exact], np.int64)
    return ns, None if fits.all() else fits
