"""What the rules know of the study: which samples, patients and panels there are, and what each step's values are.

Sheets are read once here. Rules see single rows and settings as `params`, so a change reruns what depends on it only.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from shlex import quote

from snakemake.exceptions import WorkflowError

from nktrace.files.code import code_digest
from nktrace.files.dilution_pairs import dilution_pairs
from nktrace.files.installation import knowledge
from nktrace.files.rows import PatientRow, dump_overrides, dump_patient, dump_rows, dump_sample
from nktrace.files.settings import part
from nktrace.files.sheets import read_study
from nktrace.model.errors import NktraceError
from nktrace.model.study import GATED_ROLES, Role

try:
    STUDY, SETTINGS = read_study(".")
except NktraceError as error:
    raise WorkflowError(str(error))

# the environment that runs the workflow also runs its steps, activated or not
shell.prefix(f'export PATH={quote(str(Path(sys.executable).parent))}:"$PATH"; ')

VERSION = SETTINGS.reference_version
WITH_UMAP = find_spec("umap") is not None  # pictures are made again where it comes or goes


wildcard_constraints:
    sample=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    patient=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    panel=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    tubes=r"[A-Za-z0-9][A-Za-z0-9._-]*",


def settings(*sections):
    """The settings that a step uses, as JSON."""
    return part(SETTINGS, *sections)


def sample_row(wildcards):
    return dump_sample(STUDY.samples[wildcards.sample])


def overrides_of_sample(wildcards):
    """What an analyst made of a sample's gates, as JSON: an override reruns the samples that it concerns."""
    return dump_overrides(STUDY.overrides_of(STUDY.samples[wildcards.sample]))


def imported_gates(wildcards):
    """The gates of a sample that were drawn elsewhere, with their table of names; none where it has none."""
    imported = STUDY.imports.get(wildcards.sample)
    return [imported.gates, imported.names] if imported else []


def import_options(wildcards):
    """What the gate step is told of them, ready for the shell."""
    imported = STUDY.imports.get(wildcards.sample)
    if imported is None:
        return ""
    chosen = f"--gates-sample={imported.gates_sample}"
    return " ".join(("--imported", quote(imported.gates), quote(imported.names), quote(chosen)))


def fcs_of_sample(wildcards):
    return STUDY.samples[wildcards.sample].fcs


def panel_of_sample(wildcards):
    return STUDY.panels[STUDY.samples[wildcards.sample].panel]


def gating_of_sample(wildcards):
    return STUDY.gating[STUDY.samples[wildcards.sample].panel]


def panel_sheet(wildcards):
    return STUDY.panels[wildcards.panel]


def gating_table(wildcards):
    return STUDY.gating[wildcards.panel]


def matrix_of_sample(wildcards):
    return matrix_of(STUDY.samples[wildcards.sample])


def matrix_of(sample):
    """The matrix CSV of a sample: the one that its sheet names, or that of its batch's controls."""
    if sample.compensation == "controls":
        return [f"results/compensation/{sample.batch}.{sample.panel}.csv"]
    return [] if sample.compensation in ("keyword", "none") else [sample.compensation]


def controls_of_sample(wildcards):
    """The report of the controls that a sample's matrix comes from, where it does."""
    sample = STUDY.samples[wildcards.sample]
    asked = sample.compensation == "controls"
    return [f"results/compensation/{sample.batch}.{sample.panel}.report.tsv"] if asked else []


def control_tubes(wildcards):
    """The single stains and unstained tubes that a matrix comes from; `tubes` is BATCH.PANEL."""
    for batch, panel in {(s.batch, s.panel) for s in STUDY.samples.values()}:
        if f"{batch}.{panel}" == wildcards.tubes:
            return STUDY.controls_of(batch, panel)
    raise WorkflowError(f"no batch and panel are {wildcards.tubes}")


def fcs_of_controls(wildcards):
    return [s.fcs for s in control_tubes(wildcards)]


def rows_of_controls(wildcards):
    return [dump_sample(s) for s in control_tubes(wildcards)]


def panel_of_controls(wildcards):
    return STUDY.panels[control_tubes(wildcards)[0].panel]


