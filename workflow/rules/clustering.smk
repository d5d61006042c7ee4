"""NK clusters and subsets."""

FITTED = [
    f"clustering.{name}"
    for name in (
        "prototypes",
        "metaclusters",
        "events_per_sample",
        "max_events",
        "bootstrap",
        "min_share",
        "max_novelty",
        "align",
    )
]
MAPPED = [f"clustering.{name}" for name in ("max_novelty", "max_unassigned", "max_shift", "align")]
MAPPED += ["qc.nk_product_cd3", "chimerism.min_events", "chimerism.blank_cv", "chimerism.assumed_blank_cv"]

for _panel in PANELS:
    if not Path(f"results/reference/{_panel}/v{VERSION}/clusters/reference.json").exists():

        rule:
            name:
                f"fit_clusters_{_panel}"
            input:
                lineages=expand("results/samples/{sample}/lineages.parquet", sample=reference_samples(_panel)),
                controls=controls_of_reference(_panel),
                panel=literal(STUDY.panels[_panel]),
                subsets=literal(knowledge("nk_subsets.tsv")),
            output:
                f"results/reference/{_panel}/v{VERSION}/clusters/reference.json",
            log:
                f"results/logs/fit-clusters/{_panel}.v{VERSION}.log",
            benchmark:
                f"results/benchmarks/fit-clusters/{_panel}.v{VERSION}.tsv"
            params:
                settings=settings(*FITTED),
                versions=versions_of_reference(_panel),
            shell:
                'nktrace fit-clusters --panel {input.panel:q} --subsets {input.subsets:q} --settings {params.settings:q} --controls {input.controls:q} {params.versions:q} --output "$(dirname {output:q})" -- {input.lineages:q} 2> {log:q}'


rule assign:
    """Cluster, subset and HLA calls of one sample's NK cells."""
    input:
        lineages="results/samples/{sample}/lineages.parquet",
        shifts="results/samples/{sample}/shifts.parquet",
        panel=panel_of_sample,
        subsets=literal(knowledge("nk_subsets.tsv")),
        checks="results/samples/{sample}/gate_checks.tsv",
        reference=reference_of_sample("clusters"),
        controls=controls_to_align_to,
        cuts=cuts_of_sample,
        blanks=blanks_beside_product,
    output:
        nk="results/samples/{sample}/nk.parquet",
        subsets="results/samples/{sample}/subsets.tsv",
        error="results/samples/{sample}/subset_error.tsv",
        qc="results/samples/{sample}/qc.tsv",
        drift="results/samples/{sample}/nk_drift.tsv",
    log:
        "results/logs/assign/{sample}.log",
    benchmark:
        "results/benchmarks/assign/{sample}.tsv"
    params:
        row=sample_row,
        product=product_option,
        settings=settings(*MAPPED),
        code=code_digest("assign"),
    shell:
        'nktrace assign --sample {params.row:q} --panel {input.panel:q} --subsets {input.subsets:q} --settings {params.settings:q} --reference "$(dirname {input.reference:q})" --cuts {input.cuts:q} {params.product} --blanks {input.blanks:q} --checks {input.checks:q} --controls {input.controls:q} --shifts {input.shifts:q} --output-dir results/samples/{wildcards.sample:q} {input.lineages:q} 2> {log:q}'
