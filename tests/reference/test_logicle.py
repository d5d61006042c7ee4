"""The fast and the exact logicle against the slow twin and against FlowKit's."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from flowutils.transforms import logicle as flowutils_logicle
from flowutils.transforms import logicle_inverse as flowutils_inverse

from nktrace.model.transforms import Logicle
from nktrace.science.transforms import apply, error_bound, exact, inverse

_spec = importlib.util.spec_from_file_location("slow_logicle", Path(__file__).with_name("logicle.py"))
assert _spec is not None
assert _spec.loader is not None
slow = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(slow)

LOGICLES = [
    Logicle(262144.0, 0.5, 4.5, 0.0),
    Logicle(262144.0, 0.0, 4.5, 0.0),
    Logicle(262144.0, 2.25, 4.5, 0.0),
    Logicle(262144.0, 1.0, 4.5, 0.5),
    Logicle(262144.0, 1.0, 4.5, -0.5),
    Logicle(4194304.0, 1.2, 5.7, 0.0),
    Logicle(4096.0, 0.5, 4.5, 0.0),
    Logicle(1000.0, 1.0, 4.0, 1.0),
    Logicle(1.0, 0.5, 4.5, 0.0),
]


def data_values(logicle: Logicle, n: int) -> np.ndarray:
    """float32 values over ten decades, both signs, up to ten times the top, and what is special."""
    rng = np.random.default_rng(3)
    wide = rng.choice([-1.0, 1.0], n) * 10 ** rng.uniform(-9, 1, n) * logicle.t
    around_zero = rng.normal(0, logicle.t * 10 ** -(logicle.m - logicle.w), n)
    return np.concatenate([wide, around_zero, [0.0, -0.0, logicle.t, -logicle.t]]).astype(np.float32)


@pytest.mark.parametrize("logicle", LOGICLES, ids=str)
def test_exact_is_the_slow_twin(logicle):
    values = data_values(logicle, 100)
    twin = [slow.logicle(float(v), t=logicle.t, w=logicle.w, m=logicle.m, a=logicle.a) for v in values]
    np.testing.assert_allclose(exact(values, logicle), twin, rtol=0, atol=3e-14)


@pytest.mark.parametrize("logicle", LOGICLES, ids=str)
def test_exact_is_flowkits(logicle):
    values = data_values(logicle, 20_000).astype(np.float64)
    theirs = flowutils_logicle(values, None, t=logicle.t, m=logicle.m, w=logicle.w, a=logicle.a)
    np.testing.assert_allclose(exact(values, logicle), theirs, rtol=0, atol=5e-15)
    positions = np.linspace(-1.0, 1.2, 501)
    theirs = flowutils_inverse(positions, None, t=logicle.t, m=logicle.m, w=logicle.w, a=logicle.a)
    np.testing.assert_allclose(inverse(positions, logicle), theirs, rtol=1e-11, atol=1e-12 * logicle.t)


@pytest.mark.parametrize("logicle", LOGICLES, ids=str)
def test_fast_is_exact_within_its_bound(logicle):
    values = data_values(logicle, 200_000)
    error = np.abs(apply(values, logicle) - exact(values, logicle))
    assert error.max() < error_bound(logicle, largest=1.3)
    assert error.max() < 1e-6


@pytest.mark.parametrize("logicle", LOGICLES, ids=str)
def test_fast_keeps_order(logicle):
    """A brighter event is never placed below a dimmer one by more than rounding."""
    values = np.sort(data_values(logicle, 200_000))
    assert np.diff(apply(values, logicle)).min() >= -2 * np.finfo(np.float32).eps
