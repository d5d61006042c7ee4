"""Every column of every result table says what it means."""

from __future__ import annotations

import pytest

from nktrace.files import tables
from nktrace.files.table_columns import CLUSTERS_BEFORE, CLUSTERS_BEHIND, COLUMNS
from nktrace.files.table_docs import column_docs, table_docs, tables_page, undescribed
from nktrace.model.chimerism import Category, ChimerismStatus
from nktrace.model.counting import CheckName, CountStatus, Platform
from nktrace.model.errors import NktraceError
from nktrace.model.external import Comparability
from nktrace.model.gates import Source, Status
from nktrace.model.hla import Direction
from nktrace.model.quality import Verdict
from nktrace.model.spillover import Usability
from nktrace.model.subsets import SubsetStatus


def test_every_column_is_described_and_nothing_else() -> None:
    assert list(undescribed()) == []


def test_a_new_table_and_a_new_column_are_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tables.COLUMNS, "moods", {"sample": str})
    monkeypatch.setitem(tables.COLUMNS, "counts", COLUMNS["counts"] | {"mood": str})
    assert list(undescribed()) == [
        "counts.mood: not in resources/table_columns.tsv",
        "moods: not in resources/tables.tsv",
    ]
    with pytest.raises(NktraceError, match="column 'mood' of counts"):
        column_docs("counts")


@pytest.mark.parametrize("table", [*COLUMNS, "clusters"])
def test_a_description_says_something(table: str) -> None:
    for doc in column_docs(table).values():
        assert len(doc.meaning) > 5
        assert doc.kind in (str, int, float, bool)
        if doc.kind is float:
            assert doc.unit, f"{table}.{doc.name} is a number without a unit"


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [
        ("chimerism", "status", ChimerismStatus),
        ("chimerism", "category", Category),
        ("chimerism", "direction", Direction),
        ("counts", "status", CountStatus),
        ("counts", "platform", Platform),
        ("count_checks", "check", CheckName),
        ("populations", "gate_source", Source),
        ("populations", "status", Status),
        ("qc", "status", Verdict),
        ("subsets", "status", SubsetStatus),
        ("compensation", "status", Usability),
        ("external_chimerism", "status", Comparability),
    ],
)
def test_allowed_words_are_those_of_the_code(table: str, column: str, words: type) -> None:
    assert set(column_docs(table)[column].values) == set(words)


def test_clusters_have_a_column_per_marker() -> None:
    docs = column_docs("clusters", ["CD16", "CD56"])
    assert list(docs) == [*CLUSTERS_BEFORE, "CD16", "CD56", *CLUSTERS_BEHIND]
    assert (docs["CD16"].kind, docs["unstable"].kind, docs["panel"].kind) == (float, bool, str)


def test_the_page_has_every_table_and_column() -> None:
    page = tables_page()
    for table in table_docs():
        assert f"## {table}.tsv" in page
    for table, columns in COLUMNS.items():
        part = page.split(f"## {table}.tsv")[1].split("\n## ")[0]
        assert "Columns as in" in part or all(f"| `{column}` |" in part for column in columns)
    assert all(row.count(" | ") == 3 for row in page.split("\n") if row.startswith("| `"))
