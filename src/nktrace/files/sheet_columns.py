"""The columns of a study's sheets: the one place that says what each may hold, read by the reader, the docs and init.

Those of panels and gating tables stand with their readers, files/panels.py and files/gating_table.py.
"""

from __future__ import annotations

import math

from nktrace.files.cells import DAY, FRACTION, POSITIVE, Choice, Column, Identifier, IsoDate, Number
from nktrace.model.study import DEATH, EX_VIVO, Role
from nktrace.science.hla_typing import parse_typing

MATERIALS = ("whole_blood", "pbmc_fresh", "pbmc_cryo", "product", "tissue")
EVENT_KINDS = ("infection", "rejection", "steroid", "transfusion", "lymphodepletion", "discharge", DEATH)

_ID = Identifier()
_DONOR = Identifier(taken="all")


def _typing(name: str, doc: str) -> Column:
    return Column(name=name, default="", check=parse_typing, doc=doc)


def _number(name: str, kind: Number, doc: str, *, default: float = math.nan) -> Column:
    return Column(name=name, kind=kind, default=default, doc=doc)


SAMPLES = (
    Column(
        name="sample",
        kind=_ID,
        needed=True,
        na=False,
        doc="Unique id of the tube; its results are in `results/samples/{sample}/`.",
    ),
    Column(
        name="patient",
        kind=_ID,
        needed=True,
        doc="Id in patients.tsv. `NA` for controls and for a lone tube, which gets the tables of a sample only.",
    ),
    Column(
        name="day",
        kind=DAY,
        default=math.nan,
        when="for timepoint, baseline and blank of a patient",
        doc="Days from the (first) infusion; may be negative or fractional.",
    ),
    Column(
        name="collected",
        kind=IsoDate(),
        when="instead of `day`",
        doc="When it was drawn; `day` is then computed from `infusion_date` of patients.tsv.",
    ),
    Column(
        name="role",
        kind=Choice(tuple(Role)),
        needed=True,
        na=False,
        doc="`timepoint`; `baseline`, that change is measured from; `blank`, the recipient before any donor cell can "
        "be present, also a time point; `donor`, product or donor reference; or a control.",
    ),
    Column(
        name="stain",
        when="for fmo and single_stain",
        doc="The marker or channel that is left out (fmo) or the only one present (single_stain).",
    ),
    Column(name="panel", kind=_ID, needed=True, na=False, doc="NAME of `panels/NAME.tsv`."),
    Column(
        name="batch",
        kind=_ID,
        needed=True,
        na=False,
        doc="Acquisition batch: compensation and gate priors are shared within one.",
    ),
    Column(name="fcs", needed=True, na=False, doc="Path of the FCS file, relative to `data_dir` of config.yaml."),
    Column(
        name="compensation",
        default="keyword",
        doc="`keyword` (the file's own matrix; default), `none`, `controls` (from the batch's single stains), "
        "or the path of a matrix CSV, relative to the study.",
    ),
    Column(
        name="donor",
        kind=_DONOR,
        when="for role donor without a patient",
        doc="Donor id; it joins a donor reference to the patients who have this `donor`.",
    ),
    Column(name="specimen", kind=_ID, doc="Tubes of one draw share it. Default: patient, day and role."),
    Column(
        name="material", kind=Choice(MATERIALS), default="whole_blood", doc="What was stained. Default: `whole_blood`."
    ),
    Column(
        name="condition",
        kind=_ID,
        default=EX_VIVO,
        doc="`ex_vivo` (default); any other, such as `K562`, gives no counts and no chimerism.",
    ),
    _number("wbc_per_ul", POSITIVE, "Dual-platform counting: leukocytes per µL, from the haematology analyser."),
    _number("lymphocyte_fraction", FRACTION, "Dual-platform counting: lymphocytes of leukocytes, from the analyser."),
    _number("beads_per_tube", POSITIVE, "Single-platform counting: beads in the tube, from the lot; never defaulted."),
    _number("blood_ul", POSITIVE, "Single-platform counting: µL of blood in the tube."),
    _number("dilution", POSITIVE, "Extra dilution. Default: 1.", default=1.0),
    _number("acquired_ul", POSITIVE, "Volumetric counting: µL acquired; `$VOL` of the file where this is empty."),
)

