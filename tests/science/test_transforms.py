"""Scales: what the numbers mean, what is refused, and what is estimated from data."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nktrace.model.errors import ReferenceUnusable, SettingsError
from nktrace.model.events import Events
from nktrace.model.transforms import Asinh, Linear, Logicle, Scale
from nktrace.science.transforms import (
    apply,
    error_bound,
    estimate_logicle,
    estimate_scale,
    exact,
    inverse,
    parse_spec,
    to_scale,
)

LOGICLE = Logicle(262144.0, 0.5, 4.5, 0.0)


def test_logicle_maps_the_top_to_one_and_zero_to_its_place():
    assert exact(np.array([262144.0]), LOGICLE)[0] == pytest.approx(1.0, abs=1e-15)
    assert exact(np.array([0.0]), LOGICLE)[0] == pytest.approx(0.5 / 4.5, abs=1e-15)


def test_asinh_is_the_plain_formula():
    np.testing.assert_allclose(
        apply(np.array([-750.0, 0.0, 5e5]), Asinh(150.0)), np.arcsinh([-5, 0, 1e4 / 3]), rtol=1e-6
    )


@pytest.mark.parametrize("transform", [Linear(), Asinh(5.0), LOGICLE], ids=["linear", "asinh", "logicle"])
class TestEveryTransform:
    def test_not_a_number_and_infinity_stay_what_they_are(self, transform):
        """FlowKit's logicle makes them −1, which is a place where cells are."""
        special = np.array([np.nan, np.inf, -np.inf, 3.0])
        for scaled in (apply(special, transform), exact(special, transform)):
            assert np.isnan(scaled[0])
            assert scaled[1] == np.inf
            assert scaled[2] == -np.inf
            assert np.isfinite(scaled[3])

    def test_no_events(self, transform):
        assert apply(np.array([], dtype=np.float32), transform).shape == (0,)
        assert exact(np.array([]), transform).shape == (0,)

    def test_the_largest_float32_is_finite(self, transform):
        assert np.isfinite(apply(np.array([3.4e38, -3.4e38]), transform)).all()

    def test_inverse_takes_back(self, transform):
        values = np.array([-5000.0, -3.0, 0.0, 0.5, 800.0, 262144.0, 1e6])
        np.testing.assert_allclose(inverse(exact(values, transform), transform), values, rtol=1e-9, atol=1e-9)

    def test_the_input_is_left_alone(self, transform):
        values = np.linspace(-100, 1e5, 50, dtype=np.float32)
        before = values.copy()
        apply(values, transform)
        exact(values, transform)
        np.testing.assert_array_equal(values, before)

    def test_fast_within_the_bound(self, transform):
        values = np.random.default_rng(1).normal(0, 1e4, 50_000).astype(np.float32)
        reference = exact(values, transform)
        bound = error_bound(transform, largest=float(np.abs(reference).max()))
        assert np.abs(apply(values, transform) - reference).max() <= bound

    def test_an_event_does_not_depend_on_its_neighbours(self, transform):
        values = np.random.default_rng(1).normal(0, 1e4, 20_001).astype(np.float32)
        np.testing.assert_array_equal(apply(values, transform)[-7:], apply(values[-7:], transform))


@pytest.mark.parametrize(
    "transform",
    [
        Asinh(0.0),
        Asinh(math.nan),
        Logicle(0.0, 0.5, 4.5, 0.0),
        Logicle(262144.0, 2.3, 4.5, 0.0),
        Logicle(262144.0, -0.1, 4.5, 0.0),
        Logicle(262144.0, 0.5, 4.5, -0.6),
        Logicle(262144.0, 0.5, 4.5, 3.6),
        Logicle(math.nan, 0.5, 4.5, 0.0),
    ],
    ids=str,
)
def test_parameters_that_make_no_transform_are_refused(transform):
    for use in (apply, exact, inverse):
        with pytest.raises(SettingsError):
            use(np.array([1.0]), transform)


def test_specs_of_the_panel_sheet():
    assert parse_spec("logicle") is None
    assert parse_spec(" linear ") == Linear()
    assert parse_spec("asinh:150") == Asinh(150.0)


@pytest.mark.parametrize(
    "text", ["", "log", "asinh", "asinh:", "asinh:0", "asinh:-5", "asinh:nan", "linear:2", "Logicle"]
)
def test_other_specs_are_refused(text):
    with pytest.raises(SettingsError):
        parse_spec(text)


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(SettingsError):
        assert parse_spec(text) in (None, Linear()) or text.strip().startswith("asinh")


