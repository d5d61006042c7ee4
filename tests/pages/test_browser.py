"""The pages in a real browser: nothing is blocked or broken, nothing runs over the side, every link leads somewhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nktrace.pages.cohort import cohort_page
from nktrace.pages.patient import patient_page
from nktrace.pages.sample import sample_page
from tests.pages.study_rows import (
    HOSTILE,
    a_patient,
    a_picture,
    a_sample,
    cohort_values,
    patient_values,
    sample_values,
)

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

NAME = "S1"
LONG = "a_marker_whose_name_is_very_long_indeed_and_has_no_blank_in_it_at_all_CD158a+CD158b"
OF_A_SAMPLE = ["populations.tsv", "gates.tsv", "gates.xml", "qc.tsv", "nk_drift.tsv", "subsets.tsv", "overrides.tsv"]
BESIDE = {
    "samples/S1": OF_A_SAMPLE,
    "samples/long": OF_A_SAMPLE,
    "samples/lone": ["report.html"],
    "patients/S1": [
        "chimerism.tsv",
        "chimerism_by_antibody.tsv",
        "counts.tsv",
        "count_checks.tsv",
        "trajectories.tsv",
        "curves.tsv",
        "kinetics.tsv",
        "subset_change.tsv",
        "hla_cuts.tsv",
    ],
    "patients/silent": ["report.html"],
    "cohort": [
        f"{name}.tsv"
        for name in (
            "chimerism",
            "counts",
            "count_checks",
            "trajectories",
            "kinetics",
            "subsets",
            "subset_change",
            "subset_change_tests",
            "populations",
            "gates",
            "qc",
            "overrides",
            "cohort",
            "clusters",
        )
    ],
    ".": ["provenance.json"],
}
PAGES = ("report/index.html", "patients/S1/report.html", "samples/S1/report.html", "samples/long/report.html")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of a small study among the files that stand beside them."""
    root = tmp_path_factory.mktemp("results")
    for directory, names in BESIDE.items():
        for name in names:
            (root / directory).mkdir(parents=True, exist_ok=True)
            (root / directory / name).touch()
    many = {"pictures": [a_picture(f"{LONG}_{i}") for i in range(40)]}
    html = {
        "report/index.html": cohort_page(**cohort_values(NAME)),
        "patients/S1/report.html": patient_page(a_patient(NAME), **patient_values(NAME)),
        "samples/S1/report.html": sample_page(a_sample(NAME), **sample_values(NAME)),
        "samples/long/report.html": sample_page(a_sample(LONG, patient=NAME), **sample_values(LONG) | many),
        "samples/hostile/report.html": sample_page(a_sample(HOSTILE), **sample_values(HOSTILE)),
        "patients/hostile/report.html": patient_page(a_patient(HOSTILE), **patient_values(HOSTILE)),
        "report/hostile.html": cohort_page(**cohort_values(HOSTILE)),
    }
    for path, text in html.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine: the pages are not opened in a browser")
    with playwright.sync_playwright() as session:
        running = session.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.fixture
def opened(browser: Any, results: Path) -> Iterator[Any]:
    """A tab and what it complains of."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    tab.complaints = []
    tab.on("console", lambda message: tab.complaints.append(message.text))
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.on("requestfailed", lambda request: tab.complaints.append(request.url))
    tab.on("dialog", lambda dialog: (tab.complaints.append(dialog.message), dialog.dismiss()))
    yield tab
    tab.close()


def _widths(tab: Any) -> tuple[int, int]:
    wide, room = tab.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    return wide, room


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_whole(opened: Any, results: Path, page: str) -> None:
    opened.goto((results / page).as_uri())
    assert opened.complaints == []
    images = opened.eval_on_selector_all("svg image", "found => found.map(image => image.getAttribute('href'))")
    load = "const image = new Image(); image.src = source; await image.decode()"
    for source in images[:3]:
        assert opened.evaluate(f"async source => {{ {load}; return image.naturalWidth }}", source) >= 10  # its bins
    drawn = "found => found.every(one => one.getBoundingClientRect().width > 30)"
    assert opened.eval_on_selector_all("svg[role=img]", drawn)
    for link in opened.eval_on_selector_all("a", "found => found.map(link => link.href)"):
        assert link.startswith(results.as_uri())
        assert Path(link.removeprefix("file://").partition("#")[0]).exists(), link


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_runs_over_the_side(opened: Any, results: Path, page: str, width: int) -> None:
    opened.set_viewport_size({"width": width, "height": 800})
    opened.goto((results / page).as_uri())
    opened.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    wide, room = _widths(opened)
    assert wide <= room


@pytest.mark.parametrize("page", ["report/hostile.html", "patients/hostile/report.html", "samples/hostile/report.html"])
def test_a_hostile_name_runs_nothing(opened: Any, results: Path, page: str) -> None:
    opened.goto((results / page).as_uri())
    assert opened.complaints == []
    assert opened.locator("img, script").count() == 0
    assert opened.locator("h1").is_visible()
    wide, room = _widths(opened)
    assert wide <= room


def test_wide_tables_scroll_by_keyboard(opened: Any, results: Path) -> None:
    opened.set_viewport_size({"width": 390, "height": 800})
    opened.goto((results / PAGES[1]).as_uri())
    table = opened.locator(".scroll").first
    table.focus()
    opened.keyboard.press("ArrowRight")
    opened.wait_for_function("document.activeElement.scrollLeft > 0")
    assert table.evaluate("element => element.scrollLeft") > 0


def test_numbers_beside_the_heat_map_keep_their_distance(opened: Any, results: Path) -> None:
    opened.goto((results / PAGES[0]).as_uri())
    beside = opened.locator(".heat td:not(.shade):has(+ td.shade), .heat td.shade + td:not(.shade)")
    assert beside.count() == 4
    sides = "const style = getComputedStyle(cell); return [style.paddingLeft, style.paddingRight].map(parseFloat)"
    assert all(max(room) >= 10 for room in beside.evaluate_all(f"cells => cells.map(cell => {{ {sides} }})"))


@pytest.mark.parametrize("width", [1280, 390])
def test_cells_on_two_axes_are_seen(opened: Any, results: Path, width: int) -> None:
    opened.set_viewport_size({"width": width, "height": 800})
    opened.goto((results / PAGES[0]).as_uri())
    measured = "found => found.map(one => one.getBoundingClientRect().toJSON())"
    boxes = opened.locator(".planes svg").evaluate_all(measured)
    assert len(boxes) == 4
    assert all(box["width"] >= 100 and box["height"] >= 60 and box["right"] <= width for box in boxes)


def test_a_page_prints_on_a4(opened: Any, results: Path) -> None:
    opened.emulate_media(media="print")
    opened.set_viewport_size({"width": 688, "height": 971})  # A4 less its margins, at 96 dots an inch
    for page in PAGES:
        opened.goto((results / page).as_uri())
        assert opened.locator("h1").is_visible()
        wide, room = _widths(opened)
        assert wide <= room
