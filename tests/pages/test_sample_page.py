from __future__ import annotations

from nktrace.model.recount import Recount
from nktrace.model.study import Role
from nktrace.pages.sample import sample_page
from tests.pages.reading import Page
from tests.pages.study_rows import NAN, a_picture, a_sample, overrides, row, sample_values

NOTHING = {"populations": [], "cuts": [], "checks": [], "subsets": [], "pictures": []}


def test_what_is_wrong_stands_before_the_gates() -> None:
    text = Page(sample_page(a_sample(), **sample_values())).text
    assert text.index("warn") < text.index("Gates")
    assert "1 skipped, with the reason" in text


def test_a_file_that_could_not_be_read_says_why() -> None:
    failure = row("qc", sample="plain", check="readable", status="fail", reason="a.fcs: TEXT ends at byte 58")
    page = Page(sample_page(a_sample(), **NOTHING | {"checks": [failure]}))
    assert "This file could not be read a.fcs: TEXT ends at byte 58" in page.text
    assert not page.all("svg")


def test_empty_tables_make_a_page() -> None:
    text = Page(sample_page(a_sample(day=NAN), **NOTHING)).text
    assert "No check was made" in text
    assert "No population was gated" in text


def recounted(**changes: object) -> str:
    known = {"flowkit": "1.3.2", "when": "2026-03-01T10:00:00+00:00", "populations": 12, "current": True}
    known |= {"different": ()}
    page = sample_page(a_sample(), **sample_values(), recount=Recount(**known | changes))  # type: ignore[arg-type]
    return Page(page).text


def test_the_page_says_what_another_program_counted() -> None:
    assert "Not yet recounted" in Page(sample_page(a_sample(), **sample_values())).text
    assert "Recounted by FlowKit 1.3.2 on 2026-03-01T10:00:00+00:00: 12 populations, 0 differ." in recounted()
    assert "2 differ (nk, <b>)" in recounted(different=("nk", "<b>"))
    assert "Not recounted since these gates were made" in recounted(current=False)


def test_a_control_of_no_patient_leads_to_no_patient() -> None:
    page = Page(sample_page(a_sample(patient=None, role=Role.FMO), **sample_values()))
    assert not [link for link in page.all("a") if "patients" in link["href"]]


def test_gates_stand_in_the_order_of_the_hierarchy() -> None:
    parents = {"top": "root", "left": "top", "right": "top", "below_left": "left"}  # in table order
    known = {"events": 1, "parent_events": 2, "status": "ok", "gate_source": "data"}
    rows = [row("populations", population=name, parent=parent, **known) for name, parent in parents.items()]
    pictures = [a_picture(name, parent=parent) for name, parent in parents.items()]
    page = Page(sample_page(a_sample(), **NOTHING | {"populations": rows, "pictures": pictures}))
    gates = [picture["aria-label"].split()[1] for picture in page.all("svg") if picture.get("role") == "img"]
    assert gates == ["top", "left", "below_left", "right"]
    depths = [cell["style"] for cell in page.all("th") if cell.get("class") == "tree"]
    assert depths == ["--depth: 0", "--depth: 1", "--depth: 2", "--depth: 1"]


def test_every_gate_says_its_share_and_a_boolean_what_it_is() -> None:
    pictures = [
        a_picture("nk", parent="live", parent_events=400, events=10),
        a_picture("empty", parent_events=0, events=0),
        a_picture("nk_dim", parent="nk", expression="!nk_bright"),
    ]
    text = Page(sample_page(a_sample(), **NOTHING | {"pictures": pictures})).text
    assert "nk 2.50 % of live" in text
    assert "empty – of all events" in text
    assert "is !nk_bright" in text


def test_a_changed_gate_says_who_when_why_and_what_it_was() -> None:
    (line, _) = overrides("<script>alert(1)</script>")
    page = Page(
        sample_page(a_sample(), **NOTHING | {"overrides": [line | {"population": "nk", "gate": "CD56 min=0.5"}]})
    )
    assert "nk shift" in page.text
    for said in ("CD56 min=0.5", "2026-03-01T10:00:00Z", "(cohort) 30 40 400", "<script>alert(1)</script>"):
        assert said in page.text
    assert not page.all("script")
    assert "changed by an analyst" not in Page(sample_page(a_sample(), **NOTHING)).text


def test_bright_cells_by_a_doubtful_gate_are_flagged() -> None:
    values = sample_values()
    assert "gate doubtful" not in Page(sample_page(a_sample(), **values)).text
    for line in values["subsets"]:
        line["reason"] = "gate_doubtful: nk_bright (one peak)"
    assert "– gate doubtful" in Page(sample_page(a_sample(), **values)).text
