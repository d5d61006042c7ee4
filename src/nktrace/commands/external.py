"""`nktrace external`: a patient's donor chimerism by other methods (STR, qPCR, ddPCR) beside flow."""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nktrace.files.choices import from_json
from nktrace.files.rows import load_patient, load_rows
from nktrace.files.tables import read_table, write_table
from nktrace.model.chimerism import ChimerismStatus, of_all_donors
from nktrace.model.counting import Platform
from nktrace.model.external import UNGATED, Comparison, External, Measured, Rest
from nktrace.model.gates import Status
from nktrace.model.intervals import Interval
from nktrace.model.study import Sample

if TYPE_CHECKING:
    from nktrace.science.external_chimerism import FlowSample

KNOWN = (ChimerismStatus.NOT_DETECTED, ChimerismStatus.DETECTED, ChimerismStatus.QUANTIFIED)

Row = Mapping[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("samples", nargs="*", type=Path, metavar="SAMPLE_DIR", help="results/samples/SAMPLE")
    parser.add_argument("--patient", required=True, type=load_patient, metavar="ROW", help="the patient's row as JSON")
    parser.add_argument("--external", required=True, metavar="ROWS", help="its rows of external_chimerism.tsv as JSON")
    parser.add_argument("--settings", required=True, type=from_json, metavar="JSON")
    parser.add_argument("--chimerism", required=True, help="chimerism.tsv of the patient")
    parser.add_argument("--counts", required=True, help="counts.tsv of the patient")
    parser.add_argument("--output", required=True, help="external_chimerism.tsv")


def run(args: argparse.Namespace) -> int:
    """Write external_chimerism.tsv."""
    from nktrace.science.external_chimerism import compare

    samples = _flow_samples(args)
    choices = args.settings.external
    found = [
        compare(external, samples, window=choices.window, rest=Rest(choices.rest))
        for external in map(_external, load_rows(args.external, "--external"))
    ]
    write_table(args.output, "external_chimerism", map(_row, found))
    return 0


def _flow_samples(args: argparse.Namespace) -> list[FlowSample]:
    from nktrace.science.external_chimerism import FlowSample

    samples = {sample.sample: sample for sample in args.patient.samples}
    chimerism, counts = defaultdict(list), defaultdict(list)
    for row in of_all_donors(read_table(args.chimerism, "chimerism")):
        chimerism[row["sample"]].append(row)
    for row in read_table(args.counts, "counts"):
        counts[row["sample"]].append(row)
    return [
        FlowSample(
            sample=directory.name,
            day=samples[directory.name].day,
            material=samples[directory.name].material,
            chimerism={
                row["population"]: _measured(row) for row in chimerism[directory.name] if row["status"] in KNOWN
            },
            shares=_shares(read_table(directory / "populations.tsv", "populations"), args.settings.level),
            blood_shares=_blood_shares(counts[directory.name], samples[directory.name]),
        )
        for directory in args.samples
        if directory.name in chimerism
    ]


def _measured(row: Row) -> Measured:
    return Measured(
        fraction=Interval(row["donor_fraction"], row["ci_low"], row["ci_high"]),
        detected=row["status"] != ChimerismStatus.NOT_DETECTED,
        lod=row["lod"],
    )


def _shares(populations: Sequence[Row], level: float) -> dict[tuple[str, str], Interval]:
    """The share of each population in the denominators, as the sample was stained."""
    from nktrace.science.external_chimerism import PARTS
    from nktrace.science.intervals import wilson

    events = {row["population"]: row["events"] for row in populations if row["status"] != Status.FAIL}
    return {
        (whole, name): wilson(count, events[whole], level)
        for whole in PARTS
        if events.get(whole)
        for name, count in events.items()
        if count <= events[whole]
    }


def _blood_shares(counts: Sequence[Row], sample: Sample) -> dict[tuple[str, str], Interval]:
    """The share of each population in blood: its concentration over that of all leucocytes, or of the lymphocytes."""
    counted = {
        row["population"]: Interval(row["cells_per_ul"], row["ci_low"], row["ci_high"])
        for row in counts
        if row["platform"] != Platform.NONE and not math.isnan(row["cells_per_ul"])
    }
    wholes = {UNGATED: sample.wbc_per_ul}
    if "lymphocytes" in counted:
        wholes["lymphocytes"] = counted["lymphocytes"].value
    return {
        (whole, name): Interval(*(min(1.0, end / total) for end in (cells.value, cells.low, cells.high)))
        for whole, total in wholes.items()
        if total > 0
        for name, cells in counted.items()
    }


def _external(row: Row) -> External:
    value, low, high, lod = (float(row[name] or "nan") for name in ("donor_fraction", "ci_low", "ci_high", "lod"))
    return External(
        patient=row["patient"],
        day=float(row["day"]),
        material=row["material"],
        population=row["population"] or UNGATED,
        method=row["method"],
        measured=Measured(
            fraction=Interval(value, low, high), detected=not (value == 0 or (lod == lod and value < lod)), lod=lod
        ),
    )


def _row(found: Comparison) -> dict[str, Any]:
    external, flow = found.external, found.flow
    other = external.measured
    return {
        "patient": external.patient,
        "day": external.day,
        "material": external.material,
        "population": external.population,
        "method": external.method,
        "external_fraction": other.fraction.value,
        "external_low": other.fraction.low,
        "external_high": other.fraction.high,
        "external_lod": other.lod,
        "external_censored": None if math.isnan(other.fraction.value) else not other.detected,
        "sample": found.sample,
        "flow_day": found.day,
        "lineages": "+".join(found.lineages),
        "covered": found.covered,
        "flow_fraction": flow.fraction.value,
        "flow_low": flow.fraction.low,
        "flow_high": flow.fraction.high,
        "flow_lod": flow.lod,
        "flow_censored": not flow.detected if found.lineages else None,
        "difference": found.difference.value,
        "difference_low": found.difference.low,
        "difference_high": found.difference.high,
        "status": found.status.value,
        "reason": found.reason,
    }
