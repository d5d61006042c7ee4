"""`nktrace plan`: how many events, tubes and minutes a limit of detection needs, before anything is stained."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nktrace.files.atomic import replacing
from nktrace.files.tables import cell, write_rows
from nktrace.model.chimerism import LEAST_BLANK_CV, MOST_BLANK_CV
from nktrace.model.errors import NktraceError

if TYPE_CHECKING:
    from nktrace.science.planning import Plan

COLUMNS = (
    "lod",
    "lineage_fraction",
    "background",
    "sensitivity",
    "antibodies",
    "blank_cv",
    "blanks",
    "blank_events",
    "events",
    "events_to_acquire",
    "tubes",
    "minutes",
    "blank_events_to_acquire",
    "lob_events",
    "lod_reached",
    "loq",
    "least_events",
    "least_blank_events",
    "reason",
)
SAME, KNOWN = "same", "known"
LEAST_SHARE = 1e-6  # a lineage, or usable events, that are rarer are not planned
MOST_BLANKS, MOST_BLANK_EVENTS = 1_000, 10**9
SUFFIXES = (".tsv", ".html", ".svg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    share, rate = _number(least=LEAST_SHARE, most=1), _number(least=0, below=1)
    parser.epilog = "Options that take several values give a row for each combination; fractions are 0 to 1."
    several: dict[str, Any] = {"nargs": "+", "metavar": "X"}
    parser.add_argument("--lod", required=True, type=_number(above=0, below=1), help="donor fraction", **several)
    parser.add_argument(
        "--lineage-fraction", required=True, type=share, help="share of the lineage among the usable events", **several
    )
    parser.add_argument("--background", required=True, type=rate, help="false-positive rate of the marker", **several)
    parser.add_argument(
        "--sensitivity", type=share, default=[0.95], help="share of donor cells found (default: 0.95)", **several
    )
    parser.add_argument(
        "--blank-events",
        type=_blank,
        default=[SAME],
        help="lineage events in the blank; `same` as the sample (default), or `known`: a rate known for sure",
        **several,
    )
    parser.add_argument(
        "--blank-cv",
        type=_blank_cv,
        help="cv of the false-positive rate between tubes (default: a row for 0, and one for what a study assumes)",
        **several,
    )
    parser.add_argument(
        "--blanks", type=_whole(most=MOST_BLANKS), default=1, metavar="N", help="tubes of blank (default: 1)"
    )
    parser.add_argument("--both", action="store_true", help="two antibodies, one per side, each as good as is given")
    parser.add_argument(
        "--shared-background",
        type=rate,
        default=0.0,
        metavar="X",
        help="with --both: share of cells that mislead both, such as doublets (default: 0, errors independent)",
    )
    parser.add_argument(
        "--usable", type=share, default=1.0, metavar="X", help="share of acquired events that are live single cells"
    )
    parser.add_argument(
        "--events-per-second",
        type=_number(least=1, most=1e7),
        default=5_000.0,
        metavar="N",
        help="flow rate (default: 5000)",
    )
    parser.add_argument(
        "--events-per-tube",
        type=_number(least=1_000, most=1e9),
        default=1_000_000.0,
        metavar="N",
        help="what a tube holds (default: 1000000)",
    )
    parser.add_argument(
        "--level", type=_number(least=0.5, below=1), default=0.95, metavar="X", help="of the blank's bounds (0.95)"
    )
    parser.add_argument(
        "--min-separation", type=share, default=0.8, metavar="X", help="least sensitivity minus background (0.8)"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="plan.html (table and plot), plan.svg or plan.tsv")


def run(args: argparse.Namespace) -> int:
    """Print the table, and a sentence for each row to standard error; write the page, the plot or the table."""
    if args.output is not None and args.output.suffix not in SUFFIXES:
        raise NktraceError(f"'{args.output}' is no {', '.join(SUFFIXES)} file", where="--output")
    scatters = args.blank_cv or [0.0, _assumed_blank_cv()]
    plans = list(_plans(args, scatters))
    if len(plans) <= (1 if args.blank_cv else len(scatters)) and all(plan.events is None for plan in plans):
        raise NktraceError(plans[0].reason, where="nktrace plan")
    rows = [_row(plan, args) for plan in plans]
    print("\t".join(COLUMNS))
    for row in rows:
        print("\t".join(cell(row[column]) for column in COLUMNS))
    sys.stdout.flush()
    for row in rows:
        print(_sentence(row), file=sys.stderr)
    for words in _assumed(args):
        print(words, file=sys.stderr)
    if args.output is not None:
        _write(args.output, plans, rows, _assumed(args))
    return 0


def _plans(args: argparse.Namespace, scatters: Sequence[float]) -> Iterable[Plan]:
    from nktrace.science import planning

    blanks = {SAME: None, KNOWN: planning.KNOWN}
    combinations = product(
        args.lod, args.background, args.sensitivity, args.blank_events, args.lineage_fraction, scatters
    )
    for lod, background, sensitivity, blank, share, cv in combinations:
        marker = planning.Marker(
            background=background, sensitivity=sensitivity, blank_cv=cv, blanks=args.blanks, level=args.level
        )
        if args.both:
            marker = planning.both(marker, shared_background=args.shared_background)
        yield planning.plan(
            marker,
            lod,
            share=share * args.usable,
            blank_events=blanks.get(blank, blank),
            min_separation=args.min_separation,
        )


def _row(plan: Plan, args: argparse.Namespace) -> dict[str, Any]:
    from nktrace.science.planning import events_to_acquire

    blank = plan.blank_events
    acquire = events_to_acquire(plan.events, plan.share) if plan.events else math.nan
    return {
        "lod": plan.lod,
        "lineage_fraction": plan.share / args.usable,
        "background": plan.marker.background,
        "sensitivity": plan.marker.sensitivity,
        "antibodies": 2 if args.both else 1,
        "blank_cv": plan.marker.blank_cv,
        "blanks": plan.marker.blanks,
        "blank_events": int(blank) if math.isfinite(blank) else blank,
        "events": plan.events,
        "events_to_acquire": acquire,
        "tubes": math.ceil(acquire / args.events_per_tube) if plan.events else None,
        "minutes": acquire / args.events_per_second / 60,
        "blank_events_to_acquire": events_to_acquire(int(blank), plan.share) if math.isfinite(blank) else None,
        "lob_events": plan.limits.lob_events if plan.limits else None,
        "lod_reached": plan.limits.lod if plan.limits else math.nan,
        "loq": plan.limits.loq if plan.limits else math.nan,
        "least_events": plan.least_events,
        "least_blank_events": plan.least_blank,
        "reason": plan.reason,
    }


def _sentence(row: dict[str, Any]) -> str:
    cv = row["blank_cv"]
    scatter = f"blanks that scatter by {cv:.0%}" if cv else "Poisson blanks"
    asked = f"LoD {row['lod']:g}, {scatter} with {row['background']:g}, {row['lineage_fraction']:.3g} of the events"
    if row["events"] is None:
        return f"{asked}: NA. {row['reason']}"
    blank = row["blank_events"]
    beside = "a known background"
    if math.isfinite(blank):
        beside = (
            f"a blank of {blank:,} such events (under {row['least_blank_events']:,} none is enough; beside an endless "
            f"blank {row['least_events']:,})"
        )
    tubes = "1 tube" if row["tubes"] == 1 else f"{row['tubes']:,} tubes"
    return (
        f"{asked}: {row['events']:,} events of the lineage beside {beside}, so "
        f"{row['events_to_acquire']:,} in all, {tubes}, {row['minutes']:.3g} min"
        + (f". {row['reason']}" if row["reason"] else "")
    )


def _assumed(args: argparse.Namespace) -> list[str]:
    words = [
        f"Flow rate {args.events_per_second:g} events per second, {args.events_per_tube:g} events per tube, "
        f"{args.usable:.3g} of the acquired events usable; events to acquire give the lineage its number in 95 %."
    ]
    if args.both:
        words.append(
            "Two antibodies: errors taken as independent but for "
            f"{args.shared_background:g} that both share; a blank with both tells what doublets really give."
        )
    if not args.blank_cv:
        words.append(
            f"With fewer than five blanks a study takes the rows of blank_cv {_assumed_blank_cv():g} "
            "(chimerism.assumed_blank_cv). With five or more, of all its patients together, it takes what they show: "
            "at best the rows of blank_cv 0 (Poisson). --blank-cv plans for what a laboratory's own blanks showed."
        )
    return words


def _assumed_blank_cv() -> float:
    from nktrace.files.settings import Chimerism

    return Chimerism().assumed_blank_cv


def _write(path: Path, plans: list[Plan], rows: list[dict[str, Any]], assumed: list[str]) -> None:
    if path.suffix == ".tsv":
        write_rows(path, COLUMNS, rows)
        return
    from nktrace.figures.planning import lod_picture
    from nktrace.figures.svg import alone
    from nktrace.pages.plan import lod_curves, plan_page

    if path.suffix == ".html":
        text = plan_page(plans, rows, assumed=assumed)
    else:
        text = alone(lod_picture(lod_curves(plans), asked=sorted({plan.lod for plan in plans})))
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8")


def _number(
    *, least: float = -math.inf, above: float = -math.inf, most: float = math.inf, below: float = math.inf
) -> Callable[[str], float]:
    """A finite number within bounds, which the complaint names."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            hint = ", write 0.1 % as 0.001" if text.endswith("%") else ""
            raise argparse.ArgumentTypeError(f"'{text}' is not a number{hint}") from None
        if not (above < value < below and least <= value <= most):
            lower = f"{above:g} <" if above > -math.inf else f"{least:g} <="
            upper = f"< {below:g}" if below < math.inf else f"<= {most:g}"
            hint = ", write 0.1 % as 0.001" if min(below, most) == 1 and value > 1 else ""
            raise argparse.ArgumentTypeError(f"{text} is not {lower} x {upper}{hint}")
        return value

    return read


def _blank_cv(text: str) -> float:
    cv = _number(least=0, most=MOST_BLANK_CV)(text)
    if 0 < cv < LEAST_BLANK_CV:
        raise argparse.ArgumentTypeError(f"{text} is neither 0 nor {LEAST_BLANK_CV:g} <= x <= {MOST_BLANK_CV:g}")
    return cv


def _whole(*, most: int) -> Callable[[str], int]:
    """A whole number from 1 on."""

    def read(text: str) -> int:
        digits = text.isascii() and text.isdigit() and len(text) <= len(str(most))
        if not digits or not 1 <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 1 to {most}")
        return int(text)

    return read


def _blank(text: str) -> str | float:
    return text if text in (SAME, KNOWN) else float(_whole(most=MOST_BLANK_EVENTS)(text))
