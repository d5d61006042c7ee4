"""Which files of a study can be mixed: a patient's own blank and donor reference, stained with one panel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nktrace.files.nearest import suggestion
from nktrace.files.panels import read_panel
from nktrace.model.errors import NktraceError
from nktrace.model.panel import Kind
from nktrace.model.study import EX_VIVO, Role, Sample, Study

Pairs = dict[tuple[str, str], tuple[Sample, Sample]]


def dilution_pairs(study: Study, *, patients: Sequence[str], directory: Path) -> Pairs:
    """Blank and donor reference by patient and panel, where the panel has an HLA marker and both are gated by us.

    Of several blanks the last, a baseline only where there is none; of several donor references the first.

    Args:
        patients: whose; empty for all.
        directory: of the study.

    Raises:
        NktraceError: there is no such patient.
    """
    for name in patients:
        if name not in study.patients:
            where = f"{directory / 'config' / 'config.yaml'}, dilution.patients"
            raise NktraceError(f"there is no patient '{name}'", where=where, mend=suggestion(name, study.patients))
    stained = [name for name, path in study.panels.items() if read_panel(directory / path).of_kind(Kind.HLA)]
    found: Pairs = {}
    for patient in patients or study.patients:
        for panel in stained:
            blanks = sorted(_usable(study.own_blanks(patient), panel, study), key=lambda s: s.role is Role.BLANK)
            known, alone = study.patients[patient], len(study.donors_of(patient)) == 1
            references = [s for s in study.donor_references(patient) if alone or s.donor == known.donor]
            donors = _usable(references, panel, study)
            if blanks and donors:
                found[patient, panel] = blanks[-1], donors[0]
    return found


def _usable(samples: Sequence[Sample], panel: str, study: Study) -> list[Sample]:
    return [s for s in samples if s.panel == panel and s.condition == EX_VIVO and s.sample not in study.imports]
