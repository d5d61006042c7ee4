"""Changes of one patient's subsets: numbers, coverage, which baseline, and what is not compared."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nktrace.files.table_columns import COLUMNS
from nktrace.model.shifts import NetShift
from nktrace.model.study import Role, Sample
from nktrace.science.subset_change import Counted, Tube, log_ratio, pooled, subset_changes

LEVEL = 0.95


def logit(share: float) -> float:
    return math.log(share / (1 - share))


def sample(name: str, day: float, role: Role = Role.TIMEPOINT, **more: Any) -> Sample:
    return Sample(sample=name, patient="P", day=day, role=role, batch="b", fcs="x.fcs", **{"panel": "p", **more})


def subset(name: str, events: int | None, *, nk_events: int = 1000, reason: str | None = None) -> dict[str, Any]:
    row: dict[str, Any] = {column: math.nan if kind is float else None for column, kind in COLUMNS["subsets"].items()}
    found = {"subset": name, "nk_events": nk_events, "reason": reason, "status": "not_resolvable"}
    if events is not None:
        found |= {"events": events, "fraction_of_nk": events / nk_events, "status": "ok"}
    return row | found


def tube(name: str, day: float, role: Role = Role.TIMEPOINT, *rows: dict[str, Any], **more: Any) -> Tube:
    of_sample = {key: more.pop(key) for key in ("panel", "material", "condition") if key in more}
    usual = (subset("bright", 100), subset("other_nk", 900))
    return Tube(sample(name, day, role, **of_sample), rows or usual, **more)


def changes(*tubes: Tube) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["sample"], row["subset"]): row for row in subset_changes("P", tubes, level=LEVEL)}


def test_it_is_the_difference_of_log_odds_and_that_of_the_rest_with_the_other_sign() -> None:
    change = log_ratio(Counted(4000, 10_000), Counted(2000, 10_000), level=LEVEL)
    assert change.value == pytest.approx(logit(0.4) - logit(0.2), abs=1e-3)
    half = 1.96 * math.sqrt(1 / 4000 + 1 / 6000 + 1 / 2000 + 1 / 8000)
    assert change.low == pytest.approx(change.value - half, abs=0.002)
    assert change.high == pytest.approx(change.value + half, abs=0.002)
    rest = log_ratio(Counted(6000, 10_000), Counted(8000, 10_000), level=LEVEL)
    assert (rest.value, rest.low, rest.high) == pytest.approx((-change.value, -change.high, -change.low), abs=0.002)


def test_no_cells_in_one_sample_give_a_bound_and_in_both_nothing() -> None:
    came = log_ratio(Counted(50, 1000), Counted(0, 1000), level=LEVEL)
    assert math.isnan(came.value)
    assert came.high == math.inf
    assert 2.7 < came.low < logit(0.05) - logit(0.003)  # mid-p of 0 of 1000 leaves out 0.3 %
    went = log_ratio(Counted(0, 1000), Counted(50, 1000), level=LEVEL)
    assert went.low == -math.inf
    assert went.high == pytest.approx(-came.low, abs=0.02)
    assert not log_ratio(Counted(0, 100), Counted(0, 9000), level=LEVEL).known
    assert math.isnan(log_ratio(Counted(100, 100), Counted(9000, 9000), level=LEVEL).low)
    few = log_ratio(Counted(5, 10_000), Counted(0, 100), level=LEVEL)  # says nothing about the direction
    assert few.low < 0


def test_the_interval_holds_the_truth_at_small_counts() -> None:
    rng = np.random.default_rng(7)
    for first, second in ((0.5, 0.5), (1, 1), (3, 3), (8, 8), (20, 20), (1, 15), (15, 1), (0.5, 6)):
        for sizes in ((1000, 1000), (200, 4000)):
            truth = logit(first / sizes[0]) - logit(second / sizes[1])
            drawn = [rng.binomial(n, mean / n, 400) for n, mean in zip(sizes, (first, second), strict=True)]
            pairs, times = np.unique(np.array(drawn).T, axis=0, return_counts=True)
            held = 0
            for (after, before), often in zip(pairs.tolist(), times.tolist(), strict=True):
                found = log_ratio(Counted(after, sizes[0]), Counted(before, sizes[1]), level=LEVEL)
                held += often * (math.isnan(found.low) or found.low <= truth <= found.high)
            assert held / 400 >= 0.93 - 2 * math.sqrt(0.05 * 0.95 / 400), (first, second, sizes)


def test_the_interval_holds_the_truth_where_gates_are_uncertain() -> None:
    """Each gate lies somewhere else than it should, by an sd that is known; a share alone would be too sure."""
    rng = np.random.default_rng(11)
    n, sds, shares = 5000, (0.01, 0.006), (0.12, 0.08)
    truth = logit(shares[0]) - logit(shares[1])
    held, sure = 0, 0
    for _ in range(400):
        gated = [min(max(rng.normal(share, sd), 1e-4), 1) for share, sd in zip(shares, sds, strict=True)]
        counts = [int(rng.binomial(n, share)) for share in gated]
        whole = log_ratio(Counted(counts[0], n, sds[0] ** 2), Counted(counts[1], n, sds[1] ** 2), level=LEVEL)
        alone = log_ratio(Counted(counts[0], n), Counted(counts[1], n), level=LEVEL)
        held += whole.low <= truth <= whole.high
        sure += alone.low <= truth <= alone.high
    assert held / 400 >= 0.92
    assert sure / 400 < 0.8


def test_the_baseline_is_the_latest_baseline_else_a_blank_else_the_last_before_the_infusion() -> None:
    blank, first, latest = (
        tube("blank", -5, Role.BLANK),
        tube("base1", -3, Role.BASELINE),
        tube("base2", 0, Role.BASELINE),
    )
    early, later = tube("early", -2), tube("later", 0)
    found = changes(latest, first, blank, later, early)
    assert {row["baseline_sample"] for row in found.values()} == {"base2"}
    assert {name for name, _ in found} == {"later"}  # only what comes after the baseline is a change from it
    assert {row["baseline_sample"] for row in changes(blank, early, later).values()} == {"blank"}
    row = changes(early, later)["later", "bright"]
    assert (row["baseline_sample"], row["baseline_day"], row["log_ratio"]) == ("early", -2, 0)
    assert row["reason"] == "no baseline or blank: measured from the last sample before the infusion"
    alone = changes(later)["later", "bright"]
    assert (alone["status"], alone["reason"]) == ("not_estimable", "no sample of panel p before the infusion")


def test_an_unreadable_baseline_is_not_measured_from_and_an_unread_sample_says_why() -> None:
    empty = Tube(sample("base", -1, Role.BASELINE), ())
    unread = Tube(sample("d14", 14), (), failures=("readable (broken)",))
    found = changes(empty, tube("blank", -5, Role.BLANK), tube("d7", 7), unread)
    assert found["d7", "bright"]["baseline_sample"] == "blank"
    assert found["d14", "bright"]["reason"] == "no NK cells were counted; qc_failed: readable (broken)"


def test_replicates_keep_their_rows_and_those_of_the_baseline_are_no_change() -> None:
    base = [tube(name, -1, Role.BASELINE) for name in ("b2", "b1")]
    found = changes(*base, tube("d7a", 7), tube("d7b", 7))
    assert {name for name, _ in found} == {"d7a", "d7b"}
    assert {row["baseline_sample"] for row in found.values()} == {"b1+b2"}


def test_replicates_of_the_baseline_are_one_count_where_they_mean_the_same() -> None:
    rows = [subset("bright", 300, nk_events=2000), subset("other_nk", 1700, nk_events=2000)]
    first, second = tube("b1", -1, Role.BASELINE), tube("b2", -1, Role.BASELINE, *rows)
    row = changes(first, second, tube("d7", 7))["d7", "bright"]
    assert row["baseline_fraction"] == pytest.approx(400 / 3000)
    assert row["log_ratio"] == pytest.approx(logit(100 / 1000) - logit(400 / 3000), abs=0.005)
    alone = changes(first, tube("d7", 7))["d7", "bright"]
    assert row["ci_high"] - row["ci_low"] < alone["ci_high"] - alone["ci_low"]
    more = [subset("bright", 100), subset("adaptive", 300), subset("other_nk", 600)]
    found = changes(tube("b0", -1, Role.BASELINE, *more), first, tube("d7", 7))
    assert found["d7", "bright"]["baseline_sample"] == "b0+b1"
    assert found["d7", "other_nk"]["baseline_sample"] == "b1"  # in b0 the adaptive cells are not among them
    earlier = tube("b0", -3, Role.BASELINE)
    cryo = tube("b2", -1, Role.BASELINE, material="pbmc_cryo")
    assert changes(earlier, first, cryo, tube("d7", 7))["d7", "bright"]["baseline_sample"] == "b1"


def test_gates_of_replicates_are_not_taken_to_err_apart() -> None:
    both = pooled([Counted(100, 1000, 0.01**2), Counted(400, 3000, 0.02**2)])
    assert (both.events, both.nk_events) == (500, 4000)
    assert both.variance == pytest.approx((0.25 * 0.01 + 0.75 * 0.02) ** 2)


def test_panel_and_meaning_stand_in_the_row() -> None:
    whole = [subset("bright", 100), subset("adaptive", 300), subset("other_nk", 600)]
    state = subset("state:activated", 50, reason="by CD69+ of CD69+/CD25+; no gate of CD25")
    found = changes(tube("base", -1, Role.BASELINE, *whole, state), tube("d7", 7, Role.TIMEPOINT, *whole, state))
    assert {row["panel"] for row in found.values()} == {"p"}
    assert found["d7", "bright"]["meaning"] is None
    assert found["d7", "other_nk"]["meaning"] == "after bright, adaptive"
    assert found["d7", "state:activated"]["meaning"] == "by CD69+ of CD69+/CD25+"
    assert set(found["d7", "bright"]) == set(COLUMNS["subset_change"])


def test_only_blood_as_it_was_and_one_panel_is_compared() -> None:
    base = tube("base", -1, Role.BASELINE)
    found = changes(
        base, tube("k562", 7, condition="K562"), tube("other", 7, panel="q"), tube("cryo", 7, material="pbmc_cryo")
    )
    assert not [name for name, _ in found if name == "k562"]
    assert found["other", "bright"]["reason"] == "no sample of panel q before the infusion"
    assert found["cryo", "bright"]["status"] == "ok"
    assert found["cryo", "bright"]["reason"] == "material_differs: pbmc_cryo, baseline whole_blood"


def test_what_is_not_resolved_has_no_change_and_says_where() -> None:
    lacking = [
        subset("bright", 100),
        subset("adaptive", None, reason="NKG2C+: not in the panel"),
        subset("other_nk", 900),
    ]
    whole = [subset("bright", 100), subset("adaptive", 300), subset("other_nk", 600)]
    found = changes(tube("base", -1, Role.BASELINE, *whole), tube("d7", 7, Role.TIMEPOINT, *lacking))
    assert found["d7", "adaptive"]["reason"] == "NKG2C+: not in the panel"
    assert found["d7", "bright"]["status"] == "ok"
    # adaptive cells are called by the next rule on day 7 only: that subset is another one then
    assert found["d7", "other_nk"]["status"] == "not_estimable"
    assert "not the same cells" in found["d7", "other_nk"]["reason"]
    back = changes(tube("base", -1, Role.BASELINE, *lacking), tube("d7", 7, Role.TIMEPOINT, *whole))
    assert back["d7", "adaptive"]["reason"] == "baseline: NKG2C+: not in the panel"


def test_a_state_told_by_other_signs_is_another_state() -> None:
    base = [
        subset("other_nk", 900),
        subset("bright", 100),
        subset("state:activated", 50, reason="by CD69+ of CD69+/CD25+"),
    ]
    same = [*base[:2], subset("state:activated", 100, reason="by CD69+ of CD69+/CD25+")]
    other = [*base[:2], subset("state:activated", 100)]
    start = tube("base", -1, Role.BASELINE, *base)
    assert changes(start, tube("d7", 7, Role.TIMEPOINT, *same))["d7", "state:activated"]["log_ratio"] > 0
    assert changes(start, tube("d7", 7, Role.TIMEPOINT, *other))["d7", "state:activated"]["status"] == "not_estimable"


def test_a_tube_that_tells_no_two_subsets_apart_shows_no_change() -> None:
    rows = [subset("bright", None, reason="no gate"), subset("other_nk", 1000)]
    found = changes(tube("base", -1, Role.BASELINE, *rows), tube("d7", 7, Role.TIMEPOINT, *rows))
    assert found["d7", "other_nk"]["reason"] == "this panel tells no two subsets apart"


def test_bounds_are_censored_and_no_cells_at_all_not_estimable() -> None:
    base = [subset("bright", 0), subset("adaptive", 0), subset("other_nk", 1000)]
    after = [subset("bright", 60), subset("adaptive", 0), subset("other_nk", 940)]
    found = changes(tube("base", -1, Role.BASELINE, *base), tube("d7", 7, Role.TIMEPOINT, *after))
    row = found["d7", "bright"]
    assert (row["status"], row["ci_high"]) == ("censored", math.inf)
    assert math.isnan(row["log_ratio"])
    assert "a bound only" in row["reason"]
    assert found["d7", "adaptive"]["status"] == "not_estimable"


def test_doubtful_gates_and_failed_checks_of_both_samples_stand_in_the_reason() -> None:
    doubtful = [subset("bright", 100, reason="gate_doubtful: nk_bright (no valley); supporting signs: CD16- 0.9")]
    base = tube("base", -1, Role.BASELINE, *doubtful, subset("other_nk", 900))
    after = tube("d7", 7, failures=("dead (60 %)",))
    reason = changes(base, after)["d7", "bright"]["reason"]
    assert reason == "qc_failed: dead (60 %); baseline gate_doubtful: nk_bright (no valley)"


def test_gate_error_of_either_sample_widens_the_change() -> None:
    shift = NetShift("nk_bright", "CD56", "min", {"bright": 25}, {"bright": -25})
    plain = changes(tube("base", -1, Role.BASELINE), tube("d7", 7))["d7", "bright"]
    for shifts in (((shift,), ()), ((), (shift,))):
        before, after = tube("base", -1, Role.BASELINE, shifts=shifts[0]), tube("d7", 7, shifts=shifts[1])
        wide = changes(before, after)["d7", "bright"]
        assert wide["log_ratio"] == plain["log_ratio"]
        assert wide["ci_high"] - wide["ci_low"] > 1.5 * (plain["ci_high"] - plain["ci_low"])
