"""From FCS files to a draw of events, before anything is fitted."""


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
