"""Sizes as listings print them: exact where they are, and between which bounds where they are rounded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

_UNITS = "KMGTPEZY"
_FIGURE = re.compile(r"^(?P<whole>\d{1,18})(?:[.,](?P<tenths>\d{1,3}))?(?P<unit>[kKMGTPEZY]?)(?P<tail>i?B?)$")


@dataclass(frozen=True, slots=True)
class Figure:
    """A size that was printed."""

    low: int
    """Least number of octets that it can stand for."""
    high: int
    """Greatest number of octets."""
    shown: int
    """What was printed, as octets."""


def whole(text: str | None) -> int | None:
    """A whole number; None for anything else, and for one that no machine counts to.

    Examples:
        >>> whole("12"), whole("9" * 5000), whole("²"), whole("-1")
        (12, None, None, None)
    """
    return int(text) if text and len(text) <= 18 and text.isascii() and text.isdecimal() else None


def figure(text: str, block: int = 1, *, decimal: bool = False, up: bool = True) -> Figure | None:
    """The octets that a printed size stands for.

    Args:
        text: ``5.5G``, ``92890453``, ``1.4GiB``.
        block: Octets of one unit, for a number without a letter.
        decimal: Whether K is 1000 (``--si``).
        up: Whether the program rounds up, as GNU's do (``human_ceiling`` of gnulib's ``human.c``). Those
            print a decimal below ten only; one behind a greater number is some other program's, to the nearest.

    Returns:
        None where it is no size.

    Examples:
        >>> figure("5.5G"), figure("12", 1024)
        (Figure(low=5798205850, high=5905580032, shown=5905580032), Figure(low=12288, high=12288, shown=12288))
        >>> figure("-") is None
        True
    """
    found = _FIGURE.match(text)
    if not found:
        return None
    tenths, unit = found["tenths"], found["unit"].upper()
    value = Fraction(f"{found['whole']}.{tenths or 0}")
    if not unit:
        octets = int(value * (1 if found["tail"] else block))
        return Figure(octets, octets, octets)
    size = (1000 if decimal else 1024) ** (_UNITS.index(unit) + 1)
    step = Fraction(1, 10 ** len(tenths)) if tenths else Fraction(1)
    if not up or (tenths and (value >= 10 or len(tenths) > 1)):
        low, high = max(value - step / 2, Fraction(0)), value + step / 2
        return Figure(-int(-low * size // 1), int(high * size), int(value * size))
    if not tenths and value == 10:
        step = Fraction(1, 10)  # from 9.9 on it is rounded to 10 without a decimal
    below = max((value - step) * size, Fraction(0))
    return Figure(int(below) + 1 if value else 0, int(value * size), int(value * size))
