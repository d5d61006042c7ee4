"""From values to one self-contained HTML file: templates with autoescape."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from nktrace import __version__
from nktrace.pages import words

_TEMPLATES = Path(__file__).parent / "templates"
_FILTERS: tuple[Callable[..., str], ...] = (words.number, words.percent, words.day, words.label, words.interval)


def page(template: str, /, **values: Any) -> str:
    """The HTML of a page. Every value is escaped unless it is `drawn`, which only figures are."""
    return _environment().get_template(template).render(version=__version__, **values)


def drawn(picture: str) -> Markup:
    """A picture of nktrace.figures, which escapes what it writes, to stand in a page as it is."""
    return Markup(picture)  # noqa: S704 (the one place where text is taken for HTML)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {function.__name__: function for function in _FILTERS}
    return environment
