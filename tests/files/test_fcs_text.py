"""Keywords and values part as the instrument meant them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nktrace.files.fcs_text import BLANKS, Keywords, number, split_pairs, whole
from nktrace.model.errors import UnreadableFcs


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("/A/1/B/2/", [("A", "1"), ("B", "2")]),
        ("/$P1F/525//50 BP/B/2/", [("$P1F", "525/50 BP"), ("B", "2")]),  # iCyt Eclipse: escaped
        ("/$INST//$FIL/x.fcs/", [("$INST", ""), ("$FIL", "x.fcs")]),  # Partec PAS: empty
        ("/A//B//C/3/", [("A", ""), ("B", ""), ("C", "3")]),
        ("/A/1/B//", [("A", "1"), ("B", "")]),  # FACSCalibur: empty at the end
        ("/A///home//x/B/2/", [("A", "/home/x"), ("B", "2")]),
        ("/A/x///B/2/", [("A", "x/"), ("B", "2")]),
        ("/A/ /B/2/", [("A", ""), ("B", "2")]),
        ("/A/1/    B/2/\n C /3/", [("A", "1"), ("B", "2"), ("C", "3")]),  # Partec CyFlow: blanks before keywords
        ("/A/1/   ", [("A", "1")]),  # MACSQuant: blanks after the last delimiter
        ("/A/1/\0\0", [("A", "1")]),
        (".A.1..5.B.2.", [("A", "1.5"), ("B", "2")]),
        ("^A^1^B^2^", [("A", "1"), ("B", "2")]),
    ],
)
def test_pairs(text: str, pairs: list[tuple[str, str]]) -> None:
    assert split_pairs(text.encode(), where="a") == (pairs, ())


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("$A$1$", "no delimiter"),
        ("A1A", "no delimiter"),
        ("\0A\0001\0", "no delimiter"),
        ("//A/1/", "a keyword is empty"),
        ("/A/1/ /1/", "a keyword is empty"),
        ("/A/1/B", "'B' has no value"),
        ("/$SRC/blood/marrow/$PAR/2/", "stands where the value of 'marrow' should"),
        ("/A/1/$PAR/1", "TEXT ends within the value"),
    ],
)
def test_what_does_not_part_is_refused(text: str, what: str) -> None:
    with pytest.raises(UnreadableFcs, match=what):
        split_pairs(text.encode(), where="a")


def test_a_last_value_without_delimiter_is_said() -> None:
    pairs, remarks = split_pairs(b"/A/1/GROUP/abc", where="a")
    assert pairs == [("A", "1"), ("GROUP", "abc")]
    assert "GROUP" in remarks[0]


_names = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: text == text.strip(BLANKS) != ""
)
_values = st.text(st.characters(exclude_categories=["Cs"])).filter(
    lambda text: (text.strip(BLANKS) or not text) and not text.startswith("$")
)


@given(st.lists(st.tuples(_names, _values), min_size=1))
def test_escaping_every_delimiter_loses_nothing(pairs: list[tuple[str, str]]) -> None:
    text = "/" + "".join(f"{name}/{value.replace('/', '//') or ' '}/" for name, value in pairs)
    assert split_pairs(text.encode(), where="a") == (pairs, ())


def test_keywords_keep_order_case_and_repetition() -> None:
    keywords = Keywords([("$Cyt", "A"), ("b", "1"), ("B", "2")])
    assert keywords["$CYT"] == "A"
    assert "B" in keywords
    assert "c" not in keywords
    assert keywords.every("b") == ("1", "2")
    assert dict(keywords) == {"$Cyt": "A", "b": "1"}
    assert keywords.pairs == (("$Cyt", "A"), ("b", "1"), ("B", "2"))
    with pytest.raises(KeyError):
        keywords["none"]


@pytest.mark.parametrize(
    ("text", "value"),
    [(" 00012 ", 12), ("12.0", 12), ("+3", 3), ("-3", None), ("1_000", None), ("٣", None), ("", None), ("1.5", None)],
)
def test_whole(text: str, value: int | None) -> None:
    assert whole(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e3", 1000),
        (" -.5 ", -0.5),
        ("7.", 7),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("1,5", None),
        ("", None),
    ],
)
def test_number(text: str, value: float | None) -> None:
    assert number(text) == value
