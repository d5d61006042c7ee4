# A table of contents. Every step is one `nktrace` command, which also runs by hand with the same words.
# Run a study with `nktrace run STUDY`, or `snakemake --cores 2 [--directory STUDY]`.
from snakemake.utils import min_version

min_version("9.0")


include: "workflow/rules/common.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/events.smk"
include: "workflow/rules/gating.smk"
include: "workflow/rules/clustering.smk"
include: "workflow/rules/monitoring.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/validation.smk"


rule all:
    """Every page and every table of the study."""
    default_target: True
    input:
        pages=all_pages(),
        tables=cohort_tables(),
        external=EXTERNAL_TABLES,
        parts=sample_and_patient_tables(),
        nk="results/cohort/nk.h5ad",
        provenance="results/provenance.json",
        validation=validation_tables(),
