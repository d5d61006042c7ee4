"""Quality checks as SVG: flow rate, signals over the run, spillover left, controls over batches, a number's limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from nktrace.figures.axes import Linear, Tick, decade, short
from nktrace.figures.gates import density_uri, is_decade
from nktrace.figures.svg import (
    CATEGORIES,
    DONOR,
    FAINT,
    GATE,
    INK,
    LINE,
    NORMAL,
    PLAIN,
    SOFT,
    Element,
    add,
    drawing,
    path,
    titled,
    to_text,
    window,
)
from nktrace.model.nk_drift import MarkerShift
from nktrace.model.quality_pictures import ControlPicture, DriftPicture, FlowPicture, SpillPicture

WIDTH, HEIGHT = 420.0, 226.0
_LEFT, _TOP, _END, _FOOT = 56.0, 12.0, 14.0, 42.0
CUT = "#f3c7c9"
_MARKERS = 12  # in the picture of shifts: those that move most


class _Frame:
    """A plot area with its two axes, their ticks and names."""

    def __init__(
        self,
        root: Element,
        x: Linear,
        y: Linear,
        *,
        names: tuple[str, str],
        x_ticks: Sequence[Tick] | None = None,
        y_ticks: Sequence[Tick] | None = None,
        room: float = 0.0,
    ) -> None:
        self.x_axis, self.y_axis = x, y
        self.width, self.height = WIDTH - _LEFT - _END - room, HEIGHT - _TOP - _FOOT
        for value, words in y.ticks(5) if y_ticks is None else y_ticks:
            at = _TOP + self.y(value)
            add(root, "path", d=path([(_LEFT, at), (_LEFT + self.width, at)]), stroke=FAINT, fill="none")
            add(root, "text", words, x=_LEFT - 6, y=at + 3.7, text_anchor="end", font_size=10.5, fill=SOFT)
        foot = _TOP + self.height
        add(root, "path", d=path([(_LEFT, foot), (_LEFT + self.width, foot)]), stroke=SOFT, fill="none")
        middle = _LEFT + self.width / 2
        add(root, "text", names[0], x=middle, y=HEIGHT - 6, text_anchor="middle", font_size=11.5, fill=INK)
        half = _TOP + self.height / 2
        turn = f"rotate(-90 12 {half:g})"
        add(root, "text", names[1], x=12, y=half, text_anchor="middle", font_size=11.5, fill=INK, transform=turn)
        for value, words in x.ticks(5) if x_ticks is None else x_ticks:
            at = _LEFT + self.x(value)
            add(root, "path", d=path([(at, foot), (at, foot + 4)]), stroke=SOFT, fill="none")
            add(root, "text", words, x=at, y=foot + 16, text_anchor="middle", font_size=10.5, fill=SOFT)
        self.area = window(root, x=_LEFT, y=_TOP, width=self.width, height=self.height)

    def x(self, value: float) -> float:
        return self.x_axis.place(value) * self.width

    def y(self, value: float) -> float:
        return (1 - self.y_axis.place(value)) * self.height

    def line(
        self, points: Sequence[tuple[float, float]], color: str, *, width: float = 1.0, dash: str = "none"
    ) -> None:
        """A line through data points."""
        d = path([(self.x(x), self.y(y)) for x, y in points])
        add(self.area, "path", d=d, fill="none", stroke=color, stroke_width=width, stroke_dasharray=dash)

    def band(self, low: float, high: float, *, color: str = NORMAL, opacity: float = 0.6) -> None:
        """A band of values from the left to the right."""
        top = self.y(high)
        height = self.y(low) - top
        add(self.area, "rect", x=0, y=top, width=self.width, height=height, fill=color, fill_opacity=opacity)


def flow_picture(flow: FlowPicture) -> str:
    """Events per second over the run; what the time gate cut out is shaded."""
    seconds, rate = flow.borders, flow.rate
    last = float(seconds[-1])
    top = 1.08 * max(float(np.max(rate)), (1 + flow.limit) * flow.usual)
    root = drawing(WIDTH, HEIGHT, name="Flow rate over the run")
    frame = _Frame(root, Linear(0.0, last), Linear(0.0, top), names=("seconds of the run", "events per second"))
    frame.band(max(0.0, (1 - flow.limit) * flow.usual), (1 + flow.limit) * flow.usual)
    for (start, end), share in zip(pairwise(seconds.tolist()), flow.removed.tolist(), strict=True):
        if share > 0:
            group = titled(frame.area, f"{share:.0%} of the events from {start:.3g} to {end:.3g} s are cut out")
            x, wide = frame.x(start), frame.x(end) - frame.x(start) + 0.3
            shade = 0.35 + 0.55 * share
            add(group, "rect", x=x, y=0, width=wide, height=frame.height, fill=CUT, fill_opacity=shade)
    frame.line([(0.0, flow.usual), (last, flow.usual)], SOFT, dash="4 4")
    stretches = zip(pairwise(seconds.tolist()), rate.tolist(), strict=True)
    frame.line([(edge, value) for ends, value in stretches for edge in ends], PLAIN, width=1.3)
    return to_text(root)


def drift_picture(drift: DriftPicture) -> str:
    """Where populations stand over the run, in their sd; bars are two standard errors."""
    courses = drift.courses
    known = [v for c in courses for v in (c.shift[~np.isnan(c.shift)]).tolist()]
    reach = max(1.25 * drift.limit, 1.1 * max((abs(v) for v in known), default=0.0))
    last = max((float(np.max(c.seconds)) for c in courses), default=1.0) * 1.03
    root = drawing(WIDTH, HEIGHT, name=f"Signals over the run: {', '.join(c.channel for c in courses)}")
    names = ("seconds of the run", "shift (sd)")
    frame = _Frame(root, Linear(0.0, last), Linear(-reach, reach), names=names, room=82.0)
    frame.band(-drift.limit / 2, drift.limit / 2)
    for i, course in reversed(list(enumerate(courses))):
        color = CATEGORIES[i]
        name = f"{course.channel} ({course.peak})" if course.peak else course.channel
        group = titled(frame.area, f"{name}: {course.drift:+.2f} sd from the first fifth to the last")
        columns = (course.seconds.tolist(), course.shift.tolist(), course.error.tolist())
        rows = [row for row in zip(*columns, strict=True) if not math.isnan(row[1])]
        for second, shift, error in rows:
            ends = [(frame.x(second), frame.y(shift + side * 2 * error)) for side in (-1, 1)]
            add(group, "path", d=path(ends), stroke=color, stroke_opacity=0.35, fill="none")
        points = [(frame.x(second), frame.y(shift)) for second, shift, _ in rows]
        add(group, "path", d=path(points), stroke=color, stroke_width=2 if i == 0 else 1.2, fill="none")
    for i, course in enumerate(courses):
        y, x = _TOP + 10 + 32 * i, WIDTH - 90.0
        add(root, "path", d=path([(x, y - 4), (x + 12, y - 4)]), stroke=CATEGORIES[i], stroke_width=2.5, fill="none")
        words = course.channel if len(course.channel) <= 11 else course.channel[:10] + "…"
        add(root, "text", words, x=x + 16, y=y, font_size=11, fill=INK)
        drifted = f"{course.drift:+.2f} sd".replace("-", "−")
        add(root, "text", drifted, x=x + 16, y=y + 13, font_size=10, fill=SOFT)
    return to_text(root)


def spill_picture(spill: SpillPicture) -> str:
    """Source against receiver in linear units: a right compensation lays the negatives' line (red) level."""
    root = drawing(WIDTH, HEIGHT, name=f"What {spill.source} leaves in {spill.receiver}")
    x, y = Linear(*spill.x_range), Linear(*spill.y_range)
    frame = _Frame(root, x, y, names=(f"{spill.source} (linear)", f"{spill.receiver} (linear)"))
    href = density_uri(spill.counts)
    add(frame.area, "image", href=href, width=frame.width, height=frame.height, preserveAspectRatio="none")
    level = [(spill.x_range[0], spill.intercept), (spill.x_range[1], spill.intercept)]
    frame.line(level, SOFT, dash="4 4")
    ends = [(value, spill.intercept + spill.slope * value) for value in (0.0, spill.x_range[1])]
    frame.line(ends, GATE, width=1.8)
    for source, receiver in zip(spill.x.tolist(), spill.y.tolist(), strict=True):
        group = titled(
            frame.area, f"negatives at {short(round(receiver))} where {spill.source} is {short(round(source))}"
        )
        add(
            group, "circle", cx=frame.x(source), cy=frame.y(receiver), r=3.4, fill=GATE, stroke="#fff", stroke_width=0.8
        )
    return to_text(root)


