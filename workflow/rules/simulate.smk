"""The FCS files of a simulated study, with their truth."""

if SETTINGS.simulate:

    def simulated_files(patient):
        return sorted(s.fcs for s in STUDY.samples.values() if s.patient == patient)

    for _patient in STUDY.patients:

        rule:
            name:
                f"simulate_{_patient}"
            input:
                spec=SETTINGS.simulate,
                cells=Path(SETTINGS.simulate).parent / "cells.tsv",
            output:
                fcs=simulated_files(_patient),
                truth=f"{SETTINGS.data_dir}/truth/{_patient}.tsv",
            params:
                patient=_patient,
                directory=SETTINGS.data_dir,
                code=code_digest("simulate"),
            log:
                f"results/logs/simulate/{_patient}.log",
            benchmark:
                f"results/benchmarks/simulate/{_patient}.tsv"
            shell:
                "nktrace simulate {input.spec:q} --patient {params.patient:q} --data-dir {params.directory:q} 2> {log:q}"
