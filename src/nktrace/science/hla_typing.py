"""HLA typings as text: molecular and serological writing, and the nearest valid form of a wrong one."""

from __future__ import annotations

import re

from nktrace.model.errors import TypingError
from nktrace.model.hla import Allele, Target, Typing

# Allele groups and serological antigens of HLA-A, HLA-B and HLA-C, and the groups behind each antigen
# (Holdsworth 2009, Tissue Antigens 73:95, 10.1111/j.1399-0039.2008.01183.x). A broad antigen has several groups.
_GROUPS_A = "01 02 03 11 23 24 25 26 29 30 31 32 33 34 36 43 66 68 69 74 80"
_GROUPS_B = (
    "07 08 13 14 15 18 27 35 37 38 39 40 41 42 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 67 73 78 81 82 83"
)
_GROUPS_C = "01 02 03 04 05 06 07 08 12 14 15 16 17 18"
GROUPS = {locus: frozenset(of.split()) for locus, of in (("A", _GROUPS_A), ("B", _GROUPS_B), ("C", _GROUPS_C))}
_SEROLOGY: dict[str, tuple[str, ...]] = {
    **{f"A{int(group)}": (group,) for group in GROUPS["A"]},
    **{f"B{int(group)}": (group,) for group in GROUPS["B"] - {"15"}},
    "A9": ("23", "24"),
    "A10": ("25", "26", "34", "66"),
    "A19": ("29", "30", "31", "32", "33", "74"),
    "A28": ("68", "69"),
    "B5": ("51", "52"),
    "B12": ("44", "45"),
    "B15": ("15",),
    "B16": ("38", "39"),
    "B17": ("57", "58"),
    "B21": ("49", "50"),
    "B22": ("54", "55", "56"),
    "B60": ("40",),
    "B61": ("40",),
    "B64": ("14",),
    "B65": ("14",),
    "B70": ("15",),
    **{f"B{split}": ("15",) for split in (62, 63, 71, 72, 75, 76, 77)},
    **{f"Cw{int(group)}": (group,) for group in GROUPS["C"]},
    "Cw9": ("03",),
    "Cw10": ("03",),
    # what sera saw together of Cw1 and B46, which are inherited together
    # (Zemmour 1992, Tissue Antigens 39:249, 10.1111/j.1399-0039.1992.tb01943.x)
    "Cw11": ("01",),
}
# splits of broad antigens of loci that no antibody of the table marks
_SPLITS = {
    "DR1": ("103",),
    "DR2": ("15", "16"),
    "DR3": ("17", "18"),
    "DR5": ("11", "12"),
    "DR6": ("13", "14"),
    "DQ1": ("5", "6"),
    "DQ3": ("7", "8", "9"),
}
# the common proteins of B15's splits, which differ in what they carry: B63 and B77 have Bw4, the others Bw6.
# B70 is B71 or B72.
_SPLITS_OF_ALLELES = {
    "B62": ("01", "04", "05", "06", "07", "25", "27"),
    "B63": ("16", "17"),
    "B70": ("03", "10", "18"),
    "B71": ("10", "18"),
    "B72": ("03",),
    "B75": ("02", "08", "11", "21"),
    "B76": ("12", "14"),
    "B77": ("13",),
}
# what became of groups that are no more: A*92 and B*95 held what A*02 and B*15 had no numbers for
# (Marsh 2010, Bone Marrow Transplant 45:846, 10.1038/bmt.2010.79); Cw9 and Cw10 are of C*03
_FORMER = {"A*92": "A*02", "B*95": "B*15", "C*09": "C*03", "C*10": "C*03"}
# common alleles that are null: their names end in N, and without it they would count as expressed
# (common and well-documented alleles: Mack 2013, Tissue Antigens 81:194, 10.1111/tan.12093)
_NULL = frozenset({"A*01:04", "A*02:53", "A*24:09", "A*24:11", "A*68:11", "B*13:07", "B*51:11"})
_SEROLOGICAL_PROTEINS = {"A203": ("02", "03"), "A210": ("02", "10"), "A2403": ("24", "03")}
_LOCI = ("A", "B", "C", "DRB1", "DRB3", "DRB4", "DRB5", "DQA1", "DQB1", "DPA1", "DPB1")

