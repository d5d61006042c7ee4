"""Of one patient: whose cells, how many, and for how long."""


rule hla_cuts:
    """Where a patient's HLA markers are positive, from the blank and the donor reference."""
    input:
        lineages=lineages_of_controls,
        panels=panels_of_patient,
        antibodies=literal(knowledge("hla_antibodies.tsv")),
    output:
        "results/patients/{patient}/hla_cuts.tsv",
    log:
        "results/logs/hla-cuts/{patient}.log",
    benchmark:
        "results/benchmarks/hla-cuts/{patient}.tsv"
    params:
        row=control_row,
        settings=settings(
            "chimerism.min_separation",
            "chimerism.min_reference_events",
            "chimerism.assumed_sensitivity",
            "chimerism.assumed_sensitivity_events",
            "chimerism.cut_bootstrap",
        ),
        code=code_digest("hla_cuts"),
    shell:
        "nktrace hla-cuts --patient {params.row:q} --panel {input.panels:q} --antibodies {input.antibodies:q} --settings {params.settings:q} --output {output:q} {input.lineages:q} 2> {log:q}"


for _panel in PANELS:
    if not Path(f"results/reference/{_panel}/v{VERSION}/blanks.tsv").exists():

        rule:
            name:
                f"fit_blanks_{_panel}"
            input:
                expand("results/patients/{patient}/hla_cuts.tsv", patient=patients_of_reference(_panel)),
            output:
                f"results/reference/{_panel}/v{VERSION}/blanks.tsv",
            log:
                f"results/logs/fit-blanks/{_panel}.v{VERSION}.log",
            benchmark:
                f"results/benchmarks/fit-blanks/{_panel}.v{VERSION}.tsv"
            shell:
                f"nktrace fit-blanks --panel {quote(_panel)} --output {{output:q}} {{input:q}} 2> {{log:q}}"


rule counts:
    """Cells per microlitre of a patient's samples."""
    input:
        of_timeline("populations.tsv", "qc.tsv", "subsets.tsv", "gate_error.tsv", "subset_error.tsv"),
        ranges=literal(knowledge("reference_ranges.tsv")),
        grades=literal(knowledge("grades.tsv")),
    output:
        counts="results/patients/{patient}/counts.tsv",
        checks="results/patients/{patient}/count_checks.tsv",
    log:
        "results/logs/counts/{patient}.log",
    benchmark:
        "results/benchmarks/counts/{patient}.tsv"
    params:
        row=patient_row,
        samples=timeline_dirs,
        settings=settings("counts"),
        code=code_digest("counts"),
    shell:
        "nktrace counts --patient {params.row:q} --ranges {input.ranges:q} --grades {input.grades:q} --settings {params.settings:q} --output {output.counts:q} --checks {output.checks:q} {params.samples:q} 2> {log:q}"


rule chimerism:
    """Donor fraction of every population of a patient, with its limits."""
    input:
        of_patient("lineages.parquet", "nk.parquet", "shifts.parquet", "subsets.tsv"),
        cuts="results/patients/{patient}/hla_cuts.tsv",
        counts="results/patients/{patient}/counts.tsv",
        blanks=blanks_of_patient,
    output:
        chimerism="results/patients/{patient}/chimerism.tsv",
        by_antibody="results/patients/{patient}/chimerism_by_antibody.tsv",
    log:
        "results/logs/chimerism/{patient}.log",
    benchmark:
        "results/benchmarks/chimerism/{patient}.tsv"
    params:
        row=patient_row,
        samples=patient_dirs,
        settings=settings("chimerism"),
        code=code_digest("chimerism"),
    shell:
        "nktrace chimerism --patient {params.row:q} --cuts {input.cuts:q} --counts {input.counts:q} --blanks {input.blanks:q} --settings {params.settings:q} --output-dir results/patients/{wildcards.patient:q} -- {params.samples:q} 2> {log:q}"


rule trajectories:
    """Curves over time of a patient, what is read off them, and the changes of its NK subsets."""
    input:
        of_timeline("subsets.tsv", "subset_error.tsv", "qc.tsv"),
        counts="results/patients/{patient}/counts.tsv",
        chimerism="results/patients/{patient}/chimerism.tsv",
        grades=literal(knowledge("grades.tsv")),
    output:
        trajectories="results/patients/{patient}/trajectories.tsv",
        kinetics="results/patients/{patient}/kinetics.tsv",
        curves="results/patients/{patient}/curves.tsv",
        subset_change="results/patients/{patient}/subset_change.tsv",
    log:
        "results/logs/trajectories/{patient}.log",
    benchmark:
        "results/benchmarks/trajectories/{patient}.tsv"
    params:
        row=patient_row,
        samples=timeline_dirs,
        settings=settings("kinetics", "trajectories"),
        code=code_digest("trajectories"),
    shell:
        "nktrace trajectories --patient {params.row:q} --counts {input.counts:q} --chimerism {input.chimerism:q} --grades {input.grades:q} --settings {params.settings:q} --output-dir results/patients/{wildcards.patient:q} {params.samples:q} 2> {log:q}"


rule external_chimerism:
    """A patient's donor chimerism by STR or PCR beside flow; only of patients with such rows."""
    input:
        of_timeline("populations.tsv"),
        chimerism="results/patients/{patient}/chimerism.tsv",
        counts="results/patients/{patient}/counts.tsv",
    output:
        "results/patients/{patient}/external_chimerism.tsv",
    log:
        "results/logs/external/{patient}.log",
    benchmark:
        "results/benchmarks/external/{patient}.tsv"
    params:
        row=timeline_row,
        external=external_of_patient,
        samples=timeline_dirs,
        settings=settings("external"),
        code=code_digest("external"),
    shell:
        "nktrace external --patient {params.row:q} --external {params.external:q} --chimerism {input.chimerism:q} --counts {input.counts:q} --settings {params.settings:q} --output {output:q} {params.samples:q} 2> {log:q}"
