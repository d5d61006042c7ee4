"""What the pages of a cohort may not say, and how to find it in all that people read or hear."""

from __future__ import annotations

import re

from tests.pages.reading import Page

# what no page of a cohort without a comparison may say
FORBIDDEN = (
    r"(non-?)?respon(der|se)s?\b",
    r"efficac\w*|effective\w*|successful\w*|success\b",
    r"significan\w*",
    r"(?<!not )attributable to|attributed to",
    r"due to|owing to|thanks to|caused? by|causes\b|led to|leads to|result(s|ed) in|effects? of",
    r"improve\w*|benefit\w*|superior\w*|inferior\w*|better|protect\w*",
    r"prove[sdn]?\b|demonstrat\w*|predict\w*",
    r"infused (nk )?cells (persist|remain|surviv|expand|were found|are found)\w*",
    r"engraft\w*|persistence of (the )?(product|infus\w+)",
    r"product (cells )?(persist|surviv|expand)\w*",
)


def said(html: str) -> str:
    """All that people read or hear: text, tooltips, labels."""
    page = Page(html)
    shown = [page.text]
    for _, attributes in page.elements:
        shown += [attributes[name] for name in ("title", "aria-label", "alt") if name in attributes]
    return " ".join(" ".join(shown).split())


def claims(text: str) -> list[str]:
    """Every forbidden claim with the words around it."""
    return [
        text[max(found.start() - 40, 0) : found.end() + 40]
        for pattern in FORBIDDEN
        for found in re.finditer(rf"\b(?:{pattern})", text, re.IGNORECASE)
    ]