class TestEstimate:
    rng = np.random.default_rng(0)

    def stained(self, *, top: float, noise: float) -> np.ndarray:
        negative = self.rng.normal(0, noise, 8000)
        positive = top * 10 ** self.rng.normal(-1.5, 0.2, 2000)
        return np.concatenate([negative, positive])

    @pytest.mark.parametrize(("top", "noise"), [(262144.0, 120.0), (4194304.0, 900.0), (1.0, 5e-4), (4096.0, 3.0)])
    def test_negative_cells_are_one_linear_peak_and_positive_ones_well_above(self, top, noise):
        logicle = estimate_logicle(self.stained(top=top, noise=noise), top=top)
        assert logicle.t == top
        scaled = exact(np.array([-2.5 * noise, 0.0, 2.5 * noise, top * 10**-1.5]), logicle)
        assert scaled[0] > -0.06  # nearly all negative events are on the scale
        assert scaled[2] < 0.5
        assert scaled[3] > scaled[2] + 0.2
        # one peak: the density on the scale falls from zero to both sides
        counts, _ = np.histogram(
            exact(self.rng.normal(0, noise, 100_000), logicle), bins=np.linspace(*scaled[[0, 2]], 12)
        )
        assert counts.argmax() in (4, 5, 6)

    def test_no_negative_events(self):
        assert estimate_logicle(np.array([10.0, 200.0, 1e5]), top=262144.0) == LOGICLE

    def test_nothing_at_all(self):
        assert estimate_logicle(np.array([]), top=math.nan) == LOGICLE
        assert estimate_logicle(np.array([np.nan, np.inf]), top=262144.0) == LOGICLE

    def test_a_few_far_negative_events_do_not_stretch_the_scale(self):
        values = self.stained(top=262144.0, noise=120.0)
        with_outliers = np.concatenate([values, np.full(40, -2e5)])
        clean, dirty = estimate_logicle(values, top=262144.0), estimate_logicle(with_outliers, top=262144.0)
        assert abs(clean.w - dirty.w) < 0.1

    def test_data_beyond_the_declared_range_raise_the_top(self):
        assert estimate_logicle(np.full(1000, 2e6), top=262144.0).t == 2e6

    def test_data_rescaled_to_one_are_not_put_on_the_range_of_the_file(self):
        assert estimate_logicle(self.rng.uniform(0, 1, 1000), top=262144.0).t == pytest.approx(1.0, abs=0.01)

    def test_it_is_always_a_logicle(self):
        for noise in (1e-6, 1.0, 1e3, 1e7):
            estimated = estimate_logicle(self.rng.normal(0, noise, 5000), top=262144.0)
            low, high = apply(np.array([0.0, estimated.t]), estimated)
            assert 0 < low < high
            assert high == pytest.approx(1.0, abs=1e-6)


def test_a_scale_honours_the_sheet_and_names_the_marker_of_a_fault():
    values = np.random.default_rng(0).normal(0, 100, 1000)
    pooled = {"Time": ("linear", values, 1.0), "CD3": ("logicle", values, 262144.0), "CD56": ("asinh:5", values, 1.0)}
    scale = estimate_scale(pooled)
    assert scale.transforms["Time"] == Linear()
    assert isinstance(scale.transforms["CD3"], Logicle)
    assert scale.transforms["CD56"] == Asinh(5.0)
    with pytest.raises(SettingsError, match=r"marker CD8.*logicel"):
        estimate_scale({"CD8": ("logicel", values, 1.0)})


def test_events_are_put_on_their_scale_column_by_column():
    values = np.asfortranarray(np.random.default_rng(0).normal(0, 5e3, (20_000, 3)).astype(np.float32))
    events = Events(values, ("a", "b", "c"))
    scale = Scale({"c": Linear(), "a": LOGICLE, "b": Asinh(5.0)})
    scaled = to_scale(events, scale)
    assert scaled.values.dtype == np.float32
    assert scaled.values.flags.f_contiguous
    for channel in events.channels:
        np.testing.assert_array_equal(scaled.column(channel), apply(events.column(channel), scale.transforms[channel]))
    with pytest.raises(ReferenceUnusable, match="no transform for b, c"):
        to_scale(events, Scale({"a": Linear()}))
