"""Which number stands at which visit, and under which platform."""

from __future__ import annotations

import math
from typing import Any

from nktrace.files.table_columns import COLUMNS
from nktrace.model.study import Role, Sample
from nktrace.model.trajectories import CELLS, FRACTION, Series, Visit
from nktrace.science.visits import Timeline, counted, donor, fractions


def sample(name: str, day: float, role: Role = Role.TIMEPOINT, **more: Any) -> Sample:
    return Sample(sample=name, patient="P", day=day, role=role, panel="p", batch="b", fcs="x.fcs", **more)


TIMELINE = Timeline(
    [
        sample("d7", 7),
        sample("base", -1, Role.BASELINE),
        sample("d1", 1, specimen="draw1"),
        sample("d1count", 1, specimen="draw1"),
        sample("k562", 7, condition="K562"),
        sample("graft", 7, material="tissue"),
        sample("donor", math.nan, Role.DONOR),
    ]
)


def row(table: str, **values: Any) -> dict[str, Any]:
    empty = {column: math.nan if kind is float else None for column, kind in COLUMNS[table].items()}
    return empty | values


def nk_count(name: str, cells: float, platform: str = "beads") -> dict[str, Any]:
    return row(
        "counts",
        sample=name,
        population="nk",
        cells_per_ul=cells,
        ci_low=cells * 0.9,
        ci_high=cells * 1.1,
        platform=platform,
        status="ok",
    )


def chimerism(name: str, status: str, fraction: float = math.nan, **values: Any) -> dict[str, Any]:
    return row("chimerism", sample=name, population="nk", status=status, donor_fraction=fraction, lod=0.002, **values)


def one(series: list[Series]) -> Series:
    assert len(series) == 1
    return series[0]


def known(series: Series) -> list[Visit]:
    return [visit for visit in series.visits if visit.observed.known]


def test_only_blood_as_it_was_is_on_the_timeline() -> None:
    assert list(TIMELINE.samples) == ["base", "d1", "d1count", "d7"]


def test_days_and_baseline_come_from_the_sheet() -> None:
    series = one(counted("P", TIMELINE, [nk_count("d7", 50), nk_count("base", 100), nk_count("k562", 9)]))
    assert [visit.day for visit in known(series)] == [-1, 7]
    assert series.baseline is series.visits[0]
    assert [visit.after for visit in known(series)] == [False, True]


def test_a_draw_is_the_baseline_if_any_of_its_tubes_is() -> None:
    """The counting tube and the phenotyping tube of a draw; the count of the one stands for both."""
    tubes = [sample("count", 0, specimen="s"), sample("pheno", 0, Role.BASELINE, specimen="s"), sample("d7", 7)]
    copy = nk_count("pheno", 90) | {"reason": "counted in tube count"}
    series = one(counted("P", Timeline(tubes), [nk_count("count", 90), copy, nk_count("d7", 50)]))
    assert series.baseline is series.visits[0]
    assert [(visit.sample, visit.baseline, visit.after) for visit in series.visits] == [
        ("count", True, False),
        ("d7", False, True),
    ]
    apart = Timeline([sample("count", 0), sample("pheno", 0, Role.BASELINE), sample("d7", 7)])
    assert one(counted("P", apart, [nk_count("count", 90), nk_count("d7", 50)])).baseline is None


def test_platforms_are_kept_apart_and_gaps_stay_gaps() -> None:
    rows = [nk_count("base", 100), nk_count("d1", 80), nk_count("d7", 50, "dual")]
    missing = row("counts", sample="d1count", population="nk", platform="none", reason="no beads")
    most, other = counted("P", TIMELINE, [*rows, missing])
    assert (most.platform, other.platform) == ("beads", "dual")
    assert [visit.observed.known for visit in most.visits] == [True, True, False]
    assert most.visits[2].reason == "no beads"


def test_a_count_taken_over_from_another_tube_is_no_second_measurement() -> None:
    copy = nk_count("d1", 80) | {"reason": "counted in tube d1count; definition_differs (nk)"}
    series = one(counted("P", TIMELINE, [copy, nk_count("d1count", 80), nk_count("base", 90), nk_count("d7", 50)]))
    assert [(visit.sample, visit.observed.value) for visit in series.visits] == [
        ("base", 90),
        ("d1count", 80),
        ("d7", 50),
    ]


def test_no_event_is_a_limit_and_not_a_zero() -> None:
    none = row("counts", sample="d7", population="b_cells", cells_per_ul=0.0, ci_low=0.0, ci_high=0.4, platform="beads")
    (visit,) = known(one(counted("P", TIMELINE, [none])))
    assert visit.censored
    assert visit.observed.value == 0.4


def test_not_detected_stands_at_its_limit_in_cells() -> None:
    found = [
        chimerism("base", "not_detected"),
        chimerism("d1", "quantified", 0.1, donor_cells_per_ul=8.0, donor_cells_ci_low=6.0, donor_cells_ci_high=10.0),
        chimerism("d7", "indeterminate", reason="too few events"),
    ]
    counts = [nk_count("base", 150), nk_count("d1count", 80), nk_count("d7", 50)]
    series = one(donor("P", TIMELINE, found, counts))
    assert (series.unit, series.platform) == (CELLS, "beads")
    base, day1, day7 = series.visits
    assert (base.censored, base.observed.value, base.observed.low) == (True, 0.3, 0.0)
    assert (day1.measured, day1.quantified, day1.observed.value) == (True, True, 8.0)
    assert (day7.observed.known, day7.reason) == (False, "too few events")


