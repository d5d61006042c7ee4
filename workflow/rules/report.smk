"""Tables over the cohort, the pages that people open, and what the results rest on."""


rule cohort:
    """The tables of all samples and patients, stacked, and what the cohort shows."""
    input:
        expand("results/samples/{sample}/{name}.tsv", sample=SAMPLES, name=SAMPLE_TABLES),
        expand("results/patients/{patient}/{name}.tsv", patient=PATIENTS, name=PATIENT_TABLES),
        nk=expand("results/samples/{sample}/nk.parquet", sample=SAMPLES),
        references=expand("results/reference/{panel}/v{version}/clusters/reference.json", panel=PANELS, version=VERSION),
    output:
        cohort_tables(),
    log:
        "results/logs/cohort.log",
    benchmark:
        "results/benchmarks/cohort.tsv"
    params:
        samples=sample_rows,
        patients=patient_rows,
        settings=settings("kinetics.days", "kinetics.window"),
        code=code_digest("cohort"),
    shell:
        "nktrace cohort --samples {params.samples:q} --patients {params.patients:q} --settings {params.settings:q} --results results --references {input.references:q} 2> {log:q}"


rule agreement:
    """How far flow and other methods of chimerism agree; only where there are any."""
    input:
        expand("results/patients/{patient}/external_chimerism.tsv", patient=EXTERNAL),
    output:
        "results/cohort/external_chimerism.tsv",
        "results/cohort/external_agreement.tsv",
    log:
        "results/logs/agreement.log",
    benchmark:
        "results/benchmarks/agreement.tsv"
    params:
        settings=settings(),
        code=code_digest("agreement"),
    shell:
        "nktrace agreement --settings {params.settings:q} --output-dir results/cohort {input:q} 2> {log:q}"


rule export_nk:
    """A fixed draw of NK cells of the cohort, for scanpy and for pictures."""
    input:
        nk=expand("results/samples/{sample}/nk.parquet", sample=[s.sample for s in whole_samples()]),
        panels=[literal(STUDY.panels[panel]) for panel in PANELS],
        subsets=literal(knowledge("nk_subsets.tsv")),
        references=expand("results/reference/{panel}/v{version}/clusters/reference.json", panel=PANELS, version=VERSION),
        scales=expand("results/reference/{panel}/v{version}/gates/reference.json", panel=PANELS, version=VERSION),
    output:
        nk="results/cohort/nk.h5ad",
        embedding="results/cohort/embedding.npz",
    log:
        "results/logs/export-nk.log",
    benchmark:
        "results/benchmarks/export-nk.tsv"
    params:
        samples=sample_rows,
        settings=settings("clustering.export_events", "clustering.embedding"),
        umap=WITH_UMAP,
        code=code_digest("export_nk"),
    shell:
        "nktrace export-nk --rows {params.samples:q} --panels {input.panels:q} --subsets {input.subsets:q} --references {input.references:q} --settings {params.settings:q} --output {output.nk:q} --embedding {output.embedding:q} {input.nk:q} 2> {log:q}"


rule page_sample:
    """Every gate of one sample as a picture, its quality, its subsets."""
    input:
        expand(
            "results/samples/{{sample}}/{name}",
            name=[
                "populations.tsv",
                "gates.tsv",
                "overrides.tsv",
                "qc.tsv",
                "nk_drift.tsv",
                "subsets.tsv",
                "pictures.npz",
                "quality.npz",
            ],
        ),
    output:
        "results/samples/{sample}/report.html",
    log:
        "results/logs/page-sample/{sample}.log",
    benchmark:
        "results/benchmarks/page-sample/{sample}.tsv"
    params:
        row=sample_row,
        code=code_digest("page_sample"),
    shell:
        "nktrace page-sample --sample {params.row:q} --output {output:q} results/samples/{wildcards.sample:q} 2> {log:q}"


rule page_patient:
    """Whose NK cells, how many, which subset, for how long: of one patient."""
    input:
        expand("results/patients/{{patient}}/{name}.tsv", name=[*PATIENT_TABLES, "curves", "hla_cuts"]),
        of_timeline("subsets.tsv", "overrides.tsv", "qc.tsv"),
        external=external_table,
    output:
        "results/patients/{patient}/report.html",
    log:
        "results/logs/page-patient/{patient}.log",
    benchmark:
        "results/benchmarks/page-patient/{patient}.tsv"
    params:
        row=patient_row,
        samples=timeline_dirs,
        settings=settings("kinetics.thresholds"),
        code=code_digest("page_patient"),
    shell:
        "nktrace page-patient {params.samples:q} --patient {params.row:q} --settings {params.settings:q} --output {output:q} --results results/patients/{wildcards.patient:q} --external {input.external:q} 2> {log:q}"


rule page_cohort:
    """The page that people open first."""
    input:
        cohort_tables(),
        "results/cohort/embedding.npz",
        external=EXTERNAL_TABLES,
    output:
        "results/report/index.html",
    log:
        "results/logs/page-cohort.log",
    benchmark:
        "results/benchmarks/page-cohort.tsv"
    params:
        samples=sample_rows,
        patients=course_rows,
        code=code_digest("page_cohort"),
    shell:
        "nktrace page-cohort --samples {params.samples:q} --patients {params.patients:q} --external {input.external:q} --output {output:q} results/cohort 2> {log:q}"


rule provenance:
    """Hashes of every input, the configuration, code and versions."""
    input:
        cohort_tables(),
        fcs=all_fcs,
        config=config_files,
    output:
        "results/provenance.json",
    log:
        "results/logs/provenance.log",
    benchmark:
        "results/benchmarks/provenance.tsv"
    params:
        code=code_digest("provenance"),
    shell:
        "nktrace provenance --output {output:q} . 2> {log:q}"
