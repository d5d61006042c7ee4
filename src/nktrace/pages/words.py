"""How numbers and names are written for people."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from nktrace.figures.axes import power_of_ten

NOT_AVAILABLE = "–"
_NARROW_SPACE = "\u202f"


def number(value: float | None) -> str:
    """Three significant digits, whole numbers whole, thousands apart, powers of ten for the huge and the tiny."""
    if value is None or math.isnan(value):
        return NOT_AVAILABLE
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if size == 0:
        return "0"
    if isinstance(value, int) or size < 1e6:
        if size >= 100 or value == int(value):
            return f"{value:,.0f}".replace(",", _NARROW_SPACE).replace("-", "−")
        if size >= 1e-4:
            return f"{value:.3g}".replace("-", "−")
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.').replace('-', '−')}\u2009×\u2009{power_of_ten(int(exponent))}"


def percent(value: float | None) -> str:
    """A fraction as per cent, with more digits where it is near nothing or near all."""
    figure = share(value)
    return figure if figure == NOT_AVAILABLE else f"{figure}{_NARROW_SPACE}%"


def share(value: float | None) -> str:
    """A fraction as per cent, without the sign."""
    if value is None or math.isnan(value):
        return NOT_AVAILABLE
    per_cent = 100 * value
    if per_cent in (0, 100):
        return f"{per_cent:.0f}"
    size = abs(per_cent)
    if size < 0.0005:
        return "<0.001" if per_cent > 0 else ">−0.001"
    if 99.995 <= size < 100:
        return ">99.99" if per_cent > 0 else "<−99.99"
    digits = 3 if size < 1 else 2 if size < 10 or 99 < size < 100 else 1
    return f"{per_cent:.{digits}f}".replace("-", "−")


def day(value: float | None) -> str:
    """A day as short as it can be written."""
    if value is None or math.isnan(value):
        return NOT_AVAILABLE
    return f"{value:.6g}".replace("-", "−")


def _clipped(value: float | None) -> str:
    return percent(None if value is None else min(max(value, 0.0), 1.0))


# what an interval shows -> (the value, each of its ends)
_SHOWN: dict[str, tuple[Callable[[float | None], str], Callable[[float | None], str]]] = {
    "number": (number, number),
    "percent": (percent, share),
    "fraction": (_clipped, share),
    "day": (day, day),
}


def interval(
    row: Mapping[str, Any], value: str, low: str = "ci_low", high: str = "ci_high", show: str = "number"
) -> str:
    """A value with its interval: `12 (9 to 15)`; where only bounds are known, these: `< 4.6`, `> 14`.

    `show` is number, percent, day, or fraction: per cent, with the point clipped to 0..1 as in all displays.
    """
    whole, end = _SHOWN[show]
    least, most = row[low], row[high]
    if _missing(row[value]):
        return _bounds(least, most, whole, end)
    if _missing(least) and _missing(most):
        return whole(row[value])
    return f"{whole(row[value])} ({end(least)} to {end(most)})"


def _bounds(
    low: float | None, high: float | None, whole: Callable[[float | None], str], end: Callable[[float | None], str]
) -> str:
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return NOT_AVAILABLE
    if math.isinf(high):
        return f"> {whole(low)}"
    return f"< {whole(high)}" if low <= 0 else f"{end(low)} to {whole(high)}"


_LABELS = {
    "nk": "NK cells",
    "nk_bright": "NK bright",
    "nk_dim": "NK dim",
    "donor_nk": "Donor NK cells",
    "cd3": "CD3+ T cells",
    "cd4_t": "CD4 T cells",
    "cd8_t": "CD8 T cells",
    "t_cells": "T cells (CD3+ CD56−)",
    "nkt_like": "NKT-like (CD3+ CD56+)",
    "b_cells": "B cells",
    "lymphocytes": "Lymphocytes",
    "cmax": "Peak (Cmax)",
    "tmax": "Day of the peak (Tmax)",
    "tlast": "Last detected (Tlast)",
    "first_below": "First below detection",
    "auc": "Area under the curve",
    "cmax_net": "Peak above the baseline",
    "auc_net": "Area above the baseline",
    "half_life_days": "Half-life",
    "doubling_time_days": "Doubling time",
    "recovery_slope": "Recovery from the nadir",
    "detected": "Patients in whom they are detected, share",
    "ever_detected": "Patients in whom they were ever detected, share",
    "nadir_day": "Day of the nadir",
    "duplicate_cd3": "CD3 in two tubes",
    "lymphosum": "Sum of the lineages",
    "cl_id": "Cell Ontology",
    "nk_unassigned": "NK cells in no cluster",
    "donor_t_cells": "Donor T cells after a product of NK cells alone",
    "nk_alignment": "NK markers aligned by the batch's control",
    "nk_shifts": "NK markers beside the reference",
}


def label(name: str | None) -> str:
    """A population, measure or quantity as people write it."""
    if name is None:
        return ""
    if name.startswith("days_in_grade:"):
        return f"Days in grade {name.removeprefix('days_in_grade:')}"
    if name.startswith("time_to_threshold:"):
        return f"Days to {name.removeprefix('time_to_threshold:')} cells/µL"
    if name.startswith("reached:"):
        return f"Patients who reached {name.removeprefix('reached:')} cells/µL, share"
    words = name.removeprefix("fraction:").replace("state:", "state: ").replace("nk_shift:", "NK shift: ")
    if name.startswith("donor_nk:"):
        return f"NK cells of donor {name.removeprefix('donor_nk:')}"
    return _LABELS.get(name) or words.replace("_", " ")


def _missing(value: float | None) -> bool:
    return value is None or math.isnan(value)
