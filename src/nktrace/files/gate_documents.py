"""Gates as other programs keep them: Gating-ML 2.0 and FlowJo workspaces, taken apart until FlowKit reads them rightly.

FlowKit 1.3.2 reads a workspace as a whole and passes over what it does not expect. So the one sample that is wanted is
cut out before, and what FlowKit would read wrongly without a word is put right here or refused by name.
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from nktrace.files.gatingml import PREFIXES, STANDARD
from nktrace.files.nearest import suggestion
from nktrace.files.untrusted_xml import read_xml
from nktrace.model.errors import GatingError
from nktrace.model.imports import GatePath

Point = tuple[float, float]

GATING, TRANSFORMS, TYPES = (f"{{{STANDARD}{name}}}" for name in PREFIXES.values())
_BOOLEANS = ("AndNode", "OrNode", "NotNode")
_PLAIN = re.compile(r"[A-Za-z0-9 _.-]*", re.ASCII)
_APART = 1e-6  # of a display of 256: FlowKit divides by how far the foci lie apart along x


class Kind(StrEnum):
    GATING_ML = "Gating-ML"
    FLOWJO = "FlowJo workspace"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDocument:
    """What FlowKit is to read, and what it does not tell.

    Attributes:
        kind: which of the two formats.
        source: the file, for messages.
        xml: the document with one sample only, without document type or entities.
        sample: the sample's name in a workspace; empty for Gating-ML.
        stored: events of each gate as the workspace stores them, by path; empty for Gating-ML.
        ellipses: of each ellipse of a workspace its two foci and the length of its longer axis, on a display of 256.
        notes: what was amiss and is read one way, in words.
    """

    kind: Kind
    source: str
    xml: bytes
    sample: str = ""
    stored: dict[GatePath, int] = field(default_factory=dict)
    ellipses: dict[GatePath, tuple[Point, Point, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_gate_document(
    path: Path | str, *, sample: str = "", fcs_name: str = "", channels: Collection[str] = ()
) -> GateDocument:
    """Read a Gating-ML file or one sample of a FlowJo workspace.

    Args:
        path: .xml or .wsp; which of the two it is, its content says.
        sample: name of the sample in a workspace. Without it the only one, or the one with the name of the FCS file.
        fcs_name: file name of the FCS file.
        channels: $PnN of the FCS file, by which a channel `Comp-X` of Gating-ML is known for X compensated.

    Raises:
        GatingError: the file cannot be read, is neither, or holds what would be read wrongly; it says which gate.
    """
    root = read_xml(path)
    for prefix, name in PREFIXES.items():
        ET.register_namespace(prefix, STANDARD + name)
    if root.tag == f"{GATING}Gating-ML":
        return _gating_ml(root, str(path), channels)
    if root.tag == "Workspace" and root.get("flowJoVersion"):
        return _workspace(root, str(path), channels, sample=sample, fcs_name=fcs_name)
    raise GatingError("it is neither Gating-ML 2.0 nor a FlowJo 10 workspace", where=str(path))


# --- Gating-ML --------------------------------------------------------------------------------------------------------


def _gating_ml(root: ET.Element, source: str, channels: Collection[str]) -> GateDocument:
    """Gating-ML, also as FlowJo exports it: with attributes of its own, and without the references that are needed."""
    bare = renamed = False
    for gate in root:
        if not (gate.tag.startswith(GATING) and gate.tag.endswith("Gate")):
            continue
        where = f"{source}, gate {gate.get(f'{GATING}id')}"
        if gate.get("eventsInside", "1") != "1":
            raise GatingError("it keeps the events outside its line, which Gating-ML has no word for", where=where)
        for own in [key for key in gate.attrib if not key.startswith("{")]:
            del gate.attrib[own]
        for dimension in (*gate.iter(f"{GATING}dimension"), *gate.iter(f"{GATING}divider")):
            bare |= dimension.get(f"{GATING}compensation-ref") is None
            reference = dimension.get(f"{GATING}compensation-ref", "uncompensated")
            if dimension.find(f"{TYPES}new-dimension") is not None:
                raise GatingError("it is drawn on a ratio of two channels, which cannot be read", where=where)
            channel = dimension.find(f"{TYPES}fcs-dimension")
            name = "" if channel is None else channel.get(f"{TYPES}name") or ""
            detector = name.removeprefix("Comp-")
            if channel is not None and detector != name and name not in channels and detector in channels:
                renamed |= reference == "uncompensated"
                reference = "FCS" if reference == "uncompensated" else reference
                channel.set(f"{TYPES}name", detector)
            dimension.set(f"{GATING}compensation-ref", reference)
    notes = ["channels named Comp-X are taken as X compensated by the file's own matrix"] if renamed else []
    if bare:
        notes.append("the gates name no scale: their edges are taken as straight in data units")
    return GateDocument(kind=Kind.GATING_ML, source=source, xml=ET.tostring(root), notes=tuple(notes))


# --- FlowJo -----------------------------------------------------------------------------------------------------------


def sample_names(root: ET.Element) -> list[str]:
    """The names of a workspace's samples, in its order."""
    return [node.get("name") or "" for node in root.iterfind("SampleList/Sample/SampleNode")]


