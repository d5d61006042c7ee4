"""Every population of a sample counted by another program, from the FCS file and our Gating-ML alone."""

from __future__ import annotations

import warnings
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its imports warn
    import flowkit

from nktrace.files.tables import read_table


def flowkit_counts(fcs: Path, gates: Path) -> dict[str, int]:
    """Events per gate, as FlowKit finds them in the FCS file by the Gating-ML file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = flowkit.Session(flowkit.parse_gating_xml(str(gates)))
        session.add_samples(flowkit.Sample(str(fcs)))
        session.analyze_samples(use_mp=False)
        report = session.get_analysis_report()
    return dict(zip(report["gate_name"], report["count"].astype(int), strict=True))


def differences(fcs: Path, directory: Path) -> tuple[dict[str, tuple[int, int | None]], int]:
    """Populations of results/samples/SAMPLE counted otherwise, as (ours, theirs), and how many there were."""
    theirs = flowkit_counts(fcs, directory / "gates.xml")
    ours = {row["population"]: row["events"] for row in read_table(directory / "populations.tsv", "populations")}
    other = {
        name: (ours.get(name, -1), theirs.get(name)) for name in ours | theirs if ours.get(name) != theirs.get(name)
    }
    return other, len(ours)
