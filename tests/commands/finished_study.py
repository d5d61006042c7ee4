"""A finished study of one patient on disk, and what `nktrace export` writes of it."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from nktrace.cli import main
from nktrace.files.tables import write_rows, write_table
from tests.pages.study_rows import row

EVIL = '=HYPERLINK("http://x","y")'
SAMPLES = (  # sample, day, role
    ("P1-blank", -4, "blank"),
    ("P1-base", -1, "baseline"),
    ("P1-d00", 0, "timepoint"),
    ("P1-d07", 7.5, "timepoint"),
)


def finished_study(tmp_path: Path) -> Path:
    """A finished study of one patient: sheets, empty FCS files with telling names, and tables of every status."""
    home = tmp_path / "study"
    config, cohort = home / "config", home / "results" / "cohort"
    (config / "panels").mkdir(parents=True)
    (home / "data").mkdir()
    (config / "config.yaml").write_text("data_dir: data\n", encoding="utf-8")
    sheet = [["sample", "patient", "day", "role", "panel", "batch", "fcs", "material"]]
    for name, day, role in SAMPLES:
        fcs = f"Jane_Roe_{name}_2024-03-14.fcs"
        (home / "data" / fcs).write_bytes(b"")
        sheet.append([name, "P1", str(day), role, "main", "b1", fcs, "pbmc_cryo" if day == 0 else "whole_blood"])
    _write(config / "samples.tsv", sheet)
    _write(
        config / "patients.tsv",
        [
            ["patient", "infusion_date", "first_donor_exposure_day"],
            ["P1", "2024-03-10", "-3"],
            ["P2", "2024-03-11", "0"],
        ],
    )
    _write(config / "panels" / "main.tsv", [["channel", "marker", "kind"], ["FL1-A", "CD56", "lineage"]])
    for name, rows in tables().items():
        write_table(cohort / f"{name}.tsv", name, rows)
    marker = {"CD56": 0.5, "panel": "main", "cluster": 1, "subset": "bright", "cl_id": None, "fraction": 0.5}
    marker |= {
        "stability": 0.9,
        "subset_share": math.nan,
        "members": "bright 1.00",
        "seed_agreement": 1,
        "unstable": False,
    }
    write_rows(cohort / "clusters.tsv", list(marker), [marker])
    return home


def _write(path: Path, lines: list[list[str]]) -> None:
    path.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")


def tables() -> dict[str, list[dict[str, Any]]]:
    counts = [
        row(
            "counts",
            sample=sample,
            patient="P1",
            day=float(day),
            population=population,
            cells_per_ul=value,
            ci_low=value * 0.9,
            ci_high=value * 1.1,
            platform="dual",
            reference_low=100.0 if population == "nk" else 1000.0,
            reference_high=500.0 if population == "nk" else 3000.0,
            grade="2" if population == "lymphocytes" else None,
            status="ok",
        )
        for sample, day, _ in SAMPLES
        for population, value in (("nk", 99.0), ("lymphocytes", 700.0), ("my_own_population_of_some_length", 1e-7))
    ]
    counts.append(row("counts", sample="P1-d07", patient="P1", day=7.5, population="b_cells", status="not_available"))
    counts[-1]["reason"] = EVIL + " " + "no beads; " * 60
    limits = {"lob": 0.002, "lod": 0.01, "loq": 0.03}
    seen = {"donor_fraction": 0.12, "ci_low": 0.1, "ci_high": 0.14, "donor_cells_per_ul": 11.88}
    known = {"patient": "P1", "population": "nk"}
    chimerism = [
        row("chimerism", sample="P1-blank", day=-4.0, status="not_detected", donor_fraction=-0.001, **known, **limits),
        row("chimerism", sample="P1-base", day=-1.0, status="detected", **known, **limits, **seen),
        row("chimerism", sample="P1-d00", day=0.0, status="quantified", **known, **limits, **seen),
        row("chimerism", sample="P1-d07", day=7.5, status="indeterminate", reason="no_blank", **known),
    ]
    for each in chimerism[2:3]:
        each["reason"] = "cut of Jane_Roe_P1-d00_2024-03-14.fcs of 2024-03-14T09:30"
    subsets = [
        row("subsets", sample="P1-d00", subset="bright", events=4, nk_events=40, fraction_of_nk=0.1, status="ok"),
        row("subsets", sample="P1-d00", subset="other_nk", events=36, nk_events=40, fraction_of_nk=0.9, status="ok"),
        row("subsets", sample="P1-d07", subset="other_nk", events=9, nk_events=9, fraction_of_nk=1.0, status="ok"),
        row("subsets", sample="P1-d07", subset="state:activated", nk_events=9, status="not_resolvable"),
    ]
    kinetics = [
        row("kinetics", patient="P1", measure="donor_nk", quantity="cmax", value=12.0, status="ok", unit="cells/µL"),
        row(
            "kinetics",
            patient="P1",
            measure="nk",
            quantity="time_to_threshold:100",
            ci_high=math.inf,
            status="censored",
        ),
    ]
    who = {"who": "J. Roe", "when": "2024-03-14T10:00:00Z", "why": "she asked me to"}
    thresholds = {"patient": "P1", "measure": "cd3", "unit": "days"}
    for number, known in enumerate(
        (
            {"value": 5.5, "ci_low": 4.0, "ci_high": 7.0, "status": "ok"},
            {"value": math.inf, "ci_low": 30.0, "ci_high": math.inf, "status": "censored"},
            {"status": "not_estimable"},
        )
    ):
        kinetics.append(row("kinetics", quantity=f"time_to_threshold:{number}", **thresholds, **known))
    qc = [row("qc", sample=sample, check="readable", value=9e4, status="pass") for sample, *_ in SAMPLES]
    overrides = [row("overrides", sample="P1-d00", population="nk", scope="sample", **who)]
    found = {"counts": counts, "chimerism": chimerism, "subsets": subsets, "kinetics": kinetics, "overrides": overrides}
    return {**found, "qc": qc, "populations": [row("populations", sample="P1-d00", population="nk", events=40)]}


def export(study: Path, *options: str) -> Path:
    output = study.parent / "out"
    assert main(["export", str(study), "--output", str(output), *options]) == 0
    return output


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def lb(study: Path) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    output = export(study, "--format", "cdisc-lb", "--study-id", "NK1") / "cdisc-lb"
    return cells(output / "lb.csv"), cells(output / "supplb.csv")
