"""A tube whose cells are to be counted: what was gated in it, and by which platform it can be counted."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from nktrace.model.counting import Gated, Platform
from nktrace.model.gates import ROOT
from nktrace.model.shifts import NetShift
from nktrace.model.study import Sample
from nktrace.science.doubt import Flags, doubts
from nktrace.science.gate_error import relative_sd

BEADS = "beads"
SINGLETS = "singlets"
LYMPHOCYTES = "lymphocytes"
COUNTED = (
    LYMPHOCYTES,
    "monocytes",
    "cd3",
    "t_cells",
    "cd4_t",
    "cd8_t",
    "nkt_like",
    "b_cells",
    "nk",
    "nk_bright",
    "nk_dim",
)
WHOLE_BLOOD = "whole_blood"
# what an analyser's lymphocytes are not selected by; a marker of several antibodies (CD14+CD19) holds each of its names
LINEAGES = frozenset(
    (
        *("cd3", "cd3e", "cd4", "cd8", "cd8a", "tcr", "tcrab", "tcrgd", "cd19", "cd20"),
        *("cd16", "cd56", "ncam", "ncam1", "lineage", "lin", "dump"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tube:
    """A sample with what was gated in it.

    Attributes:
        gated: by population; NK subsets stand among them with parent `nk`.
        subsets: the names of these subsets.
        shifts: what the error of the gates does to the events of populations and subsets.
        file_ul: the file's $VOL in µL; nan if it has none. Instruments write it for washed tubes too, so it counts
            only where the sheet names no platform for the specimen, and then as a warning.
    """

    sample: Sample
    gated: Mapping[str, Gated]
    subsets: tuple[str, ...] = ()
    shifts: tuple[NetShift, ...] = ()
    file_ul: float = math.nan

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """All that the sheet gives the numbers for: beads before volume before the analyser."""
        sample = self.sample
        given = {
            Platform.BEADS: (sample.beads_per_tube, sample.blood_ul),
            Platform.VOLUMETRIC: (sample.acquired_ul,),
            Platform.DUAL: (sample.wbc_per_ul, sample.lymphocyte_fraction),
        }
        whole = [platform for platform, numbers in given.items() if not any(map(math.isnan, numbers))]
        return tuple(platform for platform in whole if platform is not Platform.BEADS or BEADS in self.gated)

    @property
    def named(self) -> bool:
        """Whether the sheet names a platform, be it without all its numbers or of a tube that could not be read."""
        sample = self.sample
        return not all(map(math.isnan, (sample.beads_per_tube, sample.acquired_ul, sample.wbc_per_ul)))

    @property
    def declared(self) -> tuple[Platform, str]:
        """The platform that counts the tube; none with the reason where a number, or the beads, are missing."""
        sample = self.sample
        if not math.isnan(sample.beads_per_tube) and Platform.BEADS not in self.platforms:
            lacks = "blood_ul" if math.isnan(sample.blood_ul) else f"a population `{BEADS}`"
            return Platform.NONE, f"beads_per_tube without {lacks}"
        if self.platforms:
            return self.platforms[0], ""
        if not math.isnan(sample.wbc_per_ul):
            return Platform.NONE, "wbc_per_ul without lymphocyte_fraction"
        return Platform.NONE, ""

    def ancestry(self, population: str) -> list[str]:
        """The population and its ancestors, nearest first."""
        line = []
        while population in self.gated and population not in line:
            line.append(population)
            population = self.gated[population].parent
        return line

    def flags(self, population: str) -> Flags:
        """Of the doubtful gates that a population rests on."""
        return doubts(self.gated.values()).get(population, ())

    def gate_cv(self, population: str, denominator: str = ROOT) -> float:
        """Relative error of a population's events, or of their ratio to another's, from the place of the gates."""
        events = {name: gate.events for name, gate in self.gated.items()} | {ROOT: 1}
        return relative_sd(population, events, self.shifts, whole=denominator)

    def watched(self, population: str) -> float:
        """Share of the tube's events that the gates on time above a population have kept."""
        share = 1.0
        for name in self.ancestry(population):
            gate = self.gated[name]
            if gate.over_time and gate.parent_events:
                share *= gate.events / gate.parent_events
        return share

    def doublets(self, population: str, denominator: str = ROOT) -> tuple[int, int]:
        """Events that the gate `singlets` took from a population and not from its denominator, and those it kept."""
        if SINGLETS not in self.ancestry(population)[1:] or SINGLETS in self.ancestry(denominator):
            return 0, 0
        gate = self.gated[SINGLETS]
        return gate.parent_events - gate.events, gate.events

    def not_the_analysers(self, population: str) -> str:
        """Why a population's share of `lymphocytes` is not its share of what the analyser calls so; empty where it is.

        The analyser counts every lymphocyte: T, B and NK cells alike.
        """
        if LYMPHOCYTES not in self.ancestry(population):
            return f"denominator_differs (not gated within `{LYMPHOCYTES}`, which the analyser counts)"
        for name in self.ancestry(LYMPHOCYTES):
            for channel in self.gated[name].channels:
                if LINEAGES.intersection(re.split(r"[^a-z0-9]+", channel.casefold())):
                    return (
                        f"denominator_differs (`{LYMPHOCYTES}` is gated within {name}, by the lineage marker {channel})"
                    )
        return ""

    def defined_as(self, population: str, other: Tube) -> str:
        """How a population is told by other markers than in another tube; empty where it is not, or is not known."""
        here, there = self.gated[population].channels, other.gated[population].channels
        if not (here and there) or here == there:
            return ""
        return f"definition_differs ({population} by {'+'.join(here)} here, by {'+'.join(there)} there)"