def control_picture(control: ControlPicture) -> str:
    """The worst marker's places in the controls of all batches; the sample's own batch is filled."""
    root = drawing(WIDTH, HEIGHT, name=f"{control.marker} in the controls of all batches")
    places = np.concatenate([control.negative, control.positive])
    places = places[~np.isnan(places)]
    room = 0.2 * float(np.ptp(places)) or 0.1
    low, high = float(places.min()) - room, float(places.max()) + room
    decades: list[Tick] = []
    for at, value in sorted(control.ticks, key=lambda tick: (tick[1] != 0, -tick[1])):
        apart = 14 / (HEIGHT - _TOP - _FOOT) * (high - low)  # the least distance of two labels
        if low < at < high and is_decade(value) and all(abs(at - other) > apart for other, _ in decades):
            decades.append((at, decade(value)))
    every = max(1, -(-len(control.batches) // 7))
    named = [(float(i), b if len(b) <= 10 else b[:9] + "…") for i, b in enumerate(control.batches)][::every]
    last = len(control.batches) - 0.4
    axes = Linear(-0.6, last), Linear(low, high)
    frame = _Frame(root, *axes, names=("batch", control.marker), x_ticks=named, y_ticks=decades)
    own = control.batches.index(control.own)
    for name, values in (("negative", control.negative), ("positive", control.positive)):
        others = [v for i, v in enumerate(values.tolist()) if i != own and not math.isnan(v)]
        if others:
            usual = float(np.median(others))
            frame.line([(-0.6, usual), (last, usual)], LINE, dash="4 4")
        for i, value in enumerate(values.tolist()):
            if not math.isnan(value):
                group = titled(frame.area, f"{control.marker}, {name} part, batch {control.batches[i]}")
                line, fill = (DONOR, DONOR) if i == own else (PLAIN, "#fff")
                x, y = frame.x(i), frame.y(value)
                add(group, "circle", cx=x, cy=y, r=5, stroke=line, stroke_width=1.6, fill=fill)
    return to_text(root)


def shift_picture(shifts: Sequence[MarkerShift], limit: float) -> str:
    """Where markers of the NK cells stand from the reference; hollow before and filled after an alignment."""
    drawn = sorted((s for s in shifts if s.shift.known), key=lambda s: -max(abs(s.shift.value), _after(s)))[:_MARKERS]
    if not drawn:
        return ""
    reach = 100 * max(1.3 * limit, *(1.1 * max(abs(s.shift.low), abs(s.shift.high), _after(s)) for s in drawn))
    root = drawing(WIDTH, HEIGHT, name="Markers of the NK cells beside the reference")
    names = [s.marker if len(s.marker) <= 8 else s.marker[:7] + "…" for s in drawn]
    ticks = [(float(i), name) for i, name in enumerate(reversed(names))]
    axes = Linear(-reach, reach), Linear(-0.6, len(drawn) - 0.4)
    frame = _Frame(root, *axes, names=("shift (% of the marker's range)", ""), y_ticks=ticks)
    left = frame.x(-100 * limit)
    width = frame.x(100 * limit) - left
    add(frame.area, "rect", x=left, y=0, width=width, height=frame.height, fill=NORMAL, fill_opacity=0.6)
    frame.line([(0.0, axes[1].low), (0.0, axes[1].high)], SOFT, dash="4 4")
    for row, shift in enumerate(reversed(drawn)):
        after = f", {shift.aligned.value:+.1%} aligned" if shift.aligned.known else ""
        group = titled(frame.area, f"{shift.marker}: {shift.shift.value:+.1%}{after}")
        y, final = frame.y(row), shift.aligned if shift.aligned.known else shift.shift
        color = DONOR if abs(final.value) > limit else PLAIN
        ends = [(frame.x(100 * end), y) for end in (shift.shift.low, shift.shift.high)]
        add(group, "path", d=path(ends), stroke=color, stroke_opacity=0.5, fill="none")
        if shift.aligned.known:
            way = [(frame.x(100 * s.value), y) for s in (shift.shift, shift.aligned)]
            add(group, "path", d=path(way), stroke=LINE, fill="none")
        for place, fill in ((shift.shift, "#fff"), (final, color)):
            add(group, "circle", cx=frame.x(100 * place.value), cy=y, r=4, stroke=color, stroke_width=1.5, fill=fill)
    return to_text(root)


def _after(shift: MarkerShift) -> float:
    return abs(shift.aligned.value) if shift.aligned.known else 0.0


def limit_bar(value: float, limit: float, *, over: bool, least: bool = False) -> str:
    """A number against its limit: a bar, and a mark where the limit stands. `least`: below the limit is bad."""
    width, height = 150.0, 16.0
    root = drawing(width, height, name=f"{value:.3g} beside a limit of {limit:.3g}")
    most = 1.15 * max(value, limit, 1e-12)
    if least:  # a number of events may be a thousand times its limit
        most = limit * 1.15 if value < limit else max(value, limit)
        place = math.log1p(value) / math.log1p(most), math.log1p(limit) / math.log1p(most)
    else:
        place = value / most, limit / most
    add(root, "rect", x=0, y=4, width=width, height=8, rx=2, fill=FAINT)
    add(root, "rect", x=0, y=4, width=max(0.0, width * place[0]), height=8, rx=2, fill=GATE if over else "#7fb08f")
    at = min(width * place[1], width - 1)
    add(root, "path", d=path([(at, 0), (at, height)]), stroke=INK, stroke_width=1.4, fill="none")
    return to_text(root)
