from __future__ import annotations

from dataclasses import replace

from nktrace.files.installation import resource
from nktrace.files.knowledge import read_antibodies
from nktrace.model.hla import Direction, Information, Verdict
from nktrace.science.hla import informs, marks
from nktrace.science.hla_typing import parse_typing

ANTIBODIES = read_antibodies(resource("hla_antibodies.tsv"))


def ask(antibody: str, donor: str, recipient: str, prior_graft: str = "") -> Verdict:
    return informs(
        ANTIBODIES[antibody],
        donor=parse_typing(donor),
        recipient=parse_typing(recipient),
        prior_graft=parse_typing(prior_graft) if prior_graft else None,
    )


def test_donor_positive_recipient_positive_and_uninformative() -> None:
    donor, recipient = "A*01:01,A*02:01;B*07:02,B*08:01", "A*03:01,A*11:01;B*44:02,B*35:01"
    assert ask("BB7.2", donor, recipient).direction is Direction.DONOR_POSITIVE
    assert ask("BB7.2", donor, recipient).deciding == ("donor A*02:01",)
    assert ask("anti-A3", donor, recipient).direction is Direction.RECIPIENT_POSITIVE
    neither = ask("BB7.2", recipient, recipient)
    both = ask("BB7.2", donor, "A*02:05,A*03:01;B*44:02,B*35:01")
    assert {neither.information, both.information} == {Information.UNINFORMATIVE}
    assert both.deciding == ("donor A*02:01", "recipient A*02:05")


def test_reactivity_sets_decide_and_not_antigen_names() -> None:
    """A69 is no A2, and BB7.2 marks it; MA2.1 marks B57 although it is called an anti-A2."""
    assert ask("BB7.2", "A*02:01,A*01:01", "A*69:01,A*01:01").information is Information.UNINFORMATIVE
    verdict = ask("MA2.1", "A*02:01;B*07:02,B*08:01", "A*01:01;B*57:01,B*08:01")
    assert verdict.information is Information.UNINFORMATIVE


def test_a_null_allele_does_not_count_and_does_not_type_its_locus_alone() -> None:
    assert ask("anti-A9", "A*24:02,A*01:01", "A*24:09N,A*03:01").direction is Direction.DONOR_POSITIVE
    assert ask("anti-A9", "A*24:02,A*01:01", "A*24:09N").information is Information.INDETERMINATE


def test_missing_typing_at_a_reactive_locus_is_indeterminate_unless_it_cannot_matter() -> None:
    verdict = ask("MA2.1", "A*02:01,A*01:01;B*07:02,B*08:01", "A*01:01,A*03:01")
    assert verdict.information is Information.INDETERMINATE
    assert verdict.deciding == ("recipient is not typed at B",)
    # the recipient reacts already, so the missing locus changes nothing
    assert ask("MA2.1", "A*02:01,A*01:01", "A*02:01,A*03:01").information is Information.UNINFORMATIVE
    assert informs(ANTIBODIES["BB7.2"], donor=None, recipient=parse_typing("A*01:01")).information is (
        Information.INDETERMINATE
    )


def test_a_broad_antigen_is_as_exact_as_it_is() -> None:
    """A28 is A68 or A69: BB7.2 marks one of them. A9 is A23 or A24: anti-A9 marks both."""
    assert ask("BB7.2", "A2,A1", "A28,A1").information is Information.INDETERMINATE
    assert ask("anti-A9", "A9,A1", "A2,A1").direction is Direction.DONOR_POSITIVE


def test_bw4_and_bw6_are_decided_per_allele() -> None:
    bw4, bw6 = ANTIBODIES["anti-Bw4"], ANTIBODIES["anti-Bw6"]
    for written, four, six in [
        ("B*27:05", True, False),
        ("B*27:08", False, True),
        ("B*44:02", True, False),
        ("B*07:02", False, True),
        ("B*15:01", False, True),
        ("B*15:16", True, False),
        ("B*46:01", False, False),
    ]:
        typing = parse_typing(f"A*01:01;{written}")
        assert (marks(bw4, typing), marks(bw6, typing)) == (four, six), written
    assert marks(bw4, parse_typing("A*24:02;B*07:02")) is True
    assert marks(bw4, parse_typing("A*01:01;B*15")) is None
    # of the splits of B15, two have Bw4 in all their alleles
    for split in ("B63", "B77", "B63(15)"):
        typing = parse_typing(f"A1;{split}")
        assert (marks(bw4, typing), marks(bw6, typing)) == (True, False), split


