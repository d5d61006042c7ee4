"""From populations.tsv to counts.tsv by the command of the workflow."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nktrace.cli import main
from nktrace.files.installation import knowledge, resource
from nktrace.files.settings import Settings, part
from nktrace.files.shifts import write_gate_error
from nktrace.files.tables import read_table, write_table
from nktrace.model.shifts import NetShift
from nktrace.model.study import Patient, Role, Sample
from tests.commands.hla_tubes import SUBSETS, Patients, sample, write_populations, write_subsets

SETTINGS = part(Settings(data_dir=""), "counts")
P1 = Patient(patient="P1", sex="F", age_years=50)
TREE = {
    "time": ("root", 90_000),
    "beads": ("time", 9_500),
    "lymphocytes": ("time", 10_000),
    "cd3": ("lymphocytes", 7_200),
    "cd4_t": ("cd3", 4_000),
    "b_cells": ("lymphocytes", 1_400),
    "nk": ("lymphocytes", 850),
    "nk_bright": ("nk", 50),
    "monocytes": ("time", 900),
}
BEADS = {"beads_per_tube": 49_500.0, "blood_ul": 50.0}


class Samples:
    def __init__(self, path: Path, patient: Patient = P1) -> None:
        self.path, self.patients, self.rows = path, Patients(path, patient), list[Sample]()

    def add(
        self,
        row: Sample,
        tree: dict[str, tuple[str, int]],
        *,
        channels: dict[str, str] | None = None,
        volume: float = math.nan,
        subsets: int = 0,
        doubt: dict[str, tuple[str, str]] | None = None,
        of_subsets: str | None = None,
    ) -> None:
        self.rows.append(row)
        directory = self.path / row.sample
        write_populations(directory, row.sample, tree, doubt=doubt)
        labels = np.where(np.arange(subsets) % 4 == 0, *SUBSETS).astype(np.str_)
        write_subsets(directory, row.sample, labels, reason=of_subsets)
        edge = {"sample": row.sample, "edge": "min", "gate_source": "data", "distance": math.nan}
        edge |= dict.fromkeys(("value", "ci_low", "ci_high", "prior"), 0.0)
        gates = [edge | {"population": p, "channel": c} for p, cs in (channels or {}).items() for c in cs.split(",")]
        write_table(directory / "gates.tsv", "gates", gates)
        check = {"sample": row.sample, "check": "acquired_ul", "value": volume, "limit": math.nan}
        check |= {"status": "pass", "reason": None}
        write_table(directory / "qc.tsv", "qc", [] if math.isnan(volume) else [check])

    def run(
        self, *, settings: str = SETTINGS, ranges: Path | str = "", grades: Path | str = ""
    ) -> dict[tuple[str, str], dict[str, Any]]:
        output = self.path / "counts.tsv"
        arguments = ["counts", "--patient", self.patients.row(self.rows), "--settings", settings]
        arguments += ["--ranges", str(ranges or resource("reference_ranges.tsv"))]
        arguments += ["--grades", str(grades or resource("grades.tsv"))]
        arguments += ["--output", str(output), "--checks", str(self.path / "count_checks.tsv")]
        assert main([*arguments, *(str(self.path / r.sample) for r in self.rows)]) == 0
        return {(row["sample"], row["population"]): row for row in read_table(output, "counts")}

    def checks(self, name: str) -> list[dict[str, Any]]:
        """Rows of count_checks.tsv, after `run`."""
        return [row for row in read_table(self.path / "count_checks.tsv", "count_checks") if row["check"] == name]


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    return Samples(tmp_path)


def test_beads_ranges_and_grades(samples: Samples) -> None:
    samples.add(sample("S1", 7, **BEADS), TREE, subsets=850)
    found = samples.run()
    nk = found["S1", "nk"]
    assert nk["cells_per_ul"] == pytest.approx(88.58, abs=0.005)
    assert nk["ci_low"] < 88.58 < nk["ci_high"]
    assert (nk["platform"], nk["status"]) == ("beads", "ok")
    assert (nk["reference_low"], nk["reference_high"], nk["grade"]) == (96, 998, None)
    lymphocytes = found["S1", "lymphocytes"]
    assert lymphocytes["cells_per_ul"] == pytest.approx(1042.1, abs=0.1)
    assert lymphocytes["grade"] == "1"
    # 417 CD4 cells lie above the lower limit of women (399) and below the threshold of grade 2 (500)
    assert found["S1", "cd4_t"]["grade"] == "2"
    assert "within the reference range" in found["S1", "cd4_t"]["reason"]
    assert found["S1", "adaptive"]["cells_per_ul"] == pytest.approx(88.58 * 213 / 850, rel=1e-4)
    assert ("S1", "time") not in found
    assert ("S1", "beads") not in found


def test_the_error_of_the_gates_is_in_the_interval_of_the_count(samples: Samples) -> None:
    """The gate of NK and that of the beads each add 10 %; one that moves cells and beads alike adds nothing."""
    samples.add(sample("S1", 7, **BEADS), TREE, subsets=850)
    plain = samples.run()
    moves = [
        NetShift("nk", "CD56", "min", {"nk": 85, "adaptive": 85}, {"nk": -85, "adaptive": -85}),
        NetShift("time", "Time", "max", {"beads": 950, "monocytes": 90}, {"beads": -950, "monocytes": -90}),
    ]
    write_gate_error(samples.path / "S1" / "gate_error.tsv", "S1", moves)
    found = samples.run()
    nk = found["S1", "nk"]
    cv = math.log(nk["ci_high"] / nk["ci_low"]) / (2 * 1.96)
    assert nk["cells_per_ul"] == plain["S1", "nk"]["cells_per_ul"]
    assert cv == pytest.approx(math.sqrt(1 / 850 + 1 / 9_500 + 0.02**2 + 0.1**2 + 0.1**2), rel=0.03)
    assert found["S1", "monocytes"]["ci_high"] == pytest.approx(plain["S1", "monocytes"]["ci_high"], rel=1e-3)
    assert found["S1", "adaptive"]["ci_high"] > plain["S1", "adaptive"]["ci_high"]


def test_few_beads_and_a_lineage_sum_that_is_off_are_said(samples: Samples) -> None:
    samples.add(sample("S1", 7, **BEADS), TREE | {"beads": ("time", 400)})
    samples.add(sample("S2", 8, **BEADS), TREE | {"cd3": ("lymphocytes", 5_000)})
    found = samples.run()
    assert found["S1", "monocytes"]["status"] == "warn"
    assert "few_beads (400 < 1000)" in found["S1", "nk"]["reason"]
    for population in ("lymphocytes", "cd3", "b_cells", "nk"):
        assert found["S2", population]["status"] == "fail"
        assert "lymphosum 72.5%" in found["S2", population]["reason"]
    assert found["S2", "monocytes"]["status"] == "ok"


def test_dual_platform_needs_the_analysers_own_denominator(samples: Samples) -> None:
    analyser = {"wbc_per_ul": 6_000.0, "lymphocyte_fraction": 0.3}
    samples.add(sample("S1", 7, **analyser), TREE)
    samples.add(sample("S2", 8, **analyser), {"nk": ("leukocytes", 850), "leukocytes": ("root", 20_000)})
    samples.add(sample("S3", 9, wbc_per_ul=6_000.0), TREE)
    found = samples.run()
    assert found["S1", "nk"]["cells_per_ul"] == pytest.approx(6_000 * 0.3 * 0.085)
    assert found["S1", "nk"]["platform"] == "dual"
    assert found["S1", "monocytes"]["platform"] == "none"
    assert "denominator_differs" in found["S1", "monocytes"]["reason"]
    assert "denominator_differs" in found["S2", "nk"]["reason"]
    assert math.isnan(found["S2", "nk"]["cells_per_ul"])
    assert "wbc_per_ul without lymphocyte_fraction" in found["S3", "nk"]["reason"]


def test_volume_loses_the_time_that_was_cut_out(samples: Samples) -> None:
    samples.add(sample("S1", 7, acquired_ul=50.0, dilution=2.0), TREE)
    row = samples.run()["S1", "nk"]
    assert row["platform"] == "volumetric"
    assert row["cells_per_ul"] == pytest.approx(850 / (50 * 0.9) * 2)
    assert "90.0%" in row["reason"]


def test_washed_tubes_give_fractions_only(samples: Samples) -> None:
    samples.add(sample("S1", 7), TREE)
    samples.add(sample("S2", 8, material="pbmc_cryo", **BEADS), TREE)
    found = samples.run()
    for name in ("S1", "S2"):
        assert found[name, "nk"]["platform"] == "none"
        assert math.isnan(found[name, "nk"]["cells_per_ul"])
        assert found[name, "nk"]["status"] == "not_available"
    assert "fractions only" in found["S1", "nk"]["reason"]
    assert "pbmc_cryo" in found["S2", "nk"]["reason"]


def test_the_files_volume_counts_where_the_sheet_names_nothing(samples: Samples) -> None:
    samples.add(sample("S1", 7), TREE, volume=50.0)
    row = samples.run()["S1", "nk"]
    assert row["platform"] == "volumetric"
    assert "unwashed" in row["reason"]


def test_a_phenotyping_tube_takes_its_counts_from_the_counting_tube_of_its_specimen(samples: Samples) -> None:
    counting = {"nk": ("lymphocytes", 850)} | {k: v for k, v in TREE.items() if k not in ("nk", "nk_bright")}
    samples.add(sample("C1", 7, specimen="X7", panel="counting", **BEADS), counting, channels={"nk": "CD3,CD16+CD56"})
    phenotyping = {"lymphocytes": ("root", 50_000), "nk": ("lymphocytes", 4_000), "nk_bright": ("nk", 400)}
    samples.add(sample("F1", 7, specimen="X7"), phenotyping, channels={"nk": "CD3,CD56"}, subsets=4_000, volume=80.0)
    found = samples.run()
    assert found["F1", "nk"]["cells_per_ul"] == pytest.approx(88.58, abs=0.005)
    bright = found["F1", "nk_bright"]
    assert bright["cells_per_ul"] == pytest.approx(8.858, abs=0.001)
    assert bright["platform"] == "beads"
    assert "joined (nk counted in C1)" in bright["reason"]
    assert "definition_differs (nk by CD3+CD56 here, by CD16+CD56+CD3 there)" in bright["reason"]
    assert found["F1", "adaptive"]["cells_per_ul"] == pytest.approx(88.58 / 4, rel=1e-3)
    relative = math.log(bright["ci_high"] / bright["cells_per_ul"])
    assert relative > math.log(found["C1", "nk"]["ci_high"] / found["C1", "nk"]["cells_per_ul"])


def test_only_ex_vivo_samples_on_the_timeline_that_could_be_read(samples: Samples) -> None:
    samples.add(sample("D1", math.nan, Role.DONOR, **BEADS), TREE)
    samples.add(sample("S1", 7, condition="PMA", **BEADS), TREE)
    samples.add(sample("S2", 7, **BEADS), {})
    assert samples.run() == {}


def test_a_grade_that_needs_the_sex_says_so(tmp_path: Path) -> None:
    samples = Samples(tmp_path, Patient(patient="P1"))
    samples.add(sample("S1", 7, **BEADS), TREE)
    row = samples.run()["S1", "lymphocytes"]
    assert row["grade"] is None
    assert math.isnan(row["reference_low"])
    assert "needs sex" in row["reason"]


LONE = {"lymphocytes": ("warn", "no clear valley in time: one peak, taken for negative")}
LONE_FLAG = "gate_doubtful: lymphocytes (no clear valley in time: one peak, taken for negative)"


def test_a_count_by_a_doubtful_gate_is_a_warning_without_a_grade(samples: Samples) -> None:
    samples.add(sample("S1", 7, **BEADS), TREE, doubt=LONE)
    found = samples.run()
    for population in ("lymphocytes", "cd3", "cd4_t", "nk", "nk_bright"):
        row = found["S1", population]
        assert row["status"] == "warn"
        assert LONE_FLAG in row["reason"]
        assert row["grade"] is None
        assert row["cells_per_ul"] > 0
    assert "no grade" in found["S1", "cd4_t"]["reason"]
    assert "no grade" not in found["S1", "nk"]["reason"], "nobody grades NK cells"
    assert (found["S1", "monocytes"]["status"], found["S1", "monocytes"]["reason"]) == ("ok", None)


def test_much_removed_before_the_cells_is_no_doubt_of_their_count_but_doubtful_beads_are(samples: Samples) -> None:
    samples.add(sample("S1", 7, **BEADS), TREE, doubt={"time": ("warn", "much removed")})
    samples.add(sample("S2", 8, **BEADS), TREE, doubt={"beads": ("warn", "one peak")})
    found = samples.run()
    assert (found["S1", "lymphocytes"]["status"], found["S1", "lymphocytes"]["grade"]) == ("ok", "1")
    assert (found["S2", "lymphocytes"]["status"], found["S2", "lymphocytes"]["grade"]) == ("warn", None)
    assert "gate_doubtful: beads (one peak)" in found["S2", "monocytes"]["reason"]


def test_a_gate_that_failed_has_no_count(samples: Samples) -> None:
    failed = {"cd3": ("fail", "the gate is empty")}
    samples.add(sample("S1", 7, **BEADS), TREE | {"cd3": ("lymphocytes", 0), "cd4_t": ("cd3", 0)}, doubt=failed)
    found = samples.run()
    for population in ("cd3", "cd4_t"):
        row = found["S1", population]
        assert math.isnan(row["cells_per_ul"])
        assert (row["status"], row["platform"], row["grade"]) == ("not_available", "none", None)
        assert "gate_failed: cd3 (the gate is empty)" in row["reason"]


def test_the_analysers_lymphocytes_do_not_rest_on_the_gate_but_their_shares_do(samples: Samples) -> None:
    samples.add(sample("S1", 7, wbc_per_ul=6_000.0, lymphocyte_fraction=0.15), TREE, doubt=LONE)
    samples.add(sample("S2", 8, wbc_per_ul=6_000.0, lymphocyte_fraction=0.15), TREE | {"lymphocytes": ("time", 0)})
    found = samples.run()
    assert (found["S1", "lymphocytes"]["status"], found["S1", "lymphocytes"]["grade"]) == ("ok", "1")
    assert found["S1", "nk"]["status"] == "warn"
    assert LONE_FLAG in found["S1", "nk"]["reason"]
    assert found["S2", "lymphocytes"]["status"] == "not_available"


def test_a_joined_count_carries_the_doubt_of_both_tubes(samples: Samples) -> None:
    counting = {k: v for k, v in TREE.items() if k != "nk_bright"}
    samples.add(sample("C1", 7, specimen="X7", panel="counting", **BEADS), counting, doubt=LONE)
    tree = {"lymphocytes": ("root", 50_000), "nk": ("lymphocytes", 4_000), "nk_bright": ("nk", 400)}
    doubt = {"nk_bright": ("warn", "one peak")}
    samples.add(sample("F1", 7, specimen="X7"), tree, doubt=doubt)
    found = samples.run()
    assert found["F1", "nk"]["status"] == found["F1", "nk_bright"]["status"] == "warn"
    assert f"{LONE_FLAG} in C1" in found["F1", "nk"]["reason"]
    assert "one peak)" not in found["F1", "nk"]["reason"]
    assert "gate_doubtful: nk_bright (one peak)" in found["F1", "nk_bright"]["reason"]


def test_a_subset_by_a_doubtful_gate_has_a_doubtful_count(samples: Samples) -> None:
    flag = "gate_doubtful: nk_cd57 (one peak)"
    samples.add(sample("S1", 7, **BEADS), TREE, subsets=850, of_subsets=f"{flag}; supporting signs: CD57+ 0.90")
    found = samples.run()
    assert (found["S1", "adaptive"]["status"], found["S1", "adaptive"]["reason"]) == ("warn", flag)
    assert found["S1", "nk"]["status"] == "ok"


def test_lineages_that_do_not_add_up_give_no_grade(samples: Samples) -> None:
    samples.add(sample("S1", 7, **BEADS), TREE | {"cd3": ("lymphocytes", 5_000)})
    row = samples.run()["S1", "lymphocytes"]
    assert (row["status"], row["grade"]) == ("fail", None)
    assert "no grade: the count fails its check" in row["reason"]


def test_lineages_that_do_not_add_up_doubt_every_share_that_the_analyser_counts(samples: Samples) -> None:
    """What is not a lymphocyte is in the denominator of all of them, but not in the analyser's own lymphocytes."""
    samples.add(sample("S1", 7, wbc_per_ul=6_000.0, lymphocyte_fraction=0.2), TREE | {"cd3": ("lymphocytes", 5_000)})
    found = samples.run()
    assert {found["S1", p]["status"] for p in ("cd3", "cd4_t", "nk", "nk_bright")} == {"fail"}
    assert (found["S1", "lymphocytes"]["status"], found["S1", "lymphocytes"]["grade"]) == ("ok", "1")
    (check,) = samples.checks("lymphosum")
    assert (check["value"], check["status"]) == (pytest.approx(0.725), "fail")


