"""Tubes and the gates that other programs would keep of them, for tests of importing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import flowio
import numpy as np

NAMES = ("Time", "FSC-A", "SSC-A", "FITC-A", "PE-A", "APC/Cy7-A")
MATRIX = np.array([[1.0, 0.21, 0.03], [0.04, 1.0, 0.3], [0.001, 0.07, 1.0]])
SPILLED = NAMES[3:]
N = 6_000

NAMESPACES = " ".join(
    f'xmlns:{prefix}="http://www.isac-net.org/std/Gating-ML/v2.0/{name}"'
    for prefix, name in (("gating", "gating"), ("transforms", "transformations"), ("data-type", "datatypes"))
)


def write_tube(path: Path, *, spillover: bool = True, seed: int = 3) -> Path:
    """An FCS file of raw events with its matrix; scatter is whole numbers, so that events lie on bounds."""
    rng = np.random.default_rng(seed)
    colours = [np.where(rng.random(N) < 0.4, rng.lognormal(8.5, 1, N), rng.normal(0, 300, N)) for _ in SPILLED]
    scatter = [np.round(rng.normal(centre, 3e4, N)) for centre in (1e5, 8e4)]
    values = np.column_stack([np.sort(rng.uniform(0, 100, N)), *scatter, *colours])
    values[:, 3:] = values[:, 3:] @ MATRIX
    keywords = {f"p{i}r": "262144" for i in range(1, len(NAMES) + 1)}
    if spillover:
        numbers = ",".join(repr(float(v)) for v in MATRIX.ravel())
        keywords["spillover"] = f"3,{','.join(SPILLED)},{numbers}"
    with path.open("wb") as handle:
        flowio.create_fcs(handle, values.astype(np.float32).ravel(), NAMES, metadata_dict=keywords)
    return path


# --- FlowJo -----------------------------------------------------------------------------------------------------------

SCALES: dict[str, str] = {
    "linear": 'transforms:minRange="0" transforms:maxRange="262144" gain="1"',
    "log": 'transforms:offset="3" transforms:decades="4.9"',
    "logicle": 'transforms:length="256" transforms:T="262144" transforms:W="0.7" transforms:M="4.5" transforms:A="0.2"',
    "fasinh": 'transforms:length="256" transforms:maxRange="262144" transforms:T="262144" transforms:A="0.5" '
    'transforms:M="4.2" transforms:W="0"',
    "biex": 'transforms:length="256" transforms:maxRange="262144" transforms:neg="0" transforms:width="-100" '
    'transforms:pos="4.418539922"',
    "miltenyi": 'transforms:x="1"',
}


def scale(kind: str, channel: str) -> str:
    parameter = f'<data-type:parameter data-type:name="{channel}" />'
    return f"<transforms:{kind} {SCALES[kind]}>{parameter}</transforms:{kind}>"


def dimension(channel: str, low: float | None = None, high: float | None = None) -> str:
    bounds = "".join(f' gating:{side}="{v!r}"' for side, v in (("min", low), ("max", high)) if v is not None)
    return f'<gating:dimension{bounds}><data-type:fcs-dimension data-type:name="{channel}" /></gating:dimension>'


def points(corners: Sequence[tuple[float, float]], tag: str = "vertex") -> str:
    coordinate = '<gating:coordinate data-type:value="{!r}" />'
    return "".join(
        f"<gating:{tag}>{''.join(coordinate.format(float(v)) for v in corner)}</gating:{tag}>" for corner in corners
    )


def rectangle(*dimensions: str, inside: int = 1) -> str:
    return f'<gating:RectangleGate eventsInside="{inside}">{"".join(dimensions)}</gating:RectangleGate>'


def polygon(x: str, y: str, corners: Sequence[tuple[float, float]], inside: int = 1) -> str:
    body = dimension(x) + dimension(y) + points(corners)
    return f'<gating:PolygonGate eventsInside="{inside}">{body}</gating:PolygonGate>'


def ellipse(x: str, y: str, foci: Sequence[tuple[float, float]], edge: Sequence[tuple[float, float]]) -> str:
    body = dimension(x) + dimension(y)
    body += f"<gating:foci>{points(foci)}</gating:foci><gating:edge>{points(edge)}</gating:edge>"
    return f'<gating:EllipsoidGate gating:distance="1">{body}</gating:EllipsoidGate>'


def population(name: str, gate: str, *below: str, count: int = -1) -> str:
    inner = f"<Subpopulations>{''.join(below)}</Subpopulations>" if below else ""
    return f'<Population name="{name}" owningGroup="" count="{count}"><Gate>{gate}</Gate>{inner}</Population>'


def combination(kind: str, name: str, *of: str, count: int = -1) -> str:
    named = "".join(f'<Dependent name="{path}" />' for path in of)
    return f'<{kind} name="{name}" owningGroup="" count="{count}"><Dependents>{named}</Dependents></{kind}>'


def sample(
    name: str,
    *gates: str,
    number: int = 1,
    scales: Mapping[str, str] | None = None,
    prefix: str = "Comp-",
    spectral: int = 0,
) -> str:
    """A sample of a workspace; `/` of a channel is `_` there, and each channel is there twice."""
    spilled = [channel.replace("/", "_") for channel in SPILLED]
    parameters = "".join(f'<data-type:parameter data-type:name="{channel}" />' for channel in spilled)
    rows = "".join(
        f'<transforms:spillover data-type:parameter="{of}">'
        + "".join(
            f'<transforms:coefficient data-type:parameter="{into}" transforms:value="{value!r}" />'
            for into, value in zip(spilled, row, strict=True)
        )
        + "</transforms:spillover>"
        for of, row in zip(spilled, MATRIX.tolist(), strict=True)
    )
    kinds = dict.fromkeys(NAMES[:3], "linear") | dict(scales or {})
    drawn = "".join(scale(kind, channel) for channel, kind in kinds.items())
    return (
        f'<Sample><DataSet uri="{name}" sampleID="{number}" /><transforms:spilloverMatrix spectral="{spectral}" '
        f'weightOptAlgorithmType="OLS" prefix="{prefix}" name="M" suffix=""><data-type:parameters>{parameters}'
        f"</data-type:parameters>{rows}</transforms:spilloverMatrix><Transformations>{drawn}</Transformations>"
        f'<Keywords /><SampleNode name="{name}" sampleID="{number}"><Subpopulations>{"".join(gates)}</Subpopulations>'
        "</SampleNode></Sample>"
    )


def workspace(*samples: str) -> str:
    refs = "".join(f'<SampleRef sampleID="{number}" />' for number in range(1, len(samples) + 1))
    group = f'<GroupNode name="All"><Group name="All"><SampleRefs>{refs}</SampleRefs></Group></GroupNode>'
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Workspace version="20.0" flowJoVersion="10.8.1" {NAMESPACES}>'
        f"<Groups>{group}</Groups><SampleList>{''.join(samples)}</SampleList></Workspace>"
    )


# --- Gating-ML --------------------------------------------------------------------------------------------------------


def gating_ml(*elements: str) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><gating:Gating-ML {NAMESPACES}>{"".join(elements)}</gating:Gating-ML>'
    )
