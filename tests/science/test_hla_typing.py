from __future__ import annotations

import contextlib
import re

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
        ("A*24:09", "A*24:09N"),
        ("A*0201g", "A*02:01G"),
        ("A*02-01", "A*02:01"),
        ("A*203", "A*02:03"),
        ("A*O2:01", "A*02:01"),
        ("A*02:01/02:09", "A*02"),
        ("B*17", "B17"),
        ("B*5", "B5"),
        ("A2(28)", "A*02"),
        ("DR17(4)", "DR17"),
        ("DRw17(3)", "DR17"),
        ("C*10", "C*03"),
        ("C*0901", "C*03"),
        ("A*92:01", "A*02"),
        ("A*9201", "A*02"),
        ("B*95:01", "B*15"),
        ("A*002:01", "A*02"),
        ("A**02", "A*02"),
        ("A*24:09 N", "A*24:09N"),
        ("A*02:ab", "A*02:AB"),
        ("A*01:01/02", "A*01"),
        ("Cw*0702", "C*07:02"),
        ("Cw*07:02", "C*07:02"),
        ("HLA-Cw*0702", "C*07:02"),
        ("cw 7", "C*07"),
        ("HLA-cw7", "C*07"),
        ("cw11", "Cw11"),
        ("HLA-DRw15", "DR15"),
    ],
)
def test_a_wrong_writing_is_refused_with_the_nearest_valid_form(written: str, near: str) -> None:
    with pytest.raises(TypingError) as caught:
        parse_typing(f"A*01:01,{written}")
    assert f"'{written}'" in str(caught.value)
    assert f"'{near}'" in str(caught.value)


@pytest.mark.parametrize("written", ["02:01", "blank", "NT", "A*00:00", "A*99", "A*12", "A*02:01/03:01"])
def test_no_form_is_made_up_for_what_is_like_none(written: str) -> None:
    with pytest.raises(TypingError) as caught:
        parse_typing(written)
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "near"),
    [
        ("A*02:01|A*03:01", "A*02:01,A*03:01"),
        ("A*02:01 A*03:01", "A*02:01,A*03:01"),
        ("A*02:01A*03:01", "A*02:01,A*03:01"),
        ("A*0201+A*0301", "A*02:01,A*03:01"),
        ("A*02:01/A*03:01", "A*02:01,A*03:01"),
        ("HLA-A*02:01 HLA-DRB1*15:01", "A*02:01,DRB1*15:01"),
        ("A2-Cw7", "A2,Cw7"),
        ("Cw*0702 Cw*0304", "C*07:02,C*03:04"),
        ("A*02:01 -", "A*02:01,-"),
    ],
)
def test_a_missing_comma_is_suggested(written: str, near: str) -> None:
    with pytest.raises(TypingError, match=f"did you mean '{re.escape(near)}'"):
        parse_typing(written)


@pytest.mark.parametrize("written", ["A*42", "A*70:01", "B*09", "B*84:01", "C*13:01", "C*99", "Cw13", "Cw99"])
def test_no_other_group_is_guessed(written: str) -> None:
    """More than one group is as near: a wrong guess would be taken over."""
    with pytest.raises(TypingError) as caught:
        parse_typing(written)
    assert "did you mean" not in str(caught.value)


def test_an_epitope_is_no_allele() -> None:
    with pytest.raises(TypingError, match="epitope"):
        parse_typing("B7,B8;Bw6")


def test_a_split_may_name_its_broad_antigen() -> None:
    assert [allele.groups for allele in parse_typing("A24(9),A68(28);B60(40),B38(16)").alleles] == [
        ("24",),
        ("68",),
        ("40",),
        ("38",),
    ]
    for wrong in ("A24(10)", "Cw7(w3)", "DR17(2)", "DQ2(3)"):
        with pytest.raises(TypingError):
            parse_typing(wrong)


def test_splits_of_c_dr_and_dq_are_regular() -> None:
    """WHO serology writes them so, and a study must not stop at a locus that no antibody marks."""
    typing = parse_typing("A2,A3;Cw9(w3),Cw10(3);DR17(3),DR13(w6);DQ7(3),DQ5(1)")
    assert [(a.locus, a.groups) for a in typing.alleles if a.locus == "C"] == [("C", ("03",))] * 2
    assert [a.locus for a in typing.alleles[4:]] == ["DR", "DR", "DQ", "DQ"]
    assert parse_typing("Cw9,Cw10").alleles[1].groups == ("03",)
    assert [allele.groups for allele in parse_typing("Cw11,HLA-Cw11(w1)").alleles] == [("01",), ("01",)]


def test_a_dash_is_a_second_equal_allele() -> None:
    assert [allele.written for allele in parse_typing("A*02:01,-;B*07:02").alleles] == ["A*02:01", "A*02:01", "B*07:02"]
    with pytest.raises(TypingError, match="more than two"):
        parse_typing("A*02:01,A*03:01,-")


def test_all_faults_of_a_typing_are_told_at_once() -> None:
    with pytest.raises(TypingError) as caught:
        parse_typing("A*99,B*0702;C*01:02,C*02:02,C*03:03")
    for part in ("A*99", "B*0702", "more than two alleles at locus C"):
        assert part in str(caught.value)


@given(st.text(max_size=30))
def test_no_text_breaks_the_parser(text: str) -> None:
    with contextlib.suppress(TypingError):
        assert all(allele.written in text for allele in parse_typing(text).alleles)


@given(st.sampled_from("ABC").flatmap(lambda locus: st.tuples(st.just(locus), st.sampled_from(sorted(GROUPS[locus])))))
def test_every_group_is_read_as_molecule_and_as_target(place: tuple[str, str]) -> None:
    locus, group = place
    assert parse_typing(f"{locus}*{group}").alleles[0].groups == (group,)
    assert str(parse_target(f"{locus}*{group}:01")) == f"{locus}*{group}:01"
