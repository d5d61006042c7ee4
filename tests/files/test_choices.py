"""The settings of one step: handed over by a rule, or typed by a person."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nktrace.files.choices import from_json, values_of
from nktrace.files.settings import Settings, part
from nktrace.model.errors import SettingsError


def test_a_step_gets_what_the_rule_hands_over() -> None:
    settings = Settings(data_dir="x", seed=7, kinetics={"confirm": False})
    got = from_json(part(settings, "kinetics", "gating"))
    assert got.seed == 7
    assert got.kinetics.confirm is False
    assert got.kinetics.thresholds == settings.kinetics.thresholds
    assert values_of(got.gating) == values_of(settings.gating) == settings.gating.model_dump()
    assert not hasattr(got, "counts"), "a step sees only the sections that its rule names"


def test_what_a_person_leaves_out_has_its_default() -> None:
    got = from_json('{"gating": {"bootstrap": 30}}')
    assert (got.gating.bootstrap, got.seed) == (30, Settings(data_dir="").seed)


@pytest.mark.parametrize("text", ["", "[]", "3", '{"sead": 1}', '{"gating": {"bootstrap": -1}}', '{"level": "high"}'])
def test_what_is_wrong_is_named(text: str) -> None:
    with pytest.raises(SettingsError, match="--settings"):
        from_json(text)


def test_settings_of_a_rule_are_taken_without_pydantic() -> None:
    program = (
        "import sys\nfrom nktrace.files.choices import from_json\n"
        "from_json(sys.argv[1])\nprint('pydantic' in sys.modules)"
    )
    text = part(Settings(data_dir="x"), "gating")
    done = subprocess.run([sys.executable, "-c", program, text], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
