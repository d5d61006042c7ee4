"""Scientific choices of a study: config/config.yaml as one closed model, the source of its schema and of its docs.

Threads, output paths and executors are not here. Every setting has a default, apart from `data_dir`.
files/configuration.py reads the file; the steps get what they use as JSON.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from nktrace.files.choices import CHECKED
from nktrace.model.chimerism import LEAST_BLANK_CV, MOST_BLANK_CV


def _no_sliver(cv: float) -> float:
    if 0 < cv < LEAST_BLANK_CV:
        words = f"it should be 0 (blanks differ by counting alone), or {LEAST_BLANK_CV:g} to {MOST_BLANK_CV:g}"
        raise PydanticCustomError("blank_cv", words)
    return cv


BlankCv = Annotated[float, Field(ge=0, le=MOST_BLANK_CV), AfterValidator(_no_sliver)]


class Section(BaseModel):
    """A group of settings; an unknown name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


class Survey(Section):
    """What is drawn from every sample before anything is fitted."""

    events: int = Field(default=20_000, ge=1_000)
    """Events drawn per sample (all, where there are fewer)."""


class Compensation(Section):
    """Spillover matrices."""

    max_condition: float = Field(default=1_000.0, gt=1)
    """A matrix with a larger condition number is refused as singular."""
    min_stain_index: float = Field(default=5.0, gt=0)
    """A single stain whose signal over twice the sd of its negative events is less is too dim to be used."""
    min_control_events: int = Field(default=100, ge=20)
    """Positive (and negative) events that a single stain needs."""


class Quality(Section):
    """Limits of the quality checks; the checks warn and fail, they remove nothing but bad stretches of time."""

    min_events: int = Field(default=1_000, ge=0)
    """Fewer events in the file: warn."""
    max_time_removed: float = Field(default=0.2, gt=0, le=1)
    """Share of events in stretches of time that are cut out: more is a warning, twice this a failure."""
    max_flow_deviation: float = Field(default=0.5, gt=0)
    """Deviation of the flow rate of a hundredth of the run from the median rate, as a share: more is a warning."""
    max_drift: float = Field(default=0.5, gt=0)
    """Shift of a population from the first fifth of the run to the last, in its sd: more is a warning."""
    max_margin: float = Field(default=0.05, gt=0, le=1)
    """Share of events at the end of a detector's range: more is a warning."""
    max_doublets: float = Field(default=0.3, gt=0, le=1)
    """Share of events outside the singlets gate: more is a warning."""
    max_dead: float = Field(default=0.5, gt=0, le=1)
    """Share of dead singlets: more is a warning."""
    max_spill_residual: float = Field(default=0.02, gt=0, lt=1)
    """Spillover left between two detectors after compensation, as a coefficient (0.02 is 2 %): more is a warning."""
    max_control_drift: float = Field(default=0.15, gt=0)
    """Shift of a marker in a batch's control, as a share of its distance from negative to positive: more warns."""
    min_nk_events: int = Field(default=100, ge=0)
    """Fewer NK events: warn."""
    nk_product_cd3: float = Field(default=0.01, ge=0, lt=1)
    """A product with at most this share of T cells is NK cells alone: donor T cells in later samples warn."""


class Gating(Section):
    """Automatic gates."""

    min_events: int = Field(default=100, ge=20)
    """A parent with fewer events takes its gate from the prior."""
    bootstrap: int = Field(default=50, ge=10)
    """Resamples behind the interval of a data-driven cut."""
    max_distance: float = Field(default=3.0, gt=0)
    """A cut that differs more from its prior, in standard deviations of the difference, is a warning."""


