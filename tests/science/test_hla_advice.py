from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nktrace.files.installation import resource
from nktrace.files.knowledge import read_antibodies
from nktrace.model.hla import Direction
from nktrace.science.hla_advice import DIRECTIONS, Advice, advise, smallest_set
from nktrace.science.hla_typing import parse_typing

ANTIBODIES = read_antibodies(resource("hla_antibodies.tsv"))
ALLELES = {
    "A": ["A*01:01", "A*02:01", "A*03:01", "A*11:01", "A*24:02", "A*68:01"],
    "B": ["B*07:02", "B*08:01", "B*15:01", "B*27:05", "B*35:01", "B*44:02", "B*57:01"],
}


def pair(recipient: str, donor: str, prior_graft: str = "") -> Advice:
    return advise(
        ANTIBODIES.values(),
        donor=parse_typing(donor),
        recipient=parse_typing(recipient),
        prior_graft=parse_typing(prior_graft) if prior_graft else None,
    )


def names(advice: Advice, direction: Direction) -> list[str]:
    return [verdict.antibody for verdict in advice.by(direction)]


def test_the_best_antibody_of_each_direction_stands_first_and_cross_reactions_last() -> None:
    advice = pair("A*03:01,A*24:02;B*07:02,B*35:01", "A*02:01,A*01:01;B*44:02,B*08:01")
    donors = names(advice, Direction.DONOR_POSITIVE)
    assert donors[0] == "MA2.1"
    assert set(donors) >= {"BB7.2", "PA2.1"}
    assert advice.by(Direction.DONOR_POSITIVE)[0].deciding == ("donor A*02:01",)
    assert names(advice, Direction.RECIPIENT_POSITIVE)[0] in ("BB7.1", "anti-A3", "anti-A9")


typings = st.tuples(
    st.lists(st.sampled_from(ALLELES["A"]), min_size=2, max_size=2),
    st.lists(st.sampled_from(ALLELES["B"]), min_size=2, max_size=2),
).map(lambda loci: ";".join(",".join(alleles) for alleles in loci))


@given(st.lists(st.tuples(typings, typings), min_size=1, max_size=6), st.booleans())
def test_no_smaller_set_informs_all_pairs(people: list[tuple[str, str]], both: bool) -> None:
    pairs = {str(number): pair(*two) for number, two in enumerate(people)}
    chosen = smallest_set(pairs, both=both)

    def enough(antibodies: tuple[str, ...]) -> bool:
        for advice in pairs.values():
            known = [set(names(advice, direction)) for direction in DIRECTIONS if advice.by(direction)]
            met = [bool(options & set(antibodies)) for options in known]
            if known and not (all(met) if both else any(met)):
                return False
        return True

    assert enough(chosen)
    assert not chosen or not any(enough(fewer) for fewer in combinations(ANTIBODIES, len(chosen) - 1))


def test_of_as_many_antibodies_those_that_do_not_cross_react_are_chosen() -> None:
    """BB7.2 would do, but may mark the recipient's A*24; MA2.1 does not."""
    assert smallest_set({"P1": pair("A*24:02,A*01:01;B*07:02", "A*02:01,A*01:01;B*07:02")}, both=False) == ("MA2.1",)


def test_pairs_that_nothing_informs_ask_for_nothing() -> None:
    same = pair("A*02:01,A*03:01;B*07:02,B*08:01", "A*02:01,A*03:01;B*07:02,B*08:01")
    assert smallest_set({"P1": same}, both=True) == ()
    assert same.undecided == ()
    untyped = advise(ANTIBODIES.values(), donor=None, recipient=parse_typing("A*01:01,A*03:01"))
    assert {verdict.deciding[0] for verdict in untyped.undecided} == {"donor is not typed"}
    assert smallest_set({}, both=False) == ()


def test_a_single_allele_is_said_to_be_read_as_homozygous() -> None:
    assert pair("A*03:01;B*07:02,B*08:01", "A*02:01,A*01:01;B*44:02").notes == (
        "one allele typed, read as homozygous: donor B; recipient A",
    )
    assert pair("A*03:01,-;B*07:02,B*08:01", "A*02:01,A*02:01;B*44:02,-").notes == ()


@pytest.mark.parametrize("graft", ["A*02:01,A*01:01;B*07:02,B*08:01"])
def test_a_graft_of_the_same_donor_leaves_nothing_to_order(graft: str) -> None:
    assert pair("A*03:01,A*24:02;B*44:02,B*35:01", graft, graft).needs == ()
