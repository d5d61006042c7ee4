"""Pictures of quality checks as they come from the gate step, small."""

from __future__ import annotations

import numpy as np

from nktrace.model.quality_pictures import (
    ControlPicture,
    Course,
    DriftPicture,
    FlowPicture,
    QualityPictures,
    SpillPicture,
)


def pictures(name: str = "CD3") -> QualityPictures:
    """One of each; `name` is every marker's and batch's."""
    seconds = np.arange(20.0)
    shift = np.linspace(-0.5, 0.5, 20)
    shift[3] = np.nan
    course = Course(channel=name, peak="positive", seconds=seconds, shift=shift, error=np.full(20, 0.1), drift=0.8)
    removed = np.zeros(12)
    removed[5:7] = 1.0
    return QualityPictures(
        flow=FlowPicture(
            borders=np.arange(13.0),
            rate=np.where(removed > 0, 100.0, 1_000.0),
            removed=removed,
            usual=1_000.0,
            limit=0.5,
        ),
        drift=DriftPicture(courses=(course,), limit=0.5),
        spill=SpillPicture(
            source=name,
            receiver="CD8",
            x_range=(-100.0, 50_000.0),
            y_range=(-500.0, 3_000.0),
            counts=np.arange(16, dtype=np.uint32).reshape(4, 4),
            x=np.array([0.0, 2e4, 4e4]),
            y=np.array([50.0, 1_000.0, 2_000.0]),
            slope=0.05,
            low=0.04,
            high=0.06,
            intercept=40.0,
        ),
        control=ControlPicture(
            marker=name,
            batches=("b1", name, "b3"),
            own=name,
            negative=np.array([0.2, 0.2, 0.21]),
            positive=np.array([0.7, 0.55, 0.71]),
            ticks=((0.2, 0.0), (0.5, 1e3), (0.7, 1e4), (0.71, 1.1e4)),
        ),
    )
