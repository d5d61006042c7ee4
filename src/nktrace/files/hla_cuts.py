"""hla_cuts.tsv: where a patient's HLA markers are positive."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nktrace.files.tables import NA, read_rows, write_table
from nktrace.model.chimerism import HlaCut, MarkerCounts
from nktrace.model.errors import NktraceError


def write_hla_cuts(path: Path | str, patient: str, cuts: Iterable[HlaCut]) -> None:
    """Write hla_cuts.tsv; several blank or donor samples are joined by commas."""
    write_table(path, "hla_cuts", (_row(patient, cut) for cut in cuts))


def read_hla_cuts(path: Path | str) -> list[HlaCut]:
    """Read hla_cuts.tsv.

    Raises:
        NktraceError: the file is missing or was not written by `nktrace hla-cuts`.
    """
    try:
        return [_cut(row) for row in read_rows(path)]
    except (KeyError, ValueError) as error:
        raise NktraceError(f"not a table of HLA cuts ({error})", where=str(path)) from None


def _row(patient: str, cut: HlaCut) -> dict[str, object]:
    return {
        "patient": patient,
        "panel": cut.panel,
        "marker": cut.marker,
        "antibody": cut.antibody,
        "population": cut.population,
        "batch": cut.batch or None,
        "donor": cut.whose or None,
        "direction": cut.direction,
        "blank_sample": ",".join(cut.blank_samples),
        "donor_sample": ",".join(cut.donor_samples),
        # read back as written by chimerism and assign, so that both cut alike; more digits than a float32 has
        "cut": f"{cut.cut:.9g}" if cut.cut == cut.cut else None,
        "cut_low": cut.cut_low,
        "cut_high": cut.cut_high,
        "blank_events": cut.blank.events,
        "blank_positive": cut.blank.positive,
        "donor_events": cut.donor.events,
        "donor_positive": cut.donor.positive,
        "status": cut.status,
        "reason": cut.reason,
        "blank_tubes": ",".join(f"{tube.positive}/{tube.events}" for tube in cut.blank_tubes) or None,
    }


def _cut(row: dict[str, str]) -> HlaCut:
    return HlaCut(
        panel=row["panel"],
        marker=row["marker"],
        antibody=row["antibody"],
        population=row["population"],
        batch=_text(row["batch"]),
        whose=_text(row.get("donor", NA)),
        direction=_text(row["direction"]),
        blank_samples=_names(row["blank_sample"]),
        donor_samples=_names(row["donor_sample"]),
        cut=_number(row["cut"]),
        cut_low=_number(row["cut_low"]),
        cut_high=_number(row["cut_high"]),
        blank=MarkerCounts(events=int(row["blank_events"]), positive=int(row["blank_positive"])),
        donor=MarkerCounts(events=int(row["donor_events"]), positive=int(row["donor_positive"])),
        status=row["status"],
        reason=_text(row["reason"]),
        blank_tubes=tuple(map(_counts, _names(row.get("blank_tubes", NA)))),
    )


def _counts(text: str) -> MarkerCounts:
    positive, events = text.split("/")
    return MarkerCounts(events=int(events), positive=int(positive))


def _text(text: str) -> str:
    return "" if text == NA else text


def _names(text: str) -> tuple[str, ...]:
    return tuple(_text(text).split(",")) if _text(text) else ()


def _number(text: str) -> float:
    return float("nan") if text == NA else float(text)
