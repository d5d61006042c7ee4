"""Rows of the contract's tables as the pages get them: a small study, with any names a test wants."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nktrace.files.table_columns import COLUMNS
from nktrace.model.embedding import Embedding
from nktrace.model.pictures import Picture
from nktrace.model.study import Patient, Role, Sample

NAN = math.nan
PLAIN = "plain"
# what the sheets could hold if nothing checked them
HOSTILE = (
    "<script>alert('x')</script>\"'><img src=x onerror=alert(1)> $x_1^2$ \\frac{ {{7*7}} javascript:alert(1) ]]> µ −"
)


def row(table: str, **values: Any) -> dict[str, Any]:
    """A row of a table of the contract; what isn't given is NA."""
    kinds = COLUMNS[table]
    assert values.keys() <= kinds.keys()
    return {column: values.get(column, NAN if kind is float else None) for column, kind in kinds.items()}


def a_sample(name: str = PLAIN, **values: Any) -> Sample:
    known = {"sample": name, "patient": name, "day": 7.0, "role": Role.TIMEPOINT, "panel": name, "batch": name}
    return Sample(**{**known, "fcs": f"data/{name}.fcs", **values})


def a_picture(name: str = PLAIN, **values: Any) -> Picture:
    counts = np.zeros((10, 8), dtype=np.uint32)
    counts[2, 3], counts[7, 1] = 5000, 1
    known = {
        "population": name,
        "parent": "root",
        "channels": (name, name),
        "x_range": (-0.1, 1.0),
        "y_range": (0.0, 260_000.0),
        "counts": counts,
        "outlines": (np.array([[0.4, 0.0], [1.0, 0.0], [1.0, 2e5], [0.4, 2e5], [0.4, 0.0]]),),
        "parent_events": 5001,
        "events": 1,
        "x_ticks": ((0.1, 0.0), (0.5, 1e3), (0.6, 2e3), (0.8, 1e4)),
    }
    return Picture(**{**known, **values})


def sample_values(name: str = PLAIN) -> dict[str, Any]:
    """What `sample_page` takes beside the sample."""
    return {
        "populations": [
            row(
                "populations",
                sample=name,
                population=population,
                parent=parent,
                events=events,
                parent_events=parent_events,
                fraction=events / parent_events,
                ci_low=0.0,
                ci_high=0.2,
                gate_source="data",
                status=status,
                reason=reason,
            )
            for population, parent, events, parent_events, status, reason in (
                (name, "root", 500, 5001, "ok", None),
                ("lymphocytes", name, 400, 500, "warn", name),
                ("nk", "lymphocytes", 40, 400, "ok", None),
            )
        ],
        "cuts": [row("gates", sample=name, population=name, channel=name, edge="min", value=0.4, gate_source="data")],
        "checks": [
            row("qc", sample=name, check="readable", value=5001.0, status="pass"),
            row("qc", sample=name, check=name, value=3.0, limit=0.0, status="warn", reason=name),
            row("qc", sample=name, check=f"gate:{name}", status="skipped", reason=name),
        ],
        "subsets": subsets(name),
        "overrides": overrides(name),
        "pictures": [a_picture(name), a_picture("nk", parent="lymphocytes", expression="cd3 & !b")],
    }


def overrides(name: str = PLAIN) -> list[dict[str, Any]]:
    known = {"sample": name, "population": name, "who": name, "why": name, "when": "2026-03-01T10:00:00Z"}
    numbers = {"events": 30, "automatic_events": 40, "parent_events": 400, "automatic_source": "cohort"}
    return [
        row(
            "overrides",
            scope="sample",
            method="shift",
            settings=name,
            gate=name,
            automatic_gate=name,
            **known,
            **numbers,
        ),
        row("overrides", scope="batch", method="boolean", **known, **numbers),
    ]


def subsets(name: str = PLAIN) -> list[dict[str, Any]]:
    known = {"sample": name, "nk_events": 40, "status": "ok", "ci_low": 0.05, "ci_high": 0.9}
    return [
        row("subsets", subset="bright", events=4, fraction_of_nk=0.1, cl_id="CL:0000938", **known),
        row("subsets", subset=name, events=36, fraction_of_nk=0.9, reason=name, **known),
        row("subsets", sample=name, subset=f"state:{name}", nk_events=40, status="not_resolvable", reason=name),
    ]


