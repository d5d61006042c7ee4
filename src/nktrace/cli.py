"""The command line. Imports only the module of the chosen command, since start-up is the real cost of a workflow."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from typing import NoReturn

from nktrace import __version__
from nktrace.model.errors import NktraceError, StudyFaults

# command -> (module in nktrace.commands, one line of help); first what people type, then the steps that rules call
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "write a commented study to start from"),
    "check": ("check", "read all sheets and FCS headers, report every fault at once"),
    "run": ("run", "run a study from FCS files to pages"),
    "sample": ("sample", "run one sample to its page"),
    "import-gates": ("import_gates", "gates of Gating-ML or a FlowJo workspace, with our names"),
    "recount": ("recount", "count every population again with FlowKit, an independent second engine"),
    "simulate": ("simulate", "write FCS files with known truth for a whole cohort"),
    "hla": ("hla", "which antibodies tell donor from recipient"),
    "plan": ("plan", "how many events a limit of detection needs, before anything is stained"),
    "dilute": ("dilute", "mix donor references into blanks, and see what is found of them"),
    "export": ("export", "a finished study for REDCap, in the shape of CDISC LB, and as Parquet"),
}
STEPS: dict[str, tuple[str, str]] = {
    "spillover": ("spillover", "the spillover matrix of a batch from its single stains, with its report"),
    "survey": ("survey", "a draw of compensated events of one sample"),
    "fit-gates": ("fit_gates", "scale and gate priors of a panel, frozen as its reference"),
    "gate": ("gate", "gate one sample"),
    "fit-clusters": ("fit_clusters", "NK clusters of a panel, frozen as its reference"),
    "hla-cuts": ("hla_cuts", "where a patient's HLA markers are positive"),
    "fit-blanks": ("fit_blanks", "how much blanks of a panel differ, frozen with its reference"),
    "assign": ("assign", "clusters, subsets and HLA calls of one sample's NK cells"),
    "counts": ("counts", "cells per microlitre of one patient's samples"),
    "chimerism": ("chimerism", "donor fraction of every population of a patient, with its limits"),
    "dilute-pair": ("dilute_pair", "mixtures of one patient's donor reference and blank, through the whole way"),
    "dilution": ("dilution", "tables and page of all dilution series"),
    "external": ("external", "a patient's chimerism by STR or PCR beside flow"),
    "trajectories": ("trajectories", "curves over time and kinetics of one patient"),
    "cohort": ("cohort", "tables over all samples and patients"),
    "agreement": ("agreement", "how far flow and STR or PCR agree over the cohort"),
    "export-nk": ("export_nk", "nk.h5ad: a fixed draw of NK cells for scanpy"),
    "page-sample": ("page_sample", "the page of one sample"),
    "page-patient": ("page_patient", "the page of one patient"),
    "page-cohort": ("page_cohort", "the page that people open first"),
    "provenance": ("provenance", "hashes of inputs, configuration, code and versions"),
    "validate": ("validate", "a simulated study against its truth"),
}

# steps that have no use for pandas, which pyarrow imports wherever it is installed (0.8 s of each process)
WITHOUT_PANDAS = frozenset(
    (
        "spillover",
        "survey",
        "fit-gates",
        "gate",
        "assign",
        "hla-cuts",
        "fit-blanks",
        "counts",
        "chimerism",
        "external",
        "agreement",
        "page-sample",
        "page-patient",
        "page-cohort",
    )
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; an expected failure is one line on standard error and exit code 2."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    if chosen in STEPS:
        _one_thread()
    alone = argv is None and "--imported" not in arguments  # only in a process of its own; FlowKit needs pandas
    if alone and chosen in WITHOUT_PANDAS:
        sys.meta_path.insert(0, _NoPandas())
    parser = _Parser(
        prog="nktrace",
        description="What became of the infused NK cells: from FCS files to a page per patient.",
        epilog="Steps of the workflow, which also run by hand: " + ", ".join(STEPS) + ".",
    )
    parser.add_argument("--version", action="version", version=f"nktrace {__version__}")
    verbs = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, summary) in (COMMANDS | STEPS).items():
        shown = name in COMMANDS
        verb = (
            verbs.add_parser(name, description=summary, help=summary)
            if shown
            else verbs.add_parser(name, description=summary)
        )
        if name == chosen:
            command = importlib.import_module(f"nktrace.commands.{module}")
            command.add_arguments(verb)
    try:
        args = parser.parse_args(arguments)
        return int(command.run(args) or 0)
    except StudyFaults as error:
        for fault in error.faults:
            print(f"ERROR: {fault}", file=sys.stderr)
    except NktraceError as error:
        print(f"ERROR: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.filename is None:
            raise
        print(f"ERROR: {error.filename}: {error.strerror}", file=sys.stderr)
    return 2


class _Parser(argparse.ArgumentParser):
    """What is typed wrong is one line, as every other error; verbs are parsers of the same kind."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"ERROR: {self.prog}: {' '.join(message.split())}. See {self.prog} --help\n")


class _NoPandas(MetaPathFinder):
    """Makes pandas look as if it were not installed."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:  # noqa: ARG002
        if fullname == "pandas":
            raise ModuleNotFoundError("this step does without pandas", name=fullname)


def _one_thread() -> None:
    """Linear algebra at one thread: two threads sum in another order, and fits would differ from run to run."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"


if __name__ == "__main__":
    sys.exit(main())