@pytest.mark.parametrize("marker", ["CD3", "CD14+CD19", "CD16_CD56", "Lineage"])
def test_lymphocytes_within_a_lineage_gate_are_not_the_analysers(samples: Samples, marker: str) -> None:
    analyser = {"wbc_per_ul": 6_000.0, "lymphocyte_fraction": 0.3}
    tree = {"chosen": ("root", 20_000), "lymphocytes": ("chosen", 10_000), "nk": ("lymphocytes", 850)}
    samples.add(sample("S1", 7, **analyser), tree, channels={"chosen": marker})
    samples.add(sample("S2", 8, **analyser), tree, channels={"chosen": "CD45,SSC-A"})
    found = samples.run()
    for population in ("lymphocytes", "nk"):
        assert found["S1", population]["platform"] == "none"
        assert f"gated within chosen, by the lineage marker {marker}" in found["S1", population]["reason"]
        assert found["S2", population]["status"] == "ok"


def test_cells_in_doublets_are_counted_back_in_where_beads_or_volume_count(samples: Samples) -> None:
    tree = TREE | {"cells": ("time", 50_000), "singlets": ("cells", 48_000), "lymphocytes": ("singlets", 10_000)}
    bad = tree | {"singlets": ("cells", 40_000)}
    samples.add(sample("S1", 7, **BEADS), tree)
    samples.add(sample("S2", 8, acquired_ul=50.0), tree)
    samples.add(sample("S3", 9, wbc_per_ul=6_000.0, lymphocyte_fraction=0.3), tree)
    samples.add(sample("S4", 10, **BEADS), bad)
    samples.add(sample("S5", 11, **BEADS), tree | {"beads": ("singlets", 9_500)})
    found = samples.run()
    back = 1 + 1.5 * 2_000 / 48_000
    assert found["S1", "nk"]["cells_per_ul"] == pytest.approx(88.579 * back, rel=1e-4)
    assert "doublets added back (4.0% of events lie outside singlets): x 1.062" in found["S1", "nk"]["reason"]
    assert found["S1", "monocytes"]["cells_per_ul"] == pytest.approx(900 / 9_500 * 990), "not within singlets"
    assert found["S2", "nk"]["cells_per_ul"] == pytest.approx(850 / 45 * back)
    assert found["S3", "nk"]["cells_per_ul"] == pytest.approx(6_000 * 0.3 * 0.085)
    assert found["S4", "nk"]["cells_per_ul"] == pytest.approx(88.579, rel=1e-4)
    assert found["S5", "nk"]["cells_per_ul"] == pytest.approx(88.579, rel=1e-4), "beads lose their doublets, too"
    assert found["S4", "nk"]["status"] == "warn"
    assert "too many for coincidence" in found["S4", "nk"]["reason"]
    single = samples.run(settings=part(Settings(data_dir="", counts={"doublets": "leave_out"}), "counts"))
    assert single["S1", "nk"]["cells_per_ul"] == pytest.approx(88.579, rel=1e-4)
    assert single["S1", "nk"]["reason"] is None


