"""A panel: which detector measures which marker, and on which scale it is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from nktrace.model.errors import PanelMismatch


class Kind(StrEnum):
    """What a detector is for."""

    TIME = "time"
    SCATTER = "scatter"
    VIABILITY = "viability"
    BEAD = "bead"
    LINEAGE = "lineage"
    SUBSET = "subset"
    HLA = "hla"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """A row of config/panels/NAME.tsv.

    Attributes:
        channel: $PnN, $PnS, or aliases of these joined by `|`.
        marker: the name that everything downstream uses; the first alias of `channel` where the sheet has none.
        transform: `logicle`, `asinh:COFACTOR` or `linear`.
        antibody: for kind `hla`, the id of a row of resources/hla_antibodies.tsv.
    """

    channel: str
    marker: str
    fluorochrome: str = ""
    kind: Kind
    transform: str = "logicle"
    clone: str = ""
    antibody: str = ""

    @property
    def aliases(self) -> tuple[str, ...]:
        return tuple(alias.strip() for alias in self.channel.split("|") if alias.strip())


@dataclass(frozen=True, slots=True)
class Panel:
    """The detectors of a panel, in the order of its sheet; markers are unique."""

    name: str
    detectors: tuple[Detector, ...]

    def __contains__(self, marker: object) -> bool:
        return any(detector.marker == marker for detector in self.used)

    @property
    def used(self) -> tuple[Detector, ...]:
        return tuple(detector for detector in self.detectors if detector.kind is not Kind.IGNORE)

    @property
    def markers(self) -> tuple[str, ...]:
        return tuple(detector.marker for detector in self.used)

    def of_kind(self, *kinds: Kind) -> tuple[Detector, ...]:
        return tuple(detector for detector in self.detectors if detector.kind in kinds)

    def detector(self, marker: str) -> Detector:
        """The detector of a marker.

        Raises:
            KeyError: the panel has no such marker.
        """
        for detector in self.detectors:
            if detector.marker == marker:
                return detector
        raise KeyError(marker)

    def stained(self, stain: str) -> Detector | None:
        """The detector that `stain` of samples.tsv means: by marker or by channel, however these are written."""
        wanted = marker_key(stain)
        return next(
            (d for d in self.detectors if wanted in {marker_key(name) for name in (d.marker, *d.aliases)}), None
        )

    @property
    def fluorescence(self) -> tuple[str, ...]:
        """The markers whose detectors see light of fluorochromes: all but time and scatter."""
        return tuple(d.marker for d in self.used if d.kind not in (Kind.TIME, Kind.SCATTER))


def bind(panel: Panel, *, names: Sequence[str], labels: Sequence[str]) -> dict[str, int]:
    """Which column of a file each marker of the panel stands in.

    A detector is looked up by $PnN first, then by $PnS, over all its aliases, letter case apart where that is unique.

    Args:
        panel: the panel; detectors of kind `ignore` may be absent from the file and are not returned.
        names: $PnN per column.
        labels: $PnS per column, empty where the file has none.

    Returns:
        Column number per marker, in the order of the panel.

    Raises:
        PanelMismatch: detectors that the file lacks, or that match two columns; every one of them is named.
    """
    found: dict[str, int] = {}
    problems: list[str] = []
    for detector in panel.used:
        columns = _columns_of(detector.aliases, names, labels)
        if len(columns) == 1:
            found[detector.marker] = columns[0]
        elif not columns:
            problems.append(f"no column for {detector.marker} (channel {detector.channel})")
        else:
            both = " and ".join(f"{names[c]} ({labels[c]})" if labels[c] else names[c] for c in columns)
            problems.append(f"channel {detector.channel} of {detector.marker} matches both {both}")
    taken: dict[int, str] = {}
    for marker, column in found.items():
        if column in taken:
            problems.append(f"{taken[column]} and {marker} are both column {names[column]}")
        taken[column] = marker
    if problems:
        raise PanelMismatch(
            "; ".join(problems),
            where=f"panel {panel.name}",
            mend=f"The file has: {', '.join(f'{n} ({s})' if s else n for n, s in zip(names, labels, strict=True))}",
        )
    return found


def _columns_of(aliases: Sequence[str], names: Sequence[str], labels: Sequence[str]) -> list[int]:
    for fold in (str, str.casefold):
        wanted = {fold(alias) for alias in aliases}
        for keys in (names, labels):
            columns = [column for column, key in enumerate(keys) if fold(key) in wanted]
            if columns:
                return columns
    return []


def marker_named(panel: Panel, name: str) -> str:
    """The marker that a sheet names by itself or by its channel, letters and digits alone compared; empty if none."""
    wanted = marker_key(name)
    if not wanted:
        return ""
    for detector in panel.used:
        if wanted in (marker_key(known) for known in (detector.marker, *detector.aliases)):
            return detector.marker
    return ""


def marker_key(name: str) -> str:
    """A marker's name for comparison: letters and digits only, lower case (`HLA-DR`, `HLADR`, `hla dr` are one)."""
    return "".join(character for character in name.casefold() if character.isalnum())
