"""A simulated study against its truth."""

if SETTINGS.simulate:

    rule validate:
        """How near the results of a simulated study come to what was simulated."""
        input:
            cohort_tables(),
            truth=truth_tables(),
        output:
            "results/validation/demo.tsv",
        log:
            "results/logs/validate.log",
        benchmark:
            "results/benchmarks/validate.tsv"
        params:
            code=code_digest("validate"),
        shell:
            'nktrace validate --truth "$(dirname {input.truth[0]:q})" --results results --output {output:q} 2> {log:q}'


rule dilute_pair:
    """A patient's donor reference mixed into the patient's blank at set fractions, through the whole way."""
    input:
        blank=lambda wildcards: diluted(wildcards)[0].fcs,
        donor=lambda wildcards: diluted(wildcards)[1].fcs,
        blank_matrix=lambda wildcards: matrix_of(diluted(wildcards)[0]),
        donor_matrix=lambda wildcards: matrix_of(diluted(wildcards)[1]),
        panel=panel_sheet,
        gating=gating_table,
        reference=f"results/reference/{{panel}}/v{VERSION}/gates/reference.json",
        blanks=f"results/reference/{{panel}}/v{VERSION}/blanks.tsv",
        antibodies=literal(knowledge("hla_antibodies.tsv")),
        subsets=literal(knowledge("nk_subsets.tsv")),
    output:
        mixtures="results/validation/dilution/{patient}/{panel}/dilution.tsv",
        pairs="results/validation/dilution/{patient}/{panel}/dilution_pairs.tsv",
    log:
        "results/logs/dilute-pair/{patient}.{panel}.log",
    benchmark:
        "results/benchmarks/dilute-pair/{patient}.{panel}.tsv"
    params:
        row=lambda wildcards: dump_patient(PatientRow(STUDY.patients[wildcards.patient], diluted(wildcards))),
        blank_overrides=lambda wildcards: dump_overrides(STUDY.overrides_of(diluted(wildcards)[0])),
        donor_overrides=lambda wildcards: dump_overrides(STUDY.overrides_of(diluted(wildcards)[1])),
        settings=settings(
            "survey",
            "compensation",
            "gating",
            "chimerism",
            "dilution.levels",
            "dilution.draws",
        ),
        code=code_digest("dilute_pair"),
    shell:
        'nktrace dilute-pair --patient {params.row:q} --panel {input.panel:q} --gating {input.gating:q} --settings {params.settings:q} --blank-matrix {input.blank_matrix:q} --donor-matrix {input.donor_matrix:q} --blank-overrides {params.blank_overrides:q} --donor-overrides {params.donor_overrides:q} --reference "$(dirname {input.reference:q})" --antibodies {input.antibodies:q} --subsets {input.subsets:q} --blanks {input.blanks:q} --output-dir "$(dirname {output.mixtures:q})" {input.blank:q} {input.donor:q} 2> {log:q}'


rule dilution:
    """What the dilution series of all pairs show, with a page for a validation file. Not part of `all`: ask for it."""
    input:
        lambda wildcards: [f"{directory}/dilution.tsv" for directory in dilution_directories(wildcards)],
    output:
        expand("results/validation/{name}.tsv", name=DILUTION_TABLES),
        "results/validation/dilution.html",
    log:
        "results/logs/dilution.log",
    benchmark:
        "results/benchmarks/dilution.tsv"
    params:
        directories=dilution_directories,
        settings=settings(
            "dilution.goal",
            "dilution.goal_from",
            "chimerism.blank_cv",
            "chimerism.assumed_blank_cv",
        ),
        code=code_digest("dilution"),
    shell:
        "nktrace dilution --settings {params.settings:q} --output-dir results/validation {params.directories:q} 2> {log:q}"
