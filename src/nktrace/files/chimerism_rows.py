"""How a donor fraction is written: the cells that chimerism.tsv and dilution.tsv share."""

from __future__ import annotations

from typing import Any

from nktrace.model.chimerism import ChimerismRow, Estimate


def estimate_cells(row: ChimerismRow) -> dict[str, Any]:
    """Marker events, rates of the controls, donor fraction, limits, status and reason.

    The rates are of all events of the population, as `marker_events` are: by two antibodies some are in no class.
    """
    controls = row.controls
    return fraction_cells(row.estimate) | {
        "marker_events": row.counts.positive if controls else None,
        "direction": row.direction,
        "antibody": row.antibody,
        "false_positive_rate": controls.blank.rate_of_total if controls else None,
        "sensitivity": controls.donor.rate_of_total if controls else None,
        "reason": row.reason,
    }


def fraction_cells(found: Estimate) -> dict[str, Any]:
    """Donor fraction, limits and status."""
    return {
        "donor_fraction": found.fraction.value,
        "ci_low": found.fraction.low,
        "ci_high": found.fraction.high,
        "lob": found.limits.lob,
        "lod": found.limits.lod,
        "loq": found.limits.loq,
        "status": found.status.value,
    }
