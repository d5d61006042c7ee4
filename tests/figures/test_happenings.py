from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from nktrace.figures.curves import Point, Track, curve_picture, days_of
from nktrace.figures.happenings import Happening, joined, marks_of, rows_of
from tests.figures.reading import elements, texts, titles

PLACES = st.lists(st.floats(0, 500), max_size=40).map(sorted)
KINDS = st.lists(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True), max_size=60)


@given(PLACES)
def test_no_two_marks_of_a_row_overlap(places: list[float]) -> None:
    rows = rows_of([(at, at + 20) for at in places])
    for (one, at), (other, beside) in combinations(zip(rows, places, strict=True), 2):
        assert one != other or abs(at - beside) >= 20


@given(KINDS)
def test_letters_tell_kinds_apart_without_colours(kinds: list[str]) -> None:
    letters = [mark.letters for kind, mark in marks_of(kinds).items() if kind != "infusion"]
    assert len(set(letters)) == len(letters) == len(set(kinds) - {"infusion"})


def test_a_usual_kind_looks_the_same_on_every_page() -> None:
    assert marks_of(["steroid"])["steroid"] == marks_of(["death", "rejection", "steroid", "stroke"])["steroid"]


def test_what_is_of_one_kind_on_one_day_is_one_mark_that_tells_all() -> None:
    day = {"day": 3.0, "kind": "infection"}
    (one,) = joined([Happening(title="E. coli", **day), Happening(title="CMV", **day)])
    assert one.title == "CMV; E. coli"


def test_crowded_events_make_a_picture_taller_and_leave_its_plot_as_it_is() -> None:
    point = Point(day=7, value=20.0)
    crowd = [Happening(day=day, kind="steroid", title=f"day {day:g}") for day in (3.0, 3.1, 3.2, 3.3)]
    tracks = [Track(name="NK", unit="cells/µL", points=[point], events=events) for events in ((), crowd)]
    days = days_of(tracks)
    plain, crowded = (curve_picture(track, days=days) for track in tracks)
    (before,), (after,) = (elements(svg, "circle") for svg in (plain, crowded))
    assert before.attrib["cy"] == after.attrib["cy"]
    assert texts(crowded).count("St") == 4
    assert {"day 3", "day 3.1", "day 3.2", "day 3.3"} <= set(titles(crowded))
    assert len({box.attrib["y"] for box in elements(crowded, "rect")}) == 4
