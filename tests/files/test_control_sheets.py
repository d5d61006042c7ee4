"""The sheets of a study whose matrix comes from single stains."""

from __future__ import annotations

import pytest

from nktrace.files.panels import read_panel
from nktrace.files.sheets import read_study
from nktrace.files.study_notes import notes
from nktrace.model.errors import StudyFaults


class TestControls:
    """`compensation` = `controls`."""

    @staticmethod
    def rows(study, *lines: str) -> None:
        head = "sample\tpatient\tday\trole\tstain\tpanel\tbatch\tfcs\tcompensation"
        study.write("samples.tsv", [head, *lines])

    ASKS = "S1\tP1\t-1\tblank\tNA\tmain\tB1\ts1.fcs\tcontrols"

    def test_single_stains_of_the_batch_serve(self, written_study):
        self.rows(written_study, self.ASKS, "C1\tNA\tNA\tsingle_stain\tBV605-A\tmain\tB1\tf1.fcs\tkeyword")
        study, _ = read_study(written_study.path)
        assert [sample.sample for sample in study.controls_of("B1", "main")] == ["C1"]

    def test_none_of_the_batch_is_one_fault_for_all_its_samples(self, written_study):
        more = "S2\tP1\t7\ttimepoint\tNA\tmain\tB1\ts2.fcs\tcontrols"
        self.rows(written_study, self.ASKS, more, "C1\tNA\tNA\tsingle_stain\tCD56\tmain\tB2\tf1.fcs\tkeyword")
        with pytest.raises(StudyFaults) as error:
            read_study(written_study.path)
        assert len(error.value.faults) == 1
        assert "B1" in str(error.value)
        assert "1 more row" in str(error.value)

    @pytest.mark.parametrize("stain", ["CD99", "FSC-A", "Time"])
    def test_a_stain_that_no_fluorescence_detector_sees_is_a_fault(self, written_study, stain):
        self.rows(written_study, self.ASKS, f"C1\tNA\tNA\tsingle_stain\t{stain}\tmain\tB1\tf1.fcs\tkeyword")
        with pytest.raises(StudyFaults) as error:
            read_study(written_study.path)
        assert [fault.column for fault in error.value.faults] == ["stain"]

    def test_check_names_the_detectors_without_a_control(self, written_study):
        self.rows(written_study, self.ASKS, "C1\tNA\tNA\tsingle_stain\tCD56\tmain\tB1\tf1.fcs\tkeyword")
        study, _ = read_study(written_study.path)
        panel = read_panel(written_study.path / "config" / "panels" / "main.tsv")
        lines = list(notes(study, {"main": panel}, with_volume=()))
        assert any(line.startswith("CD3, HLA-A2: no single stain") for line in lines)
        assert any("no unstained tube" in line for line in lines)
