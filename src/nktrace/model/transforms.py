"""Scales on which events are gated and drawn. Parameters only; the arithmetic is in science/transforms.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Linear:
    """The scale value itself: time, scatter, data that come transformed."""


@dataclass(frozen=True, slots=True)
class Asinh:
    """asinh(x / cofactor). In Gating-ML: fasinh with T = cofactor·sinh(1), M = 1/ln 10, A = 0."""

    cofactor: float


@dataclass(frozen=True, slots=True)
class Logicle:
    """The logicle of Moore & Parks 2012, scaled so that T maps to 1 (as in Gating-ML and FlowKit).

    t: top of scale; w: decades of linear data; m: decades in all; a: extra negative decades.
    """

    t: float
    w: float
    m: float
    a: float


Transform = Linear | Asinh | Logicle


@dataclass(frozen=True, slots=True)
class Scale:
    """The transform of each marker, for one panel and one batch."""

    transforms: Mapping[str, Transform]