def chimerism(name: str = PLAIN) -> list[dict[str, Any]]:
    known = {"sample": name, "patient": name, "events": 900, "antibody": name, "reason": name, "population": "nk"}
    limits = {"lob": 0.002, "lod": 0.02, "loq": 0.05}
    return [
        row("chimerism", day=-1.0, status="indeterminate", **known),
        row(
            "chimerism",
            day=7.0,
            status="quantified",
            category="mixed",
            donor_fraction=0.12,
            ci_low=0.1,
            ci_high=0.14,
            donor_cells_per_ul=12.0,
            donor_cells_ci_low=9.0,
            donor_cells_ci_high=15.0,
            **known,
            **limits,
        ),
        row(
            "chimerism",
            day=14.0,
            status="not_detected",
            donor_fraction=-0.001,
            ci_low=0.0,
            ci_high=0.01,
            **known,
            **limits,
        ),
    ]


def trajectories(name: str = PLAIN) -> list[dict[str, Any]]:
    known = {"patient": name, "unit": "cells/µL", "platform": name, "reason": name}
    values = {"observed_low": 9.0, "observed_high": 15.0, "fitted": 11.0, "fitted_low": 8.0, "fitted_high": 16.0}
    return [
        row("trajectories", measure="donor_nk", day=7.0, observed=12.0, censored=False, **known, **values),
        row("trajectories", measure="donor_nk", day=14.0, observed=2.0, observed_high=2.0, censored=True, **known),
        row("trajectories", measure="nk", day=7.0, observed=100.0, censored=False, **known),
        row("trajectories", measure="cd3", day=7.0, observed=0.0, observed_high=3.0, censored=False, **known),
        row("trajectories", measure="b_cells", day=7.0, censored=False, **known),
        row(
            "trajectories",
            measure=f"fraction:{name}",
            day=7.0,
            observed=0.9,
            observed_low=0.8,
            observed_high=0.95,
            censored=False,
            patient=name,
            unit="fraction",
            platform="none",
        ),
    ]


def kinetics(name: str = PLAIN) -> list[dict[str, Any]]:
    known = {"patient": name, "measure": "donor_nk", "n_points": 1, "reason": name}
    return [
        row("kinetics", quantity="cmax", value=12.0, ci_low=9.0, ci_high=15.0, unit="cells/µL", status="ok", **known),
        row("kinetics", quantity="tmax", value=7.0, unit="days", status="ok", **known),
        row("kinetics", quantity="tlast", value=7.0, unit="days", status="ok", **known),
        row(
            "kinetics", quantity="first_below", value=14.0, ci_low=7.0, ci_high=14.0, unit="days", status="ok", **known
        ),
        row("kinetics", quantity="half_life_days", unit="days", status="not_estimable", **known),
        row("kinetics", quantity=name, ci_low=0.0, ci_high=4.6, unit=name, status="censored", **known),
    ]


def subset_change(name: str = PLAIN) -> list[dict[str, Any]]:
    known = {"patient": name, "sample": name, "baseline_sample": name, "baseline_day": -1.0, "reason": name}
    known |= {"fraction": 0.2, "baseline_fraction": 0.1}
    found = {"log_ratio": math.log(2), "ci_low": math.log(1.5), "ci_high": math.log(3)}
    return [
        row("subset_change", subset=name, day=7.0, status="ok", **known, **found),
        row("subset_change", subset=name, day=14.0, status="censored", ci_low=math.log(4), ci_high=math.inf, **known),
        row("subset_change", subset=name, day=28.0, status="censored", ci_low=-math.inf, ci_high=0.0, **known),
        row("subset_change", subset=f"state:{name}", day=7.0, status="not_estimable", **known),
    ]


def subset_change_tests(name: str = PLAIN) -> list[dict[str, Any]]:
    known = {"subset": name, "n": 4, "method": name, "note": name, "smallest_p": 0.125, "p": 0.125, "alpha": 0.05}
    found = {"estimate": math.log(2), "ci_low": math.log(1.5), "ci_high": math.inf, "level_reached": 0.875}
    return [
        row("subset_change_tests", group="all", day=7.0, p_adjusted=0.125, **known, **found),
        row("subset_change_tests", group=f"arm:{name}", day=7.0, p_adjusted=0.25, **known),
    ]


