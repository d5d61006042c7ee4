"""The whole tree: which rows a panel can carry out, and the gates of a simulated tube."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nktrace.files.gating_table import read_gating_table
from nktrace.files.installation import home
from nktrace.model.gates import (
    BooleanSettings,
    ControlSettings,
    EdgePrior,
    Gate,
    GatedSample,
    GatePriors,
    GatingRow,
    GatingTable,
    Source,
    Status,
    ValleySettings,
)
from nktrace.science.gating.tree import expanded, gate_sample, resolve
from nktrace.science.priors import fit_priors
from tests.science.gating.tube import BLOOD, OPTIONS, blood, events_of, f1, level, panel_of

DEFAULT = read_gating_table(home() / "resources" / "gating" / "nk.tsv")
TOPS = {"FSC-A": 262_144.0, "FSC-H": 262_144.0, "SSC-A": 262_144.0}


def line(population: str, parent: str, channels: str, *, optional: bool = False, **more: object) -> GatingRow:
    settings = more.get("settings", ValleySettings())
    return GatingRow(
        population=population,
        parent=parent,
        channels=tuple(tuple(part.split("|")) for part in channels.split(",")) if channels else (),
        method=str(more.get("method", "boolean" if isinstance(settings, BooleanSettings) else "valley")),
        settings=settings,  # type: ignore[arg-type]
        optional=optional,
    )


TABLE = GatingTable(
    "t",
    (
        line("live", "root", "kind:viability", optional=True),
        line("cd3", "live", "CD3"),
        line("cd4_t", "cd3", "CD4"),
        line("nk", "live", "CD56|NCAM"),
        line("both", "live", "", settings=BooleanSettings("nk & live & !cd4_t")),
        line("nk_dim", "nk", "", settings=BooleanSettings("nk & live")),
        line("bright", "nk", "CD56|NCAM", method="control", settings=ControlSettings(of="live")),
    ),
)


def resolved(**markers: str) -> tuple[dict[str, GatingRow], dict[str, bool]]:
    rows, skipped = resolve(TABLE, panel_of("p", **markers))
    return {row.population: row for row in rows}, {row.population: row.dropped for row in skipped}


def test_a_full_panel_keeps_every_row() -> None:
    rows, skipped = resolved(LD="viability", CD3="lineage", CD4="lineage", CD56="lineage")
    assert list(rows) == [row.population for row in TABLE.rows]
    assert skipped == {}
    assert rows["live"].markers == ("LD",)


def test_a_missing_exclusion_is_skipped_and_its_children_hang_on_its_parent() -> None:
    rows, skipped = resolved(CD3="lineage", CD4="lineage", CD56="lineage")
    assert skipped == {"live": False}
    assert rows["cd3"].parent == rows["nk"].parent == "root"
    assert rows["nk_dim"].settings == BooleanSettings("nk & root")
    assert rows["bright"].settings == ControlSettings(of="root")


def test_any_other_missing_row_is_dropped_with_all_that_needs_it() -> None:
    rows, skipped = resolved(LD="viability", CD4="lineage", CD56="lineage")
    assert skipped == {"cd3": True, "cd4_t": True, "both": True}
    assert list(rows) == ["live", "nk", "nk_dim", "bright"]


def test_the_first_alternative_that_the_panel_has() -> None:
    assert resolved(NCAM="lineage", CD56="lineage")[0]["nk"].markers == ("CD56",)
    assert resolved(NCAM="lineage")[0]["nk"].markers == ("NCAM",)
    assert resolved(cd_56="lineage")[0]["nk"].markers == ("cd-56",)
    assert "nk" not in resolved(CD560="lineage")[0]


def test_two_markers_that_differ_by_a_dash_are_not_guessed() -> None:
    assert "nk" not in resolved(cd_56="lineage", cd56="lineage")[0]


def gate(
    seed: int, *, priors: GatePriors | None = None, shift: float = 0.0, **more: object
) -> tuple[GatedSample, dict]:
    events, is_ = blood(seed, shift=shift, **more)  # type: ignore[arg-type]
    rows, skipped = resolve(DEFAULT, BLOOD)
    gated = gate_sample(
        events,
        rows,
        panel=BLOOD,
        priors=priors,
        tops=TOPS,
        options=OPTIONS,
        rng=np.random.default_rng(seed),
        skipped=skipped,
    )
    return gated, is_


@pytest.mark.parametrize(("seed", "nk", "shift"), [(1, 0.08, 0.0), (2, 0.02, 0.0), (3, 0.2, 0.12), (4, 0.08, -0.1)])
def test_the_default_hierarchy_finds_the_cells(seed: int, nk: float, shift: float) -> None:
    gated, is_ = gate(seed, nk=nk, shift=shift)
    good = ~is_["dead"] & ~is_["doublet"]
    kinds = {"nk": is_["dim"] | is_["bright"], "cd3": is_["t"], "b_cells": is_["b"], "monocytes": is_["mono"]}
    assert {name: f1(gated.masks[name], members & good) > 0.95 for name, members in kinds.items()} == dict.fromkeys(
        kinds, True
    )
    assert f1(gated.masks["nk_bright"], is_["bright"] & good) > 0.85
    assert np.array_equal(gated.masks["nk_dim"], gated.masks["nk"] & ~gated.masks["nk_bright"])


def test_members_are_members_of_every_ancestor() -> None:
    gated, _ = gate(5)
    for cut in gated.gates:
        if cut.parent != "root":
            assert not (gated.masks[cut.population] & ~gated.masks[cut.parent]).any()


def test_the_same_seed_gives_the_same_gates() -> None:
    assert gate(6)[0].gates == gate(6)[0].gates


def test_a_row_more_changes_no_other_gate() -> None:
    events, _ = blood(6)
    rows, _ = resolve(DEFAULT, BLOOD)
    place = next(i for i, row in enumerate(rows) if row.population == "cd3")
    more = (*rows[:place], replace(rows[place], population="again"), *rows[place:])

    def gates(rows: tuple[GatingRow, ...]) -> dict[str, Gate]:
        rng = np.random.default_rng(6)
        gated = gate_sample(events, rows, panel=BLOOD, priors=None, tops=TOPS, options=OPTIONS, rng=rng)
        return {gate.population: gate for gate in gated.gates if gate.population != "again"}

    assert gates(more) == gates(rows)


def test_a_weak_sample_borrows_and_a_different_one_stands_out() -> None:
    priors = fit_priors([gate(seed)[0] for seed in range(10, 16)])
    few, is_ = gate(20, priors=priors, events=900, nk=0.03)
    nk = next(g for g in few.gates if g.population == "nk")
    assert nk.source is Source.COHORT
    assert nk.status is Status.OK
    good = ~is_["dead"] & ~is_["doublet"]
    assert f1(few.masks["nk"], (is_["dim"] | is_["bright"]) & good) > 0.9
    other, is_ = gate(21, priors=priors, shift=0.15)
    cd3 = next(g for g in other.gates if g.population == "cd3")
    assert (cd3.source, cd3.status) == (Source.DATA, Status.WARN)
    assert cd3.edges[0].distance > 3
    assert f1(other.masks["cd3"], is_["t"] & ~is_["dead"] & ~is_["doublet"]) > 0.95


def test_samples_that_share_no_scale_lend_no_cut() -> None:
    """A cohort's cut whose interval is wider than all events of the sample would cut anywhere, beyond them too."""
    rng = np.random.default_rng(5)
    panel = panel_of("p", CD45="lineage")
    rows, _ = resolve(GatingTable("t", (line("high", "root", "CD45"),)), panel)

    def kept(sd: float) -> tuple[int, Source]:
        sample = gate_sample(
            events_of(CD45=level(rng, 2_000, 0.5)),
            rows,
            panel=panel,
            priors=GatePriors({("high", "CD45", "min"): EdgePrior(mean=0.9, sd=sd, n=3, source=Source.COHORT)}),
            tops={},
            options=OPTIONS,
            rng=np.random.default_rng(1),
        )
        return int(sample.masks["high"].sum()), sample.gates[0].source

    assert kept(0.02) == (0, Source.COHORT)
    events, source = kept(0.4)
    assert events > 0
    assert source is Source.DATA