def test_a_rare_protein_of_a_typed_group_is_a_caution_and_no_verdict() -> None:
    """B8 has Bw6 but for two proteins that hardly anybody has: a serological typing is decided, and that is said."""
    verdict = ask("anti-Bw4", "A9,A1;B7,B8", "A1,A3;B7,B8")
    assert (verdict.direction, verdict.deciding) == (Direction.DONOR_POSITIVE, ("donor A9",))
    assert verdict.caution == "holds unless recipient B8 is B*08:02 or B*08:03 (rare)"
    assert ask("anti-Bw4", "A1;B*27", "A1;B18,B22").caution == (
        "holds unless donor B*27 is B*27:08 or B*27:12 or B*27:18, "
        "recipient B18 is B*18:09, recipient B22 is B*56:07 (rare)"
    )
    assert ask("anti-Bw6", "A1;B8,B7", "A1;B44").caution == "holds unless recipient B44 is B*44:06 or B*44:09 (rare)"
    # who is typed to the protein is told for sure
    assert ask("anti-Bw4", "A*24:02;B*07:02,B*08:01", "A*01:01;B*07:02,B*08:01").caution == ""
    assert ask("anti-Bw4", "A*24:02;B*07:02", "A*01:01;B*08:02,B*07:02").information is Information.UNINFORMATIVE


def test_a_truly_mixed_group_stays_undecided() -> None:
    for name in ("anti-Bw4", "anti-Bw6"):
        for written in ("B15", "B*15", "B12", "B21", "B*15:XX"):
            assert marks(ANTIBODIES[name], parse_typing(f"A1;{written},{written}")) is None, (name, written)
        for split in ("B62", "B70", "B71", "B72", "B71(70)", "B75", "B76"):
            assert marks(ANTIBODIES[name], parse_typing(f"A1;{split}")) is (name == "anti-Bw6"), (name, split)


def test_an_own_table_that_does_not_say_what_is_rare_decides_with_a_caution() -> None:
    """It decides by the group whether an antibody marks it, as it always did; a caution names what it spares."""
    own = replace(ANTIBODIES["anti-Bw6"], rare=None)
    verdict = informs(own, donor=parse_typing("A1;B8,B8"), recipient=parse_typing("A1;B57,B57"))
    assert (verdict.direction, verdict.deciding) == (Direction.DONOR_POSITIVE, ("donor B8",))
    assert verdict.caution.startswith("holds unless donor B8 is B*08:02 or B*08:03 (")
    assert "does not say whether that is rare" in verdict.caution
    assert marks(own, parse_typing("A1;B*44")) is None  # a group of which it marks some proteins
    assert marks(own, parse_typing("A1;B*08:02")) is False


def test_a_homozygotes_allele_decides_once() -> None:
    assert ask("BB7.2", "A*02:01,A*02:01", "A*01:01,A*03:01").deciding == ("donor A*02:01",)


def test_the_alleles_of_a_prior_graft_are_excluded_too() -> None:
    donor, recipient = "A*02:01,A*01:01", "A*03:01,A*01:01"
    assert ask("BB7.2", donor, recipient, "A*03:01,A*11:01").direction is Direction.DONOR_POSITIVE
    assert ask("BB7.2", donor, recipient, "A*02:01,A*11:01").information is Information.UNINFORMATIVE
    # recipient-positive only if it marks graft cells as well, else graft cells would look like the donor's
    assert ask("anti-A3", donor, recipient, "A*11:01,A*11:01").information is Information.UNINFORMATIVE
    assert ask("anti-A3", donor, recipient, "A*03:01,A*11:01").direction is Direction.RECIPIENT_POSITIVE


def test_a_graft_of_the_same_donor_cannot_be_told_from_the_product() -> None:
    donor = "A*02:01,A*01:01;B*07:02,B*08:01"
    recipient = "A*03:01,A*24:02;B*44:02,B*35:01"
    assert all(ask(name, donor, recipient, donor).direction is None for name in ANTIBODIES)


def test_a_cross_reaction_is_a_caution_and_decides_nothing() -> None:
    verdict = ask("BB7.2", "A*02:01,A*01:01", "A*24:02,A*01:01")
    assert verdict.direction is Direction.DONOR_POSITIVE
    assert "A*24:02" in verdict.caution
    assert "high concentration" in verdict.caution
    assert ask("BB7.2", "A*24:02,A*01:01", "A*03:01,A*01:01").information is Information.UNINFORMATIVE


def test_swapping_donor_and_recipient_swaps_the_direction() -> None:
    donor, recipient = parse_typing("A*02:01,A*01:01;B*07:02,B*44:02"), parse_typing("A*03:01,A*24:02;B*08:01,B*35:01")
    other = {
        Direction.DONOR_POSITIVE: Direction.RECIPIENT_POSITIVE,
        Direction.RECIPIENT_POSITIVE: Direction.DONOR_POSITIVE,
    }
    for antibody in ANTIBODIES.values():
        one = informs(antibody, donor=donor, recipient=recipient)
        two = informs(antibody, donor=recipient, recipient=donor)
        assert two.information is one.information
        assert two.direction is (other[one.direction] if one.direction else None)
