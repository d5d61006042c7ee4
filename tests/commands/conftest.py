"""Fixtures of the commands' tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.chimerism_cohort import BLANK, PRODUCT, Cohort


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    made = Cohort(tmp_path)
    made.add(BLANK)
    made.add(PRODUCT, 1.0)
    return made