def test_dead_cells_lend_no_cut_to_living_ones() -> None:
    """Dead cells glow in every detector: the valley beside them says nothing of CD69."""
    rng = np.random.default_rng(5)
    dead = rng.random(4_000) < 0.3
    events = events_of(Live=level(rng, 4_000, 0.2) + 0.5 * dead, CD69=level(rng, 4_000, 0.25) + 0.45 * dead)
    panel = panel_of("p", Live="viability", CD69="subset")
    rows, _ = resolve(
        GatingTable(
            "t", (line("live", "root", "Live", settings=ValleySettings(sign=("-",))), line("cd69", "live", "CD69"))
        ),
        panel,
    )
    sample = gate_sample(events, rows, panel=panel, priors=None, tops={}, options=OPTIONS, rng=np.random.default_rng(1))
    assert sample.masks["live"].sum() == pytest.approx((~dead).sum(), rel=0.02)
    assert "one peak" in sample.gates[1].reason
    assert "root" not in sample.gates[1].reason


def test_a_sample_without_events_is_gated_into_nothing() -> None:
    gated, _ = gate(7, events=0)
    assert all(mask.shape == (0,) for mask in gated.masks.values())


def test_a_sparse_panel_still_finds_nk() -> None:
    events, is_ = blood(8)
    panel = panel_of("sparse", CD3="lineage", CD56="lineage", CD16="lineage", CD19="lineage")
    rows, skipped = resolve(DEFAULT, panel)
    gated = gate_sample(
        events.take(panel.markers),
        rows,
        panel=panel,
        priors=None,
        tops={},
        options=OPTIONS,
        rng=np.random.default_rng(1),
        skipped=skipped,
    )
    live_or_not = is_["dim"] | is_["bright"]
    assert f1(gated.masks["nk"], live_or_not) > 0.9
    assert {"time", "margin", "singlets", "live", "leukocytes"} <= {row.population for row in gated.skipped}


