"""NK clusters over reference samples."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from nktrace.files.subset_rules import read_subset_rules
from nktrace.model.clusters import AMBIGUOUS, UNASSIGNED, ClusterReference
from nktrace.model.events import Events
from nktrace.model.lineages import Lineages
from nktrace.model.panel import Detector, Kind, Panel
from nktrace.science.clustering import NkDraw, clustering_detectors, draw_nk, fit_reference, mean_fractions
from nktrace.science.mapping import map_events

RULES = read_subset_rules(Path(__file__).resolve().parents[2] / "resources" / "nk_subsets.tsv")
MARKERS = ("CD56", "CD16", "CD57", "NKG2A", "NKG2C", "CD69")
DETECTORS = tuple(Detector(channel=marker, marker=marker, kind=Kind.SUBSET) for marker in MARKERS)
LOW, HIGH = 0.25, 0.65
# subset: share of the NK cells, and the mean of each marker
SUBSETS = {
    "bright": (0.08, (0.80, 0.35, LOW, HIGH, LOW, LOW)),
    "adaptive": (0.02, (0.55, 0.60, HIGH, LOW, 0.58, LOW)),
    "terminal": (0.35, (0.55, 0.60, HIGH, LOW, LOW, LOW)),
    "early_dim": (0.35, (0.55, 0.60, LOW, HIGH, LOW, LOW)),
    "other_dim": (0.20, (0.55, 0.60, LOW, LOW, LOW, LOW)),
}


def draw(sample: str, events: int, seed: int) -> NkDraw:
    """NK cells with heavy tails and skew, and the subsets that they were made as."""
    rng = np.random.default_rng(seed)
    shares = np.array([share for share, _ in SUBSETS.values()])
    which = rng.choice(len(shares), events, p=shares / shares.sum())
    means = np.array([mean for _, mean in SUBSETS.values()])[which]
    noise = rng.standard_t(6, means.shape) * 0.05 + rng.gamma(2, 0.02, means.shape) - 0.04
    return NkDraw(sample, (means + noise).astype(np.float32), np.array(list(SUBSETS))[which])


def fit(draws: list[NkDraw], **changes: object) -> ClusterReference:
    choices = {
        "detectors": DETECTORS,
        "prototypes": 80,
        "metaclusters": 8,
        "refits": 3,
        "min_share": 0.6,
        "seed": 1,
    } | changes
    return fit_reference(draws, panel="nk14", rules=RULES, **choices)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def draws() -> list[NkDraw]:
    return [draw(f"S{number}", 1_500, number) for number in range(4)]


@pytest.fixture(scope="module")
def reference(draws: list[NkDraw]) -> ClusterReference:
    return fit(draws)


def same(one: ClusterReference, other: ClusterReference) -> bool:
    arrays = ("prototypes", "metaclusters", "radius", "center", "width")
    return one.clusters == other.clusters and all(
        getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in arrays
    )


def test_two_fits_are_the_same_and_the_order_of_samples_does_not_matter(
    draws: list[NkDraw], reference: ClusterReference
) -> None:
    assert same(fit(draws[::-1]), reference)


def test_another_seed_is_another_fit(draws: list[NkDraw], reference: ClusterReference) -> None:
    assert not same(fit(draws, seed=2), reference)


def test_adaptive_cells_at_two_percent_are_found(reference: ClusterReference) -> None:
    new = draw("new", 20_000, 99)
    cluster, _ = map_events(Events(np.asfortranarray(new.values), MARKERS), reference)
    named = {c.number for c in reference.clusters if c.subset == "adaptive"}
    found, truth = np.isin(cluster, sorted(named)), new.subsets == "adaptive"
    f1 = 2 * np.sum(found & truth) / (np.sum(found) + np.sum(truth))
    assert f1 >= 0.85


def test_clusters_are_numbered_by_size_named_by_their_members_and_described(reference: ClusterReference) -> None:
    fractions = [cluster.fraction for cluster in reference.clusters]
    assert [cluster.number for cluster in reference.clusters] == list(range(1, len(fractions) + 1))
    assert fractions == sorted(fractions, reverse=True)
    assert sum(fractions) == pytest.approx(1)
    assert set(SUBSETS) <= {cluster.subset for cluster in reference.clusters}
    bright = next(cluster for cluster in reference.clusters if cluster.subset == "bright")
    assert bright.cl_id == "CL:0000938"
    assert bright.medians["CD56"] == pytest.approx(0.80, abs=0.05)
    assert all(0 < cluster.stability <= 1 for cluster in reference.clusters)


def test_separate_populations_are_stable_and_a_split_of_noise_is_not(draws: list[NkDraw]) -> None:
    stability = {c.subset: c.stability for c in fit(draws, metaclusters=5, refits=9).clusters}
    assert stability.keys() == SUBSETS.keys()
    assert min(stability[subset] for subset in SUBSETS if subset != "adaptive") > 0.9
    assert stability["adaptive"] > 0.7
    rng = np.random.default_rng(3)
    ball = NkDraw("ball", rng.normal(0.5, 0.1, (4_000, 6)).astype(np.float32), np.full(4_000, "other_dim"))
    assert min(cluster.stability for cluster in fit([ball], metaclusters=5, refits=9).clusters) < 0.5


def test_a_cluster_without_a_clear_majority_says_so(draws: list[NkDraw]) -> None:
    rng = np.random.default_rng(4)
    mixed = [NkDraw(d.sample, d.values, rng.choice(["terminal", "early_dim"], len(d.values))) for d in draws]
    largest = fit(mixed, refits=3).clusters[0]
    assert largest.subset == AMBIGUOUS
    assert largest.cl_id == ""


def test_one_percent_of_the_reference_is_novel(draws: list[NkDraw], reference: ClusterReference) -> None:
    values = np.concatenate([d.values for d in draws])
    _, novelty = map_events(Events(np.asfortranarray(values), MARKERS), reference)
    assert 0.004 < np.mean(novelty > 1) < 0.02


def test_few_events_give_fewer_prototypes() -> None:
    few = fit([draw("few", 55, 1)], refits=3)
    assert len(few.prototypes) == 5
    assert 1 <= len(few.clusters) <= 5


def test_equal_events_are_one_cluster() -> None:
    equal = NkDraw("equal", np.full((500, 6), 0.5, np.float32), np.full(500, "other_dim"))
    one = fit([equal], refits=3)
    assert [(c.number, c.fraction, c.stability) for c in one.clusters] == [(1, 1.0, 1.0)]


def test_a_study_without_nk_cells_has_an_empty_reference_that_says_why() -> None:
    empty = fit([NkDraw("A", np.empty((0, 6), np.float32), np.empty(0, np.str_))])
    assert empty.clusters == ()
    assert empty.reason == "no reference sample has NK events"
    assert empty.samples == {"A": 0}


# --- draws and markers ----------------------------------------------------------------------------------------------


def lineages(sample: str, events: int = 3_000) -> Lineages:
    """Every other event is NK; bright where CD56 is high."""
    values = draw(sample, events // 2, 7).values
    nk = np.zeros(events, dtype=bool)
    nk[::2] = True
    bright = np.zeros(events, dtype=bool)
    bright[::2] = values[:, 0] > 0.68
    return Lineages(
        sample=sample,
        panel="nk14",
        batch="B1",
        event=np.arange(events, dtype=np.int32),
        member={"nk": nk, "nk_bright": bright, "nk_dim": nk & ~bright},
        hla={},
        nk_rows=np.flatnonzero(nk),
        nk_markers=Events(np.asfortranarray(values), MARKERS),
    )


def test_a_draw_depends_on_the_seed_and_the_sample_and_carries_each_cells_subset() -> None:
    def drawn(sample: str, seed: int) -> NkDraw:
        return draw_nk(lineages(sample), markers=MARKERS, rules=RULES, events=400, seed=seed)

    one = drawn("A", 1)
    assert one.values.shape == (400, 6)
    assert one.values.tobytes() == drawn("A", 1).values.tobytes()
    assert one.values.tobytes() != drawn("A", 2).values.tobytes()
    assert one.values.tobytes() != drawn("B", 1).values.tobytes()
    assert np.array_equal(one.subsets == "bright", one.values[:, 0] > 0.68)


def test_events_without_a_finite_value_are_not_drawn() -> None:
    some = lineages("A", 40)
    some.nk_markers.values[3, 2] = np.nan
    assert len(draw_nk(some, markers=MARKERS, rules=RULES, events=400, seed=1).values) == 19


def test_clusters_are_made_of_subset_markers_and_of_lineage_markers_that_differ_among_nk_cells() -> None:
    kinds = {
        "Time": Kind.TIME, "FSC-A": Kind.SCATTER, "Live": Kind.VIABILITY, "CD3": Kind.LINEAGE,
        "CD14+CD19": Kind.LINEAGE,
        "CD16_CD56": Kind.LINEAGE, "CD56": Kind.LINEAGE, "NK1.1": Kind.LINEAGE, "CD57": Kind.SUBSET, "HLA-A2": Kind.HLA,
        "CD45": Kind.LINEAGE, "CD16": Kind.LINEAGE, "AF": Kind.IGNORE,
    }  # fmt: skip
    panel = Panel("p", tuple(Detector(channel=marker, marker=marker, kind=kind) for marker, kind in kinds.items()))
    assert [d.marker for d in clustering_detectors(panel)] == ["CD16_CD56", "CD56", "NK1.1", "CD57", "CD16"]


def test_markers_of_one_transform_share_a_scale_and_other_transforms_have_their_own(draws: list[NkDraw]) -> None:
    thousandfold = [NkDraw(d.sample, d.values * np.float32([1, 1, 1, 1000, 1, 1]), d.subsets) for d in draws]
    detectors = [
        Detector(
            channel=d.marker, marker=d.marker, kind=d.kind, transform="linear" if d.marker == "NKG2A" else "logicle"
        )
        for d in DETECTORS
    ]
    mixed = fit(thousandfold, detectors=detectors, refits=3)
    assert len({float(width) for width in mixed.width}) == 2
    assert set(SUBSETS) <= {cluster.subset for cluster in mixed.clusters}


def test_fractions_over_the_cohort_count_each_sample_once(reference: ClusterReference) -> None:
    big, small = np.full(1_000, 1, np.int32), np.array([2, 2, 1, UNASSIGNED], np.int32)
    fractions = mean_fractions(reference, {"big": big, "small": small, "none": np.empty(0, np.int32)})
    assert fractions[1] == pytest.approx((1 + 0.25) / 2)
    assert fractions[2] == pytest.approx(0.5 / 2)
    assert math.isnan(mean_fractions(reference, {})[1])