PATIENTS = (
    Column(
        name="patient",
        kind=_ID,
        needed=True,
        na=False,
        doc="Unique id; the patient's page is in `results/patients/{patient}/`.",
    ),
    Column(name="arm", default="", doc="Trial arm or dose group."),
    Column(name="infusion_date", kind=IsoDate(), doc="Day 0, where samples.tsv has `collected`."),
    _number("dose_per_kg", Number(low=0), "Infused cells per kg."),
    _number("weight_kg", Number(low=0, high=700, above_low=True), "Body weight."),
    Column(name="sex", kind=Choice(("F", "M")), default="", doc="`F` or `M`: reference ranges differ."),
    _number("age_years", Number(low=0, high=130), "Age at the infusion."),
    Column(name="donor", kind=_DONOR, default="", doc="Donor id."),
    _typing(
        "recipient_hla",
        "HLA typing of the recipient, alleles by `,` and loci by `;`: `A*01:01,A*02:01;B*07:02,B*08:01`.",
    ),
    _typing("donor_hla", "HLA typing of the donor."),
    _number(
        "first_donor_exposure_day",
        Number(low=-40_000, high=0, what="number of days"),
        "First day on which donor cells can be present. Default: 0; the day of transplantation after one, such as -3.",
        default=0.0,
    ),
    _typing("prior_graft_hla", "After stem-cell transplantation: the graft's typing, whose alleles are excluded too."),
    _number("last_followup_day", DAY, "Day on which follow-up ended."),
    _number("death_day", DAY, "Day of death; default: that of the event `death` in events.tsv."),
)

_PATIENT = Column(name="patient", kind=_ID, needed=True, na=False, doc="Id in patients.tsv.")
_DAY = Column(name="day", kind=DAY, needed=True, na=False, doc="Days from the (first) infusion.")

INFUSIONS = (
    _PATIENT,
    Column(name="infusion", kind=_ID, needed=True, na=False, doc="Id of the infusion, unique within the patient."),
    _DAY,
    Column(
        name="donor",
        kind=_DONOR,
        doc="Donor id; default: that of patients.tsv. With several, results have rows of each that an antibody tells "
        "from the others, and of `all` together.",
    ),
    _typing("donor_hla", "HLA typing of this donor."),
    _number("cells_per_kg", Number(low=0), "Infused cells per kg."),
    _number("viability", FRACTION, "Share of living cells in the product."),
    _number("cd3_fraction", FRACTION, "Share of T cells in the product."),
)

EVENTS = (
    _PATIENT,
    _DAY,
    Column(
        name="kind",
        kind=_ID,
        needed=True,
        na=False,
        doc=f"What happened: {', '.join(f'`{kind}`' for kind in EVENT_KINDS)}, or another word.",
    ),
    Column(name="note", doc="Any text."),
)

EXTERNAL_CHIMERISM = (
    _PATIENT,
    _DAY,
    Column(name="material", kind=Choice(MATERIALS), doc="What was examined."),
    Column(name="population", kind=_ID, doc="Which cells, by the names of the gating table; `NA` for all."),
    Column(name="method", kind=_ID, needed=True, na=False, doc="`STR`, `qPCR`, `ddPCR`, …"),
    Column(name="donor_fraction", kind=FRACTION, needed=True, na=True, doc="0 to 1; `0` for none found."),
    _number("ci_low", FRACTION, "Lower bound of its 95 % interval."),
    _number("ci_high", FRACTION, "Upper bound of its 95 % interval."),
    _number("lod", FRACTION, "Limit of detection, as a donor fraction."),
)

IMPORTS = (
    Column(name="sample", kind=_ID, needed=True, na=False, doc="Id in samples.tsv: it is gated by these gates alone."),
    Column(
        name="gates",
        needed=True,
        na=False,
        doc="Path of the Gating-ML file (.xml) or FlowJo workspace (.wsp), relative to `data_dir` of config.yaml.",
    ),
    Column(
        name="gates_sample",
        default="",
        doc="Name of the sample in the workspace. Default: the workspace's only one, or the name of the FCS file.",
    ),
    Column(
        name="names",
        needed=True,
        na=False,
        doc="Path of the table of names within `config/`, such as `names/flowjo.tsv`: which gate is which population.",
    ),
)

REFERENCE_SAMPLES = (
    Column(name="sample", kind=_ID, needed=True, na=False, doc="Id in samples.tsv: the reference is fitted on these."),
)
