"""The mixed model beside statsmodels, and its refusals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.stats import t

from nktrace.science.random_intercept import Fitted, fit_random_intercept


def visits(seed: int, *, between: float = 0.5, patients: int = 14) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Values of three days with some visits missing."""
    rng = np.random.default_rng(seed)
    values, design, names = [], [], []
    for patient in range(patients):
        level = rng.normal(0, between)
        for day in range(3):
            if rng.random() < 0.85:
                values.append(level + 0.2 * day + rng.normal(0, 0.4))
                design.append(np.eye(3)[day])
                names.append(f"P{patient}")
    return np.array(values), np.array(design), names


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_it_finds_what_statsmodels_finds(seed: int) -> None:
    mixed = pytest.importorskip("statsmodels.regression.mixed_linear_model")
    values, design, names = visits(seed)
    ours = fit_random_intercept(values, design, names, level=0.95)
    assert isinstance(ours, Fitted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = mixed.MixedLM(values, design, groups=names).fit(reml=True)
    half = np.array([(effect.high - effect.low) / 2 for effect in ours.effects])
    assert [effect.value for effect in ours.effects] == pytest.approx(list(theirs.fe_params), abs=1e-4)
    errors = half / t.ppf(0.975, len(set(names)) - 1)
    alike = np.array([[a == b for a in names] for b in names])
    whole = ours.within**2 * np.eye(len(names)) + ours.between**2 * alike
    assert errors**2 == pytest.approx(np.diag(np.linalg.inv(design.T @ np.linalg.solve(whole, design))), rel=1e-6)
    assert errors == pytest.approx(theirs.bse_fe, rel=0.03)  # theirs come from a numerical Hessian
    assert ours.between**2 == pytest.approx(float(theirs.cov_re.item()), rel=1e-3)
    assert ours.within**2 == pytest.approx(theirs.scale, rel=1e-3)


def test_patients_who_do_not_differ_are_refused() -> None:
    values, design, names = visits(3)
    alternating = np.tile([1.0, -1.0], values.size)[: values.size]
    assert fit_random_intercept(alternating, np.ones((values.size, 1)), names, level=0.95) == (
        "singular: no variance between patients is found"
    )
    same = np.array([float(name[1:]) for name in names])
    assert fit_random_intercept(same, design, names, level=0.95) == "singular: no variance within patients is found"
    assert fit_random_intercept(np.zeros(values.size), design, names, level=0.95) == "all values are equal"
    assert fit_random_intercept(values[:3], np.eye(3), names[:3], level=0.95) == "too few values for its effects"


def test_its_interval_holds_the_truth_as_often_as_it_says() -> None:
    covered, fitted = 0, 0
    for seed in range(150):
        values, design, names = visits(seed, patients=12)
        found = fit_random_intercept(values, design, names, level=0.95)
        if isinstance(found, Fitted):
            fitted += 1
            covered += found.effects[2].low <= 0.4 <= found.effects[2].high
    assert fitted > 120
    assert covered / fitted >= 0.92
