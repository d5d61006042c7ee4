from __future__ import annotations

from pathlib import Path

import pytest

from nktrace.files import untrusted_xml
from nktrace.files.untrusted_xml import read_xml
from nktrace.model.errors import GatingError

BOMB = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]><a>&y;</a>'
FETCH = '<!DOCTYPE a SYSTEM "file:///etc/hostname"><a/>'
EXTERNAL = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB.encode(), "document type"),
        (FETCH.encode(), "document type"),
        (EXTERNAL.encode("utf-16"), "document type"),
        (b"<a>" * 300 + b"</a>" * 300, "nested deeper than"),
        (b"<a>&nbsp;</a>", "not XML"),
        (b"gate\tpopulation\n", "not XML"),
        (b"", "not XML"),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', "not XML"),
    ],
)
def test_what_could_do_harm_is_refused(tmp_path: Path, text: bytes, message: str) -> None:
    path = tmp_path / "g.xml"
    path.write_bytes(text)
    with pytest.raises(GatingError, match=message) as caught:
        read_xml(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_too_large_is_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "g.xml"
    path.write_text("<a>" + " " * 100 + "</a>")
    monkeypatch.setattr(untrusted_xml, "MAX_BYTES", 50)
    with pytest.raises(GatingError, match="are more than"):
        read_xml(path)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(GatingError, match="cannot be read: No such file"):
        read_xml(tmp_path / "g.xml")


def test_plain_xml_is_read(tmp_path: Path) -> None:
    path = tmp_path / "g.xml"
    path.write_bytes("\ufeff<?xml version='1.0'?><a b='é'><c/></a>".encode())
    assert read_xml(path).get("b") == "é"
