"""The settings of one step, as it gets them on its command line.

Rules hand over what was checked when config.yaml was read, and mark it so: it is taken as it is, since checking it
again would load pydantic (0.3 s) in each of thousands of processes. What a person types is checked.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from nktrace.model.errors import SettingsError

if TYPE_CHECKING:
    from nktrace.files.settings import Settings

CHECKED = "checked"


def from_json(text: str) -> Settings:
    """The settings of one step, from the JSON of `settings.part` or as typed; what is left out then has its default.

    Raises:
        SettingsError: no JSON object, or a setting that does not exist or has a value that it cannot have.
    """
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(f"not JSON ({error})", where="--settings") from None
    if isinstance(values, dict) and values.pop(CHECKED, None) is True:
        sections = {name: SimpleNamespace(**v) if isinstance(v, dict) else v for name, v in values.items()}
        return cast("Settings", SimpleNamespace(**sections))
    return _checked(values)


def values_of(section: object, *, without: str = "") -> dict[str, Any]:
    """The settings of a section by name, apart from one that is not wanted."""
    return {name: value for name, value in vars(section).items() if name != without}


def _checked(values: object) -> Settings:
    from pydantic import ValidationError

    from nktrace.files.settings import Settings

    if not isinstance(values, dict):
        raise SettingsError("not a JSON object", where="--settings")
    try:
        return Settings.model_validate({"data_dir": ""} | values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{name}: {first['msg']}", where="--settings") from None