class Clustering(Section):
    """NK clusters over the cohort."""

    prototypes: int = Field(default=100, ge=4)
    """k-means prototypes."""
    metaclusters: int = Field(default=0, ge=0)
    """Clusters that the prototypes are joined to; 0: as many as the events show."""
    events_per_sample: int = Field(default=5_000, ge=50)
    """NK events drawn from each reference sample (all, where there are fewer): large samples outweigh no others."""
    max_events: int = Field(default=60_000, ge=1_000)
    """NK events drawn from all reference samples together; with more samples each gives fewer."""
    bootstrap: int = Field(default=7, ge=3)
    """Refits on halves of the events, behind the consensus and the stability of clusters."""
    min_share: float = Field(default=0.6, gt=0, le=1)
    """Share of a cluster's cells that a subset needs to give it its name; below it, the cluster is ambiguous."""
    max_novelty: float = Field(default=1.5, ge=1)
    """Distance to the nearest prototype, over the one that holds 99 % of its events, beyond which an NK event is in no
    cluster."""
    max_unassigned: float = Field(default=0.02, gt=0, le=1)
    """Share of a sample's NK events in no cluster: surely more is a warning, surely five times this a failure."""
    max_shift: float = Field(default=0.07, gt=0, le=1)
    """Shift of a marker of the NK cells against the reference, as a share of its range: more is a warning, twice this
    a failure, unless there are so few events that the interval reaches below half of it."""
    align: str = Field(default="none", pattern="^(none|batch_control)$")
    """Whether markers are aligned to the reference by the batch's controls before clustering: `none`, or
    `batch_control`. A reference is used as it was fitted: a change needs a new `reference_version`."""
    export_events: int = Field(default=20_000, ge=100)
    """NK events in nk.h5ad, as many from each sample."""
    embedding: str = Field(default="auto", pattern="^(auto|umap|pca|none)$")
    """Two axes on which NK events are drawn: `umap` (needs `pip install nktrace[umap]`), `pca`, `none`, or `auto`: umap
    where that is installed, else pca."""


class Chimerism(Section):
    """Donor fraction from HLA markers."""

    min_separation: float = Field(default=0.8, gt=0, le=1)
    """Least difference between sensitivity and false-positive rate; below it: indeterminate."""
    min_events: int = Field(default=50, ge=1)
    """Fewer events in a population: indeterminate."""
    blank_cv: BlankCv | None = None
    """Coefficient of variation of the false-positive rate between tubes; 0: Poisson, else 0.01 (1 %) or more; null:
    from five blanks or more."""
    assumed_blank_cv: BlankCv = 0.5
    """That coefficient where `blank_cv` is null and there are fewer than five blanks; flagged."""
    assumed_sensitivity: float = Field(default=0.95, gt=0, le=1)
    """Sensitivity where there is no donor reference; flagged and widened."""
    assumed_sensitivity_events: int = Field(default=20, ge=1)
    """How many donor events the assumed sensitivity is worth: fewer widen the interval more."""
    min_reference_events: int = Field(default=200, ge=1)
    """A population with fewer events in blank or donor reference borrows their rate from its lineage; flagged."""
    cut_bootstrap: int = Field(default=50, ge=10)
    """Resamples behind the interval of an HLA cut."""
    complete: float = Field(default=0.95, gt=0, le=1)
    """Donor fraction from which chimerism is called complete."""
    mixed: float = Field(default=0.01, gt=0, lt=1)
    """Donor fraction from which chimerism is called mixed; below it, micro."""


class Dilution(Section):
    """In-silico dilution: the laboratory's own donor references mixed into its own blanks (`nktrace dilute`)."""

    levels: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        default=[0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5], min_length=3
    )
    """Donor fractions of NK cells that are mixed, above 0 and below 1; the blank alone always stands beside them."""
    draws: int = Field(default=20, ge=3)
    """Mixtures of each level, each from new halves of the files."""
    patients: list[str] = Field(default=[])
    """Patients whose blank and donor reference are mixed; empty for all who have both in one panel."""
    goal: float = Field(default=0.1, gt=0, lt=1)
    """Largest bias of the recovery and deviation from the line, as a share, that the laboratory allows."""
    goal_from: float = Field(default=0.01, gt=0, lt=1)
    """Donor fraction from which that goal holds."""