# --- which samples a step reads ---------------------------------------------------------------------------------------


def gated_samples(panel=None):
    return [s for s in STUDY.samples.values() if s.role in GATED_ROLES and panel in (None, s.panel)]


def whole_samples(panel=None):
    """The gated samples whose cells are stained with everything: all but FMO controls."""
    return [s for s in gated_samples(panel) if s.role is not Role.FMO]


def reference_samples(panel):
    """What a panel's reference is fitted on: the sheet's list, or all samples of the first run."""
    chosen = [s for s in whole_samples(panel) if s.sample in STUDY.reference_samples]
    return [s.sample for s in chosen or whole_samples(panel) or gated_samples(panel)]


def patients_of_reference(panel):
    """The patients whose own blank is among the reference samples."""
    samples = {s for s in reference_samples(panel)}
    return [p for p in STUDY.patients if any(s.panel == panel and s.sample in samples for s in STUDY.own_blanks(p))]


def reference_surveys(panel):
    """The reference samples, and the FMO controls of their batches or of the sheet's list."""
    samples = reference_samples(panel)
    batches = {STUDY.samples[sample].batch for sample in samples}
    fmo = [s for s in gated_samples(panel) if s.role is Role.FMO and s.sample not in samples]
    return samples + [s.sample for s in fmo if s.batch in batches or s.sample in STUDY.reference_samples]


def lineages_of_batch_controls(batches, panel):
    """Of the controls that markers are aligned by; none where nothing is aligned, so that nothing waits for them."""
    if SETTINGS.clustering.align == "none":
        return []
    controls = [s for s in gated_samples(panel) if s.role is Role.BATCH_CONTROL and s.batch in batches]
    return [f"results/samples/{s.sample}/lineages.parquet" for s in controls]


def controls_to_align_to(wildcards):
    """The batch controls that a sample is aligned by."""
    sample = STUDY.samples[wildcards.sample]
    return lineages_of_batch_controls({sample.batch}, sample.panel)


def controls_of_reference(panel):
    """The batch controls of all batches that a panel's reference is fitted on."""
    return lineages_of_batch_controls({STUDY.samples[s].batch for s in reference_samples(panel)}, panel)


def versions_of_reference(panel):
    """How a fit is told of the version of the clusters before it, where there is one."""
    place = f"results/reference/{panel}"
    older = [v for v in range(1, VERSION) if Path(f"{place}/v{v}/clusters/reference.json").exists()]
    return ["--version", f"{place}/v{VERSION}", "--previous", f"{place}/v{older[-1]}"] if older else []


def baseline_of_sample(wildcards):
    """The survey of the patient's baseline, where it is another sample of the same panel."""
    baseline = STUDY.baseline_of(STUDY.samples[wildcards.sample])
    return [f"results/work/survey/{baseline.sample}.parquet"] if baseline else []


def reference_of_sample(part):
    def path(wildcards):
        return f"results/reference/{STUDY.samples[wildcards.sample].panel}/v{VERSION}/{part}/reference.json"

    return path


def samples_of_patient(patient):
    """The timeline, the donor references, and the blanks of others that may serve."""
    return STUDY.samples_of(patient) + STUDY.donor_references(patient) + STUDY.blanks_of_others(patient)


def rows_of_patient(rows, patient):
    return tuple(row for row in rows if row["patient"] == patient)


def patient_row(wildcards):
    """A patient with all samples that its steps read."""
    return patient_with(wildcards.patient, samples_of_patient(wildcards.patient))


def timeline_row(wildcards):
    """A patient with the samples on its timeline only."""
    return dump_patient(
        PatientRow(
            patient=STUDY.patients[wildcards.patient],
            samples=STUDY.samples_of(wildcards.patient),
        )
    )


def external_of_patient(wildcards):
    """The patient's chimerism by other methods, as JSON: a changed sheet reruns what lays it beside flow, no more."""
    return dump_rows(rows_of_patient(STUDY.external_chimerism, wildcards.patient))


