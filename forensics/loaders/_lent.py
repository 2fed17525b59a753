"""Memory that serves again when nothing looks into it any more."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Octets = npt.NDArray[np.uint8]


def lent(owner: Octets, put_back: Callable[[Octets], object]) -> Octets:
    """The same octets, for whoever fills them and all views of that; ``put_back`` gets them when the last is gone."""
    # this array owns nothing, but is what its views hold, and theirs: none is left when it goes
    array = np.frombuffer(owner.data, np.uint8)
    weakref.finalize(array, put_back, owner).atexit = False
    return array
