"""Scale, priors and gates. The rule that fits a reference exists only while that reference is absent."""

for _panel in PANELS:
    if not Path(f"results/reference/{_panel}/v{VERSION}/gates/reference.json").exists():

        rule:
            name:
                f"fit_gates_{_panel}"
            input:
                surveys=expand("results/work/survey/{sample}.parquet", sample=reference_surveys(_panel)),
                panel=literal(STUDY.panels[_panel]),
                gating=literal(STUDY.gating[_panel]),
            output:
                f"results/reference/{_panel}/v{VERSION}/gates/reference.json",
            log:
                f"results/logs/fit-gates/{_panel}.v{VERSION}.log",
            benchmark:
                f"results/benchmarks/fit-gates/{_panel}.v{VERSION}.tsv"
            params:
                settings=settings("gating"),
            shell:
                'nktrace fit-gates --panel {input.panel:q} --gating {input.gating:q} --settings {params.settings:q} --output "$(dirname {output:q})" {input.surveys:q} 2> {log:q}'


rule gate:
    """Gates, populations and quality of one sample; what later steps need of its events."""
    input:
        fcs=fcs_of_sample,
        panel=panel_of_sample,
        gating=gating_of_sample,
        matrix=matrix_of_sample,
        controls=controls_of_sample,
        imported=imported_gates,
        reference=reference_of_sample("gates"),
        baseline=baseline_of_sample,
    output:
        populations="results/samples/{sample}/populations.tsv",
        gates="results/samples/{sample}/gates.tsv",
        error="results/samples/{sample}/gate_error.tsv",
        shifts="results/samples/{sample}/shifts.parquet",
        overrides="results/samples/{sample}/overrides.tsv",
        gatingml="results/samples/{sample}/gates.xml",
        checks="results/samples/{sample}/gate_checks.tsv",
        lineages="results/samples/{sample}/lineages.parquet",
        pictures="results/samples/{sample}/pictures.npz",
        quality="results/samples/{sample}/quality.npz",
    log:
        "results/logs/gate/{sample}.log",
    benchmark:
        "results/benchmarks/gate/{sample}.tsv"
    params:
        row=sample_row,
        overrides=overrides_of_sample,
        imported=import_options,
        settings=settings("compensation", "gating", "qc", "counts.volume_unit"),
        code=code_digest("gate"),
    shell:
        'nktrace gate --sample {params.row:q} --panel {input.panel:q} --gating {input.gating:q} --settings {params.settings:q} --matrix {input.matrix:q} --controls {input.controls:q} --baseline {input.baseline:q} --reference "$(dirname {input.reference:q})" --overrides {params.overrides:q} {params.imported} --output-dir results/samples/{wildcards.sample:q} {input.fcs:q} 2> {log:q}'
