"""One named exception per kind of failure, each with what, where and how to mend it.

An expected failure is an `NktraceError`; the command line prints it as one line and exits with 2.
A failed quality check is a row with a reason, never an exception.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class NktraceError(Exception):
    """A failure that a person can mend.

    Attributes:
        what: what is wrong, in one clause.
        where: file, row, column, keyword or channel; empty where it is plain.
        mend: what to do about it; empty where it is plain.
    """

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.mend = mend

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        if self.mend:
            line = f"{line} {self.mend}" if line.endswith(("?", ".")) else f"{line}. {self.mend}"
        # one line, and no control character of a sheet or a keyword reaches the terminal
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(line.split()))


class UnreadableFcs(NktraceError):
    """The content of an FCS file cannot be read exactly: it is refused, never guessed."""


class UnsupportedFcs(UnreadableFcs):
    """A valid FCS file of a kind that is not read (correlated data, ASCII, no data set)."""


class CompensationError(NktraceError):
    """A spillover matrix that is missing, singular, not square, or names unknown detectors."""


class PanelMismatch(NktraceError):
    """A panel sheet whose detectors are missing from a file, or match it twice."""


class GatingError(NktraceError):
    """A gating table, a gate's settings or a Gating-ML file that cannot be used."""


class MarkerDoesNotSeparate(NktraceError):
    """Donor reference and blank differ by less than the setting `min_separation`."""


class TypingError(NktraceError):
    """An HLA typing that is written wrongly."""


class ReferenceUnusable(NktraceError):
    """A frozen reference that is missing, incomplete or of another panel."""


class SettingsError(NktraceError):
    """A setting that does not exist or has a value it cannot have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of a study: where it stands, what is wrong, how to mend it."""

    file: str
    row: int | None = None
    column: str = ""
    what: str
    mend: str = ""

    def __str__(self) -> str:
        place = self.file
        if self.row is not None:
            place += f", row {self.row}"
        if self.column:
            place += f", column {self.column}"
        return str(NktraceError(self.what, where=place, mend=self.mend))


class StudyFaults(NktraceError):
    """All faults of a study at once."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} fault(s) in the study")
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return "\n".join(str(fault) for fault in self.faults)
