"""A plot area with two axes of any kind: lines, points and what stands beside them."""

from __future__ import annotations

from collections.abc import Sequence

from nktrace.figures.axes import Axis, Tick
from nktrace.figures.svg import FAINT, INK, SOFT, Element, add, drawing, path, titled, to_text, window

_LEFT, _TOP, _END, _FOOT = 62.0, 12.0, 16.0, 44.0

_TIPS = {"down": (0, 1), "up": (0, -1), "left": (-1, 0)}  # right and down from the point


class Plane:
    """A picture of values against values. What lies outside the axes is cut off."""

    def __init__(
        self,
        x: Axis,
        y: Axis,
        *,
        name: str,
        axes: tuple[str, str],
        width: float = 560,
        height: float = 340,
        y_ticks: Sequence[Tick] | None = None,
    ) -> None:
        self.root: Element = drawing(width, height, name=name)
        self._x, self._y = x, y
        self.width, self.height = width - _LEFT - _END, height - _TOP - _FOOT
        foot, middle, half = _TOP + self.height, _LEFT + self.width / 2, _TOP + self.height / 2
        for value, words in y.ticks(6) if y_ticks is None else y_ticks:
            at = _TOP + self.y(value)
            add(self.root, "path", d=path([(_LEFT, at), (_LEFT + self.width, at)]), stroke=FAINT, fill="none")
            add(self.root, "text", words, x=_LEFT - 6, y=at + 3.7, text_anchor="end", font_size=10.5, fill=SOFT)
        for value, words in x.ticks(6):
            at = _LEFT + self.x(value)
            add(self.root, "path", d=path([(at, foot), (at, foot + 4)]), stroke=SOFT, fill="none")
            add(self.root, "text", words, x=at, y=foot + 16, text_anchor="middle", font_size=10.5, fill=SOFT)
        add(self.root, "path", d=path([(_LEFT, foot), (_LEFT + self.width, foot)]), stroke=SOFT, fill="none")
        turn = f"rotate(-90 13 {half:g})"
        add(self.root, "text", axes[0], x=middle, y=height - 8, text_anchor="middle", font_size=11.5, fill=INK)
        add(self.root, "text", axes[1], x=13, y=half, text_anchor="middle", font_size=11.5, fill=INK, transform=turn)
        self.area = window(self.root, x=_LEFT, y=_TOP, width=self.width, height=self.height)

    def x(self, value: float) -> float:
        return self._x.place(value) * self.width

    def y(self, value: float) -> float:
        return (1 - self._y.place(value)) * self.height

    def line(
        self, points: Sequence[tuple[float, float]], color: str, *, title: str = "", width: float = 1.6, dash: str = ""
    ) -> None:
        """A line through points in data units."""
        style = {"stroke_dasharray": dash} if dash else {}
        d = path([(self.x(x), self.y(y)) for x, y in points])
        group = titled(self.area, title)
        add(group, "path", d=d, fill="none", stroke=color, stroke_width=width, **style)

    def across(self, y: float, color: str, *, title: str = "", dash: str = "5 4", width: float = 1.2) -> None:
        """A level line from the left to the right."""
        group = titled(self.area, title)
        level = path([(0, self.y(y)), (self.width, self.y(y))])
        add(group, "path", d=level, fill="none", stroke=color, stroke_width=width, stroke_dasharray=dash)

    def band(self, low: float, high: float, color: str, *, opacity: float = 0.15, title: str = "") -> None:
        """All values between two, from the left to the right."""
        top, group = self.y(high), titled(self.area, title)
        height = max(0.0, self.y(low) - top)
        add(group, "rect", x=0, y=top, width=self.width, height=height, fill=color, fill_opacity=opacity)

    def point(
        self,
        x: float,
        y: float,
        color: str,
        *,
        title: str = "",
        towards: str = "",
        x_range: tuple[float, float] | None = None,
        y_range: tuple[float, float] | None = None,
    ) -> None:
        """A point with its intervals; a bound is a hollow triangle `towards` the true value: down, up or left."""
        group = titled(self.area, title)
        at, high = self.x(x), self.y(y)
        if x_range:
            ends = [(self.x(value), high) for value in x_range]
            add(group, "path", d=path(ends), stroke=color, stroke_width=1.3, stroke_opacity=0.6, fill="none")
        if y_range:
            ends = [(at, self.y(value)) for value in y_range]
            add(group, "path", d=path(ends), stroke=color, stroke_width=1.3, stroke_opacity=0.6, fill="none")
        if towards:
            right, down = _TIPS[towards]
            tip = (at + 4.6 * right, high + 4.6 * down)
            base = [(at - 3.8 * right + 4.2 * down * side, high - 3.8 * down + 4.2 * right * side) for side in (-1, 1)]
            add(group, "path", d=path([*base, tip], closed=True), stroke=color, stroke_width=1.4, fill="#fff")
        else:
            add(group, "circle", cx=at, cy=high, r=4.2, fill=color, stroke="#fff", stroke_width=0.8)

    def picture(self) -> str:
        """The SVG, to stand within HTML."""
        return to_text(self.root)
