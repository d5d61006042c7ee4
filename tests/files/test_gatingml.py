"""Another program must find the same events from the FCS file and our Gating-ML."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import flowio
import numpy as np
import pytest

from nktrace.files.gatingml import write_gating_ml
from nktrace.model.compensation import Spillover
from nktrace.model.errors import GatingError
from nktrace.model.events import Events
from nktrace.model.gates import ROOT, Boolean, Ellipse, Gate, Polygon, Rectangle, Shape, Windows
from nktrace.model.transforms import Asinh, Linear, Logicle, Scale
from nktrace.science.compensation import compensate
from nktrace.science.gating.masks import mask
from nktrace.science.transforms import exact

warnings.simplefilter("ignore")
import flowkit  # noqa: E402 - its own imports warn

NAMES = ["Time", "FSC-A", "SSC-A", "FL1-A", 'FL2 <"&">-A', "FL3-A", "FL4-A"]
DETECTORS = dict(zip(["Time", "FSC-A", "SSC-A", "CD3", "CD56", "CD16", "CD19"], NAMES, strict=True))
SCALE = Scale(
    {
        "Time": Linear(),
        "FSC-A": Linear(),
        "SSC-A": Asinh(1500.0),
        "CD3": Logicle(262144.0, 0.7, 4.5, 0.0),
        "CD56": Logicle(262144.0, 1.1, 4.5, 0.3),
        "CD16": Asinh(150.0),
        "CD19": Logicle(262144.0, 0.5, 4.5, 0.0),
    }
)
# FL4 is outside the matrix
SPILLOVER = Spillover(tuple(NAMES[3:6]), np.array([[1, 0.21, 0.03], [0.04, 1, 0.3], [0.001, 0.07, 1]]))
N = 20_000


def gate(population: str, parent: str, shape: Shape) -> Gate:
    return Gate(population=population, parent=parent, method="x", shape=shape)


GATES = [
    gate("time", ROOT, Windows("Time", ((1.0, 30.5), (35.25, 60.0), (80.0, math.inf)))),
    gate("one_window", ROOT, Windows("Time", ((10.0, 90.0),))),
    gate("no_window", ROOT, Windows("Time", ())),
    gate("cells", "time", Polygon(("FSC-A", "SSC-A"), ((2e4, 0.5), (1.8e5, 1.0), (1.5e5, 5.0), (6e4, 4.5)))),
    gate("cd3_neg", "cells", Rectangle(("CD3",), (-math.inf,), (0.41,))),
    gate("above_all", "cells", Rectangle(("CD3",), (math.inf,), (math.inf,))),
    gate("nk", "cd3_neg", Rectangle(("CD56", "CD16"), (0.45, -math.inf), (math.inf, 4.2))),
    gate("mixed", "cells", Polygon(("CD19", "CD3"), ((0.1, 0.1), (0.7, 0.2), (0.2, 0.8), (0.75, 0.75)))),
    gate("bright", "nk", Ellipse(("CD56", "CD16"), (0.6, 1.5), ((0.01, 0.02), (0.02, 1.5)), 4.0)),
    gate("dim", "nk", Boolean("!bright")),
    gate("same", "nk", Boolean("bright")),
    gate("twice", "nk", Boolean("!!bright")),
    gate("nested", "cells", Boolean("(nk | mixed & !cd3_neg) & !(bright | dim & one_window)")),
    gate("4_1BB", "nested", Rectangle(("CD19",), (0.3,), (math.inf,))),
    gate("child_of_4", "4_1BB", Boolean("4_1BB & !bright")),
    gate("beside_root", "nk", Boolean("!bright & root & !(bright & !root)")),
    gate("neither", ROOT, Boolean("!(nk | mixed)")),
]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A file of raw events with spillover, and its values as float32."""
    rng = np.random.default_rng(5)
    values = np.column_stack(
        [
            np.sort(rng.uniform(0, 100, N)),
            rng.normal(1e5, 4e4, N),
            rng.lognormal(10, 1.5, N),
            *(np.where(rng.random(N) < 0.4, rng.lognormal(9, 1, N), rng.normal(0, 300, N)) for _ in range(4)),
        ]
    )
    values[:, 3:6] = values[:, 3:6] @ SPILLOVER.matrix
    path = tmp_path_factory.mktemp("gml") / "a.fcs"
    metadata = {f"p{i}r": "262144" for i in range(1, len(NAMES) + 1)}
    with path.open("wb") as handle:
        flowio.create_fcs(handle, values.astype(np.float32).ravel(), NAMES, metadata_dict=metadata)
    return path, values.astype(np.float32)