def test_events_left_out_are_in_no_population() -> None:
    gated = GatedSample((), {"nk": np.array([True, False])})
    kept = np.array([False, True, True])
    assert expanded(gated, kept).masks["nk"].tolist() == [False, True, False]
    assert expanded(gated, np.array([True, True])) is gated


def test_the_default_table_knows_the_names_that_later_steps_rely_on() -> None:
    needed = {"beads", "singlets", "live", "leukocytes", "lymphocytes", "cd3", "cd4_t", "cd8_t", "t_cells", "nkt_like"}
    needed |= {"b_cells", "nk", "nk_bright", "nk_dim"}
    assert needed <= {row.population for row in DEFAULT.rows}


@pytest.mark.parametrize("pair", ["CD16+CD56", "CD16_CD56", "CD56+CD16"])
def test_pairs_and_dumps_are_one_marker(pair: str) -> None:
    panel = panel_of(
        "tube", CD3="lineage", CD45="lineage", SSC_A="scatter", **{"CD14+CD19": "lineage", pair: "lineage"}
    )
    rows = {row.population: row for row in resolve(DEFAULT, panel)[0]}
    assert rows["nk"].markers == (panel.detectors[-1].marker,)
    assert rows["dump_neg"].markers == ("CD14+CD19",)
    assert not {"nk_bright", "nk_dim", "nk_cd16", "b_cells", "monocytes"} & rows.keys()


def test_a_lineage_dump_stands_in_for_cd3() -> None:
    rows, _ = resolve(DEFAULT, panel_of("dump", Lineage="lineage", CD14="lineage", CD56="lineage"))
    by_name = {row.population: row for row in rows}
    assert by_name["cd3_neg"].markers == ("Lineage",)
    assert "cd3" not in by_name
    assert replace(by_name["nk"], settings=ValleySettings()).parent == "dump_neg"


def test_what_a_boolean_names_makes_it_as_doubtful() -> None:
    """Without CD16 nothing vouches for bright cells: then dim ones, which are the others, are no surer."""
    rng = np.random.default_rng(3)
    panel = panel_of("p", CD56="lineage")
    bright = line("nk_bright", "root", "CD56")
    dim = GatingRow(
        population="nk_dim", parent="root", channels=(), method="boolean", settings=BooleanSettings("!nk_bright")
    )
    rows, _ = resolve(GatingTable("t", (bright, dim)), panel)
    events = events_of(CD56=level(rng, 4_000, 0.5))
    sample = gate_sample(events, rows, panel=panel, priors=None, tops={}, options=OPTIONS, rng=np.random.default_rng(1))
    by_name = {each.population: each for each in sample.gates}
    assert "one peak" in by_name["nk_bright"].reason
    assert by_name["nk_dim"].status is Status.WARN
    assert by_name["nk_dim"].reason.startswith("gate_doubtful: nk_bright (")
