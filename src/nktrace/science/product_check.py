"""Donor T cells after a product of NK cells alone: a row of qc.tsv.

Such a product leaves the T cells of the tube to the recipient, so they are a negative control within the tube itself:
where more of them look like donor cells than the blank explains, the HLA cut does not fit this tube, or there are donor
T cells, which matters more. Either must be known before the fraction of donor NK cells is believed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from nktrace.model.chimerism import Controls, HlaCut, MarkerCounts, MarkerCuts
from nktrace.model.hla import Direction
from nktrace.model.lineages import Lineages
from nktrace.model.quality import Check, Verdict
from nktrace.science.hla_positivity import looks_donor

CHECK = "donor_t_cells"
T = "cd3"


def donor_t_cells(
    lineages: Lineages,
    cuts: Iterable[MarkerCuts],
    *,
    product_cd3: float,
    most_cd3: float,
    min_events: int,
    blank_cv: float,
    level: float,
    blanks: Mapping[tuple[str, str, str, str], tuple[MarkerCounts, ...]] | None = None,
) -> Check:
    """Whether more T cells look like donor cells than the blank's do; skipped where that tells nothing, and why.

    Args:
        lineages: of a sample after the infusion.
        cuts: of the HLA markers of its panel; a donor-positive one is preferred, then the one that separates best.
        product_cd3: largest share of T cells of the products so far; nan if not known.
        most_cd3: up to this share a product counts as NK cells alone.
        min_events: fewer T cells tell nothing.
        blank_cv: coefficient of variation of the false-positive rate between tubes, where blanks don't tell it.
        level: of the limit of blank, which is that of chimerism_by_antibody.tsv (science/chimerism.py:limits_of).
        blanks: of the reference's patients, by panel, marker, direction and lineage: how much tubes differ; None where
            `blank_cv` holds whatever they say.
    """
    if math.isnan(product_cd3):
        return _skipped("infusions.tsv doesn't say the cd3_fraction of the product")
    if product_cd3 > most_cd3:
        return _skipped(f"the product had {product_cd3:.2%} T cells, so those in the sample may be the donor's")
    rows = [cut for own in cuts if (cut := own.at(T)).population == T and cut.status in ("ok", "assumed")]
    if not rows:
        return _skipped("no HLA marker has a cut for T cells")
    cut = max(rows, key=lambda row: (row.direction == Direction.DONOR_POSITIVE, _separation(row)))
    direction = Direction(cut.direction)
    t_cells = lineages.member.get(T)
    events = int(t_cells.sum()) if t_cells is not None else 0
    if t_cells is None or events < min_events:
        return _skipped(f"{events} T cells, and fewer than {min_events} tell nothing")
    from nktrace.science.background import telling_of_scatter  # scipy, for the few samples that get here
    from nktrace.science.chimerism import limits_of

    like = int(np.count_nonzero(looks_donor(lineages.hla[cut.marker][t_cells], cut.cut, direction)))
    tubes = tuple(map(cut.like_donor, cut.blank_tubes))
    key = cut.panel, cut.marker, cut.direction, T
    controls = Controls(
        blank=cut.like_donor(cut.blank),
        donor=cut.like_donor(cut.donor),
        blank_cv=blank_cv,
        tubes=tubes,
        scatter_of=telling_of_scatter(blanks.get(key, ()), tubes) if blanks is not None else (),
    )
    limit = limits_of(MarkerCounts(events=events, positive=like), controls, level=level).lob_events
    over = like > limit
    reason = (
        f"{like} of {events} T cells look like donor cells by {cut.marker}, and the blank explains {limit}: donor T "
    )
    reason += f"cells after a product with {product_cd3:.2%} of them, or a cut that does not fit this tube"
    return Check(
        check=CHECK,
        value=like / events,
        limit=limit / events,
        status=Verdict.WARN if over else Verdict.PASS,
        reason=reason if over else "",
    )


def _separation(cut: HlaCut) -> float:
    return abs(cut.donor.rate - cut.blank.rate)


def _skipped(reason: str) -> Check:
    return Check(check=CHECK, status=Verdict.SKIPPED, reason=reason)
