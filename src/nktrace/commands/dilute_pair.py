"""`nktrace dilute-pair`: a patient's donor reference mixed into the patient's blank, and what is found of it."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nktrace.commands.hla_cuts import antibodies_of
from nktrace.commands.whole_way import GatedTube, Source, WholeWay
from nktrace.files.blanks import read_blanks
from nktrace.files.chimerism_rows import estimate_cells
from nktrace.files.choices import from_json
from nktrace.files.gate_reference import read_gate_reference
from nktrace.files.gating_table import read_gating_table
from nktrace.files.mixtures import Pair, read_pair, write_mixture, write_part
from nktrace.files.overrides import Hierarchy, load_overrides
from nktrace.files.panels import read_panel
from nktrace.files.rows import load_patient
from nktrace.files.subset_rules import read_subset_rules
from nktrace.files.tables import write_table
from nktrace.model.chimerism import ChimerismRow, MarkerCuts, cuts_by_marker
from nktrace.model.dilution import Recipe
from nktrace.model.errors import CompensationError, PanelMismatch, UnreadableFcs
from nktrace.model.panel import Kind, Panel
from nktrace.model.study import Patient, Role
from nktrace.model.subsets import NK
from nktrace.science.dilution import expected_fraction, halves, lod_by_counts, mixture, recipes
from nktrace.science.drawing import generator
from nktrace.science.gating.tree import resolve

Row = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("blank", help="FCS file of the blank")
    parser.add_argument("donor", help="FCS file of the donor reference")
    parser.add_argument("--patient", required=True, type=load_patient, metavar="ROW", help="patient, blank and donor")
    parser.add_argument("--panel", required=True, help="panel sheet")
    parser.add_argument("--gating", required=True, help="gating table")
    parser.add_argument("--reference", required=True, metavar="DIR", help="gate reference of the panel")
    parser.add_argument("--antibodies", required=True, help="hla_antibodies.tsv")
    parser.add_argument("--subsets", required=True, help="nk_subsets.tsv")
    parser.add_argument("--blanks", nargs="*", default=[], help="blanks.tsv of the panel's reference")
    parser.add_argument("--settings", required=True, type=from_json, metavar="JSON")
    parser.add_argument("--blank-matrix", nargs="?", help="spillover matrix CSV of the blank, where its row names one")
    parser.add_argument("--donor-matrix", nargs="?", help="the same of the donor reference")
    parser.add_argument("--blank-overrides", default="[]", metavar="JSON", help="what an analyst made of its gates")
    parser.add_argument("--donor-overrides", default="[]", metavar="JSON", help="the same of the donor reference")
    parser.add_argument("--output-dir", required=True, type=Path, metavar="DIR")


def run(args: argparse.Namespace) -> int:
    """Write dilution.tsv and dilution_pairs.tsv; of files that can't be mixed the second says why."""
    panel = read_panel(args.panel)
    gating, skipped = resolve(read_gating_table(args.gating), panel)
    way = WholeWay(
        panel=panel,
        gating=gating,
        reference=read_gate_reference(args.reference),
        rules=read_subset_rules(args.subsets),
        antibodies=antibodies_of([panel], args.antibodies),
        blanks=read_blanks(args.blanks),
        settings=args.settings,
    )
    hierarchy = Hierarchy(panel, gating, skipped)
    blank, donor = (
        Source(sample, path, matrix, load_overrides(overrides, hierarchy))
        for sample, path, matrix, overrides in zip(
            args.patient.samples,
            (args.blank, args.donor),
            (args.blank_matrix, args.donor_matrix),
            (args.blank_overrides, args.donor_overrides),
            strict=True,
        )
    )
    series = _Series(way, args.patient.patient, blank, donor)
    try:
        rows, facts = series.run()
    except (UnreadableFcs, CompensationError, PanelMismatch) as error:
        rows, facts = [], series.impossible(str(error))
    write_table(args.output_dir / "dilution.tsv", "dilution", rows)
    write_table(args.output_dir / "dilution_pairs.tsv", "dilution_pairs", [facts])
    return 0