def count_checks(name: str = PLAIN) -> list[dict[str, Any]]:
    two = {"population": name, "platform": "beads", "other_platform": "dual", "limit": 1.25, "reason": name}
    return [
        row("count_checks", day=7.0, check="lymphosum", sample=name, value=0.98, limit=0.05, status="ok"),
        row("count_checks", day=8.0, check="lymphosum", sample=name, value=0.7, limit=0.05, status="fail", reason=name),
        row("count_checks", day=7.0, check="platforms", sample=name, other_sample=name, value=0.9, status="ok", **two),
        row("count_checks", check="platforms", value=0.7, ci_low=0.6, ci_high=0.75, status="warn", **two),
    ]


def patient_values(name: str = PLAIN) -> dict[str, Any]:
    """What `patient_page` takes beside the patient."""
    return {
        "samples": [a_sample(name)],
        "counts": [
            row("counts", sample=name, patient=name, day=7.0, population="nk", reference_low=90.0, reference_high=900.0)
        ],
        "chimerism": chimerism(name),
        "trajectories": trajectories(name),
        "curves": [
            {
                "patient": name,
                "measure": "donor_nk",
                "platform": name,
                "day": day,
                "fitted": 11.0,
                "fitted_low": 8.0,
                "fitted_high": 16.0,
            }
            for day in (1.0, 7.0, 14.0)
        ],
        "kinetics": kinetics(name),
        "cuts": [{"patient": name, "marker": name, "cut": "12", "reason": name}],
        "subsets": subsets(name),
        "checks": sample_values(name)["checks"],
        "thresholds": {"nk": (100.0,)},
        "overrides": overrides(name),
        "events": [{"patient": name, "day": "3", "kind": name, "note": name}],
        "subset_change": subset_change(name),
        "count_checks": count_checks(name),
    }


def a_patient(name: str = PLAIN, **values: Any) -> Patient:
    return Patient(**{"patient": name, "arm": name, "donor": name, "sex": "F", "dose_per_kg": 1e6, **values})


def an_embedding(panel: str = PLAIN, **values: Any) -> Embedding:
    known = {
        "method": "umap",
        "samples": 2,
        "markers": ("CD16", panel),
        "rows": np.array([2, 0, 1, 3]),
        "places": np.array([(0, 0), (3, 1), (1, 2), (2, 2)], np.float32),
        "values": np.array([(0.7, 0.1), (0.2, 0.1), (0.7, 0.4), (0.7, 0.2)], np.float32),
        "cluster": np.array([1, 2, 0, 1], np.int32),
        "subset": np.array(["bright", panel, "", panel]),
    }
    return Embedding(**{"panel": panel, **known, **values})


def cohort_values(name: str = PLAIN) -> dict[str, Any]:
    """What `cohort_page` takes."""
    clusters = {"panel": name, "cl_id": "NA", "fraction": "0.5", "stability": "0.9"}
    clusters |= {"subset_share": "NA", "members": f"terminal 0.48, {name} 0.41"}
    return {
        "samples": [
            {"sample": name, "patient": name, "day": 7.0, "role": "timepoint", "panel": name, "batch": name},
            {"sample": "lone", "patient": None, "day": None, "role": "donor", "panel": name, "batch": name},
        ],
        "patients": [{"patient": name, "arm": name}, {"patient": "silent", "arm": ""}],
        "checks": [
            *sample_values(name)["checks"],
            row("qc", sample="lone", check="readable", status="fail", reason=name),
        ],
        "trajectories": trajectories(name),
        "kinetics": kinetics(name),
        "chimerism": chimerism(name),
        "summary": [row("cohort", measure="donor_nk", quantity="cmax", group=name, n=1, median=12.0, note=name)],
        "subsets": subsets(name),
        "overrides": overrides(name),
        "subset_change": subset_change(name),
        "subset_change_tests": subset_change_tests(name),
        "embeddings": [an_embedding(name)],
        "clusters": [
            clusters | {"cluster": "1", "subset": name, "CD16": "0.7", name: "0.1"},
            clusters | {"cluster": "2", "subset": "NA", "CD16": "NA", name: "0.4"},
        ],
    }
