"""Moved: see forensics.loaders._paths."""

from functools import partial

from forensics.loaders._paths import given
from forensics.records import Packet

captures = partial(given, record=Packet)
