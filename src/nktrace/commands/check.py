"""`nktrace check`: all sheets and all FCS headers of a study, every fault at once."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import quote

from nktrace.files.code import code_digest
from nktrace.files.gate_documents import read_gate_document
from nktrace.files.gating_table import read_gating_table
from nktrace.files.headers import Headers, read_headers
from nktrace.files.installation import knowledge
from nktrace.files.settings import Settings
from nktrace.files.sheets import Examined, examine_study
from nktrace.files.study_notes import gating_notes, notes
from nktrace.files.subset_rules import read_subset_rules, rules_digest
from nktrace.model.errors import Fault, GatingError, StudyFaults
from nktrace.model.panel import Panel
from nktrace.model.study import Study

FITTED_BY = {"gates": "fit_gates", "clusters": "fit_clusters"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", nargs="?", default=".", type=Path, help="directory that holds config/ (default: here)")


def run(args: argparse.Namespace) -> int:
    """Print what the study holds and what it lacks; faults are printed last, and give exit code 2."""
    directory: Path = args.study
    examined = examine_study(directory)
    if not (directory / "config").is_dir():
        raise StudyFaults(examined.faults)
    study = examined.study
    panels = {name: panel for name, panel in examined.panels.items() if panel is not None}
    there = {name: s for name, s in study.samples.items() if (directory / s.fcs).is_file()}
    headers = read_headers(directory, there, panels, examined.rows)
    for line in _summary(examined, headers, panels):
        print(line)
    for override in study.overrides:
        whose = override.sample or f"batch {override.batch} of panel {override.panel}"
        change = " ".join(filter(None, (override.method, override.settings)))
        print(f"Override  {override.population} of {whose}: {change}; {override.reason.removeprefix('override ')}")
    for fault in headers.unreadable:
        print(f"WARN  {fault}")
    for line in _notes(directory, examined, headers, panels):
        print(f"NOTE  {line}")
    if examined.settings is not None:
        for line in _references(directory, study, examined.settings):
            print(f"WARN  {line}")
    faults = (*examined.faults, *headers.faults, *_drawn_elsewhere(directory, study))
    if faults:
        print(f"\n{len(faults)} fault{_s(len(faults))}:", flush=True)
        raise StudyFaults(faults)
    print(f"\nNo faults. Next: nktrace run {quote(str(directory))}")
    return 0


def _drawn_elsewhere(directory: Path, study: Study) -> Iterator[Fault]:
    """Gates from other programs that cannot be read, or are not those of the sample."""
    for name, imported in study.imports.items():
        if name not in study.samples:  # its row has a fault, which is told
            continue
        try:
            fcs = Path(study.samples[name].fcs).name
            read_gate_document(directory / imported.gates, sample=imported.gates_sample, fcs_name=fcs)
        except GatingError as error:
            what = f"the gates of {name}: {error.where}: {error.what}"
            yield Fault(file="config/imports.tsv", column="gates", what=what, mend=error.mend)


def _summary(examined: Examined, headers: Headers, panels: Mapping[str, Panel]) -> Iterator[str]:
    samples = examined.study.samples.values()
    roles = Counter(sample.role.value for sample in samples)
    kinds = ", ".join(f"{count} {role}" for role, count in sorted(roles.items(), key=lambda item: -item[1]))
    yield f"Samples   {len(samples)}" + (f" ({kinds})" if kinds else "")
    yield f"Patients  {len(examined.study.patients)}"
    for name, panel in panels.items():
        mine = [sample for sample in samples if sample.panel == name]
        batches = len({sample.batch for sample in mine})
        in_batches = "1 batch" if batches == 1 else f"{batches} batches"
        gating = f", gating {examined.study.gating[name]}" if mine else ""
        counted = f"{len(panel.used)} detectors, {len(mine)} sample{_s(len(mine))} in {in_batches}{gating}"
        yield f"Panel     {name}: {counted}"
    simulated = examined.settings is not None and examined.settings.simulate
    absent = len(samples) - len(headers.events) - len(headers.unreadable)
    later = f", {absent} simulated by the run" if simulated and absent else ""
    events = sum(headers.events.values())
    yield f"Files     {len(headers.events)} headers read, {events:,} events{later}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _notes(directory: Path, examined: Examined, headers: Headers, panels: Mapping[str, Panel]) -> Iterator[str]:
    yield from notes(examined.study, panels, with_volume=headers.volumes)
    if headers.uncompensated:
        names = ", ".join(headers.uncompensated[:5]) + (" …" if len(headers.uncompensated) > 5 else "")
        count = len(headers.uncompensated)
        yield f"{count} file(s) hold no spillover and are not compensated ({names}): write none if that is right"
    empty = [name for name, events in headers.events.items() if events == 0]
    if empty:
        yield f"no events in {', '.join(empty)}"
    faulty = {fault.file for fault in examined.faults}
    for name, path in examined.study.gating.items():
        if name in panels and path not in faulty:
            own = path if path.startswith("config/") else ""
            yield from gating_notes(read_gating_table(directory / path), panels[name], own=own)


def _references(directory: Path, study: Study, settings: Settings) -> Iterator[str]:
    """Frozen references that were fitted by other code, or in another way: they stay, but a new one would differ."""
    version, align = settings.reference_version, settings.clustering.align
    try:
        rules = rules_digest(read_subset_rules(directory / knowledge("nk_subsets.tsv", directory)))
    except StudyFaults:  # told where the sheets are examined
        rules = ""
    for panel in study.panels:
        for part, command in FITTED_BY.items():
            path = directory / "results" / "reference" / panel / f"v{version}" / part / "reference.json"
            if not path.is_file():
                continue
            try:
                facts = json.loads(path.read_bytes())
                code, aligned = facts.get("code"), facts.get("align", align)
            except (ValueError, AttributeError):
                yield f"{path} is not JSON: delete its directory, and it is fitted anew"
                continue
            mend = f"to fit it anew, set reference_version: {version + 1}"
            if code != code_digest(command):
                yield f"the {part} of panel {panel}, v{version}, were fitted by another version of the code: {mend}"
            if facts.get("named_by", rules) != rules:
                said = "have their names from other rules than nk_subsets.tsv has now; subsets go by the new rules"
                yield f"the {part} of panel {panel}, v{version}, {said}: {mend}"
            if aligned != align:
                said = f"clustering.align: {aligned}, and config.yaml has {align}, so that every sample is refused"
                yield f"the {part} of panel {panel}, v{version}, were fitted with {said}: {mend}"
