"""The frozen gate reference of a panel: scale and gate priors per batch, and what they were fitted on.

results/reference/{panel}/v{N}/gates/: scale.json, priors.json, samples.tsv, reference.json, and controls.json where
there are batch controls. The entry `PANEL` holds
what a batch starts from that was not there when the reference was fitted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from nktrace.files.atomic import publishing
from nktrace.files.code import code_digest
from nktrace.files.scale import read_scales, write_scales
from nktrace.files.tables import write_rows
from nktrace.model.control_drift import BatchControl, Controls, MarkerPlace, MarkerShape
from nktrace.model.errors import ReferenceUnusable
from nktrace.model.gates import EdgePrior, GatePriors, Source
from nktrace.model.transforms import Scale

PANEL = "*"  # no batch can have this name
_CONTROLS = "controls.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReference:
    """Scale and priors by batch, with `PANEL` for new batches; `samples` are (sample, batch) of the fit.

    `controls` are the batch controls among them, None where there are none.
    """

    panel: str
    scales: Mapping[str, Scale]
    priors: Mapping[str, GatePriors]
    samples: Sequence[tuple[str, str]]
    controls: Controls | None = None

    def scale(self, batch: str) -> Scale:
        """The scale of a batch, or the panel's for a new batch."""
        return self.scales.get(batch, self.scales[PANEL])

    def prior(self, batch: str) -> GatePriors:
        """The priors of a batch, or the panel's for a new batch."""
        return self.priors.get(batch, self.priors[PANEL])


def write_gate_reference(directory: Path | str, reference: GateReference) -> None:
    """Publish a reference by one rename."""
    with publishing(directory) as draft:
        write_scales(draft / "scale.json", reference.scales)
        priors = {batch: _rows(priors) for batch, priors in sorted(reference.priors.items())}
        (draft / "priors.json").write_text(json.dumps(priors, indent=1) + "\n", encoding="utf-8")
        write_rows(
            draft / "samples.tsv",
            ["sample", "batch"],
            [{"sample": sample, "batch": batch} for sample, batch in sorted(reference.samples)],
        )
        if reference.controls:
            (draft / _CONTROLS).write_text(json.dumps(asdict(reference.controls), indent=1) + "\n", encoding="utf-8")
        digest = hashlib.sha256()
        for name in ("scale.json", "priors.json", "samples.tsv", *([_CONTROLS] if reference.controls else [])):
            digest.update((draft / name).read_bytes())
        summary = {"panel": reference.panel, "code": code_digest("fit_gates"), "sha256": digest.hexdigest()}
        (draft / "reference.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")


def read_gate_reference(directory: Path | str) -> GateReference:
    """Read what `write_gate_reference` published.

    Raises:
        ReferenceUnusable: a part is missing or is not what it should be.
    """
    place = Path(directory)
    try:
        panel = json.loads((place / "reference.json").read_text(encoding="utf-8"))["panel"]
        priors = json.loads((place / "priors.json").read_text(encoding="utf-8"))
        parsed = {batch: _priors(rows) for batch, rows in priors.items()}
        lines = (place / "samples.tsv").read_text(encoding="utf-8").splitlines()[1:]
        controls = _controls(place / _CONTROLS)
    except OSError as error:
        raise ReferenceUnusable(f"cannot be read: {error.strerror}", where=str(place)) from None
    except (ValueError, TypeError, KeyError) as error:
        raise ReferenceUnusable(f"is no gate reference: {error}", where=str(place)) from None
    samples = [(cells[0], cells[1]) for cells in (line.split("\t") for line in lines)]
    scales = read_scales(place / "scale.json")
    return GateReference(panel=panel, scales=scales, priors=parsed, samples=samples, controls=controls)


def _controls(path: Path) -> Controls | None:
    if not path.exists():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    samples = tuple(
        BatchControl(
            sample=control["sample"],
            batch=control["batch"],
            places={marker: MarkerPlace(**place) for marker, place in control["places"].items()},
        )
        for control in found["samples"]
    )
    shapes = {marker: MarkerShape(**shape) for marker, shape in found["shapes"].items()}
    return Controls(shapes=shapes, samples=samples)


def _rows(priors: GatePriors) -> list[dict[str, object]]:
    return [
        {"population": population, "channel": channel, "edge": edge}
        | {name: value for name, value in asdict(prior).items() if value == value}  # nan is no JSON, and the default
        for (population, channel, edge), prior in sorted(priors.edges.items())
    ]


def _priors(rows: Sequence[Mapping[str, object]]) -> GatePriors:
    edges = {}
    for row in rows:
        values = {name: value for name, value in row.items() if name not in ("population", "channel", "edge", "source")}
        key = (str(row["population"]), str(row["channel"]), str(row["edge"]))
        edges[key] = EdgePrior(**values, source=Source(str(row["source"])))  # type: ignore[arg-type]
    return GatePriors(edges)
