"""Priors carried from one scale to another: what they say of the data stays the same."""

from __future__ import annotations

import numpy as np
import pytest

from nktrace.model.gates import EdgePrior, GatePriors, Source
from nktrace.model.transforms import Logicle, Scale
from nktrace.science.rescaling import rescaled
from nktrace.science.transforms import exact, inverse

OLD = {"CD3": Logicle(262_144, 0.5, 4.5, 0), "CD56": Logicle(262_144, 0.5, 4.5, 0)}
NEW = {"CD3": Logicle(262_144, 1.0, 4.5, 0), "CD56": Logicle(262_144, 0.8, 4.5, 0)}


def prior(mean: float, sd: float = 0.01) -> EdgePrior:
    return EdgePrior(mean=mean, sd=sd, n=5, source=Source.COHORT)


def carried(edges: dict[tuple[str, str], EdgePrior]) -> dict[tuple[str, str], EdgePrior]:
    priors = GatePriors({("p", *key): value for key, value in edges.items()})
    found = rescaled(priors, old=Scale(OLD), new=Scale(NEW)).edges
    return {(channel, edge): value for (_, channel, edge), value in found.items()}


def test_a_cut_stays_at_its_data_value() -> None:
    found = carried({("CD3", "min"): prior(0.6)})["CD3", "min"]
    assert inverse(np.array([found.mean]), NEW["CD3"])[0] == pytest.approx(inverse(np.array([0.6]), OLD["CD3"])[0])
    assert found.mean != pytest.approx(0.6, abs=1e-3)


def test_the_ellipse_holds_the_same_events() -> None:
    rng = np.random.default_rng(1)
    shape = np.array([[0.004, -0.001], [-0.001, 0.003]]) / 10
    points = rng.multivariate_normal((0.7, 0.65), shape, 20_000)
    columns = zip(points.T, OLD.values(), NEW.values(), strict=True)
    wanted = np.cov([exact(inverse(column, old), new) for column, old, new in columns])
    found = carried(
        {
            ("CD3", "mean_x"): prior(0.7),
            ("CD56", "mean_y"): prior(0.65),
            ("CD3", "xx"): prior(shape[0, 0]),
            ("CD3", "xy"): prior(shape[0, 1]),
            ("CD56", "yy"): prior(shape[1, 1]),
        }
    )
    numbers = [found["CD3", "xx"].mean, found["CD3", "xy"].mean, found["CD56", "yy"].mean]
    assert numbers == pytest.approx([wanted[0, 0], wanted[0, 1], wanted[1, 1]], rel=0.1)
    assert wanted[0, 0] / shape[0, 0] != pytest.approx(1, abs=0.1)


def test_a_share_is_the_same_on_any_scale() -> None:
    assert carried({("CD3", "upper"): prior(0.2)})["CD3", "upper"] == prior(0.2)
