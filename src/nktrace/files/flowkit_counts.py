"""Every population of a sample counted by another program, FlowKit, from the FCS file and our Gating-ML alone."""

from __future__ import annotations

import warnings
from pathlib import Path

from nktrace.files.tables import read_table


def flowkit_counts(fcs: Path, gates: Path) -> dict[str, int]:
    """Events per gate, as FlowKit finds them in the FCS file by the Gating-ML file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # FlowKit warns at import, and of every column that it does not use
        import flowkit

        session = flowkit.Session(flowkit.parse_gating_xml(str(gates)))
        session.add_samples(flowkit.Sample(str(fcs)))
        session.analyze_samples(use_mp=False)
        report = session.get_analysis_report()
    return {str(name): int(count) for name, count in zip(report["gate_name"], report["count"], strict=True)}


def recounted(fcs: Path, directory: Path) -> dict[str, tuple[int, int | None]]:
    """Our count and FlowKit's of every population of results/samples/SAMPLE; None where FlowKit has no such gate."""
    theirs = flowkit_counts(fcs, directory / "gates.xml")
    rows = read_table(directory / "populations.tsv", "populations")
    return {row["population"]: (row["events"], theirs.get(row["population"])) for row in rows}
