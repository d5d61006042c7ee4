"""From FCS files to a draw of events, before anything is fitted."""


rule spillover:
    """The spillover matrix of a batch and panel from its single stains, with what there is to say of each."""
    input:
        fcs=fcs_of_controls,
        panel=panel_of_controls,
    output:
        matrix="results/compensation/{tubes}.csv",
        report="results/compensation/{tubes}.report.tsv",
        pairs="results/compensation/{tubes}.pairs.tsv",
        page="results/compensation/{tubes}.html",
    log:
        "results/logs/spillover/{tubes}.log",
    benchmark:
        "results/benchmarks/spillover/{tubes}.tsv"
    params:
        rows=rows_of_controls,
        settings=settings("compensation.min_stain_index", "compensation.min_control_events"),
        code=code_digest("spillover"),
    shell:
        "nktrace spillover --samples {params.rows:q} --panel {input.panel:q} --settings {params.settings:q} --output {output.matrix:q} --report {output.report:q} --pairs {output.pairs:q} --page {output.page:q} --fcs {input.fcs:q} 2> {log:q}"


rule survey:
    """A seeded draw of compensated events of one sample."""
    input:
        fcs=fcs_of_sample,
        panel=panel_of_sample,
        matrix=matrix_of_sample,
    output:
        "results/work/survey/{sample}.parquet",
    log:
        "results/logs/survey/{sample}.log",
    benchmark:
        "results/benchmarks/survey/{sample}.tsv"
    params:
        row=sample_row,
        settings=settings("survey", "compensation"),
        code=code_digest("survey"),
    shell:
        "nktrace survey --sample {params.row:q} --panel {input.panel:q} --settings {params.settings:q} --matrix {input.matrix:q} --output {output:q} {input.fcs:q} 2> {log:q}"