_MOLECULAR = re.compile(
    r"(?P<locus>[A-Z]+[0-9]?)\*(?P<group>\d{2,3})"
    r"(?::(?P<protein>\d{2,4}|[A-Z]{2,5})(?::\d{2,4}){0,2})?(?P<suffix>[NLSCAQGP]?)",
    re.ASCII,
)
_SPLIT_OF_BROAD = re.compile(r"(?P<split>(?P<locus>A|B|Cw)\d{1,2})\(w?(?P<broad>\d{1,2})\)", re.ASCII)
_OTHER_SEROLOGY = re.compile(r"(DR|DQ|DP)([1-9]\d{0,3})(?:\(w?([1-9])\))?", re.ASCII)
_LOOSE = re.compile(rf"({'|'.join(sorted(_LOCI, reverse=True))})[\s*_-]*(\d[\d:.-]*)\s*([NLSCAQGP]?)", re.ASCII)
# between two alleles: a separator that is none, or nothing before the next locus
_BETWEEN = re.compile(r"[\s|+&^~/]+|(?<=\d)[.:-]?(?=(?:HLA-)?(?:[ABC]|Cw|D[RPQ][AB]?\d?)\*?\d)", re.ASCII)
_LOOKALIKES = str.maketrans("\u0410\u0412\u0421\u041eO", "ABC00")  # Cyrillic A, B, C, O; the letter O for a zero


def parse_typing(text: str) -> Typing:
    """A typing such as `A*01:01,A*02:01;B*07:02,B*08:01`.

    Commas and semicolons separate alleles. An allele is written with two or more fields (`A*02:01`), as a group
    (`A*02`) or serologically (`A2`, `A24(9)`); `HLA-` may stand before it. `-` after an allele is a second, equal one.

    Returns:
        The alleles in the order written; empty for an empty text.

    Raises:
        TypingError: all wrongly written alleles at once, each with the nearest valid form, or more than two at a locus.
    """
    alleles: list[Allele] = []
    problems: list[str] = []
    for word in re.split(r"[,;]", text):
        written = word.strip()
        if written == "-" and alleles:
            alleles.append(alleles[-1])
        if not written or written == "-":
            continue
        allele = _allele(written.removeprefix("HLA-"))
        if allele is None:
            problems.append(_complaint(written))
        else:
            alleles.append(allele)
    for locus in dict.fromkeys(allele.locus for allele in alleles):
        mine = [allele.written for allele in alleles if allele.locus == locus]
        if len(mine) > 2 and locus not in ("DR", "DQ", "DP"):
            problems.append(f"more than two alleles at locus {locus} ({', '.join(mine)})")
    if problems:
        raise TypingError("; ".join(problems), mend="Write alleles as A*02:01, groups as A*02, antigens as A2")
    return Typing(tuple(alleles))


def parse_target(text: str) -> Target:
    """An allele group or a protein of an antibody's reactivity set: `A*02`, `B*15:16`.

    Raises:
        TypingError: it is written otherwise.
    """
    allele = _allele(text)
    if allele is None or "*" not in text or allele.suffix or not (not allele.protein or allele.protein.isdigit()):
        near = _nearest_form(text)
        raise TypingError(f"'{text}' is not an allele group or protein", mend=f"Did you mean '{near}'?" if near else "")
    return Target(allele.locus, allele.groups[0], allele.protein)


def _complaint(written: str) -> str:
    """What is wrong with a word that is no allele, and what it most likely stands for."""
    if written in ("Bw4", "Bw6"):
        return f"'{written}' is an epitope, not an allele: leave it out"
    near = _nearest_form(written)
    return f"'{written}' is not an allele" + (f", did you mean '{near}'?" if near else "")


