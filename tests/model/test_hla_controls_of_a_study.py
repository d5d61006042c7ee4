"""Which tubes a patient's HLA cuts rest on, by the sheets alone."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from nktrace.model.study import RESERVE, Patient, Role, Sample, Study


def sample(name: str, patient: str | None, day: float, role: Role = Role.TIMEPOINT, **more: str) -> Sample:
    row = Sample(sample=name, patient=patient, day=day, role=role, panel="nk", batch="B1", fcs=f"{name}.fcs")
    return replace(row, **more)  # type: ignore[arg-type]


def study(*samples: Sample, patients: int = 3, **more: object) -> Study:
    people = {f"P{number}": Patient(patient=f"P{number}") for number in range(1, patients + 1)}
    return Study({s.sample: s for s in samples}, people, hla_panels=frozenset({"nk"}), **more)  # type: ignore[arg-type]


def blanks(*numbers: int) -> list[Sample]:
    return [sample(f"P{number}_blank", f"P{number}", -1, Role.BLANK) for number in numbers]


def names(samples: tuple[Sample, ...]) -> list[str]:
    return [one.sample for one in samples]


def test_a_patient_without_a_blank_gets_those_of_all_before_it_the_nearest_first() -> None:
    made = study(*blanks(1, 2, 4), sample("P3_d7", "P3", 7), patients=4)
    assert names(made.pooled_blanks("P3")) == ["P2_blank", "P1_blank"]
    assert made.reserve_blanks("P3") == ()
    assert made.pooled_blanks("P2") == ()


def test_the_first_patient_without_a_blank_gets_those_of_the_reference_or_of_the_first_after_it() -> None:
    made = study(*blanks(3, 4, 5), sample("P1_d7", "P1", 7), patients=5)
    assert names(made.pooled_blanks("P1")) == ["P3_blank"]
    with_reference = replace(made, reference_samples=frozenset({"P4_blank", "P5_blank"}))
    assert names(with_reference.pooled_blanks("P1")) == ["P4_blank", "P5_blank"]


@pytest.mark.parametrize("having", ["all", "none of the odd", "none of the first three", "the last alone"])
@pytest.mark.parametrize("reference", [frozenset[str](), frozenset({"P2_blank", "P4_blank"})])
def test_a_patient_at_the_end_changes_no_earlier_ones_controls(having: str, reference: frozenset[str]) -> None:
    """But of one that had no blank at all, neither its own nor another's."""
    most = 9
    having_blank = {
        "all": range(1, most + 1),
        "none of the odd": range(2, most + 1, 2),
        "none of the first three": range(4, most + 1),
        "the last alone": [most],
    }[having]
    visits = [sample(f"P{n}_d7", f"P{n}", 7, batch=f"B{n % 3}") for n in range(1, most + 1)]
    healthy = [sample(f"healthy_B{n}", None, math.nan, Role.BATCH_CONTROL, batch=f"B{n}") for n in range(3)]
    rows = [*blanks(*having_blank), *visits, *healthy]

    def of(size: int) -> Study:
        people = {None, *(f"P{n}" for n in range(1, size + 1))}
        return study(*[s for s in rows if s.patient in people], patients=size)

    gained = []
    for size in range(1, most):
        before, after = (
            replace(one, reference_samples=reference & of(size).samples.keys()) for one in (of(size), of(size + 1))
        )
        for patient in before.patients:
            if before.own_blanks(patient) or before.pooled_blanks(patient):
                assert before.hla_controls(patient) == after.hla_controls(patient)
                assert before.blanks_of_others(patient) == after.blanks_of_others(patient)
            else:
                gained.append((size, patient))
    assert (gained == []) == (having == "all")


def test_a_blank_of_another_panel_is_none() -> None:
    counting = sample("P1_blank", "P1", -1, Role.BLANK, panel="counting")
    made = study(counting, *blanks(2), sample("P1_d7", "P1", 7), sample("P1_d7_counting", "P1", 7, panel="counting"))
    assert made.panels_without_blank("P1") == ("nk",)
    assert names(made.pooled_blanks("P1")) == ["P2_blank"]


def test_a_patient_with_a_blank_has_a_few_in_reserve_which_no_later_patient_changes() -> None:
    many = RESERVE + 3
    before = study(*blanks(*range(1, many + 1)), patients=many)
    after = study(*blanks(*range(1, many + 2)), patients=many + 1)
    for number in range(1, many + 1):
        found = before.reserve_blanks(f"P{number}")
        assert names(found) == [f"P{other}_blank" for other in range(number - 1, 0, -1)][:RESERVE]
        assert found == after.reserve_blanks(f"P{number}")
    assert f"P{many}_blank" in names(after.reserve_blanks(f"P{many + 1}"))


def test_batch_controls_are_those_of_the_batches_where_there_is_more_than_one() -> None:
    controls = [
        sample(f"healthy_{batch}", None, math.nan, Role.BATCH_CONTROL, batch=batch) for batch in ("B1", "B2", "B3")
    ]
    made = study(*blanks(1, 2), sample("P1_d7", "P1", 7, batch="B2"), sample("P2_d7", "P2", 7), *controls)
    assert names(made.batch_controls("P1")) == ["healthy_B1", "healthy_B2"]
    assert made.batch_controls("P2") == ()
    assert set(names(made.hla_controls("P1"))) == {"P1_blank", "healthy_B1", "healthy_B2"}
    assert set(names(made.hla_controls("P2"))) == {"P1_blank", "P2_blank"}


def test_t_cells_of_the_products_so_far() -> None:
    rows = tuple(
        {"patient": "P1", "infusion": name, "day": day, "cd3_fraction": share}
        for name, day, share in (("a", "0", "0.001"), ("b", "14", "0.02"), ("c", "28", ""))
    )
    visits = {day: sample(f"P1_d{day}", "P1", day) for day in (-1, 7, 21, 35)}
    made = study(*visits.values(), sample("P2_d7", "P2", 7), infusions=rows)
    assert [made.product_cd3(visits[day]) for day in (-1, 7, 21)] == [None, 0.001, 0.02]
    assert made.product_cd3(visits[35]) == pytest.approx(math.nan, nan_ok=True)
    assert made.product_cd3(made.samples["P2_d7"]) == pytest.approx(math.nan, nan_ok=True)
    grafted = replace(made, patients={"P1": Patient(patient="P1", first_donor_exposure_day=-3)})
    assert grafted.product_cd3(visits[7]) is None