def test_without_any_count_the_fraction_is_followed() -> None:
    found = [chimerism("base", "not_detected"), chimerism("d1", "detected", 0.01, ci_low=0.004, ci_high=0.02)]
    series = one(donor("P", TIMELINE, found, []))
    assert (series.unit, series.reason) == (FRACTION, "no NK count: donor fraction instead of cells")
    assert series.visits[0].observed.high == 0.002
    assert (series.visits[1].measured, series.visits[1].quantified) == (True, False)


def test_a_visit_without_a_count_is_a_gap_among_counted_ones() -> None:
    found = [
        chimerism("d1", "quantified", 0.1, donor_cells_per_ul=8.0, donor_cells_ci_low=6.0, donor_cells_ci_high=10.0),
        chimerism("d7", "quantified", 0.1),
    ]
    series = one(donor("P", TIMELINE, found, [nk_count("d1", 80)]))
    assert [visit.day for visit in known(series)] == [1]
    assert series.visits[-1].reason == "no NK count; donor cells detected"
    assert series.sightings == {1: True, 7: True}


def test_a_subset_that_no_sample_resolves_is_left_out() -> None:
    rows = [
        row("subsets", sample="d1", subset="bright", fraction_of_nk=0.1, ci_low=0.08, ci_high=0.12, status="ok"),
        row("subsets", sample="d7", subset="bright", status="not_resolvable", reason="no CD56"),
        row("subsets", sample="d1", subset="adaptive", status="not_resolvable"),
    ]
    series = one(fractions("P", TIMELINE, rows))
    assert series.measure == "fraction:bright"
    assert [visit.reason for visit in series.visits] == ["not found in base", "", "no CD56"]


def test_a_tube_that_tells_no_subsets_apart_has_no_share_of_the_rest() -> None:
    def share(name: str, subset: str, value: float, status: str = "ok") -> dict[str, Any]:
        known = {"fraction_of_nk": value, "ci_low": value, "ci_high": value} if status == "ok" else {}
        return row("subsets", sample=name, subset=subset, status=status, **known)

    rows = [
        share("d1", "bright", 0.1),
        share("d1", "other_nk", 0.2),
        share("d1count", "bright", math.nan, "not_resolvable"),
        share("d1count", "other_nk", 1.0),
    ]
    of_rest = next(series for series in fractions("P", TIMELINE, rows) if series.measure == "fraction:other_nk")
    assert [visit.observed.value for visit in of_rest.visits if visit.observed.known] == [0.2]


def test_a_draw_of_blood_without_any_row_is_a_gap_with_its_reason() -> None:
    timeline = Timeline(TIMELINE.samples.values(), unreadable={"d7": "its data end too early"})
    series = one(counted("P", timeline, [nk_count("base", 100), nk_count("d1count", 80)]))
    assert [(visit.day, visit.observed.known) for visit in series.visits] == [(-1, True), (1, True), (7, False)]
    assert series.visits[2].reason == "d7 could not be read: its data end too early"
    assert counted("P", timeline, []) == []  # what no sample shows has no gaps


def test_whether_cells_were_found_is_told_of_all_visits_of_all_platforms() -> None:
    found = [
        chimerism("base", "not_detected"),
        chimerism("d1", "quantified", 0.1, donor_cells_per_ul=8.0, donor_cells_ci_low=6.0, donor_cells_ci_high=10.0),
        chimerism("d7", "not_detected"),
    ]
    counts = [nk_count("base", 150), nk_count("d1count", 80, "dual"), nk_count("d7", 50)]
    for series in donor("P", TIMELINE, found, counts):
        assert series.sightings == {1: True, 7: False}
    untold = one(donor("P", TIMELINE, [*found[:2], chimerism("d7", "indeterminate")], counts[:1]))
    assert untold.sightings == {1: True, 7: None}


def test_a_failed_count_is_shown_and_not_used() -> None:
    failed = nk_count("d7", 50) | {"status": "fail", "reason": "two tubes differ"}
    series = one(counted("P", TIMELINE, [nk_count("base", 100), failed]))
    shown = series.visits[-1]
    assert (shown.day, shown.observed.value) == (7, 50)
    assert shown.reason == "two tubes differ; the count failed its check: shown, not used"
    assert series.after == ()
    only_failed = [nk_count("base", 100) | {"status": "fail"}, nk_count("d1", 100, "dual")]
    assert [series.platform for series in counted("P", TIMELINE, only_failed)] == ["dual", "beads"]


def test_donor_cells_by_a_failed_count_are_not_used_but_were_found() -> None:
    cells = {"donor_cells_per_ul": 8.0, "donor_cells_ci_low": 6.0, "donor_cells_ci_high": 10.0}
    found = [chimerism("d1", "quantified", 0.1, **cells), chimerism("d7", "quantified", 0.1, **cells)]
    counts = [nk_count("d1", 80), nk_count("d7", 80) | {"status": "fail"}]
    series = one(donor("P", TIMELINE, found, counts))
    assert [visit.day for visit in series.after] == [1]
    assert series.sightings == {1: True, 7: True}
    without = one(donor("P", TIMELINE, [row | {"ci_low": 0.08, "ci_high": 0.12} for row in found[1:]], counts[1:]))
    assert (without.unit, without.reason) == (
        FRACTION,
        "every NK count failed its check: donor fraction instead of cells",
    )


def test_before_a_donors_first_cells_nothing_is_missing() -> None:
    cells = {"donor_cells_per_ul": 8.0, "donor_cells_ci_low": 6.0, "donor_cells_ci_high": 10.0}
    found, counts = [chimerism("d7", "quantified", 0.1, **cells)], [nk_count("d7", 80)]
    series = one(donor("P", TIMELINE, found, counts, measure="donor_nk:D2", first_day=5))
    assert [visit.reason for visit in series.visits] == ["before the first cells of this donor"] * 2 + [""]
