"""Pictures of gates: every event is in one, every cut is to be seen."""

from __future__ import annotations

import numpy as np
import pytest

from nktrace.files.gating_table import read_gating_table
from nktrace.files.installation import home
from nktrace.files.pictures import read_pictures, write_pictures
from nktrace.model.gates import Ellipse, Polygon, Rectangle, Windows
from nktrace.model.pictures import Picture
from nktrace.model.transforms import Linear, Logicle, Scale
from nktrace.science.gating.tree import gate_sample, resolve
from nktrace.science.pictures import outline, take_pictures
from nktrace.science.transforms import exact
from tests.science.gating.tube import BLOOD, OPTIONS, blood

XY = {"channels": ("x", "y"), "x_range": (0.0, 10.0), "y_range": (0.0, 5.0)}


def pictures(scale: Scale | None = None) -> tuple[tuple[Picture, ...], dict[str, int]]:
    events, _ = blood(1, events=8_000)
    rows, skipped = resolve(read_gating_table(home() / "resources" / "gating" / "nk.tsv"), BLOOD)
    gated = gate_sample(
        events, rows, panel=BLOOD, priors=None, tops={}, options=OPTIONS, rng=np.random.default_rng(1), skipped=skipped
    )
    sizes = {name: int(mask.sum()) for name, mask in gated.masks.items()}
    return take_pictures(events, gated, panel=BLOOD, scale=scale), sizes | {"root": len(events)}


def test_every_gate_has_a_picture_of_all_its_parents_events() -> None:
    taken, sizes = pictures()
    assert [picture.population for picture in taken][:3] == ["time", "margin", "singlets"]
    for picture in taken:
        assert picture.counts.sum() == picture.parent_events == sizes[picture.parent]
        assert picture.events == sizes[picture.population]
        assert picture.channels[0] != picture.channels[1]
        assert picture.outlines
        assert all(np.isfinite(line).all() for line in picture.outlines)


def test_cuts_lie_within_their_picture() -> None:
    taken, _ = pictures()
    nk = next(picture for picture in taken if picture.population == "nk")
    assert nk.channels == ("CD56", "SSC-A")
    (box,) = nk.outlines
    assert nk.x_range[0] < box[:, 0].min() < nk.x_range[1]
    assert box[:, 0].max() == nk.x_range[1]
    assert (box[:, 1].min(), box[:, 1].max()) == nk.y_range


def test_a_transformed_axis_carries_ticks_in_data_units() -> None:
    logicle = Logicle(262144.0, 1.0, 4.5, 0.0)
    taken, _ = pictures(Scale({"CD56": logicle, "SSC-A": Linear()}))
    nk = next(picture for picture in taken if picture.population == "nk")
    assert nk.y_ticks == ()  # linear
    assert {0.0, 1e3, 1e4} <= {value for _, value in nk.x_ticks}
    for position, value in nk.x_ticks:
        assert nk.x_range[0] <= position <= nk.x_range[1]
        assert position == pytest.approx(float(exact(np.array([value]), logicle)[0]), abs=1e-12)


def test_a_boolean_says_what_it_combines() -> None:
    taken, _ = pictures()
    assert {picture.population: picture.expression for picture in taken if picture.expression} == {
        "nk_dim": "!nk_bright"
    }


def test_outlines_of_every_shape() -> None:
    (box,) = outline(Rectangle(("y",), (1.0,), (2.0,)), **XY)  # type: ignore[arg-type]
    assert (box.min(axis=0).tolist(), box.max(axis=0).tolist()) == ([0.0, 1.0], [10.0, 2.0])
    lines = outline(Windows("x", ((-np.inf, 3.0), (4.0, np.inf))), **XY)  # type: ignore[arg-type]
    assert [line[0, 0] for line in lines] == [0.0, 3.0, 4.0, 10.0]
    (triangle,) = outline(Polygon(("x", "y"), ((1.0, 1.0), (2.0, 1.0), (2.0, 2.0))), **XY)  # type: ignore[arg-type]
    assert triangle.tolist() == [[1.0, 1.0], [2.0, 1.0], [2.0, 2.0], [1.0, 1.0]]
    covariance = ((4.0, 1.0), (1.0, 1.0))
    (curve,) = outline(Ellipse(("x", "y"), (5.0, 2.0), covariance, 2.0), **XY)  # type: ignore[arg-type]
    apart = curve - np.array([5.0, 2.0])
    distance = np.einsum("ij,jk,ik->i", apart, np.linalg.inv(np.array(covariance)), apart)
    assert np.allclose(distance, 2.0)
    assert outline(Rectangle(("z",), (0.0,), (1.0,)), **XY) == []  # type: ignore[arg-type]


def test_pictures_survive_their_file(tmp_path: object) -> None:
    taken, _ = pictures()
    path = tmp_path / "pictures.npz"  # type: ignore[operator]
    write_pictures(path, taken)
    for before, after in zip(taken, read_pictures(path), strict=True):
        assert (before.population, before.parent, before.channels) == (after.population, after.parent, after.channels)
        assert (before.x_range, before.y_range, before.events) == (after.x_range, after.y_range, after.events)
        assert np.array_equal(before.counts, after.counts)
        assert all(np.array_equal(a, b) for a, b in zip(before.outlines, after.outlines, strict=True))