def own_masks(values: np.ndarray, gates: list[Gate], spillover: Spillover | None) -> dict[str, np.ndarray]:
    """Membership by our own masks on float64 events of the reference transforms."""
    raw = Events(np.asfortranarray(values.astype(np.float64)), tuple(NAMES))
    events = compensate(raw, spillover, max_condition=100)
    scaled = [exact(events.column(name), SCALE.transforms[marker]) for marker, name in DETECTORS.items()]
    on_scale = Events(np.asfortranarray(np.column_stack(scaled)), tuple(DETECTORS))
    members: dict[str, np.ndarray] = {ROOT: np.ones(len(values), dtype=bool)}
    for each in gates:
        members[each.population] = mask(each.shape, on_scale, members) & members[each.parent]
    return members


def flowkit_masks(fcs: Path, gating: Path) -> dict[str, np.ndarray]:
    strategy = flowkit.parse_gating_xml(str(gating))
    results = strategy.gate_sample(flowkit.Sample(str(fcs)))
    return {name: results.get_gate_membership(name, path) for name, path in strategy.get_gate_ids()}


@pytest.mark.parametrize("spillover", [SPILLOVER, None], ids=["compensated", "uncompensated"])
def test_flowkit_finds_the_same_events(sample, tmp_path, spillover):
    fcs, values = sample
    write_gating_ml(tmp_path / "gates.xml", GATES, scale=SCALE, detectors=DETECTORS, spillover=spillover)
    ours = own_masks(values, GATES, spillover)
    theirs = flowkit_masks(fcs, tmp_path / "gates.xml")
    for each in GATES:
        name = f"_{each.population}" if each.population[0].isdigit() else each.population
        np.testing.assert_array_equal(ours[each.population], theirs[name], err_msg=each.population)
    empty = {name for name, members in ours.items() if not members.any()}
    assert empty == {"no_window", "above_all"}  # the comparison is about something
    auxiliary = set(theirs) - {each.population for each in GATES} - {"_4_1BB"}
    assert all(name.startswith("_part.") for name in auxiliary)


def test_the_same_gates_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_gating_ml(tmp_path / name, GATES, scale=SCALE, detectors=DETECTORS, spillover=SPILLOVER)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_file_without_gates_is_valid(tmp_path):
    write_gating_ml(tmp_path / "gates.xml", [], scale=Scale({}), detectors={}, spillover=None)
    assert flowkit.parse_gating_xml(str(tmp_path / "gates.xml")).get_gate_ids() == []


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            gate("a", "nowhere", Rectangle(("CD3",), (0.0,), (1.0,))),
            "gate a: its parent 'nowhere' does not stand above",
        ),
        (gate("a", ROOT, Rectangle(("CD4",), (0.0,), (1.0,))), "gate a: marker 'CD4' has no detector"),
        (gate("a", ROOT, Rectangle(("CD3",), (math.nan,), (1.0,))), "gate a: a bound or coordinate is nan"),
        (gate("a", ROOT, Boolean("b & c")), "gate a: population 'b' does not stand above it"),
    ],
)
def test_gates_that_cannot_be_written_are_refused(tmp_path, bad, message):
    with pytest.raises(GatingError) as caught:
        write_gating_ml(tmp_path / "gates.xml", [bad], scale=SCALE, detectors=DETECTORS, spillover=None)
    assert message in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_name_that_xml_forbids_is_refused(tmp_path):
    detectors = {"CD3": "FL1\x01"}
    gates = [gate("a", ROOT, Rectangle(("CD3",), (0.0,), (1.0,)))]
    with pytest.raises(GatingError, match="characters that XML forbids"):
        write_gating_ml(tmp_path / "gates.xml", gates, scale=SCALE, detectors=detectors, spillover=None)