class External(Section):
    """Donor chimerism by other methods (external_chimerism.tsv) beside flow."""

    window: float = Field(default=1.0, ge=0)
    """Days that a flow sample and the other method's may lie apart."""
    rest: str = Field(default="unknown", pattern="^(unknown|recipient)$")
    """What cells that flow does not tell (granulocytes) are: `unknown`, or `recipient` after a product of NK cells."""


class Counts(Section):
    """Cells per microlitre."""

    pipette_cv: float = Field(default=0.02, ge=0)
    """Coefficient of variation of pipetting (beads and blood)."""
    analyser_cv: float = Field(default=0.05, ge=0)
    """Coefficient of variation of the analyser's lymphocyte count (leucocytes times lymphocyte fraction)."""
    min_beads: int = Field(default=1_000, ge=1)
    """Fewer bead events: warn."""
    doublets: str = Field(default="add_back", pattern="^(add_back|leave_out)$")
    """Cells in events outside the gate `singlets`, which beads and volume stand for: `add_back` counts them in, as so
    many of each population as of all cells; `leave_out` counts single cells only."""
    max_cd3_difference: float = Field(default=0.03, gt=0, lt=1)
    """Difference between the shares of CD3+ lymphocytes in two tubes of a specimen: surely more is a warning, twice
    this a failure."""
    max_platform_ratio: float = Field(default=1.25, gt=1)
    """Ratio of two platforms' counts of one day, either way: surely more is a warning."""
    volume_unit: str = Field(default="auto", pattern="^(auto|nl|ul)$")
    """Unit of $VOL: `nl` by the standard, `ul` on some instruments, `auto` by the instrument's name."""


class Trajectories(Section):
    """Curves through a patient's visits."""

    min_points: int = Field(default=4, ge=3)
    """Days with a measured value (not under the limit of detection) below which no curve is drawn."""
    draws: int = Field(default=2_000, ge=200)
    """Posterior draws behind every interval."""
    grid_points: int = Field(default=60, ge=0)
    """Days between the first and the last visit at which the curve is written for pictures."""


class Kinetics(Section):
    """What is read off the trajectories."""

    days: list[float] = Field(default=[7.0, 14.0, 28.0])
    """Days after the infusion whose values are reported."""
    window: float = Field(default=3.0, ge=0)
    """How many days away from these the nearest visit may lie."""

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
    seed: int = Field(default=1, ge=0)
    """Seed of every draw and fit."""
    level: float = Field(default=0.95, gt=0.5, lt=1)
    """Level of all intervals."""
    reference_version: int = Field(default=1, ge=1)
    """Version of the frozen reference in use; raising it fits a new one beside the old."""
    simulate: str = ""
    """A simulator file (YAML) whose FCS files are written to `data_dir` first; empty for real data."""
    survey: Survey = Survey()
    compensation: Compensation = Compensation()
    qc: Quality = Quality()
    gating: Gating = Gating()
    clustering: Clustering = Clustering()
    chimerism: Chimerism = Chimerism()
    dilution: Dilution = Dilution()
    external: External = External()
    counts: Counts = Counts()
    trajectories: Trajectories = Trajectories()
    kinetics: Kinetics = Kinetics()


def part(settings: Settings, *names: str) -> str:
    """The JSON of some settings, as the rules hand it to a step: `seed`, `level` and what is named.

    Args:
        names: sections, or single settings as `section.setting`: a step reruns when one of these changes.
    """
    chosen: dict[str, Any] = {CHECKED: True, "seed": settings.seed, "level": settings.level}
    for name in names:
        section, _, setting = name.partition(".")
        values = getattr(settings, section).model_dump(mode="json")
        chosen.setdefault(section, {}).update({setting: values[setting]} if setting else values)
    return json.dumps(chosen)
