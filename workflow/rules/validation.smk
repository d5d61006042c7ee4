"""A simulated study against its truth."""

if SETTINGS.simulate:

    def truth_tables():
        """One for each patient, and one for the control tubes where there are any."""
        controls = any(s.patient is None for s in STUDY.samples.values())
        return PATIENTS + (["controls"] if controls else [])

    rule validate:
        """How near the results of a simulated study come to what was simulated."""
        input:
            cohort_tables(),
            truth=[literal(f"{SETTINGS.data_dir}/truth/{name}.tsv") for name in truth_tables()],
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
