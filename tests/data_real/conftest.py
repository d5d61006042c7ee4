"""Real files stand beside the project, never in it: a clone without them skips these tests and says so."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The directory of real files."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real files (../shared/data beside the project) are not here")
    return SHARED_DATA
