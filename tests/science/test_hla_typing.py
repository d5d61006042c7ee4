from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nktrace.model.errors import TypingError
from nktrace.science.hla_typing import GROUPS, parse_target, parse_typing


def test_a_typing_is_read_in_every_usual_writing() -> None:
    typing = parse_typing("A*01:01, HLA-A*02:01:01G; B*07,B8;Cw7;DRB1*15:01")
    assert [(a.locus, a.groups, a.protein) for a in typing.alleles] == [
        ("A", ("01",), "01"),
        ("A", ("02",), "01"),
        ("B", ("07",), ""),
        ("B", ("08",), ""),
        ("C", ("07",), ""),
        ("DRB1", ("15",), "01"),
    ]
    assert typing.loci == {"A", "B", "C", "DRB1"}


@pytest.mark.parametrize(
    ("written", "near"),
    [
        ("A*0201", "A*02:01"),
        ("A02:01", "A*02:01"),
        ("A*2:1", "A*02:01"),
        ("a*02:01", "A*02:01"),
        ("B 27", "B*27"),
        ("B*1516", "B*15:16"),
        ("A*020101", "A*02:01"),
        ("A*24:9N", "A*24:09N"),
    ],
)
def test_a_wrong_writing_is_refused_with_the_nearest_valid_form(written: str, near: str) -> None:
    with pytest.raises(TypingError) as caught:
        parse_typing(f"A*01:01,{written}")
    assert f"'{written}'" in str(caught.value)
    assert f"'{near}'" in str(caught.value)


def test_all_faults_of_a_typing_are_told_at_once() -> None:
    with pytest.raises(TypingError) as caught:
        parse_typing("A*99,B*0702;C*01:02,C*02:02,C*03:03")
    for part in ("A*99", "B*0702", "more than two alleles at locus C"):
        assert part in str(caught.value)


@given(st.text(max_size=30))
def test_no_text_breaks_the_parser(text: str) -> None:
    with contextlib.suppress(TypingError):
        assert all(allele.written in text for allele in parse_typing(text).alleles)


@given(st.sampled_from("AB").flatmap(lambda locus: st.tuples(st.just(locus), st.sampled_from(sorted(GROUPS[locus])))))
def test_every_group_is_read_as_molecule_and_as_target(place: tuple[str, str]) -> None:
    locus, group = place
    assert parse_typing(f"{locus}*{group}").alleles[0].groups == (group,)
    assert str(parse_target(f"{locus}*{group}:01")) == f"{locus}*{group}:01"
