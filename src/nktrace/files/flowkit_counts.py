"""Every population of a sample counted by another program, FlowKit, from the FCS file and our Gating-ML alone."""

from __future__ import annotations

from pathlib import Path

from nktrace.files.flowkit_reading import quiet_flowkit
from nktrace.files.gatingml import gate_id_of
from nktrace.files.tables import read_table


def flowkit_counts(fcs: Path, gates: Path) -> dict[str, int]:
    """Events per gate, as FlowKit finds them in the FCS file by the Gating-ML file.

    Raises:
        GatingError: FlowKit cannot read one of the two.
    """
    with quiet_flowkit(f"{fcs}, {gates}") as flowkit:
        session = flowkit.Session(flowkit.parse_gating_xml(str(gates)))
        session.add_samples(flowkit.Sample(str(fcs)))
        session.analyze_samples(use_mp=False)
        report = session.get_analysis_report()
    return {str(name): int(count) for name, count in zip(report["gate_name"], report["count"], strict=True)}


def recounted(fcs: Path, directory: Path) -> dict[str, tuple[int, int | None]]:
    """Our count and FlowKit's of every population of results/samples/SAMPLE; None where FlowKit has no such gate.

    Raises:
        GatingError: FlowKit cannot read the file or its gates.
    """
    rows = read_table(directory / "populations.tsv", "populations")
    theirs = flowkit_counts(fcs, directory / "gates.xml") if rows else {}
    return {row["population"]: (row["events"], theirs.get(gate_id_of(row["population"]))) for row in rows}
