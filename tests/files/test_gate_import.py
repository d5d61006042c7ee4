"""Gates that other programs keep hold the same events once they are ours, or are refused by name."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nktrace.files.fcs import read_fcs
from nktrace.files.flowkit_counts import flowkit_counts
from nktrace.files.gate_import import import_gates
from nktrace.files.gatingml import gate_id_of, write_gating_ml
from nktrace.files.population_names import named_by
from nktrace.model.compensation import Spillover
from nktrace.model.errors import GatingError
from nktrace.model.gates import ROOT, Boolean, Ellipse, Gate, Polygon, Rectangle, Shape, Windows
from nktrace.model.imports import ImportedGates
from nktrace.model.transforms import Asinh, Linear, Logicle, Scale
from tests.files import drawn_gates as fj

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import flowkit

COLOURED = {"FITC-A": "biex", "PE-A": "logicle", "APC_Cy7-A": "fasinh"}
BROAD = [(-2000.0, 100.0), (400.0, -600.0), (30000.0, 2000.0), (9000.0, 60000.0), (200.0, 20000.0)]


@pytest.fixture(scope="module")
def tube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fj.write_tube(tmp_path_factory.mktemp("tube") / "a.fcs")


@pytest.fixture
def read(tube: Path, tmp_path: Path) -> Callable[..., ImportedGates]:
    """Import gates from their text, under their own names."""

    def imported(text: str, *, sample: str = "") -> ImportedGates:
        path = tmp_path / "gates"
        path.write_text(text, encoding="utf-8")
        return import_gates(path, tube, name=lambda paths: named_by(None, paths), sample=sample, max_condition=100.0)

    return imported


def counts(imported: ImportedGates) -> dict[str, int]:
    return {name: int(members.sum()) for name, members in imported.masks.items()}


def recounted(imported: ImportedGates, tube: Path, path: Path) -> dict[str, int]:
    """What FlowKit counts by the gates as they leave again."""
    write_gating_ml(
        path,
        imported.gates,
        scale=imported.scale,
        detectors=imported.detectors,
        spillover=imported.spillover,
        uncompensated=imported.uncompensated,
    )
    return {name: n for name, n in flowkit_counts(tube, path).items() if not name.startswith("_part.")}


def by_flowkit_alone(text: str, tube: Path, tmp_path: Path) -> dict[str, int]:
    """What FlowKit makes of a workspace by itself."""
    path = tmp_path / "alone.wsp"
    path.write_text(text, encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        strategy = flowkit.parse_wsp(str(path))["samples"]["a.fcs"]["gating_strategy"]
        results = strategy.gate_sample(flowkit.Sample(str(tube), sample_id="a.fcs", use_flowjo_labels=True))
    return {name: int(results.get_gate_count(name, path)) for name, path in strategy.get_gate_ids()}


TREE = fj.population(
    "cells",
    fj.polygon("FSC-A", "SSC-A", [(2e4, 1e4), (1.9e5, 2e4), (1.5e5, 1.6e5), (3e4, 1.4e5)]),
    fj.population(
        "bright",
        fj.rectangle(fj.dimension("Comp-FITC-A", 1200.5), fj.dimension("Comp-PE-A", None, 9000.0)),
        fj.population("both", fj.polygon("Comp-FITC-A", "Comp-APC_Cy7-A", BROAD)),
    ),
    fj.population("blob", fj.polygon("Comp-PE-A", "Comp-APC_Cy7-A", BROAD)),
    fj.population("not blob", fj.polygon("Comp-PE-A", "Comp-APC_Cy7-A", BROAD, inside=0)),
    fj.population("not low", fj.rectangle(fj.dimension("Comp-FITC-A", None, 700.0), inside=0)),
    fj.combination("OrNode", "either", "cells/bright", "cells/blob"),
    fj.combination("NotNode", "rest", "cells/bright"),
    fj.combination("AndNode", "two", "cells/bright", "cells/blob"),
    count=10,
)


@pytest.mark.parametrize("kind", ["linear", "log", "logicle", "fasinh", "biex"])
def test_a_workspace_holds_the_events_that_flowkit_finds_on_every_scale(
    read: Callable[..., ImportedGates], tube: Path, tmp_path: Path, kind: str
) -> None:
    text = fj.workspace(fj.sample("a.fcs", TREE, scales=dict.fromkeys(COLOURED, kind)))
    imported = read(text)
    assert imported.differing == {}
    ours = counts(imported)
    alone = by_flowkit_alone(text, tube, tmp_path)
    assert {imported.paths[name][-1]: ours[name] for name in imported.paths} == alone
    assert recounted(imported, tube, tmp_path / "gates.xml") == ours
    assert min(ours.values()) > 20
    assert max(ours.values()) < fj.N
    assert imported.stored == {"cells": 10}


def test_bounds_are_data_values_to_the_last_bit(read: Callable[..., ImportedGates], tube: Path) -> None:
    values = read_fcs(tube).scale_values(np.float64).column("FSC-A")
    low, high = (float(np.sort(values)[row]) for row in (fj.N // 5, fj.N // 2))
    gate = fj.population("cut", fj.rectangle(fj.dimension("FSC-A", low, high)))
    odd = fj.sample("a.fcs", gate, scales={"FSC-A": "logicle"})
    assert counts(read(fj.workspace(odd)))["cut"] == ((values >= low) & (values < high)).sum()


def test_the_scale_of_a_compensated_channel_is_its_own(read: Callable[..., ImportedGates]) -> None:
    gate = fj.population("both", fj.polygon("Comp-FITC-A", "Comp-PE-A", BROAD))
    right = {"Comp-FITC-A": "biex", "Comp-PE-A": "biex"}
    one = read(fj.workspace(fj.sample("a.fcs", gate, scales=right | {"FITC-A": "linear", "PE-A": "linear"})))
    two = read(fj.workspace(fj.sample("a.fcs", gate, scales={"FITC-A": "biex", "PE-A": "biex"})))
    three = read(fj.workspace(fj.sample("a.fcs", gate, scales={"FITC-A": "linear", "PE-A": "linear"})))
    assert counts(one) == counts(two)
    assert counts(one) != counts(three)


def ring(foci: tuple[tuple[float, float], tuple[float, float]], axis: float) -> list[tuple[float, float]]:
    """The ends of an ellipse's axes, the longer first."""
    (ax, ay), (bx, by) = foci
    middle = np.array([(ax + bx) / 2, (ay + by) / 2])
    along = np.array([bx - ax, by - ay])
    along = along / np.linalg.norm(along) if along.any() else np.array([1.0, 0.0])
    across = np.array([-along[1], along[0]])
    minor = math.sqrt((axis / 2) ** 2 - math.dist(*foci) ** 2 / 4)
    ends = [middle + along * axis / 2, middle - along * axis / 2, middle + across * minor, middle - across * minor]
    return [(float(x), float(y)) for x, y in ends]