@dataclass(frozen=True, slots=True)
class _Series:
    """All draws of one pair."""

    way: WholeWay
    patient: Patient
    blank: Source
    donor: Source

    def run(self) -> tuple[list[Row], Row]:
        """Rows of dilution.tsv, and the row of dilution_pairs.tsv."""
        from nktrace.science.hla_controls import verdict_of

        if not any(verdict_of(self.patient, antibody).direction for antibody in self.way.antibodies.values()):
            return [], self.impossible("no antibody of the panel tells donor from recipient")
        way, settings = self.way, self.way.settings
        pair = read_pair(
            way.read(self.blank.path, self.blank), way.read(self.donor.path, self.donor), time=_time(way.panel)
        )
        totals = pair.blank.event_count, pair.donor.event_count
        shares = tuple(
            way.gated(source.path, source).shares(total)
            for source, total in zip((self.blank, self.donor), totals, strict=True)
        )
        facts = self._facts() | {
            "blank_events": totals[0],
            "donor_events": totals[1],
            "blank_nk": round(shares[0].get(NK, 0) * totals[0]),
            "donor_nk": round(shares[1].get(NK, 0) * totals[1]),
            "respilled": pair.respilled,
        }
        if not facts["blank_nk"] or not facts["donor_nk"]:
            return [], self.impossible("no NK cells in one of the two files")
        rows: list[Row] = []
        with TemporaryDirectory() as place:
            for draw in range(settings.dilution.draws):
                rows += self._draw(draw, pair, shares, Path(place))
                if all(math.isnan(row["donor_fraction"]) for row in rows):
                    return [], self.impossible(rows[0]["reason"])
        return rows, facts | {"status": "ok"}

    def impossible(self, reason: str) -> Row:
        return self._facts() | {"status": "not_possible", "reason": reason}

    def _facts(self) -> Row:
        unknown = ("blank_events", "donor_events", "blank_nk", "donor_nk", "respilled", "reason")
        return dict.fromkeys(unknown) | {
            "patient": self.patient.patient,
            "panel": self.way.panel.name,
            "blank_sample": self.blank.sample.sample,
            "blank_fcs": Path(self.blank.path).name,
            "blank_batch": self.blank.sample.batch,
            "donor_sample": self.donor.sample.sample,
            "donor_fcs": Path(self.donor.path).name,
            "donor_batch": self.donor.sample.batch,
            "draws": self.way.settings.dilution.draws,
        }

    def _draw(self, draw: int, pair: Pair, shares: Sequence[Mapping[str, float]], place: Path) -> Iterator[Row]:
        """New halves of both files: controls of the one half each, a mixture of every level of the others."""
        way, settings, path = self.way, self.way.settings, place / "tube.fcs"
        rng = generator(settings.seed, self.blank.sample.sample, self.donor.sample.sample, "dilution", str(draw))
        totals = pair.blank.event_count, pair.donor.event_count
        kept, mixed = zip(*(halves(total, rng) for total in totals), strict=True)
        write_part(path, pair.donor, kept[1])
        donor = way.gated(path, self.donor)
        write_part(path, pair.blank, kept[0])
        blank = way.gated(path, self.blank)
        day = max(self.blank.sample.day, self.patient.first_donor_exposure_day) + 1
        mixture_of = replace(self.blank.sample, role=Role.TIMEPOINT, day=day)
        reference = way.beside(path, self.blank, mixture_of)
        cuts = way.cuts(self.patient, [blank.tube, donor.tube])
        steps = recipes(
            [0.0, *sorted(set(settings.dilution.levels))],
            blank_events=mixed[0].size,
            donor_events=mixed[1].size,
            blank_share=shares[0][NK],
            donor_share=shares[1][NK],
        )
        tubes: list[GatedTube] = []
        truth: dict[str, tuple[Recipe, dict[str, tuple[int, int]]]] = {}
        for number, step in enumerate(steps):
            drawn = mixture(step, *mixed, blank_total=totals[0], donor_total=totals[1], rng=rng)
            write_mixture(path, pair, drawn)
            sample = replace(mixture_of, sample=f"{self.blank.sample.sample}.draw{draw + 1}.level{number}")
            gated = way.gated(path, self.blank, sample=sample, reference=reference)
            is_donor = drawn.is_donor[gated.tube.lineages.event]
            truth[sample.sample] = (
                step,
                {name: (int(mask.sum()), int(is_donor[mask].sum())) for name, mask in gated.populations().items()},
            )
            tubes.append(gated)
        by_marker = cuts_by_marker(cuts, panel=way.panel.name, batch=self.blank.sample.batch)
        for row in way.chimerism(self.patient, [blank, donor, *tubes], cuts):
            if row.sample in truth:
                step, counted = truth[row.sample]
                expected = [share.get(row.population, 0.0) for share in shares]
                yield {
                    "patient": self.patient.patient,
                    "panel": way.panel.name,
                    "level": step.level,
                    "draw": draw + 1,
                    "expected_fraction": expected_fraction(step, blank_share=expected[0], donor_share=expected[1]),
                    "cut": _cut(row, by_marker),
                } | _row(row, *counted[row.population])


def _time(panel: Panel) -> str | None:
    return next((detector.marker for detector in panel.of_kind(Kind.TIME)), None)


def _cut(row: ChimerismRow, by_marker: Mapping[str, MarkerCuts]) -> float | None:
    """Where the marker of a single antibody is cut in this population."""
    from nktrace.science.hla_controls import LINEAGE_OF

    found = [cuts.at(LINEAGE_OF.get(row.population, NK)) for cuts in by_marker.values()]
    return next((cut.cut for cut in found if cut.antibody == row.antibody), None)


def _row(row: ChimerismRow, gated: int, of_donor: int) -> Row:
    """A row of chimerism_by_antibody.tsv beside what is known of the events: how many were gated, and the donor's."""
    found, controls = row.estimate, row.controls
    known = controls is not None and found.fraction.known
    return estimate_cells(row) | {
        "population": row.population,
        "events": gated,
        "donor_events": of_donor,
        "true_fraction": of_donor / gated if gated else None,
        "lod_by_counts": lod_by_counts(row.counts, controls, found.limits.lob_events) if known and controls else None,
    }