def external_table(wildcards):
    """The patient's chimerism by other methods beside flow; nothing where the sheet has no row of it."""
    asked = any(row["patient"] == wildcards.patient for row in STUDY.external_chimerism)
    return [f"results/patients/{wildcards.patient}/external_chimerism.tsv"] if asked else []


def control_row(wildcards):
    """A patient with the samples that its HLA cuts rest on: a new time point of a known batch changes no cut."""
    return patient_with(wildcards.patient, STUDY.hla_controls(wildcards.patient))


def patient_with(patient, samples):
    return dump_patient(
        PatientRow(
            patient=STUDY.patients[patient],
            samples=samples,
            infusions=rows_of_patient(STUDY.infusions, patient),
            events=rows_of_patient(STUDY.events, patient),
            others=tuple(STUDY.patients[s.patient] for s in STUDY.blanks_of_others(patient)),
        )
    )


def lineages_of_controls(wildcards):
    return [f"results/samples/{s.sample}/lineages.parquet" for s in STUDY.hla_controls(wildcards.patient)]


def of_timeline(*names):
    """These files of every sample on a patient's timeline."""

    def paths(wildcards):
        return [f"results/samples/{s.sample}/{name}" for s in STUDY.samples_of(wildcards.patient) for name in names]

    return paths


def of_patient(*names):
    """These files of every sample that a patient's chimerism rests on: timeline, donor references, pooled blanks."""

    def paths(wildcards):
        return [f"results/samples/{s.sample}/{name}" for s in samples_of_patient(wildcards.patient) for name in names]

    return paths


def patient_dirs(wildcards):
    return [f"results/samples/{s.sample}" for s in samples_of_patient(wildcards.patient)]


def timeline_dirs(wildcards):
    return [f"results/samples/{s.sample}" for s in STUDY.samples_of(wildcards.patient)]


def blanks_of_patient(wildcards):
    """How much the blanks differ, of each panel of a patient's samples."""
    panels = sorted({s.panel for s in STUDY.samples_of(wildcards.patient)})
    return [f"results/reference/{panel}/v{VERSION}/blanks.tsv" for panel in panels]


def panels_of_patient(wildcards):
    """The panel sheets that a patient's samples use."""
    return sorted({STUDY.panels[s.panel] for s in samples_of_patient(wildcards.patient)})


def diluted(wildcards):
    """Blank and donor reference that are mixed, of a patient and panel."""
    return dilution_pairs(STUDY, patients=[wildcards.patient], directory=Path())[wildcards.patient, wildcards.panel]


def dilution_directories(wildcards):
    """What there is of each pair that the settings name."""
    pairs = dilution_pairs(STUDY, patients=SETTINGS.dilution.patients, directory=Path())
    return [f"results/validation/dilution/{patient}/{panel}" for patient, panel in pairs]


def product_option(wildcards):
    """What the assign step is told of the T cells in the products that a patient got, ready for the shell."""
    share = STUDY.product_cd3(STUDY.samples[wildcards.sample])
    return "" if share is None else f"--product-cd3={share:g}"


def blanks_beside_product(wildcards):
    """How much the blanks of a sample's panel differ, where its T cells are held against them."""
    sample = STUDY.samples[wildcards.sample]
    known = STUDY.product_cd3(sample) is not None
    return [f"results/reference/{sample.panel}/v{VERSION}/blanks.tsv"] if known else []


def cuts_of_sample(wildcards):
    """The HLA cuts that apply to a sample: its patient's, or those of the only patient who has this donor."""
    sample = STUDY.samples[wildcards.sample]
    if sample.patient:
        return [f"results/patients/{sample.patient}/hla_cuts.tsv"]
    patients = [p for p in STUDY.patients if sample in STUDY.donor_references(p)]
    return [f"results/patients/{patients[0]}/hla_cuts.tsv"] if len(patients) == 1 else []


# --- what the study ends in ---------------------------------------------------------------------------------------------