@pytest.mark.parametrize("kind", ["linear", "logicle", "fasinh", "biex"])
@pytest.mark.parametrize("foci", [((100, 100), (150, 130)), ((120, 90), (120, 140)), ((120, 120), (120, 120))])
def test_an_ellipse_holds_the_events_that_it_was_drawn_around(
    read: Callable[..., ImportedGates],
    tube: Path,
    tmp_path: Path,
    kind: str,
    foci: tuple[tuple[float, float], tuple[float, float]],
) -> None:
    gate = fj.population("round", fj.ellipse("Comp-FITC-A", "Comp-PE-A", foci, ring(foci, 110.0)))
    scales = {"FITC-A": kind, "PE-A": kind}
    everything = [(-1e4, -1e4), (2.6e5, -1e4), (2.6e5, 2.6e5), (-1e4, 2.6e5)]
    around = fj.population("all", fj.polygon("Comp-FITC-A", "Comp-PE-A", everything))
    imported = read(fj.workspace(fj.sample("a.fcs", gate, around, scales=scales)))
    # positions on the display, by FlowKit's own transform of our compensated data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = fj.workspace(fj.sample("a.fcs", around, scales=scales))
        (tmp_path / "w").write_text(text, encoding="utf-8")
        strategy = flowkit.parse_wsp(str(tmp_path / "w"))["samples"]["a.fcs"]["gating_strategy"]
    raw = read_fcs(tube).scale_values(np.float64).values[:, 3:] @ np.linalg.inv(fj.MATRIX)
    x, y = (strategy.get_transform(name).apply(raw[:, [i]])[:, 0] for i, name in enumerate(("FITC-A", "PE-A")))
    x, y = (v * 256 / (4096 if kind == "biex" else 1) for v in (x, y))
    sums = np.hypot(x - foci[0][0], y - foci[0][1]) + np.hypot(x - foci[1][0], y - foci[1][1])
    inside = imported.masks["round"]
    if kind != "linear":
        assert inside.sum() > 50
    assert np.all(inside[sums < 109])
    assert not inside[sums > 111].any()


