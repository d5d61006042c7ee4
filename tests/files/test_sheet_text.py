"""The form of a sheet: what is read as it was meant, and what is refused, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nktrace.files.cells import Column, Identifier, Number
from nktrace.files.sheet_text import Sheet, read_sheet

COLUMNS = (
    Column(name="sample", kind=Identifier(), needed=True, na=False, doc=""),
    Column(name="day", kind=Number(), needed=True, doc=""),
    Column(name="note", default="", doc=""),
)


def read(tmp_path: Path, content: bytes | str) -> Sheet:
    path = tmp_path / "samples.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_sheet(path, COLUMNS, shown="samples.tsv")


def faults(sheet: Sheet) -> list[str]:
    return [str(fault) for fault in sheet.faults]


@pytest.mark.parametrize(
    "content",
    [
        "sample\tday\nS1\t7\n",
        "sample\tday\r\nS1\t7\r\n",
        "sample\tday\rS1\t7\r",
        "\ufeffsample\tday\nS1\t7",
        "sample\tday\t\t\nS1\t7\t\t\n\t\t\n",
        "sample\tday\nS1\t7\t\t\t\n\n\n",
        "# a comment\nsample\tday\n# another, with a\ttab\nS1\t7\n",
        'sample\t"day"\n"S1"\t 7 \n',
        "day\tsample\n7\tS1\n",
    ],
)
def test_what_editors_and_spreadsheets_do_to_a_file_is_read(tmp_path: Path, content: str) -> None:
    sheet = read(tmp_path, content)
    assert faults(sheet) == []
    assert [row.values for row in sheet.rows] == [{"sample": "S1", "day": 7.0, "note": ""}]


def test_rows_have_the_numbers_of_an_editor_and_quotes_are_undone(tmp_path: Path) -> None:
    sheet = read(tmp_path, '# first\n\nsample\tday\tnote\n#S0\t1\tx\nS1\t7\t"A*01:01,""x"""\n')
    assert [(row.number, row["note"]) for row in sheet.rows] == [(5, 'A*01:01,"x"')]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "the sheet is empty, not even a header"),
        ("# only a comment\n", "the sheet is empty, not even a header"),
        ("sample,day\nS1,7\n", "row 1: the columns are separated by commas, not by tabs"),
        ("sample;day\nS1;7\n", "row 1: the columns are separated by semicolons, not by tabs"),
        ("sample  day\nS1  7\n", "row 1: the columns are separated by spaces, not by tabs"),
        ("sample\tdya\nS1\t7\n", "row 1, column dya: there is no column 'dya'. Did you mean 'day'?"),
        ("sample\nS1\n", "row 1, column day: the column is missing"),
        ("sample\tday\tday\nS1\t7\t8\n", "row 1, column day: the column stands twice"),
        ("sample\t\tday\nS1\t\t7\n", "row 1: a column has no name"),
        ("sample\tday\nS1\n", "row 2: 1 cells where the header has 2"),
        ("sample\tday\nS1\t7\tx\n", "row 2: 3 cells where the header has 2"),
        ("sample\tday\nS1\tseven\n", "row 2, column day: 'seven' is not a number"),
        ("sample\tday\nNA\t7\n", "row 2, column sample: the cell is empty or NA"),
        ("sample\tday\n#N/A\t7\n", "row 2, column sample: '#N/A' is an error of the spreadsheet"),
        ('sample\tday\tnote\nS1\t7\t"a\nb"\n', "row 2: a quotation mark opens and does not close"),
        ("sample\tday\nS1\t7\n".encode("utf-16"), "the sheet is UTF-16"),
        ("sample\tday\tnote\nS1\t7\tµL\n".encode("latin-1"), "row 2: byte 21 (0xb5) is not UTF-8"),
        (b"sample\tday\nS1\t\x007\n", "row 2, column day: '\\x007' has invisible characters"),
    ],
)
def test_each_fault_of_form_is_named_with_its_row(tmp_path: Path, content: bytes | str, says: str) -> None:
    found = faults(read(tmp_path, content))
    assert any(says in fault for fault in found), found


def test_a_shifted_row_is_one_fault_not_one_per_cell(tmp_path: Path) -> None:
    sheet = read(tmp_path, "sample\tday\tnote\nS1\tx y\n")
    assert len(sheet.faults) == 1
    assert sheet.rows[0].values == {"sample": "S1"}, "its key is known, so what refers to it is no further fault"


def test_twice_the_same_key_names_both_rows(tmp_path: Path) -> None:
    sheet = read(tmp_path, "sample\tday\nS1\t7\nS2\t7\nS1\t8\ns2\t8\n")
    sheet.refuse_twice("sample")
    assert faults(sheet) == [
        "samples.tsv, row 4, column sample: 'S1' stands in row 2 already. Give each its own name.",
        "samples.tsv, row 5, column sample: 's2' stands in row 3 already as 'S2', but for letter case. "
        "Give each its own name.",
    ]


def test_a_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "sample.tsv").touch()
    sheet = read_sheet(tmp_path / "samples.tsv", COLUMNS, shown="samples.tsv")
    assert faults(sheet) == ["samples.tsv: there is no such file. Is it 'sample.tsv'? Its name is samples.tsv."]
    sheet = read_sheet(tmp_path / "patients.tsv", COLUMNS, shown="patients.tsv")
    assert faults(sheet) == ["patients.tsv: there is no such file"], "another sheet is not this one misspelt"


@settings(max_examples=60)
@given(content=st.one_of(st.binary(max_size=200), st.text(alphabet='sampledy\t\n"#,NA17.-\r', max_size=200)))
def test_any_file_gives_rows_and_faults_and_never_an_exception(
    tmp_path_factory: pytest.TempPathFactory, content: bytes | str
) -> None:
    sheet = read(tmp_path_factory.mktemp("any"), content)
    for row in sheet.rows:
        if len(row.values) == len(COLUMNS):
            assert isinstance(row["sample"], str)
            assert row["sample"]
    assert sheet.faults or {"sample", "day"} <= set(sheet.columns)


@settings(max_examples=60)
@given(
    rows=st.lists(
        st.tuples(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True), st.integers(-99, 99)), max_size=20
    )
)
def test_every_row_that_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int]]
) -> None:
    kept = [(name, day) for name, day in rows if name.casefold() not in ("na", "nan", "null", "n.a.")]
    sheet = read(tmp_path_factory.mktemp("rows"), "sample\tday\n" + "".join(f"{n}\t{d}\n" for n, d in kept))
    assert [(row["sample"], row["day"]) for row in sheet.rows] == kept
