"""HLA typings, the alleles an antibody reacts with, and what follows for a donor and a recipient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Allele:
    """One allele of a typing, as exactly as it was typed.

    Attributes:
        written: as in the sheet, e.g. `A*02:01`, `A*02`, `A2`.
        locus: `A`, `B`, `C`, `DRB1`, …
        groups: allele groups (first fields) it may be of: one, or several for a broad serological antigen.
        protein: second field; empty where it was not typed.
        suffix: expression suffix: N (null), S, C (not on the surface), L, A, Q (low or doubtful); empty for most.
        one_of: second fields that a serological split stands for, or the common ones of them; empty for most.
    """

    written: str
    locus: str
    groups: tuple[str, ...]
    protein: str = ""
    suffix: str = ""
    one_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Typing:
    """The typed alleles of a person. A locus with one allele is read as homozygous; an absent locus is missing."""

    alleles: tuple[Allele, ...]

    @property
    def loci(self) -> frozenset[str]:
        return frozenset(allele.locus for allele in self.alleles)


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """An allele group (`A*02`) or one protein of it (`B*15:16`)."""

    locus: str
    group: str
    protein: str = ""

    def __str__(self) -> str:
        return f"{self.locus}*{self.group}" + (f":{self.protein}" if self.protein else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Antibody:
    """A row of resources/hla_antibodies.tsv.

    Attributes:
        clone: as one orders it; empty where several serve.
        reacts: what it marks; decides whether it tells donor from recipient.
        spares: members of a group in `reacts` that it does not mark (written `!B*27:08`).
        rare: proteins of `reacts` or `spares` that are so rare in their group that a typing of the group is decided
            without them, with a caution. None where the table does not say which are: then `spares` are taken for such.
        cross_reacts: what it marks under `condition` only; warned of, measured by the blank, decides nothing.
    """

    antibody: str
    specificity: str
    reacts: tuple[Target, ...]
    spares: tuple[Target, ...] = ()
    rare: tuple[Target, ...] | None = ()
    cross_reacts: tuple[Target, ...] = ()
    condition: str = ""
    source: str
    clone: str = ""

    @property
    def loci(self) -> frozenset[str]:
        return frozenset(target.locus for target in self.reacts)

    @property
    def passed_over(self) -> tuple[Target, ...]:
        """The proteins without which a typing of their group is decided."""
        return self.spares if self.rare is None else self.rare


class Direction(StrEnum):
    """Whose cells an antibody marks (`direction` of chimerism.tsv)."""

    DONOR_POSITIVE = "donor_positive"
    RECIPIENT_POSITIVE = "recipient_positive"
    BOTH = "both"


class Information(StrEnum):
    """Whether an antibody tells donor from recipient."""

    INFORMATIVE = "informative"
    UNINFORMATIVE = "uninformative"
    INDETERMINATE = "indeterminate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an antibody can tell for one donor and one recipient.

    Attributes:
        direction: None unless informative.
        deciding: the alleles that react, e.g. `donor A*02:01`; for an indeterminate one what is missing.
        caution: cross-reactions of the side that should be negative, and rare proteins of a typed group that would
            change the verdict; empty if none.
    """

    antibody: str
    information: Information
    direction: Direction | None
    deciding: tuple[str, ...]
    caution: str = ""


Antibodies = Mapping[str, Antibody]
