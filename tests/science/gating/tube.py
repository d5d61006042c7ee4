"""A simulated tube for gate tests: skewed, heavy-tailed populations with known membership."""

from __future__ import annotations

import numpy as np

from nktrace.model.events import Events
from nktrace.model.panel import Detector, Kind, Panel
from nktrace.science.gating.parent import Estimation, Parent

OPTIONS = Estimation(bootstrap=30)


def panel_of(name: str, **kinds: str) -> Panel:
    """A panel with these markers; `_` in a name stands for `-`."""
    return Panel(
        name,
        tuple(
            Detector(
                channel=marker.replace("_", "-"),
                marker=marker.replace("_", "-"),
                kind=Kind(kind),
                transform="linear",
            )
            for marker, kind in kinds.items()
        ),
    )


def events_of(**columns: np.ndarray) -> Events:
    values = np.asfortranarray(np.stack([np.asarray(v, dtype=np.float32) for v in columns.values()], axis=1))
    return Events(values, tuple(name.replace("_", "-") for name in columns))


def root_of(events: Events, *, seed: int = 1, **more: object) -> Parent:
    """Every event of a tube as the population to be gated."""
    masks = {"root": np.ones(len(events), dtype=np.bool_)}
    return Parent(
        population="root",
        events=events,
        masks=masks | more.pop("masks", {}),  # type: ignore[operator]
        options=OPTIONS,
        rng=np.random.default_rng(seed),
        **more,  # type: ignore[arg-type]
    )


def level(rng: np.random.Generator, size: int, mode: float, spread: float = 0.06) -> np.ndarray:
    """Values on a transformed scale: a skewed population with heavy tails."""
    return mode + spread * (0.8 * rng.standard_t(6, size) + 0.6 * (rng.gamma(4.0, 0.5, size) - 1.5))


def blood(
    seed: int, *, events: int = 30_000, nk: float = 0.08, shift: float = 0.0
) -> tuple[Events, dict[str, np.ndarray]]:
    """Blood cells after staining for the default hierarchy, and who is who.

    Returns:
        The events, and per kind (`t`, `b`, `mono`, `dim`, `bright`, `debris`, `dead`, `doublet`) a mask.
    """
    rng = np.random.default_rng(seed)
    shares = {"t": 0.5, "b": 0.1, "mono": 0.12, "dim": nk * 0.92, "bright": nk * 0.08, "debris": 0.06, "other": 0.02}
    names = list(shares)
    kind = rng.choice(len(names), size=events, p=np.array(list(shares.values())) / sum(shares.values()))
    is_ = {name: kind == i for i, name in enumerate(names)}
    is_["dead"] = rng.random(events) < 0.05
    is_["doublet"] = (rng.random(events) < 0.05) & ~is_["debris"]

    def stain(low: float, **high: float) -> np.ndarray:
        mode = np.full(events, low)
        for name, place in high.items():
            mode[is_[name]] = place
        return level(rng, events, 0.0) + mode + shift

    area = np.where(is_["debris"], rng.gamma(4, 4_000, events), rng.normal(80_000, 8_000, events))
    area = np.where(is_["mono"], area * 1.5, area)
    height = area * rng.normal(0.8, 0.015, events)
    area = np.where(is_["doublet"], area * rng.uniform(1.7, 2.0, events), area)
    columns = {
        "Time": np.sort(rng.uniform(0, 60, events)),
        "FSC_A": area,
        "FSC_H": height,
        "SSC_A": np.where(is_["mono"], rng.normal(70_000, 9_000, events), rng.normal(25_000, 4_000, events)),
        "Live": stain(0.25) + 0.5 * is_["dead"],
        "CD45": stain(0.75, debris=0.2, mono=0.7),
        "CD14": stain(0.2, mono=0.75),
        "CD19": stain(0.2, b=0.7),
        "CD3": stain(0.2, t=0.7),
        "CD56": stain(0.2, dim=0.5, bright=0.85),
        "CD16": stain(0.2, dim=0.7, bright=0.28),
        "CD57": stain(0.2) + 0.45 * (is_["dim"] & (rng.random(events) < 0.4)),
    }
    return events_of(**columns), is_


BLOOD = panel_of(
    "blood",
    Time="time",
    FSC_A="scatter",
    FSC_H="scatter",
    SSC_A="scatter",
    Live="viability",
    CD45="lineage",
    CD14="lineage",
    CD19="lineage",
    CD3="lineage",
    CD56="lineage",
    CD16="lineage",
    CD57="subset",
)


def f1(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))
