"""Doubtful gates travel to the populations that rest on them, and no further."""

from __future__ import annotations

from nktrace.model.gates import Boolean, Gate, Rectangle, Status
from nktrace.science.doubt import doubts, failed, flags_in, together
from nktrace.science.gating.boolean import with_named_doubts

SHAPE = Rectangle(("CD56",), (0.0,), (1.0,))
WHY = "no clear valley in nk; one peak"


def gate(population: str, parent: str, status: Status = Status.OK, reason: str = "", of: str = "") -> Gate:
    shape = Boolean(of) if of else SHAPE
    return Gate(population=population, parent=parent, method="", shape=shape, status=status, reason=reason)


def test_a_doubt_reaches_what_stands_below_the_gate_and_not_what_stands_beside_it() -> None:
    found = doubts(
        [
            gate("lymphocytes", "live", Status.WARN, "one peak"),
            gate("nk", "lymphocytes"),
            gate("nk_cd57", "nk", Status.WARN, WHY),
            gate("monocytes", "live"),
        ]
    )
    above = "gate_doubtful: lymphocytes (one peak)"
    assert found["nk"] == (above,)
    assert found["nk_cd57"] == ("gate_doubtful: nk_cd57 (no clear valley in nk, one peak)", above)
    assert "monocytes" not in found


def test_what_leaves_out_artefacts_and_dead_cells_says_nothing_of_the_cells_that_stay() -> None:
    cleaning = ("time", "margin", "cells", "singlets", "live")
    chain = [
        gate(name, above, Status.WARN, "much removed")
        for above, name in zip(("root", *cleaning[:-1]), cleaning, strict=True)
    ]
    assert doubts([*chain, gate("nk", "live")]) == {}


def test_a_boolean_is_as_doubtful_as_what_it_names() -> None:
    for status, code in ((Status.WARN, "gate_doubtful"), (Status.FAIL, "gate_failed")):
        gates = with_named_doubts(
            [
                gate("nk", "live"),
                gate("nk_bright", "nk", status, WHY),
                gate("nk_dim", "nk", of="!nk_bright"),
                gate("dim_again", "nk", of="nk_dim"),
            ]
        )
        flag = f"{code}: nk_bright (no clear valley in nk, one peak)"
        assert [(each.status, each.reason) for each in gates[2:]] == [(status, flag)] * 2
        assert doubts(gates)["dim_again"] == (flag,)
        assert failed((flag,)) is (status is Status.FAIL)


def test_a_boolean_of_sound_populations_is_sound_and_does_not_repeat_what_its_parent_has() -> None:
    sound = [gate("nk", "live"), gate("nk_bright", "nk"), gate("nk_dim", "nk", of="!nk_bright")]
    assert with_named_doubts(sound) == tuple(sound)
    below = [gate("nk", "live", Status.WARN, WHY), *sound[1:]]
    assert with_named_doubts(below)[2].status is Status.OK
    assert len(doubts(below)["nk_dim"]) == 1


def test_flags_are_found_again_in_a_reason() -> None:
    flags = doubts([gate("nk", "live", Status.WARN, WHY), gate("nk_cd57", "nk", Status.FAIL)])["nk_cd57"]
    assert flags_in("; ".join(("few_beads (400 < 1000)", *flags, "lymphosum 72.5%"))) == flags
    assert flags_in(None) == ()
    assert together(flags, flags[:1]) == flags