def _workspace(root: ET.Element, source: str, channels: Collection[str], *, sample: str, fcs_name: str) -> GateDocument:
    version = (root.get("flowJoVersion") or "").split(".")[0]
    if not version.isdecimal() or int(version) < 10:
        raise GatingError(f"it is of FlowJo {version}: only workspaces of FlowJo 10 are read", where=source)
    chosen = _chosen(sample_names(root), source, sample=sample, fcs_name=fcs_name)
    samples = root.find("SampleList")
    groups = root.find("Groups")
    if samples is None or groups is None:
        raise GatingError("the workspace has no list of samples or of groups", where=source)
    groups.clear()
    for other in list(samples):
        node = other.find("SampleNode")
        if node is None or node.get("name") != chosen:
            samples.remove(other)
    element = samples[0]
    where = f"{source}, sample {chosen}"
    for part in ("Transformations", "Keywords", "DataSet"):
        if element.find(part) is None:
            raise GatingError(f"the sample has no element {part}", where=where)
    detectors = _detectors(element, where)
    _scales_of_compensated(element, detectors)
    stored: dict[GatePath, int] = {}
    ellipses: dict[GatePath, tuple[Point, Point, float]] = {}
    nodes = list(_nodes(element, where))
    known = {path for path, _ in nodes}
    twice = [path for path, times in Counter(path for path, _ in nodes).items() if times > 1]
    if twice:
        what = "two gates have this name and parent: only one would be read"
        raise GatingError(what, where=f"{where}, gate {shown(twice[0])}")
    for path, node in nodes:
        gate = f"{where}, gate {shown(path)}"
        if (node.get("count") or "").isdecimal():  # -1 where FlowJo had not counted
            stored[path] = int(node.get("count") or 0)
        _check_channels(node, detectors, channels, gate)
        ellipse = node.find(f"Gate/{GATING}EllipsoidGate")
        if ellipse is not None:
            ellipses[path] = _ellipse(ellipse, gate)
        for dependent in node.iterfind("Dependents/Dependent"):
            name = dependent.get("name") or ""
            if tuple(name.split("/")) not in known:
                raise GatingError(f"it is made of '{name}', which is no gate of the sample", where=gate)
    return GateDocument(
        kind=Kind.FLOWJO,
        source=source,
        xml=ET.tostring(root),
        sample=chosen,
        stored=stored,
        ellipses=ellipses,
    )


def _chosen(names: list[str], source: str, *, sample: str, fcs_name: str) -> str:
    wanted = sample or (names[0] if len(names) == 1 else fcs_name)
    found = Counter(names)
    if wanted not in found:
        listed = ", ".join(repr(name) for name in names[:10]) + (" …" if len(names) > 10 else "")
        what = f"the workspace has no sample '{wanted}'" if names else "the workspace has no samples"
        raise GatingError(what, where=source, mend=suggestion(wanted, names) or f"It has: {listed}")
    if found[wanted] > 1:
        raise GatingError(
            f"{found[wanted]} samples of the workspace are called '{wanted}': only one would be read",
            where=source,
            mend="Give each its own name in FlowJo.",
        )
    return wanted


