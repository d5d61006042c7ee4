"""A simulated study against its truth."""

if SETTINGS.simulate:

    rule validate:
        """How near the results of a simulated study come to what was simulated."""
        input:
            cohort_tables(),
            truth=expand("{data}/truth/{patient}.tsv", data=SETTINGS.data_dir, patient=PATIENTS),
        output:
            "results/validation/demo.tsv",
        params:
            truth=f"{SETTINGS.data_dir}/truth",
            code=code_digest("validate"),
        log:
            "results/logs/validate.log",
        benchmark:
            "results/benchmarks/validate.tsv"
        shell:
            "nktrace validate --truth {params.truth:q} --results results --output {output:q} 2> {log:q}"
