"""What a sample's quality has to say of the controls that its matrix comes from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from nktrace.model.quality import Check, Verdict
from nktrace.model.spillover import ControlReport, Usability

_MOST_RESIDUAL = 1e-3  # a slope of 0.1 %: 100 units beside a signal of 100,000


def controls_check(controls: Sequence[ControlReport]) -> Check:
    """The check `compensation_controls`: its value is the number of detectors whose row of the matrix is a unit row.

    Args:
        controls: a batch's report, spare and unusable controls included.
    """
    used = [control for control in controls if control.status is Usability.USED]
    served = {control.marker for control in used}
    lacking = {c.marker: c for c in controls if c.marker not in served}
    residuals = {c.marker: c.residual for c in used if not math.isnan(c.residual)}
    worst = max(residuals, key=residuals.__getitem__, default="")
    over = bool(worst) and residuals[worst] > _MOST_RESIDUAL
    reasons = [f"no usable control, so not compensated: {_listed(lacking.values())}"] if lacking else []
    if worst:
        reasons.append(f"largest slope left {residuals[worst]:.1g} ({worst})")
    status = Verdict.FAIL if not used else Verdict.WARN if lacking or over else Verdict.PASS
    return Check(check="compensation_controls", value=len(lacking), limit=0, status=status, reason="; ".join(reasons))


def _listed(controls: Iterable[ControlReport]) -> str:
    return ", ".join(f"{c.marker} ({c.status.value.replace('_', ' ')})" for c in controls)
