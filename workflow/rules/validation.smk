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
