"""Which HLA antibodies to order: the best for each pair of donor and recipient, and the fewest for all pairs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from nktrace.model.hla import Antibody, Direction, Information, Typing, Verdict
from nktrace.science.hla import informs


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What there is for one pair.

    Attributes:
        verdicts: of every antibody, in the order of their table.
        notes: what the verdicts take for granted.
    """

    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()

    def by(self, direction: Direction) -> tuple[Verdict, ...]:
        """The antibodies that inform in this direction, the best first: without cross-reactions, then as tabled."""
        mine = [verdict for verdict in self.verdicts if verdict.direction is direction]
        return tuple(sorted(mine, key=lambda verdict: verdict.caution != ""))

    @property
    def undecided(self) -> tuple[Verdict, ...]:
        """The antibodies that may inform: a better typing would tell."""
        return tuple(v for v in self.verdicts if v.information is Information.INDETERMINATE)

    @property
    def needs(self) -> tuple[tuple[Verdict, ...], ...]:
        """The antibodies of each direction that has any."""
        return tuple(found for found in map(self.by, DIRECTIONS) if found)


DIRECTIONS = (Direction.DONOR_POSITIVE, Direction.RECIPIENT_POSITIVE)


def advise(
    antibodies: Iterable[Antibody], *, donor: Typing | None, recipient: Typing | None, prior_graft: Typing | None = None
) -> Advice:
    """What every antibody tells of a pair."""
    people = {"donor": donor, "recipient": recipient, "prior graft": prior_graft}
    alone = [f"{who} {', '.join(loci)}" for who, typing in people.items() if typing and (loci := _homozygous(typing))]
    verdicts = tuple(informs(a, donor=donor, recipient=recipient, prior_graft=prior_graft) for a in antibodies)
    return Advice(
        verdicts=verdicts, notes=(f"one allele typed, read as homozygous: {'; '.join(alone)}",) if alone else ()
    )


def smallest_set(pairs: Mapping[str, Advice], *, both: bool) -> tuple[str, ...]:
    """The fewest antibodies that inform every pair that any antibody informs.

    Of as many, those that need fewer cross-reacting ones, then those that give pairs more choice, then as tabled. All
    sets of a size are tried before a larger one.

    Args:
        pairs: by patient.
        both: in each direction that the pair has; else in one.
    """
    needs: list[dict[str, bool]] = []  # antibody -> whether it may cross-react there
    for advice in pairs.values():
        options = advice.needs if both else ([sum(advice.needs, ())] if advice.needs else [])
        needs += [{verdict.antibody: verdict.caution != "" for verdict in option} for option in options]
    tabled = next((tuple(v.antibody for v in advice.verdicts) for advice in pairs.values()), ())
    useful = [antibody for antibody in tabled if any(antibody in need for need in needs)]
    for size in range(len(useful) + 1):
        found = [chosen for chosen in combinations(useful, size) if all(_meets(chosen, need) for need in needs)]
        if found:
            return min(found, key=lambda chosen: _doubt(chosen, needs))
    return ()


def _meets(chosen: Sequence[str], need: Mapping[str, bool]) -> bool:
    return any(antibody in need for antibody in chosen)


def _doubt(chosen: Sequence[str], needs: Sequence[Mapping[str, bool]]) -> tuple[int, int]:
    """Needs that only cross-reacting antibodies meet, and (negative) how often needs are met."""
    crossing = sum(all(need[antibody] for antibody in chosen if antibody in need) for need in needs)
    return crossing, -sum(antibody in need for antibody in chosen for need in needs)


def _homozygous(typing: Typing) -> list[str]:
    """Loci A and B of which one allele only was written."""
    written = [allele.locus for allele in typing.alleles]
    return [locus for locus in ("A", "B") if written.count(locus) == 1]
