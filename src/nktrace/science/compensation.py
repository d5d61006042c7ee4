"""Compensation: undo the spillover of fluorochromes into each other's detectors.

measured = true @ spillover, so true = measured @ inverse(spillover) (Bagwell & Adams, Ann N Y Acad Sci 1993;677:167).
The matrix comes from a keyword of the file or from a CSV (files/matrices.py); detectors are matched by name.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nktrace.model.compensation import Spillover
from nktrace.model.errors import CompensationError
from nktrace.model.events import Events, FloatArray

# In the order of trust. $SPILLOVER is the word of FCS 3.1 and 3.2; SPILL and SPILLOVER are vendors' words for the same
# layout from before the standard. $COMP is the word of FCS 3.0: see `find_spillover`.
KEYWORDS = ("$SPILLOVER", "SPILLOVER", "$SPILL", "SPILL", "$COMP", "COMP")
BLOCK = 4_096  # events per matrix product: the block of a dozen detectors stays in the cache
MEND = "Give a matrix CSV in the column `compensation`, or `none`."


def find_spillover(keywords: Mapping[str, str]) -> Spillover | None:
    """The spillover matrix that a file carries, or None where it carries none.

    `$SPILLOVER`, `SPILLOVER` and `SPILL` all hold `n, n detector names ($PnN), n × n numbers row by row`, a row per
    fluorochrome. The FCS 3.0 keyword `$COMP` names no detectors and leaves open whether it holds spillover or its
    inverse: it is read where it is written in the layout above or is the identity (nothing to do), else refused.
    Where a file has several keywords that are filled, they must agree.

    Args:
        keywords: keyword → value; looked up in upper case and in lower case.

    Raises:
        CompensationError: the keyword cannot be read exactly, or two of them disagree.
    """
    found: dict[str, Spillover] = {}
    for keyword in KEYWORDS:
        text = _lookup(keywords, keyword).strip()
        if not text or text == "0":
            continue
        if keyword.endswith("COMP") and _is_nameless_identity(text):
            continue
        try:
            found[keyword] = parse_spillover(text)
        except CompensationError as error:
            raise CompensationError(error.what, where=f"keyword {keyword}", mend=error.mend) from None
    if not found:
        return None
    first, *others = found
    for other in others:
        if not _same(found[first], found[other]):
            raise CompensationError(
                f"keywords {first} and {other} hold different spillover matrices",
                where=f"keyword {other}",
                mend=MEND,
            )
    return found[first]


def parse_spillover(text: str) -> Spillover:
    """Read `n,name1,…,namen,f11,f12,…,fnn` (FCS 3.1, section 3.2.20; row by row, a row per fluorochrome).

    Raises:
        CompensationError: not of this layout, or a value that is not a finite number.
    """
    fields = [field.strip() for field in text.strip().split(",")]
    if not fields[0].isdecimal() or int(fields[0]) < 1:
        raise CompensationError(f"spillover begins with {fields[0][:40]!r}, not with a number of detectors", mend=MEND)
    size = int(fields[0])
    if len(fields) != 1 + size + size * size:
        raise CompensationError(
            f"spillover for {size} detectors needs {1 + size + size * size} fields and has {len(fields)}", mend=MEND
        )
    names, cells = fields[1 : 1 + size], fields[1 + size :]
    values = [_number(cell, where=f"{names[i // size]} to {names[i % size]}") for i, cell in enumerate(cells)]
    return checked(Spillover(tuple(names), np.array(values).reshape(size, size)))


def checked(spillover: Spillover) -> Spillover:
    """The same matrix, if it can be one at all; whether it can be inverted is asked when it is.

    Raises:
        CompensationError: not square, not finite, a detector without a name or named twice.
    """
    size = len(spillover.detectors)
    if spillover.matrix.shape != (size, size):
        rows, columns = spillover.matrix.shape
        raise CompensationError(f"spillover of {size} detectors is {rows} × {columns}, not square", mend=MEND)
    if "" in spillover.detectors:
        raise CompensationError("spillover has a detector without a name", mend=MEND)
    twice = sorted({name for name in spillover.detectors if spillover.detectors.count(name) > 1})
    if twice:
        raise CompensationError(f"spillover names a detector twice: {', '.join(twice)}", mend=MEND)
    if not np.isfinite(spillover.matrix).all():
        raise CompensationError("spillover holds a value that is not a finite number", mend=MEND)
    if np.all(np.diag(spillover.matrix) == 100):
        raise CompensationError("spillover is written in percent (its diagonal is 100)", mend="Divide it by 100.")
    return spillover


def match_detectors(spillover: Spillover, channels: Sequence[str]) -> Spillover:
    """The same matrix with its detectors named as in a file.

    A detector is matched by its exact name, else without the prefix `Comp-` that analysis programs put before it, else
    letter case apart. Channels that the matrix does not name are none of its business.

    Args:
        channels: $PnN of the file.

    Raises:
        CompensationError: detectors that the file lacks (all of them, with the nearest name), or two that are one.
    """
    folded: dict[str, list[str]] = {}
    for channel in channels:
        folded.setdefault(channel.casefold(), []).append(channel)
    matched: list[str] = []
    missing: list[str] = []
    for detector in spillover.detectors:
        candidates = (detector, detector.removeprefix("Comp-"))
        exact = [name for name in candidates if name in channels]
        alike = [names[0] for name in candidates if len(names := folded.get(name.casefold(), [])) == 1]
        if exact or alike:
            matched.append((exact or alike)[0])
            continue
        near = difflib.get_close_matches(candidates[-1], channels, n=1, cutoff=0.5)
        missing.append(f"{detector!r} (nearest: {near[0]!r})" if near else repr(detector))
    if missing:
        raise CompensationError(
            f"the spillover matrix names detectors that the file does not have: {', '.join(missing)}",
            mend=f"The file has: {', '.join(channels)}",
        )
    return checked(Spillover(tuple(matched), spillover.matrix))


def inverse(spillover: Spillover, *, max_condition: float) -> NDArray[np.float64]:
    """The inverse of a spillover matrix, shape (detectors, detectors).

    Raises:
        CompensationError: the condition number (2-norm) is over `max_condition`: two fluorochromes look the same.
    """
    condition = float(np.linalg.cond(spillover.matrix))
    if not condition <= max_condition:  # nan and inf fail as well
        raise CompensationError(
            f"the spillover matrix is singular or nearly so: condition number {condition:.3g}, limit {max_condition:g}",
            mend=f"{_most_alike(spillover)} Correct the matrix, or leave detectors without a fluorochrome out of it.",
        )
    return np.linalg.inv(spillover.matrix).astype(np.float64, copy=False)


def compensate(events: Events, spillover: Spillover | None, *, max_condition: float) -> Events:
    """Compensated events: a matrix product in blocks, as float32 or float64 as the events are.

    The product itself is taken in float64, which costs no more here, as memory and not arithmetic is the limit: a dim
    value beside a bright one is then rounded by its own size (6e-8 of it) and not by the bright one's. Columns that the
    matrix does not name are copied. No matrix, or the identity, gives the events themselves.

    Args:
        events: shape (events, channels), channels by $PnN; scale values.
        max_condition: the largest condition number that is accepted.

    Raises:
        CompensationError: unknown detectors or a singular matrix.
    """
    if spillover is None:
        return events
    spillover = match_detectors(spillover, events.channels)
    if np.array_equal(spillover.matrix, np.eye(len(spillover.detectors))):
        return events
    inverted = inverse(spillover, max_condition=max_condition)
    columns = [events.channels.index(detector) for detector in spillover.detectors]
    values: FloatArray = events.values.copy(order="F")
    rows = values.T  # C-ordered: one row of memory per channel
    weights = np.ascontiguousarray(inverted.T)
    # One product shape for all blocks, so that an event's result does not hang on how many events the file has.
    block = np.zeros((len(columns), BLOCK))
    product = np.empty_like(block)
    for start in range(0, len(events), BLOCK):
        size = min(BLOCK, len(events) - start)
        for row, column in enumerate(columns):
            block[row, :size] = rows[column, start : start + size]
        np.matmul(weights, block, out=product)
        for row, column in enumerate(columns):
            rows[column, start : start + size] = product[row, :size]
    return Events(values, events.channels)


def spilled(events: Events, spillover: Spillover | None) -> Events:
    """What detectors with this spillover would have measured of compensated events, in their precision.

    Raises:
        CompensationError: unknown detectors.
    """
    if spillover is None:
        return events
    spillover = match_detectors(spillover, events.channels)
    columns = [events.channels.index(detector) for detector in spillover.detectors]
    values: FloatArray = events.values.copy(order="F")
    values[:, columns] = values[:, columns].astype(np.float64) @ spillover.matrix
    return Events(values, events.channels)


def same_spillover(one: Spillover | None, other: Spillover | None) -> bool:
    """Whether two files are compensated alike, to the last digit."""
    if one is None or other is None:
        return one is other
    return one.detectors == other.detectors and np.array_equal(one.matrix, other.matrix)


def _lookup(keywords: Mapping[str, str], keyword: str) -> str:
    return keywords.get(keyword) or keywords.get(keyword.lower()) or ""


def _number(cell: str, *, where: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise CompensationError(f"spillover from {where} is {cell[:40]!r}, not a number", mend=MEND) from None
    if not math.isfinite(value):
        raise CompensationError(f"spillover from {where} is {cell}", mend=MEND)
    return value


def _is_nameless_identity(text: str) -> bool:
    fields = [field.strip() for field in text.split(",")]
    if not fields[0].isdecimal() or len(fields) != 1 + int(fields[0]) ** 2:
        return False
    try:
        values = np.array([float(field) for field in fields[1:]])
    except ValueError:
        return False
    size = int(fields[0])
    return bool(np.array_equal(values.reshape(size, size), np.eye(size)))


def _same(one: Spillover, other: Spillover) -> bool:
    """Equal but for the digits that were printed."""
    return one.detectors == other.detectors and np.allclose(one.matrix, other.matrix, rtol=0, atol=1e-4)


def _most_alike(spillover: Spillover) -> str:
    """The two fluorochromes whose spectra are hardest to tell apart, in a sentence."""
    size = len(spillover.detectors)
    norms = np.linalg.norm(spillover.matrix, axis=1)
    empty = np.flatnonzero(norms == 0)
    if empty.size:
        return f"The row of {spillover.detectors[empty[0]]} is zero."
    if size < 2:
        return ""
    spectra = spillover.matrix / norms[:, None]
    alike = np.abs(spectra @ spectra.T) - 2 * np.eye(size)
    first, second = np.unravel_index(int(np.argmax(alike)), alike.shape)
    return f"Most alike are {spillover.detectors[first]} and {spillover.detectors[second]}."
