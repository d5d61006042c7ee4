"""How a donor fraction is written: the cells that chimerism.tsv and dilution.tsv share."""

from __future__ import annotations

from typing import Any

from nktrace.model.chimerism import ChimerismRow


def estimate_cells(row: ChimerismRow) -> dict[str, Any]:
    """Marker events, rates of the controls, donor fraction, limits, status and reason.

    The rates are of all events of the population, as `marker_events` are: by two antibodies some are in no class.
    """
    found, controls = row.estimate, row.controls
    return {
        "marker_events": row.counts.positive if controls else None,
        "direction": row.direction,
        "antibody": row.antibody,
        "false_positive_rate": controls.blank.rate_of_total if controls else None,
        "sensitivity": controls.donor.rate_of_total if controls else None,
        "donor_fraction": found.fraction.value,
        "ci_low": found.fraction.low,
        "ci_high": found.fraction.high,
        "lob": found.limits.lob,
        "lod": found.limits.lod,
        "loq": found.limits.loq,
        "status": found.status.value,
        "reason": row.reason,
    }