def test_two_platforms_of_one_day_are_compared_and_never_joined(samples: Samples) -> None:
    analyser = {"wbc_per_ul": 6_000.0, "lymphocyte_fraction": 0.1737}
    for day in (1, 7, 14):
        samples.add(sample(f"C{day}", day, specimen=f"X{day}", panel="counting", **BEADS), TREE)
        samples.add(sample(f"F{day}", day, specimen=f"X{day}", material="pbmc_fresh", **analyser), TREE)
    found = samples.run()
    assert {found["C7", "nk"]["platform"], found["F7", "nk"]["platform"]} == {"beads", "dual"}
    rows = [row for row in samples.checks("platforms") if row["population"] == "nk"]
    assert [row["day"] for row in rows[:3]] == [1, 7, 14]
    same_day = rows[0]
    assert (same_day["sample"], same_day["platform"]) == ("C1", "beads")
    assert (same_day["other_sample"], same_day["other_platform"]) == ("F1", "dual")
    expected = found["C1", "nk"]["cells_per_ul"] / found["F1", "nk"]["cells_per_ul"]
    assert same_day["value"] == pytest.approx(expected, rel=1e-5)
    assert same_day["ci_low"] < same_day["value"] < same_day["ci_high"]
    assert same_day["status"] == "ok"
    assert "separation may shift the shares" in same_day["reason"]
    assert math.isnan(rows[3]["day"])
    assert rows[3]["value"] == pytest.approx(expected, rel=1e-5)
    assert rows[3]["reason"] == (
        "geometric mean of 3 days; whole_blood beside pbmc_fresh: separation may shift the shares"
    )
    (lymphocytes, *_) = (row for row in samples.checks("platforms") if row["population"] == "lymphocytes")
    assert lymphocytes["reason"] is None, "the analyser's own lymphocytes are of whole blood"


