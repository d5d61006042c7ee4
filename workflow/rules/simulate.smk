"""The FCS files of a simulated study, with their truth."""

if SETTINGS.simulate:

    for _patient in STUDY.patients:

        rule:
            name:
                f"simulate_{_patient}"
            input:
                spec=literal(SETTINGS.simulate),
                cells=literal(Path(SETTINGS.simulate).parent / "cells.tsv"),
            output:
                fcs=simulated_files(_patient),
                truth=literal(f"{SETTINGS.data_dir}/truth/{_patient}.tsv"),
            log:
                f"results/logs/simulate/{_patient}.log",
            benchmark:
                f"results/benchmarks/simulate/{_patient}.tsv"
            params:
                patient=_patient,
                code=code_digest("simulate"),
            shell:
                'nktrace simulate {input.spec:q} --patient {params.patient:q} --data-dir "$(dirname {output.fcs[0]:q})" --truth-dir "$(dirname {output.truth:q})" 2> {log:q}'

    if any(s.patient is None for s in STUDY.samples.values()):

        rule simulate_controls:
            """Control tubes of all batches."""
            input:
                spec=literal(SETTINGS.simulate),
                cells=literal(Path(SETTINGS.simulate).parent / "cells.tsv"),
            output:
                fcs=simulated_files(None),
                truth=literal(f"{SETTINGS.data_dir}/truth/controls.tsv"),
            log:
                "results/logs/simulate/controls.log",
            benchmark:
                "results/benchmarks/simulate/controls.tsv"
            params:
                code=code_digest("simulate"),
            shell:
                'nktrace simulate {input.spec:q} --controls --data-dir "$(dirname {output.fcs[0]:q})" --truth-dir "$(dirname {output.truth:q})" 2> {log:q}'
