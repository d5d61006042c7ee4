"""Which antibody tells donor from recipient: typings are compared as alleles with the set that an antibody marks.

Antigen names are not compared: an antibody "against A2" marks A*69 too, and a null allele of A*24 marks nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from nktrace.model.hla import Allele, Antibody, Direction, Information, Target, Typing, Verdict

NOT_ON_SURFACE = frozenset("NSC")
DOUBTFUL = frozenset("LAQ")


def informs(
    antibody: Antibody, *, donor: Typing | None, recipient: Typing | None, prior_graft: Typing | None = None
) -> Verdict:
    """Whether an antibody marks donor cells and no other, or every other cell and no donor cell.

    Args:
        donor, recipient: typings; None where there is none.
        prior_graft: typing of the donor of an earlier stem cell graft. Its cells and the recipient's may both be
            there, so a donor-positive antibody must mark neither and a recipient-positive one both.
    """
    others = {"recipient": recipient} | ({"prior graft": prior_graft} if prior_graft else {})
    return informs_of(antibody, wanted={"donor": donor}, others=others)


def informs_of(
    antibody: Antibody, *, wanted: Mapping[str, Typing | None], others: Mapping[str, Typing | None]
) -> Verdict:
    """Whether an antibody marks the cells of all `wanted` people and of no other, or of all others and no wanted one.

    Args:
        wanted, others: typings by what the verdict calls their owners; None where there is none.
    """
    people = {**wanted, **others}
    marked = {who: marks(antibody, typing) for who, typing in people.items()}
    donor_positive = _all([*(marked[who] for who in wanted), *(_not(marked[who]) for who in others)])
    recipient_positive = _all([*(_not(marked[who]) for who in wanted), *(marked[who] for who in others)])
    reacting = (
        f"{who} {allele.written}"
        for who, typing in people.items()
        for allele in (typing.alleles if typing else ())
        if _marked(antibody, allele)
    )
    deciding = tuple(dict.fromkeys(reacting))  # a homozygote's allele once
    for verdict, direction, negative in (
        (donor_positive, Direction.DONOR_POSITIVE, others),
        (recipient_positive, Direction.RECIPIENT_POSITIVE, wanted),
    ):
        if verdict is True:
            return Verdict(
                antibody=antibody.antibody,
                information=Information.INFORMATIVE,
                direction=direction,
                deciding=deciding,
                caution="; ".join(filter(None, (_crossing(antibody, negative), _unless(antibody, people)))),
            )
    if donor_positive is None or recipient_positive is None:
        missing = tuple(_missing(antibody, who, people[who]) for who in people if marked[who] is None)
        return Verdict(
            antibody=antibody.antibody, information=Information.INDETERMINATE, direction=None, deciding=missing
        )
    return Verdict(
        antibody=antibody.antibody,
        information=Information.UNINFORMATIVE,
        direction=None,
        deciding=deciding or ("marks no typed allele",),
        caution=_unless(antibody, people),
    )


def marks(antibody: Antibody, typing: Typing | None) -> bool | None:
    """Whether an antibody marks the cells of a person; None where the typing does not tell."""
    if typing is None or not typing.alleles:
        return None
    found = [_marked(antibody, allele) for allele in typing.alleles]
    if any(found):
        return True
    return None if None in found or _untyped(antibody, typing) else False


def _untyped(antibody: Antibody, typing: Typing) -> list[str]:
    """Loci that matter and of which no expressed allele is known: a null allele alone does not type its locus."""
    expressed = {allele.locus for allele in typing.alleles if allele.suffix not in NOT_ON_SURFACE}
    return sorted(antibody.loci - expressed)


def _marked(antibody: Antibody, allele: Allele) -> bool | None:
    """Whether the antibody marks an allele, a group being taken for its proteins that are not passed over as rare."""
    return _reacts(antibody.reacts, antibody.spares, antibody.passed_over, allele)


def _reacts(targets: Sequence[Target], spared: Sequence[Target], rare: Sequence[Target], allele: Allele) -> bool | None:
    """Whether an allele is among the targets; None where it is typed too coarsely or expressed doubtfully."""
    if allele.suffix in NOT_ON_SURFACE:
        return False
    possible = [replace(allele, protein=protein) for protein in allele.one_of] or [allele]
    answers = {_group_reacts(targets, spared, rare, one, group) for one in possible for group in allele.groups}
    answer = answers.pop() if len(answers) == 1 else None
    return None if answer and allele.suffix in DOUBTFUL else answer


def _group_reacts(
    targets: Sequence[Target], spared: Sequence[Target], rare: Sequence[Target], allele: Allele, group: str
) -> bool | None:
    """The same for one group: as the whole of it, but for its exceptions, of which a typed protein tells."""
    whole = Target(allele.locus, group)
    usual = whole in targets
    exceptions = [one for one in (spared if usual else targets) if one.protein and replace(one, protein="") == whole]
    if allele.protein.isdigit():
        return usual != (replace(whole, protein=allele.protein) in exceptions)
    return usual if all(one in rare for one in exceptions) else None


def _all(answers: Iterable[bool | None]) -> bool | None:
    known = list(answers)
    if False in known:
        return False
    return None if None in known else True


def _not(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def _crossing(antibody: Antibody, negative: Mapping[str, Typing | None]) -> str:
    crossing = dict.fromkeys(
        f"{who} {allele.written}"
        for who, typing in negative.items()
        for allele in (typing.alleles if typing else ())
        if _reacts(antibody.cross_reacts, (), (), allele) is not False
    )
    if not crossing:
        return ""
    return f"may cross-react with {', '.join(crossing)}" + (f" ({antibody.condition})" if antibody.condition else "")


def _unless(antibody: Antibody, people: Mapping[str, Typing | None]) -> str:
    """The proteins of typed groups, passed over as rare, with which somebody's cells would be marked otherwise."""
    strict = replace(antibody, rare=())
    doubts = dict.fromkeys(
        f"{who} {allele.written} is {' or '.join(str(t) for t in antibody.passed_over if _of(t, allele))}"
        for who, typing in people.items()
        if typing and marks(strict, typing) is None and (marked := marks(antibody, typing)) is not None
        for allele in typing.alleles
        if _marked(strict, allele) is None and _marked(antibody, allele) is marked
    )
    told = "rare" if antibody.rare is not None else "the table of antibodies does not say whether that is rare"
    return f"holds unless {', '.join(doubts)} ({told})" if doubts else ""


def _of(target: Target, allele: Allele) -> bool:
    return target.locus == allele.locus and target.group in allele.groups


def _missing(antibody: Antibody, who: str, typing: Typing | None) -> str:
    if typing is None or not typing.alleles:
        return f"{who} is not typed"
    loci = _untyped(antibody, typing)
    if loci:
        return f"{who} is not typed at {', '.join(loci)}"
    unclear = [a.written for a in typing.alleles if _marked(antibody, a) is None]
    return f"{who} {', '.join(unclear)} is typed too coarsely or expressed doubtfully"
