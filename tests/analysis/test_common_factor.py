"""What instances share is tested exactly: against scipy, and against those too few to tell."""

from math import comb

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import forensics
from forensics.analysis._common_factor import FACTORS, common_factors, population
from forensics.records import Edge, Finding
from tests._ports import GUEST, OTHER, A, B, cloud, instance


def told(hits: int, with_it: int, others: int, others_with: int) -> dict[str, object]:
    rows = [(f"h{n}", "bad" if n < with_it else f"own{n}") for n in range(hits)]
    rows += [(f"o{n}", "bad" if n < others_with else "good") for n in range(others)]
    table = common_factors(
        [f"h{n}" for n in range(hits)], pl.DataFrame(rows, schema=["instance", "image"], orient="row")
    )
    return table.filter(pl.col("value") == "bad").row(0, named=True)


@settings(deadline=None)
@given(st.integers(1, 12), st.data())
def test_p_is_fishers(hits: int, data: st.DataObject) -> None:
    stats = pytest.importorskip("scipy.stats")
    with_it, others = data.draw(st.integers(1, hits)), data.draw(st.integers(1, 40))
    others_with = data.draw(st.integers(0, others))
    row = told(hits, with_it, others, others_with)
    table = [[with_it, hits - with_it], [others_with, others - others_with]]
    assert row["p"] == pytest.approx(stats.fisher_exact(table, alternative="greater").pvalue)
    assert row["least_p"] == 1 / comb(hits + others, hits)


def test_all_share_it_and_nobody_else() -> None:
    row = told(3, 3, 50, 0)
    assert (row["verdict"], row["odds_ratio"], row["with_it"], row["others_with_it"]) == ("shared", None, 3, 0)


def test_all_share_it_as_most_do() -> None:
    assert told(3, 3, 50, 45)["verdict"] == "as the rest"


def test_few_prove_nothing_even_if_all_share_it() -> None:
    assert told(2, 2, 3, 0)["verdict"] == "too few to tell"
    assert told(1, 1, 10, 0)["verdict"] == "too few to tell"


def test_odds_are_those_of_the_table() -> None:
    assert told(4, 3, 10, 2)["odds_ratio"] == pytest.approx(3 * 8 / (1 * 2))


def test_what_is_unknown_is_no_value() -> None:
    frame = pl.DataFrame({"instance": ["a", "b", "c"], "user": ["u", None, None], "image": [None, None, None]},
                         schema={"instance": pl.String, "user": pl.String, "image": pl.String})  # fmt: skip
    assert common_factors(["a", "b"], frame).select("factor", "value", "with_it", "incidents").rows() == [
        ("user", "u", 1, 1)
    ]


def test_no_incidents_no_factors() -> None:
    assert common_factors([], pl.DataFrame({"instance": ["a"], "image": ["i"]})).height == 0


def test_the_population_is_what_the_edges_know() -> None:
    edges = cloud(instance(A, "cc35", GUEST, "i1", "u1"), instance(B, "cc36", OTHER, "i2", None)).collect()
    table = population(edges)
    assert table.columns == ["instance", *FACTORS]
    assert table.select("instance", "user", "image", "host").rows() == [
        (A, "u1", "i1", "cc35"),
        (B, None, "i2", "cc36"),
    ]
    assert population(Edge.empty()).height == 0


class Told:
    """As much of a case as the test needs."""

    edges = cloud(instance(A, "cc35", GUEST, "i1", "u1"), instance(B, "cc36", OTHER, "i2", "u2")).collect()
    findings = (
        Finding("host-silent", "", "high", "proven", None, None, {"instances": (A,)}, {}),
        Finding("host-silent", "", "info", "proven", None, None, {"instances": (B,)}, {}),
    )


def test_findings_of_a_case_are_tested_by_their_instances() -> None:
    own = forensics.common_factors(Told)
    assert own.filter(pl.col("factor") == "user").select("value", "with_it", "others").rows() == [("u1", 1, 1)]
    assert forensics.common_factors(Told, Told.findings)["incidents"].max() == 2
    assert forensics.common_factors(Told, [B]).filter(pl.col("factor") == "image")["value"].to_list() == ["i2"]