PATIENTS = [patient for patient in STUDY.patients if STUDY.samples_of(patient)]
SAMPLES = [s.sample for s in gated_samples()]
PANELS = sorted({s.panel for s in gated_samples()})
SAMPLE_TABLES = ("populations", "gates", "overrides", "qc", "nk_drift", "subsets")
PATIENT_TABLES = (
    "counts",
    "count_checks",
    "chimerism",
    "chimerism_by_antibody",
    "trajectories",
    "kinetics",
    "subset_change",
)
COHORT_TABLES = (*SAMPLE_TABLES, *PATIENT_TABLES, "subset_change_tests", "cohort", "clusters")
DILUTION_TABLES = ("dilution", "dilution_pairs", "dilution_levels", "dilution_summary")


# of patients whose chimerism another method told too
EXTERNAL = [patient for patient in PATIENTS if rows_of_patient(STUDY.external_chimerism, patient)]
EXTERNAL_TABLES = [f"results/cohort/{name}.tsv" for name in ("external_chimerism", "external_agreement") if EXTERNAL]


def all_fcs(wildcards):
    return sorted({s.fcs for s in gated_samples()})


def config_files(wildcards):
    """Every file of config/: the record of what the results rest on is made anew when one changes."""
    return sorted(path.as_posix() for path in Path("config").rglob("*") if path.is_file())


def literal(path):
    """A path in a static input or output: braces in a file's name are no wildcards."""
    return str(path).replace("{", "{{").replace("}", "}}")


def all_pages():
    return (
        ["results/report/index.html"]
        + [f"results/patients/{patient}/report.html" for patient in PATIENTS]
        + [f"results/samples/{sample}/report.html" for sample in SAMPLES]
    )


def sample_and_patient_tables():
    """What the cohort's tables are made of: a lost one is made again."""
    samples = [f"results/samples/{sample}/{name}.tsv" for sample in SAMPLES for name in SAMPLE_TABLES]
    gated = [f"results/samples/{sample}/{name}" for sample in SAMPLES for name in ("gates.xml", "nk.parquet")]
    return samples + gated + [f"results/patients/{p}/{name}.tsv" for p in PATIENTS for name in PATIENT_TABLES]


def cohort_tables():
    return [f"results/cohort/{name}.tsv" for name in COHORT_TABLES]


def sample_rows(wildcards):
    """Who each gated sample is, as JSON."""
    return dump_rows(
        {
            "sample": s.sample,
            "patient": s.patient,
            "day": s.day,
            "role": s.role,
            "panel": s.panel,
            "batch": s.batch,
            "material": s.material,
        }
        for s in gated_samples()
    )


def patient_rows(wildcards):
    """Who each patient is, as JSON."""
    return dump_rows(
        {"patient": p, "arm": STUDY.patients[p].arm, "death_day": STUDY.patients[p].death_day} for p in PATIENTS
    )


def course_rows(wildcards):
    """Who each patient is and what happened to it, as JSON: only the cohort's page reads it."""
    return dump_rows(
        {
            "patient": p,
            "arm": STUDY.patients[p].arm,
            "dose_per_kg": STUDY.patients[p].dose_per_kg,
            "first_donor_exposure_day": STUDY.patients[p].first_donor_exposure_day,
            "last_followup_day": STUDY.patients[p].last_followup_day,
            "death_day": STUDY.patients[p].death_day,
            "infusions": rows_of_patient(STUDY.infusions, p),
            "events": rows_of_patient(STUDY.events, p),
        }
        for p in PATIENTS
    )


def simulated_files(patient):
    """The FCS files that the simulator writes for a patient, or of the control tubes (None)."""
    return sorted(literal(s.fcs) for s in STUDY.samples.values() if s.patient == patient)


def truth_tables():
    """What the simulator knows: one table for each patient, and one for the control tubes where there are any."""
    controls = any(s.patient is None for s in STUDY.samples.values())
    names = PATIENTS + (["controls"] if controls else [])
    return [literal(f"{SETTINGS.data_dir}/truth/{name}.tsv") for name in names]


def validation_tables():
    return ["results/validation/demo.tsv"] if SETTINGS.simulate else []


onerror:
    # the line that a person needs stands in the logs of the steps
    for path in sorted(Path("results/logs").rglob("*.log")):
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("ERROR"):
                print(f"{path}: {line}", file=sys.stderr)