def test_platforms_that_disagree_beyond_their_error_are_a_warning(samples: Samples) -> None:
    """Beads and analyser of one tube: the sheet gives both, the beads count, and the analyser is laid beside them."""
    samples.add(sample("S1", 7, wbc_per_ul=12_000.0, lymphocyte_fraction=0.2, **BEADS), TREE)
    found = samples.run()
    assert found["S1", "nk"]["platform"] == "beads"
    (row,) = (r for r in samples.checks("platforms") if (r["population"], r["sample"]) == ("nk", "S1"))
    assert row["value"] == pytest.approx(88.579 / (2_400 * 0.085), rel=1e-4)
    assert (row["status"], row["reason"]) == ("warn", "beads and dual differ by more than x 1.25")
    assert found["S1", "nk"]["status"] == "ok", "which of the two errs is not known"


def test_cd3_of_two_tubes_of_a_specimen_must_agree(samples: Samples) -> None:
    """All CD3+ cells, whatever their CD56: T cells without CD56 may differ as they like."""
    other = TREE | {"t_cells": ("cd3", 7_000)}
    samples.add(sample("A1", 1, specimen="X1", **BEADS), TREE | {"t_cells": ("cd3", 5_000)})
    samples.add(sample("B1", 1, specimen="X1"), other)
    samples.add(sample("A2", 2, specimen="X2", **BEADS), TREE)
    samples.add(sample("B2", 2, specimen="X2"), other | {"cd3": ("lymphocytes", 7_650)})
    samples.add(sample("A3", 3, specimen="X3", **BEADS), TREE)
    samples.add(sample("B3", 3, specimen="X3"), other | {"cd3": ("lymphocytes", 8_200)})
    samples.add(sample("A4", 4, specimen="X4", **BEADS), TREE)
    samples.add(sample("B4", 4, specimen="X4"), {"lymphocytes": ("time", 50), "cd3": ("lymphocytes", 40)})
    found = samples.run()
    rows = {row["sample"]: row for row in samples.checks("duplicate_cd3")}
    assert {name: row["status"] for name, row in rows.items()} == {"A1": "ok", "A2": "warn", "A3": "fail", "A4": "ok"}
    assert rows["A2"]["value"] == pytest.approx(-0.045)
    assert rows["A2"]["ci_low"] < -0.045 < rows["A2"]["ci_high"] < 0
    assert rows["A2"]["reason"] == "CD3+ lymphocytes of A2 and B2 differ by 4.5%, more than 3.0%"
    assert "not by more than their error" in rows["A4"]["reason"]
    for name in ("A3", "B3"):
        assert found[name, "cd3"]["status"] == found[name, "cd4_t"]["status"] == "fail"
        assert "differ by 10.0%" in found[name, "cd4_t"]["reason"]
        assert "differ by" not in (found[name, "nk"]["reason"] or "")


def test_a_laboratorys_own_ranges_and_grades_win(samples: Samples, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    header = "population\tsex\tage_min\tage_max\tlow\thigh\tunit\tsource\n"
    rows = "lymphocytes\tany\t18\t60\t1100\t4000\tcells/uL\tour 120 donors\n"
    (tmp_path / "config" / "reference_ranges.tsv").write_text(header + rows)
    samples.add(sample("S1", 7, **BEADS), TREE)
    ranges, grades = (tmp_path / knowledge(name, tmp_path) for name in ("reference_ranges.tsv", "grades.tsv"))
    row = samples.run(ranges=ranges, grades=grades)["S1", "lymphocytes"]
    assert (row["reference_low"], row["reference_high"], row["grade"]) == (1_100, 4_000, "1")
    assert math.isnan(samples.run(ranges=ranges, grades=grades)["S1", "nk"]["reference_low"])