def _detectors(sample: ET.Element, where: str) -> dict[str, str]:
    """The detectors of a sample's matrix by the names of their compensated channels; none without a matrix."""
    matrix = sample.find(f"{TRANSFORMS}spilloverMatrix")
    if matrix is None:
        return {}
    prefix, suffix = matrix.get("prefix") or "", matrix.get("suffix") or ""
    if matrix.get("spectral") == "1":
        raise GatingError("it is unmixed by a spectral matrix, which Gating-ML cannot hold", where=where)
    if not _PLAIN.fullmatch(prefix + suffix):  # FlowKit takes them for regular expressions
        raise GatingError(f"'{prefix}…{suffix}' around the names of compensated channels is not read", where=where)
    matrix.set("prefix", prefix)
    matrix.set("suffix", suffix)
    parameters = matrix.iterfind(f"{TYPES}parameters/{TYPES}parameter")
    names = [parameter.get(f"{TYPES}name") or "" for parameter in parameters]
    return {prefix + name + suffix: name for name in names}


def _scales_of_compensated(sample: ET.Element, detectors: dict[str, str]) -> None:
    """Let the scale of a compensated channel stand under its detector, where FlowKit looks for it."""
    transforms = sample.find("Transformations")
    if transforms is None:
        return
    of = {
        parameter.get(f"{TYPES}name"): element
        for element in transforms
        for parameter in element.iter(f"{TYPES}parameter")
    }
    for channel, detector in detectors.items():
        if channel != detector and channel in of:
            if detector in of:
                transforms.remove(of[detector])
            for parameter in of[channel].iter(f"{TYPES}parameter"):
                parameter.set(f"{TYPES}name", detector)


def _check_channels(node: ET.Element, detectors: dict[str, str], channels: Collection[str], where: str) -> None:
    """Compensated and uncompensated channels have names of their own, which FlowKit takes for the same."""
    for channel in node.iterfind(f"Gate/*/{GATING}dimension/{TYPES}fcs-dimension"):
        name = channel.get(f"{TYPES}name") or ""
        if name in detectors:
            continue
        if name in detectors.values():
            what = f"it is drawn on {name} as it was before compensation, and FlowKit would compensate it"
            raise GatingError(what, where=where, mend="Draw it on the compensated channel.")
        if channels and name in {channel.replace("/", "_") for channel in channels}:
            continue
        if name.startswith("Comp-"):
            raise GatingError(f"it is drawn on {name}, which the sample's matrix does not make", where=where)
        if channels:
            mend = f"It has: {', '.join(channels)}"
            raise GatingError(f"it is drawn on {name}, which the FCS file does not have", where=where, mend=mend)


def _nodes(sample: ET.Element, where: str) -> Iterator[tuple[GatePath, ET.Element]]:
    """Every gate of a sample with its path, parents before children."""
    node = sample.find("SampleNode")
    waiting: list[tuple[GatePath, ET.Element]] = [] if node is None else [((), node)]
    while waiting:
        path, parent = waiting.pop()
        for below in parent.findall("Subpopulations"):
            for child in below:
                if child.tag != "Population" and child.tag not in _BOOLEANS:
                    continue
                name = child.get("name") or ""
                if not name or "/" in name:
                    raise GatingError(
                        "a gate without a name, or with '/' in it, cannot be referred to",
                        where=f"{where}, gate {shown((*path, name))}",
                    )
                if child.get("owningGroup") is None:
                    child.set("owningGroup", "")
                yield (*path, name), child
                waiting.append(((*path, name), child))


def _ellipse(ellipse: ET.Element, where: str) -> tuple[Point, Point, float]:
    """The foci of an ellipse and its longer axis; foci one above the other are put apart by a hair."""
    foci, edge = (ellipse.findall(f"{GATING}{part}/{GATING}vertex") for part in ("foci", "edge"))
    try:
        (ax, ay), (bx, by) = map(_point, foci)
        border = [_point(vertex) for vertex in edge]
    except (TypeError, ValueError):
        border = []
    if not border:
        raise GatingError("the ellipse does not have two foci and points on its edge", where=where)
    if abs(ax - bx) < _APART:
        bx = ax + _APART
        foci[1].findall(f"{GATING}coordinate")[0].set(f"{TYPES}value", repr(bx))
    sums = sorted(math.dist(point, (ax, ay)) + math.dist(point, (bx, by)) for point in border)
    return (ax, ay), (bx, by), sums[len(sums) // 2]


def _point(vertex: ET.Element) -> Point:
    x, y = (float(coordinate.get(f"{TYPES}value") or "") for coordinate in vertex.findall(f"{GATING}coordinate"))
    return x, y


def shown(path: GatePath) -> str:
    return "/".join(path)
