"""What simulated cells emit."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from nktrace.model.panel import Kind
from nktrace.model.simulation import CellTable, SimulatedDetector, Trait
from nktrace.science.simulation.cells import MEMBERS, Cells, Makeup, antigens_of, light, skewed

TABLE = CellTable(
    {
        kind: {
            "size": Trait(1.0, 1.0, 0.07),
            "FSC": Trait(1.0, 80_000.0, 0.1),
            "SSC": Trait(1.0, 20_000.0, 0.2),
            "autofluorescence": Trait(1.0, 1.0, 0.3),
            "nonspecific": Trait(1.0, 50.0, 0.6),
            **own,
        }
        for kind, own in {
            "nk_terminal": {
                "CD16": Trait(0.9, 10_000.0, 0.5),
                "CD56": Trait(1.0, 2_000.0, 0.4),
                "HLA": Trait(1.0, 9_000.0, 0.3),
                "HLA false": Trait(0.01, 4_000.0, 0.5),
            },
            "b_cells": {"CD19": Trait(1.0, 6_000.0, 0.3)},
            "dead": {"Viability": Trait(1.0, 20_000.0, 0.5), "nonspecific": Trait(1.0, 500.0, 0.8)},
        }.items()
    }
)


def emission(
    detector: SimulatedDetector, *, kind: str = "nk_terminal", n: int = 20_000, on: bool = False, false: float = 1.0,
    **states: bool,
) -> NDArray[np.float32]:  # fmt: skip
    return shine(detector, kind=kind, n=n, on=on, false=false, **states).emission[:, 0]


def shine(
    detector: SimulatedDetector,
    *,
    kind: str,
    n: int,
    on: bool,
    false: float,
    gain: float = 1.0,
    donor_gain: float = 1.0,
    **states: bool,
) -> Cells:
    makeup = Makeup(
        kinds=(kind,),
        kind=np.zeros(n, dtype=np.int64),
        **{name: np.full(n, states.get(name, False)) for name in ("donor", "dead", "activated", "shed")},
    )
    return light(
        makeup,
        detectors=[detector],
        table=TABLE,
        gains={detector.marker: (gain, donor_gain)},
        stains=lambda _, donor: on and donor,
        false_positives=false,
        rng=np.random.default_rng(1),
    )


def fluorescence(marker: str, kind: Kind = Kind.LINEAGE) -> SimulatedDetector:
    return SimulatedDetector(channel="X-A", marker=marker, kind=kind, antigens=("A*02",) if kind is Kind.HLA else ())


def test_deviates_are_standardised_skewed_and_heavy_tailed() -> None:
    z = skewed(np.random.default_rng(3), 400_000).astype(np.float64)
    assert z.mean() == pytest.approx(0.0, abs=0.01)
    assert z.std() == pytest.approx(1.0, abs=0.01)
    assert (z**3).mean() == pytest.approx(-0.43, abs=0.05)
    assert (z**4).mean() > 3.5  # a Gaussian has 3


def test_positive_share_and_level_are_those_of_the_table() -> None:
    signal = emission(fluorescence("CD16"))
    positive = signal > 1_200
    assert positive.mean() == pytest.approx(0.9, abs=0.02)
    assert np.median(signal[positive]) == pytest.approx(10_000, rel=0.15)


def test_two_antibodies_in_one_detector_add() -> None:
    assert antigens_of("CD16_CD56") == ["CD16", "CD56"]
    assert antigens_of("CD14+CD19") == ["CD14", "CD19"]
    both, one = emission(fluorescence("CD16_CD56")), emission(fluorescence("CD16"))
    assert both.mean() == pytest.approx(one.mean() + emission(fluorescence("CD56")).mean(), rel=0.03)


def test_shedding_takes_cd16_and_activation_raises_cd56() -> None:
    assert np.median(emission(fluorescence("CD16"), shed=True)) < 0.1 * np.median(emission(fluorescence("CD16")))
    assert np.median(emission(fluorescence("CD56"), activated=True)) > 1.3 * np.median(emission(fluorescence("CD56")))


def test_dead_cells_take_the_dye_and_are_sticky() -> None:
    assert np.median(emission(fluorescence("Viability", Kind.VIABILITY), dead=True)) > 10_000
    assert np.median(emission(fluorescence("Viability", Kind.VIABILITY))) == 0
    assert np.median(emission(fluorescence("CD3"), dead=True)) > 5 * np.median(emission(fluorescence("CD3")))


def test_an_hla_antibody_stains_carriers_and_rarely_others() -> None:
    detector = fluorescence("HLA-A2", Kind.HLA)
    assert (emission(detector, on=True, donor=True) > 2_500).mean() > 0.97
    false = (emission(detector, on=True) > 1_200).mean()
    assert 0.005 < false < 0.015
    assert (emission(detector, on=True, false=0.0) > 1_200).mean() == pytest.approx(0.0, abs=2e-4)


def test_antigen_density_comes_along_with_the_cells() -> None:
    detector = fluorescence("CD19")
    own, donor = (
        shine(detector, kind="b_cells", n=5_000, on=False, false=0.0, donor_gain=2.0, donor=donor).emission[:, 0]
        for donor in (False, True)
    )
    assert np.median(donor) == pytest.approx(2.0 * np.median(own), rel=1e-6)


def test_larger_cells_scatter_and_stain_more() -> None:
    cells = shine(fluorescence("CD19"), kind="b_cells", n=20_000, on=False, false=1.0)
    logs = np.log([cells.fsc, cells.emission[:, 0], cells.autofluorescence[:, 0]])
    assert np.all(np.corrcoef(logs)[np.triu_indices(3, 1)] > 0.1)


def test_populations_nest_as_the_contract_says() -> None:
    assert set(MEMBERS["nk"]) == set(MEMBERS["nk_bright"]) | set(MEMBERS["nk_dim"])
    subsets = ("bright", "adaptive", "terminal", "early_dim", "other_dim")
    assert sorted(kind for subset in subsets for kind in MEMBERS[subset]) == sorted(MEMBERS["nk"])
    assert set(MEMBERS["cd3"]) == set(MEMBERS["t_cells"]) | set(MEMBERS["nkt_like"])
    assert set(MEMBERS["cd3"]) | set(MEMBERS["nk"]) | {"b_cells"} == set(MEMBERS["lymphocytes"])
