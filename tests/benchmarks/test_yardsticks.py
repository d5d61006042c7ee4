"""The yardsticks of benchmarks/accuracy on data whose answer is plain: the floor is as honest as the ceiling."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.accuracy import f1
from benchmarks.yardsticks import cross_validated, deepest_valley, floor_gates
from nktrace.model.events import Events, Mask
from nktrace.model.panel import Detector, Kind, Panel

MARKERS = ("CD3", "CD56", "HLA-A2")


@pytest.fixture
def tube() -> tuple[Events, Panel, Mask]:
    """T cells, NK cells that alone carry HLA-A2, and cells that are neither."""
    rng = np.random.default_rng(1)
    means = np.repeat([[0.8, 0.2, 0.1], [0.2, 0.7, 0.9], [0.2, 0.2, 0.1]], (3000, 600, 2000), axis=0)
    values = (means + 0.05 * rng.standard_normal(means.shape)).astype(np.float32)
    kinds = (Kind.LINEAGE, Kind.LINEAGE, Kind.HLA)
    panel = Panel("toy", tuple(Detector(channel=m, marker=m, kind=k) for m, k in zip(MARKERS, kinds, strict=True)))
    nk = np.zeros(len(values), dtype=np.bool_)
    nk[3000:3600] = True
    return Events(np.asfortranarray(values), MARKERS), panel, nk


def test_valley_lies_between_two_peaks() -> None:
    rng = np.random.default_rng(2)
    assert 0.35 < deepest_valley(np.concatenate([rng.normal(0.2, 0.05, 4000), rng.normal(0.7, 0.05, 1000)])) < 0.55


@pytest.mark.parametrize("values", [np.empty(0), np.ones(50), np.linspace(0, 1, 500) ** 2])
def test_without_two_peaks_nothing_is_cut(values: np.ndarray) -> None:
    assert np.isnan(deepest_valley(values))


def test_floor_finds_what_plainly_stands_apart(tube: tuple[Events, Panel, Mask]) -> None:
    events, panel, nk = tube
    assert f1(floor_gates(events, panel)["nk"], nk) > 0.99


def test_trees_judge_events_they_did_not_see(tube: tuple[Events, Panel, Mask]) -> None:
    events, panel, nk = tube
    noise = np.random.default_rng(3).permutation(nk)
    rows = np.arange(len(events))
    called = cross_validated(events, panel, {"nk": nk, "noise": noise}, {"nk": "root", "noise": "root"}, rows=rows)
    assert f1(called["nk"], nk) > 0.99
    assert f1(called["noise"], noise) < 0.3


def test_trees_do_not_tell_nk_cells_by_hla(tube: tuple[Events, Panel, Mask]) -> None:
    events, panel, nk = tube
    blank = events.values.copy()
    blank[:, :2] = np.random.default_rng(4).random((len(events), 2))
    rows = np.arange(len(events))
    called = cross_validated(Events(np.asfortranarray(blank), MARKERS), panel, {"nk": nk}, {"nk": "root"}, rows=rows)
    assert f1(called["nk"], nk) < 0.3


def test_too_few_members_are_no_population(tube: tuple[Events, Panel, Mask]) -> None:
    events, panel, nk = tube
    few = np.zeros_like(nk)
    few[:5] = True
    assert cross_validated(events, panel, {"few": few}, {"few": "root"}, rows=np.arange(len(events))) == {}
