"""What became of gates that were drawn elsewhere: against the other program's members, counts and matrix."""

from __future__ import annotations

import numpy as np

from nktrace.model.compensation import Spillover
from nktrace.model.imports import ImportedGates
from nktrace.model.quality import Check, Verdict

MAX_STORED = 0.01  # FlowJo decides polygons on a grid of its display: counts differ by a few events
FEW_EVENTS = 5
MAX_MATRIX = 1e-3


def import_checks(imported: ImportedGates, *, spillover: Spillover | None) -> list[Check]:
    """Checks of imported gates.

    `import_members`: events on another side of a gate than FlowKit has them (none are allowed). `import_counts`: the
    largest share by which a count differs from the one that a workspace stores; every difference is in the reason.
    `import_matrix`: the largest difference between the matrix that the gates were drawn on and the sample's own.

    Args:
        imported: as read.
        spillover: what the sample's other numbers are compensated by.
    """
    found = [_members(imported)]
    if imported.stored:
        found.append(_counts(imported))
    found.append(_matrix(imported.spillover, spillover))
    if imported.notes:
        found.append(Check(check="import_reading", status=Verdict.WARN, reason="; ".join(imported.notes)))
    return found


def differences(imported: ImportedGates) -> dict[str, tuple[int, int]]:
    """Events here and events stored of each population where these are not the same."""
    here = {name: int(np.count_nonzero(imported.masks[name])) for name in imported.stored}
    return {name: (here[name], stored) for name, stored in imported.stored.items() if here[name] != stored}


def _members(imported: ImportedGates) -> Check:
    total = sum(imported.differing.values())
    reason = "; ".join(f"{name}: {count} events" for name, count in imported.differing.items())
    reason = f"members are other events than FlowKit's in {reason}" if reason else ""
    status = Verdict.WARN if total else Verdict.PASS
    return Check(check="import_members", value=total, limit=0, status=status, reason=reason)


def _counts(imported: ImportedGates) -> Check:
    different = differences(imported)
    shares = {name: abs(here - stored) / max(stored, 1) for name, (here, stored) in different.items()}
    far = any(shares[name] > MAX_STORED and abs(here - there) > FEW_EVENTS for name, (here, there) in different.items())
    reason = "; ".join(
        f"{name}: {here} events, the workspace stores {there}" for name, (here, there) in different.items()
    )
    return Check(
        check="import_counts",
        value=max(shares.values(), default=0.0),
        limit=MAX_STORED,
        status=Verdict.WARN if far else Verdict.PASS,
        reason=reason,
    )


def _matrix(drawn: Spillover | None, own: Spillover | None) -> Check:
    if drawn is None:
        return Check(check="import_matrix", status=Verdict.SKIPPED, reason="the gates refer to no matrix")
    if own is None:
        reason = "the gates were drawn on compensated data, and the sample is not compensated"
        return Check(check="import_matrix", limit=MAX_MATRIX, status=Verdict.WARN, reason=reason)
    names = sorted({*drawn.detectors, *own.detectors})
    apart = np.abs(_over(names, drawn) - _over(names, own))
    largest = float(apart.max())
    row, column = np.unravel_index(int(np.argmax(apart)), apart.shape)
    reason = (
        f"the gates were drawn on another matrix than the sample's: {names[row]} into {names[column]} by {largest:.3g}"
    )
    far = largest > MAX_MATRIX
    return Check(
        check="import_matrix",
        value=largest,
        limit=MAX_MATRIX,
        status=Verdict.WARN if far else Verdict.PASS,
        reason=reason if far else "",
    )


def _over(names: list[str], spillover: Spillover) -> np.ndarray:
    matrix = np.eye(len(names))
    index = [names.index(detector) for detector in spillover.detectors]
    matrix[np.ix_(index, index)] = spillover.matrix
    return matrix
