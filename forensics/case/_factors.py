"""What the instances of some findings have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from forensics.analysis import _common_factor


def common_factors(case: Any, findings: Iterable[Any] | None = None) -> pl.DataFrame:
    """Test which user, image, flavor, project or host the instances of some findings share against all the others.

    Fisher's exact test, one-sided, with Bonferroni's correction for the number of values that are tested. Where the
    instances are too few to tell, the verdict says so, whatever they share.

    Args:
        case: A `Case`.
        findings: Findings of it (or instances, by uuid); all of them above ``info`` where None.

    Returns:
        Most telling first: ``factor``, ``value``, ``with_it`` of ``incidents``, ``others_with_it`` of ``others``,
        ``odds_ratio`` (null where infinite), ``p``, ``least_p``, ``verdict``.

    Examples:
        ``fx.common_factors(case)``, ``fx.common_factors(case, case.findings[:2])``
    """
    chosen = [one for one in case.findings if one.severity != "info"] if findings is None else list(findings)
    named = (one if isinstance(one, str) else one.entities.get("instances", ()) for one in chosen)
    concerned = {name for some in named for name in ((some,) if isinstance(some, str) else some)}
    return _common_factor.common_factors(sorted(concerned), _common_factor.population(case.edges))
