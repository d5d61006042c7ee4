"""Matrix CSV files of several makers."""

from __future__ import annotations

import numpy as np
import pytest

from nktrace.files.matrices import read_matrix, write_matrix
from nktrace.model.compensation import Spillover
from nktrace.model.errors import CompensationError

MATRIX = np.array([[1, 0.2, 1 / 3], [0.05, 1, 0], [1e-17, -0.01, 1]])
NAMES = ("FITC-A", 'PE, "x"-A', "APC-A")


def test_written_and_read_again(tmp_path):
    write_matrix(tmp_path / "m.csv", Spillover(NAMES, MATRIX))
    got = read_matrix(tmp_path / "m.csv")
    assert got.detectors == NAMES
    np.testing.assert_array_equal(got.matrix, MATRIX)


@pytest.mark.parametrize(
    "text",
    [
        "detector,A,B\nA,1,0.2\nB,0.1,1\n",
        "detector,A,B\nB,0.1,1\nA,1,0.2\n",  # rows in another order
        ",A,B\nA,1,0.2\nB,0.1,1\n",
        ",A,B\n0,1,0.2\n1,0.1,1\n",  # running numbers
        "A,B\n1,0.2\n0.1,1\n",  # no names of rows
        "A,B\nA,1,0.2\nB,0.1,1\n",  # header shorter by one
        '\ufeff,"A :: CD3","B :: CD56"\r\n"A :: CD3",1,0.2\r\n"B :: CD56",0.1,1\r\n\r\n',
        "\tA\tB\nComp-A\t1\t0.2\nComp-B\t0.1\t1\n",
        ";A;B\nA;1;0.2\nB;0.1;1\n",
    ],
)
def test_layouts(tmp_path, text):
    (tmp_path / "m.csv").write_text(text, encoding="utf-8", newline="")
    got = read_matrix(tmp_path / "m.csv")
    assert got.detectors == ("A", "B")
    np.testing.assert_array_equal(got.matrix, [[1, 0.2], [0.1, 1]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs a header"),
        (",A,B\nA,1,0.2\n", "1 rows for 2 detectors"),
        (",A,B\nA,1,0.2\nB,0.1\n", "row 3: 1 values for 2 detectors"),
        (",A,B\nA,1,x\nB,0.1,1\n", "row 2, column B: 'x' is not a number"),
        (",A,B\nA,1,nan\nB,0.1,1\n", "not a finite number"),
        (",FITC-A,B\nFITC-H,1,0.2\nB,0.1,1\n", r"row 2: 'FITC-H' is no detector of the header \(nearest: 'FITC-A'\)"),
        (",A,B\nA,1,0.2\nA,0.1,1\n", "row 3: the row of A stands twice"),
        (",A,A\nA,1,0.2\nA,0.1,1\n", "twice"),
        (";A;B\nA;1;0,2\nB;0,1;1\n", "not square|values for|not a number"),
    ],
)
def test_faults_are_named_with_their_place(tmp_path, text, message):
    (tmp_path / "m.csv").write_text(text, encoding="utf-8")
    with pytest.raises(CompensationError, match=message) as caught:
        read_matrix(tmp_path / "m.csv")
    assert str(tmp_path / "m.csv") in str(caught.value)


def test_no_file_and_no_text(tmp_path):
    with pytest.raises(CompensationError, match="cannot be read"):
        read_matrix(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(CompensationError, match="UTF-8"):
        read_matrix(tmp_path / "binary.csv")
