"""Which column of a file each marker stands in."""

from __future__ import annotations

import pytest

from nktrace.model.errors import PanelMismatch
from nktrace.model.panel import Detector, Kind, Panel, bind


def panel(*channels: str) -> Panel:
    return Panel("nk", tuple(Detector(channel=c, marker=f"M{i}", kind=Kind.LINEAGE) for i, c in enumerate(channels)))


def test_names_win_over_labels_and_aliases_are_tried() -> None:
    found = bind(panel("CD56|BV605-A", "APC-A"), names=("Time", "APC-A", "BV605-A"), labels=("", "CD56x", "CD3"))
    assert found == {"M0": 2, "M1": 1}


def test_a_label_is_found_letter_case_apart() -> None:
    assert bind(panel("cd56"), names=("FL1-A", "FL2-A"), labels=("CD3", "CD56")) == {"M0": 1}


def test_two_matches_name_both_columns() -> None:
    with pytest.raises(PanelMismatch, match=r"FL1-A \(CD56\) and FL2-A \(CD56\)"):
        bind(panel("CD56"), names=("FL1-A", "FL2-A"), labels=("CD56", "CD56"))


def test_all_missing_detectors_are_named_at_once() -> None:
    with pytest.raises(PanelMismatch, match=r"M0 .*M1"):
        bind(panel("X-A", "Y-A"), names=("FL1-A",), labels=("",))


def test_one_column_is_not_two_markers() -> None:
    with pytest.raises(PanelMismatch, match="both column FL1-A"):
        bind(panel("FL1-A", "CD3"), names=("FL1-A",), labels=("CD3",))


def test_ignored_detectors_may_be_absent() -> None:
    sheet = Panel("nk", (Detector(channel="none", marker="none", kind=Kind.IGNORE),))
    assert bind(sheet, names=("FL1-A",), labels=("",)) == {}
