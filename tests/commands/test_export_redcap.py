"""`nktrace export --format redcap`: a data dictionary that REDCap takes, and an import that fits it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from nktrace.files.export_redcap import DICTIONARY, FORMS
from tests.commands.finished_study import cells, export, finished_study, tables

DIED = ("died_before", "died_later")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return finished_study(tmp_path)


def test_the_data_dictionary_keeps_the_rules_of_redcap(study: Path) -> None:
    output = export(study, "--format", "redcap")
    fields = cells(output / "redcap" / "data_dictionary.csv")
    assert tuple(fields[0]) == DICTIONARY
    assert len(DICTIONARY) == 18
    names = [field["Variable / Field Name"] for field in fields]
    assert names[0] == "record_id"
    assert len(set(names)) == len(names)
    for field in fields:
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,25}", field["Variable / Field Name"])
        assert not field["Variable / Field Name"].endswith("_")
        assert re.fullmatch(r"[a-z][a-z0-9_]*", field["Form Name"])
        assert field["Field Type"] in ("text", "notes", "dropdown")
        assert field["Text Validation Type OR Show Slider Number"] in ("", "number", "integer")
        assert field["Field Label"]
        listed = field["Choices, Calculations, OR Slider Labels"]
        assert bool(listed) is (field["Field Type"] == "dropdown")
        codes = [choice.split(", ", 1)[0] for choice in listed.split(" | ")] if listed else []
        assert len(set(codes)) == len(codes)
        assert all(re.fullmatch(r"[a-z0-9_]+", code) for code in codes)
    forms = [field["Form Name"] for field in fields]
    assert list(dict.fromkeys(forms)) == sorted(set(forms), key=forms.index), "the fields of a form stand together"


def test_the_import_fits_the_dictionary(study: Path) -> None:
    output = export(study, "--format", "redcap") / "redcap"
    fields = {field["Variable / Field Name"]: field for field in cells(output / "data_dictionary.csv")}
    rows = cells(output / "import.csv")
    structure = ("redcap_repeat_instrument", "redcap_repeat_instance")
    assert set(rows[0]) == {*fields, *structure}
    assert [row["record_id"] for row in rows if not row["redcap_repeat_instrument"]] == ["P1"], "P2 has no sample"
    keys = Counter((row["record_id"], *(row[name] for name in structure)) for row in rows)
    assert max(keys.values()) == 1
    for each in rows:
        form = each["redcap_repeat_instrument"] or "nk_patient"
        for name, value in each.items():
            if not value or name in (*structure, "record_id"):
                continue
            field = fields[name]
            assert field["Form Name"] == form, "a row of an instrument has only its own fields"
            validation = field["Text Validation Type OR Show Slider Number"]
            if validation == "number":
                assert re.fullmatch(r"-?\d+(\.\d+)?", value)
            if validation == "integer":
                assert re.fullmatch(r"-?\d+", value)
            if field["Field Type"] == "dropdown":
                listed = field["Choices, Calculations, OR Slider Labels"].split(" | ")
                assert value in [choice.split(", ", 1)[0] for choice in listed]


def test_values_bounds_status_and_reason_arrive(study: Path) -> None:
    rows = cells(export(study, "--format", "redcap") / "redcap" / "import.csv")
    instruments = Counter(row["redcap_repeat_instrument"] for row in rows)
    expected = {f"nk_{table}": len(tables()[table]) for table in FORMS}
    assert instruments == Counter(expected | {"": 1})
    base = next(row for row in rows if row["ch_sample"] == "P1-base")
    assert (base["ch_day"], base["ch_donor_fraction"], base["ch_ci_low"], base["ch_status"]) == (
        *("-1", "0.12", "0.1"),
        "detected",
    )
    tiny = next(row for row in rows if row["cn_population"] == "my_own_population_of_some_length")
    assert tiny["cn_cells_per_ul"] == "0.0000001"
    open_bound = next(row for row in rows if row["kn_quantity"] == "time_to_threshold_100")
    assert (open_bound["kn_value"], open_bound["kn_ci_high"], open_bound["kn_status"]) == ("", "", "censored")
    assert {row["sb_day"] for row in rows if row["sb_subset"] == "bright"} == {"0"}


def test_never_is_told_from_not_yet(study: Path) -> None:
    """A cell cannot hold the infinite time of who died before the threshold."""
    output = export(study, "--format", "redcap") / "redcap"
    rows = {row["kn_quantity"]: row for row in cells(output / "import.csv") if row["kn_quantity"]}
    told = {name: (row["kn_value"], row["kn_ci_low"], row["kn_outcome"]) for name, row in rows.items()}
    assert told == {
        "cmax": ("12", "", ""),
        "time_to_threshold_0": ("5.5", "4", "reached"),
        "time_to_threshold_1": ("", "30", "died_before"),
        "time_to_threshold_2": ("", "", ""),
        "time_to_threshold_100": ("", "", "censored"),
    }
    fields = {field["Variable / Field Name"]: field for field in cells(output / "data_dictionary.csv")}
    listed = fields["kn_outcome"]["Choices, Calculations, OR Slider Labels"]
    assert [choice.split(", ")[0] for choice in listed.split(" | ")] == ["reached", "censored", *DIED]
    said = (output / "README.md").read_text(encoding="utf-8")
    assert all(f"`{word}`" in said for word in ("kn_outcome", *DIED))


def test_who_died_after_time_without_visits_is_not_waiting_any_more(study: Path) -> None:
    (study / "config" / "patients.tsv").write_text("patient\tdeath_day\nP1\t90\n", encoding="utf-8")
    rows = {row["kn_quantity"]: row for row in cells(export(study, "--format", "redcap") / "redcap" / "import.csv")}
    told = [rows[f"time_to_threshold_{name}"]["kn_outcome"] for name in (0, 1, 2, 100)]
    assert told == ["reached", "died_before", "", "died_later"]


def test_the_choices_of_a_status_do_not_depend_on_who_has_it(study: Path) -> None:
    fields = cells(export(study, "--format", "redcap") / "redcap" / "data_dictionary.csv")
    listed = {f["Variable / Field Name"]: f["Choices, Calculations, OR Slider Labels"] for f in fields}
    assert listed["cn_status"] == "ok, ok | warn, warn | fail, fail | not_available, not_available"
