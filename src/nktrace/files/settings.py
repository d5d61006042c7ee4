"""Scientific choices of a study: config/config.yaml as one closed model, the source of its schema and of its docs.

Threads, output paths and executors are not here. Every setting has a default, apart from `data_dir`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A group of settings; an unknown name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Survey(Section):
    """What is drawn from every sample before anything is fitted."""

    events: int = Field(20_000, ge=1_000)
    """Events drawn per sample (all, where there are fewer)."""


class Compensation(Section):
    """Spillover matrices."""

    max_condition: float = Field(1_000.0, gt=1)
    """A matrix with a larger condition number is refused as singular."""


class Quality(Section):
    """Limits of the quality checks; the checks warn and fail, they remove nothing but bad stretches of time."""

    min_events: int = Field(1_000, ge=0)
    """Fewer events in the file: warn."""
    max_time_removed: float = Field(0.2, gt=0, le=1)
    """Share of events in stretches of time that are cut out: more is a warning, twice this a failure."""
    max_margin: float = Field(0.05, gt=0, le=1)
    """Share of events at the end of a detector's range: more is a warning."""
    max_doublets: float = Field(0.3, gt=0, le=1)
    """Share of events outside the singlets gate: more is a warning."""
    max_dead: float = Field(0.5, gt=0, le=1)
    """Share of dead singlets: more is a warning."""
    min_nk_events: int = Field(100, ge=0)
    """Fewer NK events: warn."""


class Gating(Section):
    """Automatic gates."""

    min_events: int = Field(200, ge=10)
    """A parent with fewer events takes its gate from the prior."""
    bootstrap: int = Field(20, ge=5)
    """Resamples behind the interval of a data-driven cut."""
    max_distance: float = Field(3.0, gt=0)
    """A cut that lies farther from its prior, in the prior's standard deviations, is a warning."""


class Clustering(Section):
    """NK clusters over the cohort."""

    prototypes: int = Field(100, ge=4)
    """k-means prototypes."""
    metaclusters: int = Field(10, ge=2)
    """Clusters that the prototypes are joined to."""
    events_per_sample: int = Field(2_000, ge=50)
    """NK events drawn from each reference sample: every sample has the same weight."""
    bootstrap: int = Field(10, ge=0)
    """Resamples behind the stability of a cluster."""
    export_events: int = Field(20_000, ge=100)
    """NK events in nk.h5ad."""


class Chimerism(Section):
    """Donor fraction from HLA markers."""

    min_separation: float = Field(0.8, gt=0, le=1)
    """Least difference between sensitivity and false-positive rate; below it: indeterminate."""
    min_events: int = Field(50, ge=1)
    """Fewer events in a population: indeterminate."""
    blank_cv: float = Field(0.0, ge=0)
    """Between-blank coefficient of variation of the false-positive rate; 0 takes the blanks as Poisson."""
    assumed_sensitivity: float = Field(0.95, gt=0, le=1)
    """Sensitivity where there is no donor reference; flagged and widened."""
    complete: float = Field(0.95, gt=0, le=1)
    """Donor fraction from which chimerism is called complete."""
    mixed: float = Field(0.01, gt=0, lt=1)
    """Donor fraction from which chimerism is called mixed; below it, micro."""


class Counts(Section):
    """Cells per microlitre."""

    pipette_cv: float = Field(0.02, ge=0)
    """Coefficient of variation of pipetting (beads and blood)."""
    min_beads: int = Field(1_000, ge=1)
    """Fewer bead events: warn."""
    volume_unit: str = Field("auto", pattern="^(auto|nl|ul)$")
    """Unit of $VOL: `nl` by the standard, `ul` on some instruments, `auto` by the instrument's name."""


class Kinetics(Section):
    """Trajectories and what is read off them."""

    thresholds: dict[str, list[float]] = Field(
        default={"cd4_t": [50.0, 200.0], "nk": [100.0], "lymphocytes": [500.0, 1000.0]}
    )
    """Cells per microlitre whose reaching counts as recovery, by measure."""
    confirm: bool = True
    """Whether a second sample must confirm that a threshold is reached."""


class Settings(Section):
    """config/config.yaml."""

    data_dir: str
    """Directory of the FCS files, relative to the study."""
    seed: int = Field(1, ge=0)
    """Seed of every draw and fit."""
    level: float = Field(0.95, gt=0.5, lt=1)
    """Level of all intervals."""
    reference_version: int = Field(1, ge=1)
    """Version of the frozen reference in use; raising it fits a new one beside the old."""
    simulate: str = ""
    """A simulator file (YAML) whose FCS files are written to `data_dir` first; empty for real data."""
    survey: Survey = Survey()
    compensation: Compensation = Compensation()
    qc: Quality = Quality()
    gating: Gating = Gating()
    clustering: Clustering = Clustering()
    chimerism: Chimerism = Chimerism()
    counts: Counts = Counts()
    kinetics: Kinetics = Kinetics()


def part(settings: Settings, *sections: str) -> str:
    """The JSON of some settings, as the rules hand it to a step: `seed`, `level` and the named sections only."""
    return settings.model_copy(update={}).model_dump_json(include={"seed", "level", *sections})


def from_json(text: str) -> Settings:
    """The settings of one step, from the JSON of `part`; what it leaves out has its default and is not used."""
    import json

    values: dict[str, Any] = json.loads(text)
    return Settings(**({"data_dir": ""} | values))


def read_settings(path: Path | str) -> Settings:
    """Read config.yaml. All faults at once, a typo with the nearest setting: see files/sheets.py."""
    raise SystemExit("written with the sheets")
