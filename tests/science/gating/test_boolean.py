"""Boolean expressions: what they mean, and what is refused."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nktrace.model.errors import GatingError
from nktrace.science.gating.boolean import And, Name, Not, Or, Tree, evaluate, names, parse, renamed

MEMBERS = {
    "a": np.array([1, 1, 0, 0], dtype=bool),
    "b": np.array([1, 0, 1, 0], dtype=bool),
    "c.1-x_y": np.array([0, 0, 0, 1], dtype=bool),
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a & b", [1, 0, 0, 0]),
        ("a | b", [1, 1, 1, 0]),
        ("!a", [0, 0, 1, 1]),
        ("a & !b", [0, 1, 0, 0]),
        ("!!a", [1, 1, 0, 0]),
        ("a & b | c.1-x_y", [1, 0, 0, 1]),
        ("a & (b | c.1-x_y)", [1, 0, 0, 0]),
        ("!(a | b)", [0, 0, 0, 1]),
        ("a|b&c.1-x_y", [1, 1, 0, 0]),
        ("  a  ", [1, 1, 0, 0]),
    ],
)
def test_meaning(expression: str, expected: list[int]) -> None:
    assert evaluate(parse(expression), MEMBERS).tolist() == [bool(e) for e in expected]


@pytest.mark.parametrize(
    "expression",
    ["", " ", "a b", "a &", "& a", "(a", "a)", "a && b", "a; b", "__import__('os')", "a & $b", "!", "()", "a = b"],
)
def test_anything_else_is_refused(expression: str) -> None:
    with pytest.raises(GatingError, match="boolean"):
        parse(expression)


def test_endless_nesting_is_refused() -> None:
    with pytest.raises(GatingError, match="nested deeper"):
        parse("(" * 5_000 + "a" + ")" * 5_000)
    with pytest.raises(GatingError, match="nested deeper"):
        parse("!" * 5_000 + "a")


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    with contextlib.suppress(GatingError):
        parse(text)


def written(tree: Tree) -> str:
    match tree:
        case Name(population):
            return population
        case Not(of):
            return f"!({written(of)})"
        case And(of):
            return " & ".join(f"({written(term)})" for term in of)
        case Or(of):
            return " | ".join(f"({written(term)})" for term in of)


trees = st.recursive(
    st.sampled_from(["a", "b", "c.1-x_y"]).map(Name),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda terms: And(tuple(terms))),
        st.lists(inner, min_size=2, max_size=3).map(lambda terms: Or(tuple(terms))),
    ),
    max_leaves=8,
)


@given(trees)
def test_what_is_written_is_read(tree: Tree) -> None:
    assert np.array_equal(evaluate(parse(written(tree)), MEMBERS), evaluate(tree, MEMBERS))


def test_names_and_renaming() -> None:
    assert names("a & !b | (a & c.1-x_y)") == {"a", "b", "c.1-x_y"}
    assert renamed("live & !live2 | a", {"live": "root"}) == "root & !live2 | a"
