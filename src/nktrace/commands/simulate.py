"""`nktrace simulate`: FCS files with known truth for a whole cohort, and the study around them."""

from __future__ import annotations

import argparse
from pathlib import Path

from nktrace.files.installation import resource
from nktrace.files.simulator import read_simulation, write_expectations, write_file, write_sheets, write_truth
from nktrace.model.errors import NktraceError
from nktrace.model.simulated import Tube
from nktrace.model.simulation import CONTROLS, CellTable, SimulatedPatient, Simulation
from nktrace.model.study import Role
from nktrace.science.simulation.cohort import Expectation, expectations, patient_row, tubes_of
from nktrace.science.simulation.controls import control_tubes
from nktrace.science.simulation.tube import simulate_tube

_COMES_ALONG = "demo_release, liver, small, hard"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", type=_spec, help=f"simulator file (YAML), or one that comes along: {_COMES_ALONG}")
    parser.add_argument(
        "--output", type=Path, metavar="STUDY", help="write a complete study here: sheets, files, truth"
    )
    parser.add_argument("--data-dir", type=Path, help="write FCS files here, and no sheets (instead of --output)")
    parser.add_argument("--truth-dir", type=Path, help="where the truth goes (default: truth/ beside the FCS files)")
    parser.add_argument("--config-dir", type=Path, help="write the sheets here, of a study that simulates on its way")
    parser.add_argument("--patient", action="append", default=[], help="only this patient's files (may be repeated)")
    parser.add_argument("--controls", action="store_true", help="only the control tubes (beside those of --patient)")


def _spec(text: str) -> Path:
    """A file; a name alone is that of a simulator file in resources/simulation/."""
    if text in _COMES_ALONG.split(", ") and not Path(text).is_file():
        return resource(f"simulation/{text}.yaml")
    return Path(text)


def run(args: argparse.Namespace) -> int:
    """Write what was asked for; a file's bytes do not depend on which others are written."""
    simulation, table = read_simulation(args.spec)
    if args.output is None and args.data_dir is None and args.config_dir is None:
        raise NktraceError("nothing to write", where="nktrace simulate", mend="Give --output STUDY, or --data-dir DIR")
    patients = _chosen(simulation, args.patient, controls=args.controls)
    controls = _controls(simulation) if args.controls or not args.patient else []
    if args.config_dir is not None:
        everyone = list(simulation.patients)
        _write_config(args.config_dir, simulation, everyone, _controls(simulation), simulate=args.spec.as_posix())
    if args.output is not None:
        _write_config(args.output / "config", simulation, patients, controls, simulate="")
    data = args.data_dir or (args.output / "data" if args.output is not None else None)
    if data is not None:
        truth = args.truth_dir or data / "truth"
        for patient in patients:
            _write_tubes(data, truth, simulation, table, patient.patient, list(tubes_of(simulation, patient)))
        if controls:
            _write_tubes(data, truth, simulation, table, CONTROLS, controls)
    return 0


def _controls(simulation: Simulation) -> list[Tube]:
    """The control tubes of all batches."""
    tubes = [tube.sample for patient in simulation.patients for tube in tubes_of(simulation, patient)]
    return list(control_tubes(simulation, dict.fromkeys((sample.panel, sample.batch) for sample in tubes)))


def _chosen(simulation: Simulation, names: list[str], *, controls: bool) -> list[SimulatedPatient]:
    known = {patient.patient: patient for patient in simulation.patients}
    for name in names:
        if name not in known:
            raise NktraceError(
                f"there is no patient '{name}'", where="--patient", mend=f"The simulator file has {', '.join(known)}"
            )
    chosen = [known[name] for name in dict.fromkeys(names)]
    return chosen if names or controls else list(known.values())


def _write_config(
    directory: Path, simulation: Simulation, patients: list[SimulatedPatient], controls: list[Tube], *, simulate: str
) -> None:
    write_sheets(
        directory,
        simulation=simulation,
        tubes=[*(tube for patient in patients for tube in tubes_of(simulation, patient)), *controls],
        patients=[patient_row(simulation, patient) for patient in patients],
        simulate=simulate,
    )


def _write_tubes(
    data: Path, truth: Path, simulation: Simulation, table: CellTable, name: str, tubes: list[Tube]
) -> None:
    """Files and truth of one patient or of the controls; of tubes that lack antibodies no analysis can find all."""
    rows: list[Expectation] = []
    for tube in tubes:
        file = simulate_tube(tube, simulation=simulation, table=table)
        write_file(data, tube, file)
        write_truth(truth, tube, file.truth)
        if tube.sample.role not in (Role.FMO, Role.SINGLE_STAIN, Role.UNSTAINED):
            rows += expectations(tube, file, panel=simulation.panels[tube.sample.panel])
    write_expectations(truth, name, rows)