def test_an_ellipse_that_flowkit_turns_is_refused(read: Callable[..., ImportedGates]) -> None:
    foci = ((100.0, 120.0), (160.0, 120.0))
    edge = ring(foci, 110.0)
    gate = fj.population("round", fj.ellipse("Comp-FITC-A", "Comp-PE-A", foci, [*edge[2:], *edge[:2]]))
    with pytest.raises(GatingError, match="gate round: FlowKit makes another ellipse"):
        read(fj.workspace(fj.sample("a.fcs", gate, scales=COLOURED)))


# --- what is refused --------------------------------------------------------------------------------------------------

CUT = fj.population("cut", fj.rectangle(fj.dimension("Comp-FITC-A", 100.0)))


@pytest.mark.parametrize(
    ("samples", "chosen", "message"),
    [
        ([fj.sample("b.fcs", CUT), fj.sample("a.fcs", CUT, number=2)], "c.fcs", "has no sample 'c.fcs'"),
        ([fj.sample("a.fcs", CUT), fj.sample("a.fcs", CUT, number=2)], "", "2 samples of the workspace are called"),
        ([fj.sample("a.fcs", CUT, CUT)], "", "gate cut: two gates have this name"),
        (
            [fj.sample("a.fcs", CUT.replace("Comp-FITC", "FITC"))],
            "",
            "gate cut: it is drawn on FITC-A as it was before",
        ),
        ([fj.sample("a.fcs", CUT.replace("FITC-A", "V450-A"))], "", "gate cut: it is drawn on Comp-V450-A, which"),
        (
            [fj.sample("a.fcs", CUT.replace("Comp-FITC-A", "BV-A"))],
            "",
            "gate cut: it is drawn on BV-A, which the FCS file",
        ),
        ([fj.sample("a.fcs", CUT, scales={"FITC-A": "miltenyi"})], "", "transform type 'miltenyi'"),
        ([fj.sample("a.fcs", CUT, spectral=1)], "", "a spectral matrix"),
        ([fj.sample("a.fcs", CUT, prefix="(+")], "", "around the names of compensated channels"),
        ([fj.sample("a.fcs", CUT, fj.combination("NotNode", "n", "gone"))], "", "gate n: it is made of 'gone'"),
        ([fj.sample("a.fcs", CUT.replace('"cut"', '"a/b"'))], "", "with '/' in it"),
        ([fj.sample("a.fcs", CUT.replace("RectangleGate", "CurlyQuad"))], "", "CurlyQuad"),
        ([], "", "the workspace has no samples"),
    ],
)
def test_what_would_be_read_wrongly_is_refused_by_name(
    read: Callable[..., ImportedGates], samples: list[str], chosen: str, message: str
) -> None:
    with pytest.raises(GatingError) as caught:
        read(fj.workspace(*samples), sample=chosen)
    assert message in str(caught.value)


def test_other_samples_of_a_workspace_do_no_harm(read: Callable[..., ImportedGates]) -> None:
    broken = fj.sample("b.fcs", CUT, number=2, scales={"FITC-A": "miltenyi"}, spectral=1)
    assert counts(read(fj.workspace(broken, fj.sample("a.fcs", CUT))))["cut"] > 0