def _allele(text: str) -> Allele | None:
    """An allele from its writing, None where that is not valid."""
    match = _MOLECULAR.fullmatch(text)
    if match:
        locus, group = match["locus"], match["group"]
        if locus not in _LOCI or group not in GROUPS.get(locus, {group}):
            return None
        suffix = "" if match["suffix"] in ("G", "P") else match["suffix"]
        if not suffix and f"{locus}*{group}:{match['protein']}" in _NULL:
            return None
        return Allele(written=text, locus=locus, groups=(group,), protein=match["protein"] or "", suffix=suffix)
    if text in _SEROLOGY:
        return Allele(written=text, locus=text[0], groups=_SEROLOGY[text], one_of=_SPLITS_OF_ALLELES.get(text, ()))
    split = _SPLIT_OF_BROAD.fullmatch(text)
    if split:
        part, whole = split["split"], f"{split['locus']}{split['broad']}"
        if not set(_SEROLOGY.get(part, "-")) <= set(_SEROLOGY.get(whole, ())):
            return None
        return Allele(written=text, locus=text[0], groups=_SEROLOGY[part], one_of=_SPLITS_OF_ALLELES.get(part, ()))
    if text in _SEROLOGICAL_PROTEINS:
        group, protein = _SEROLOGICAL_PROTEINS[text]
        return Allele(written=text, locus="A", groups=(group,), protein=protein)
    other = _OTHER_SEROLOGY.fullmatch(text)
    if other and (not other[3] or other[2] in _SPLITS.get(other[1] + other[3], ())):
        return Allele(written=text, locus=other[1], groups=(other[2].zfill(2),))
    return None


def _nearest_form(text: str) -> str:
    """The valid writing that a wrong one most likely stands for; empty where none is near.

    Several alleles without a comma between them are divided. Otherwise the digits of the group stay as they are, or
    one typing error leads to one group only.
    """
    plain = re.sub(r"^HLA[-_ ]?", "", text.strip().upper().translate(_LOOKALIKES))
    plain = re.sub(r"^(C|D[RPQ])W(?=[\s*_-]*\d)", r"\1", plain)
    alternatives = set(re.findall(r"(?:\*|/)(\d{2}):", plain)) if "/" in plain else set()
    if len(alternatives) != 1:
        words = [word.removeprefix("HLA-") for word in _BETWEEN.split(text.strip())]
        forms = [word if word == "-" or _allele(word) else _nearest_form(word) for word in words if len(words) > 1]
        if forms and all(forms):
            return ",".join(forms)
        if "/" in plain:
            return ""
    plain = re.sub(r"\(.*\)$|/.*", "", plain)  # A24(9) with a wrong bracket; A*02:01/02:09
    loose = _LOOSE.fullmatch(plain)
    if loose:
        locus, digits, suffix = loose.groups()
        antigen = f"{'Cw' if locus == 'C' else locus}{int(digits)}" if digits.isdigit() else ""
        for fields in _fields(digits):
            group = f"{locus}*{fields[0].zfill(2)}"
            if group in _FORMER:
                return _FORMER[group]
            named = ":".join([group, *(field.zfill(2) for field in fields[1:])])
            found = next((name for name in (named + suffix, named + "N") if _allele(name)), "")
            if found:
                return found.split(":")[0] if "/" in text else found
        if antigen in _SEROLOGY:
            return antigen
    if _allele(plain):
        return plain
    names = {name for name in _SEROLOGY if name[:2] != "Cw"}  # whose w would be an error beside the digits
    names |= {f"{locus}*{group}" for locus, groups in GROUPS.items() for group in groups}
    start = re.split(r"[^A-Z0-9*]", plain)[0]
    near = {start} & names or {name for name in names if name[0] == start[:1] and _one_error(start, name)}
    return near.pop() if len(near) == 1 else ""


def _one_error(word: str, name: str) -> bool:
    """Whether a character added, lost, wrong or exchanged with the next is all that tells a word from a name."""
    for same in range(len(word) + 1):
        rest, wanted = word[same:], name[same:]
        swapped = rest[:2] == wanted[1::-1] and rest[2:] == wanted[2:]
        if word[:same] == name[:same] and (swapped or rest[1:] in (wanted, wanted[1:]) or rest == wanted[1:]):
            return True
    return False


def _fields(digits: str) -> list[list[str]]:
    """How digits may fall into fields: as they are divided, or as written before 2010 (A*0201) or with a zero lost."""
    fields = [field for field in re.split(r"[:.-]", digits) if field]
    if len(fields) > 1:
        return [fields]
    if len(digits) >= 4:
        return [[digits[:2], digits[2:4]]]
    return [[digits], [digits[0], digits[1:]]] if len(digits) == 3 else [[digits]]
