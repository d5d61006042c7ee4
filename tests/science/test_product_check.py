from __future__ import annotations

import math

import numpy as np
import pytest

from nktrace.model.chimerism import HlaCut, MarkerCounts, MarkerCuts
from nktrace.model.events import Events
from nktrace.model.hla import Direction
from nktrace.model.lineages import Lineages
from nktrace.model.quality import Check, Verdict
from nktrace.science.product_check import donor_t_cells


def cut(direction: Direction = Direction.DONOR_POSITIVE, *, population: str = "cd3", status: str = "ok") -> HlaCut:
    bright, dim = MarkerCounts(events=20_000, positive=19_900), MarkerCounts(events=20_000, positive=10)
    donor_positive = direction is Direction.DONOR_POSITIVE
    return HlaCut(
        panel="main",
        marker="HLA-A2" if donor_positive else "HLA-A3",
        antibody="BB7.2",
        population=population,
        direction=direction.value,
        blank_samples=("blank",),
        donor_samples=("donor",),
        cut=1_000.0,
        cut_low=900.0,
        cut_high=1_100.0,
        blank=dim if donor_positive else bright,
        donor=bright if donor_positive else dim,
        status=status,
        reason="",
    )


def tube(donor_like: int, t_cells: int = 10_000) -> Lineages:
    """T cells, of which some carry A2 and no A3, the others A3 and no A2; and as many NK cells, all of the donor."""
    donor = np.arange(2 * t_cells) < donor_like
    donor[t_cells:] = True
    return Lineages(
        sample="S",
        panel="main",
        batch="B",
        event=np.arange(2 * t_cells, dtype=np.int32),
        member={"cd3": np.arange(2 * t_cells) < t_cells},
        hla={
            "HLA-A2": np.where(donor, 9_000, 10).astype(np.float32),
            "HLA-A3": np.where(donor, 10, 9_000).astype(np.float32),
        },
        nk_rows=np.empty(0, np.int64),
        nk_markers=Events(np.empty((0, 0), np.float32, order="F"), ()),
    )


def check(lineages: Lineages, *cuts: HlaCut, product_cd3: float = 0.001) -> Check:
    of_markers = [MarkerCuts({("", "all"): one, ("", one.population): one}, "B") for one in cuts]
    return donor_t_cells(
        lineages, of_markers, product_cd3=product_cd3, most_cd3=0.01, min_events=50, blank_cv=0.3, level=0.95
    )


@pytest.mark.parametrize("direction", [Direction.DONOR_POSITIVE, Direction.RECIPIENT_POSITIVE])
def test_more_donor_t_cells_than_the_blank_explains_warn(direction: Direction) -> None:
    positive = 5 if direction is Direction.DONOR_POSITIVE else 50  # what 10 or 100 of 20,000 in the blank are of 10,000
    passed, warned = check(tube(positive), cut(direction)), check(tube(20 * positive), cut(direction))
    assert (passed.status, passed.reason) == (Verdict.PASS, "")
    assert passed.value == positive / 10_000 < passed.limit
    assert warned.status is Verdict.WARN
    assert warned.value > warned.limit == passed.limit
    assert f"{20 * positive} of 10000 T cells look like donor cells" in warned.reason


def test_the_donor_positive_marker_is_looked_at_where_both_inform() -> None:
    both = check(tube(200), cut(Direction.RECIPIENT_POSITIVE), cut(Direction.DONOR_POSITIVE))
    assert "HLA-A2" in both.reason


@pytest.mark.parametrize(
    ("cuts", "t_cells", "product_cd3", "says"),
    [
        ((cut(),), 1_000, 0.2, "had 20.00% T cells"),
        ((cut(),), 1_000, math.nan, "doesn't say the cd3_fraction"),
        ((cut(),), 20, 0.001, "20 T cells"),
        ((cut(population="all"),), 1_000, 0.001, "no HLA marker has a cut for T cells"),
        ((cut(status="indeterminate"),), 1_000, 0.001, "no HLA marker has a cut for T cells"),
        ((), 1_000, 0.001, "no HLA marker has a cut for T cells"),
    ],
)
def test_what_tells_nothing_is_skipped_and_says_why(
    cuts: tuple[HlaCut, ...], t_cells: int, product_cd3: float, says: str
) -> None:
    found = check(tube(10, t_cells), *cuts, product_cd3=product_cd3)
    assert found.status is Verdict.SKIPPED
    assert says in found.reason
    assert math.isnan(found.value)