def test_a_line_that_cannot_be_had_is_refused_with_its_gate(
    read: Callable[..., ImportedGates], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = fj.population("wide", fj.polygon("Comp-FITC-A", "Comp-PE-A", [(4, 4), (2e5, 900), (900, 2e5)]))
    text = fj.workspace(fj.sample("a.fcs", gate, scales={"FITC-A": "log", "PE-A": "log"}))
    assert read(text).differing == {}
    monkeypatch.setattr("nktrace.files.flowkit_shapes.PIECES", (1,))
    with pytest.raises(GatingError, match=r"gate wide: its line cannot be had .* at best \d+ events"):
        read(text)


def test_a_line_that_crosses_itself(read: Callable[..., ImportedGates], tube: Path, tmp_path: Path) -> None:
    turns = [2 * math.pi * 2 * i / 5 for i in range(5)]
    star = [(3000 + 2990 * math.cos(turn), 3000 + 2990 * math.sin(turn)) for turn in turns]
    gate = fj.population("star", fj.polygon("Comp-FITC-A", "Comp-PE-A", star))
    imported = read(fj.workspace(fj.sample("a.fcs", gate, scales={"FITC-A": "biex", "PE-A": "biex"})))
    assert imported.differing == {}
    assert recounted(imported, tube, tmp_path / "gates.xml") == counts(imported)


# --- Gating-ML --------------------------------------------------------------------------------------------------------


def gml_dimension(channel: str, ref: str = "FCS", transform: str = "", low: float | None = None) -> str:
    transform = f' gating:transformation-ref="{transform}"' if transform else ""
    bound = "" if low is None else f' gating:min="{low}"'
    inner = f'<data-type:fcs-dimension data-type:name="{channel}" />'
    return f'<gating:dimension gating:compensation-ref="{ref}"{transform}{bound}>{inner}</gating:dimension>'


def hyperlog(name: str) -> str:
    inner = '<transforms:hyperlog transforms:T="262144" transforms:W="0.5" transforms:M="4.5" transforms:A="0" />'
    return f'<transforms:transformation transforms:id="{name}">{inner}</transforms:transformation>'


def test_hyperlog_polygons_and_the_files_own_matrix(
    read: Callable[..., ImportedGates], tube: Path, tmp_path: Path
) -> None:
    dimensions = gml_dimension("FITC-A", transform="h") + gml_dimension("APC/Cy7-A", transform="h")
    corners = fj.points([(0.05, 0.1), (0.75, 0.15), (0.5, 0.8), (0.2, 0.5)])
    gate = f'<gating:PolygonGate gating:id="p">{dimensions}{corners}</gating:PolygonGate>'
    imported = read(fj.gating_ml(hyperlog("h"), gate))
    assert imported.differing == {}
    assert 100 < counts(imported)["p"] < fj.N - 100
    assert recounted(imported, tube, tmp_path / "gates.xml") == counts(imported)


def quadrants() -> str:
    dividers = "".join(
        f'<gating:divider gating:id="{name}" gating:compensation-ref="FCS">'
        f'<data-type:fcs-dimension data-type:name="{channel}" /><gating:value>{value}</gating:value></gating:divider>'
        for name, channel, value in (("x", "FITC-A", 800), ("y", "PE-A", 1200))
    )
    corners = "".join(
        f'<gating:Quadrant gating:id="{name}"><gating:position gating:divider_ref="x" gating:location="{x}" />'
        f'<gating:position gating:divider_ref="y" gating:location="{y}" /></gating:Quadrant>'
        for name, x, y in (("ll", 0, 0), ("hl", 9e3, 0), ("lh", 0, 9e3), ("hh", 9e3, 9e3))
    )
    return f'<gating:QuadrantGate gating:id="quad">{dividers}{corners}</gating:QuadrantGate>'


def test_quadrants_share_out_all_events_and_can_be_parents(
    read: Callable[..., ImportedGates], tube: Path, tmp_path: Path
) -> None:
    below = gml_dimension("APC/Cy7-A", low=500)
    child = f'<gating:RectangleGate gating:id="c" gating:parent_id="hh">{below}</gating:RectangleGate>'
    imported = read(fj.gating_ml(quadrants(), child))
    found = counts(imported)
    assert imported.differing == {}
    assert found.keys() == {"ll", "hl", "lh", "hh", "c"}
    assert sum(found[name] for name in ("ll", "hl", "lh", "hh")) == fj.N
    assert 0 < found["c"] < found["hh"]
    assert recounted(imported, tube, tmp_path / "gates.xml") == found


def test_gates_before_and_after_compensation(read: Callable[..., ImportedGates], tube: Path, tmp_path: Path) -> None:
    cut = '<gating:RectangleGate gating:id="{}">{}</gating:RectangleGate>'
    after = cut.format("after", gml_dimension("PE-A", low=700))
    before = cut.format("before", gml_dimension("PE-A", "uncompensated", low=700))
    imported = read(fj.gating_ml(after, before))
    raw = read_fcs(tube).scale_values(np.float64).column("PE-A")
    assert counts(imported)["before"] == (raw >= 700).sum() != counts(imported)["after"]
    assert recounted(imported, tube, tmp_path / "gates.xml") == counts(imported)
    mixed = cut.format("mixed", gml_dimension("PE-A", "uncompensated", low=700) + gml_dimension("FITC-A", low=0))
    with pytest.raises(GatingError, match="gate mixed: PE-A is not compensated but"):
        read(fj.gating_ml(mixed))


def test_bare_gating_ml_as_flowjo_exports_it(read: Callable[..., ImportedGates]) -> None:
    bare = fj.rectangle(fj.dimension("Comp-FITC-A", 700.0)).replace("RectangleGate e", 'RectangleGate gating:id="g" e')
    imported = read(fj.gating_ml(bare))
    whole = f'<gating:RectangleGate gating:id="g">{gml_dimension("FITC-A", low=700)}</gating:RectangleGate>'
    assert counts(imported) == counts(read(fj.gating_ml(whole)))
    assert "Comp-X" in imported.notes[0]
    with pytest.raises(GatingError, match="gate g: it keeps the events outside"):
        read(fj.gating_ml(bare.replace('eventsInside="1"', 'eventsInside="0"')))


def ellipsoid(dimensions: str, mean: str, rows: str) -> str:
    body = f"{dimensions}<gating:mean>{mean}</gating:mean><gating:covarianceMatrix>{rows}</gating:covarianceMatrix>"
    body += '<gating:distanceSquare data-type:value="3" />'
    return f'<gating:EllipsoidGate gating:id="e">{body}</gating:EllipsoidGate>'


def numbers(tag: str, values: tuple[float, ...]) -> str:
    return "".join(f'<gating:{tag} data-type:value="{value}" />' for value in values)


def test_ellipses_of_gating_ml(read: Callable[..., ImportedGates], tube: Path, tmp_path: Path) -> None:
    rows = "".join(f"<gating:row>{numbers('entry', row)}</gating:row>" for row in ((2e9, 5e8), (5e8, 1e9)))
    flat = gml_dimension("FSC-A", "uncompensated") + gml_dimension("SSC-A", "uncompensated")
    imported = read(fj.gating_ml(ellipsoid(flat, numbers("coordinate", (1e5, 8e4)), rows)))
    assert 100 < counts(imported)["e"] < fj.N - 100
    assert recounted(imported, tube, tmp_path / "gates.xml") == counts(imported)
    curved = flat.replace('"uncompensated"', '"uncompensated" gating:transformation-ref="h"')
    with pytest.raises(GatingError, match="gate e: it is an ellipse on a scale"):
        read(fj.gating_ml(hyperlog("h"), ellipsoid(curved, numbers("coordinate", (0.5, 0.5)), rows)))
    three = "".join(f"<gating:row>{numbers('entry', r)}</gating:row>" for r in ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    solid = ellipsoid(flat + gml_dimension("PE-A", "uncompensated"), numbers("coordinate", (1, 1, 1)), three)
    with pytest.raises(GatingError, match="gate e: it is an ellipsoid of 3"):
        read(fj.gating_ml(solid))


def test_a_ratio_is_refused(read: Callable[..., ImportedGates]) -> None:
    channels = "".join(f'<data-type:fcs-dimension data-type:name="{name}" />' for name in ("FSC-A", "SSC-A"))
    ratio = f'<transforms:fratio transforms:A="1" transforms:B="0" transforms:C="-1">{channels}</transforms:fratio>'
    made = '<data-type:new-dimension data-type:transformation-ref="r" />'
    gate = f'<gating:dimension gating:compensation-ref="uncompensated" gating:min="1">{made}</gating:dimension>'
    text = fj.gating_ml(
        f'<transforms:transformation transforms:id="r">{ratio}</transforms:transformation>',
        f'<gating:RectangleGate gating:id="g">{gate}</gating:RectangleGate>',
    )
    with pytest.raises(GatingError, match="gate g: it is drawn on a ratio"):
        read(text)


def test_gating_ml_that_flowkit_refuses_is_one_line(read: Callable[..., ImportedGates]) -> None:
    with pytest.raises(GatingError, match=r"FlowKit .* cannot use it: ValueError"):
        read(fj.gating_ml('<gating:RectangleGate gating:id="g"></gating:RectangleGate>'))


# --- there and back ---------------------------------------------------------------------------------------------------

MARKERS = dict(zip(("Time", "FSC-A", "SSC-A", "CD3", "CD56", "CD16"), fj.NAMES, strict=True))
SCALE = Scale(
    {
        "Time": Linear(),
        "FSC-A": Linear(),
        "SSC-A": Asinh(1500.0),
        "CD3": Logicle(262144.0, 0.7, 4.5, 0.0),
        "CD56": Logicle(262144.0, 1.1, 4.5, 0.3),
        "CD16": Asinh(150.0),
    }
)
SPANS = {"Time": (0, 100), "FSC-A": (0, 2e5), "SSC-A": (0, 6), "CD3": (0, 1), "CD56": (0, 1), "CD16": (-3, 7)}
FRACTION = st.floats(-0.1, 1.1)


@st.composite
def shapes(draw: st.DrawFn, above: list[str]) -> Shape:
    kind = draw(st.sampled_from(["rectangle", "windows", "polygon", "ellipse", *(["boolean"] if above else [])]))
    x, y = draw(st.permutations(list(MARKERS)))[:2]

    def at(channel: str) -> float:
        low, high = SPANS[channel]
        return low + draw(FRACTION) * (high - low)

    match kind:
        case "rectangle":
            low, high = sorted((at(x), at(x)))
            return Rectangle((x, y), (low, draw(st.sampled_from([-math.inf, at(y)]))), (high, math.inf))
        case "windows":
            cuts = sorted(draw(st.lists(st.floats(0, 100), min_size=4, max_size=4, unique=True)))
            return Windows("Time", ((cuts[0], cuts[1]), (cuts[2], cuts[3])))
        case "polygon":
            corners = draw(st.integers(3, 6))
            return Polygon((x, y), tuple((at(x), at(y)) for _ in range(corners)))
        case "ellipse":
            widths = [(SPANS[c][1] - SPANS[c][0]) * draw(st.floats(0.05, 0.4)) for c in (x, y)]
            tilt = draw(st.floats(-0.9, 0.9)) * widths[0] * widths[1]
            covariance = ((widths[0] ** 2, tilt), (tilt, widths[1] ** 2))
            return Ellipse((x, y), (at(x), at(y)), covariance, draw(st.floats(0.5, 6)))
    one, other = draw(st.sampled_from(above)), draw(st.sampled_from(above))
    return Boolean(draw(st.sampled_from(["!{}", "{} & !{}", "{} | {}", "!({} | !{})"])).format(one, other))


@st.composite
def trees(draw: st.DrawFn) -> list[Gate]:
    gates: list[Gate] = []
    for number in range(draw(st.integers(1, 6))):
        above = [gate.population for gate in gates]
        parent = draw(st.sampled_from([ROOT, *above]))
        name = f"{number}.gate" if number % 2 else f"g{number}"
        gates.append(Gate(population=name, parent=parent, method="x", shape=draw(shapes(above))))
    return gates


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gates=trees())
def test_our_own_gates_come_back_with_the_same_events(gates: list[Gate], tube: Path, tmp_path: Path) -> None:
    spillover = Spillover(fj.SPILLED, fj.MATRIX)
    out, back = tmp_path / "out.xml", tmp_path / "back.xml"
    write_gating_ml(out, gates, scale=SCALE, detectors=MARKERS, spillover=spillover)
    before = flowkit_counts(tube, out)
    imported = import_gates(out, tube, name=lambda paths: named_by(None, paths), max_condition=100.0)
    assert imported.differing == {}
    after = recounted(imported, tube, back)
    ours = counts(imported)
    for gate in gates:
        name = next(p for p, path in imported.paths.items() if path[-1] == gate_id_of(gate.population))
        assert name == gate.population
        assert before[gate_id_of(name)] == ours[name] == after[gate_id_of(name)]
