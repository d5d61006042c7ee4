"""`boolean`: combinations of other populations, parsed by a grammar, never evaluated as code.

or  := and ('|' and)*        and := not ('&' not)*        not := '!' not | '(' or ')' | NAME
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from nktrace.model.errors import GatingError
from nktrace.model.events import Mask
from nktrace.model.gates import Boolean, BooleanSettings, Edge, Gate, GatingRow, Status
from nktrace.science.doubt import doubts, failed, together
from nktrace.science.gating.parent import Parent, settings_of

_TOKEN = re.compile(r"\s*([!&|()]|[A-Za-z0-9][A-Za-z0-9._-]*)")
_MAX_DEPTH = 50


@dataclass(frozen=True, slots=True)
class Name:
    """A population."""

    population: str


@dataclass(frozen=True, slots=True)
class Not:
    """The events of the file that are not in `of`."""

    of: Tree


@dataclass(frozen=True, slots=True)
class And:
    """Members of all."""

    of: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Members of any."""

    of: tuple[Tree, ...]


Tree = Name | Not | And | Or


def parse(expression: str) -> Tree:
    """The tree of an expression such as `a & !b | (c & d)`; `&` binds stronger than `|`.

    Raises:
        GatingError: the expression does not follow the grammar; it says at which character.
    """
    tokens: list[tuple[str, int]] = []
    position = 0
    text = expression.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise GatingError(
                f"boolean `{expression}`: unexpected `{text[position:].strip()[0]}` at character {position + 1}",
                mend="Use names of populations with & | ! and parentheses.",
            )
        tokens.append((match.group(1), match.start(1) + 1))
        position = match.end()
    tree, rest = _or(tokens, expression, 0)
    if rest:
        raise _unexpected(rest, expression)
    return tree


def _unexpected(tokens: list[tuple[str, int]], expression: str) -> GatingError:
    if not tokens:
        return GatingError(f"boolean `{expression}` ends where a population is expected")
    token, place = tokens[0]
    return GatingError(f"boolean `{expression}`: unexpected `{token}` at character {place}")


def _or(tokens: list[tuple[str, int]], expression: str, depth: int) -> tuple[Tree, list[tuple[str, int]]]:
    tree, tokens = _and(tokens, expression, depth)
    terms = [tree]
    while tokens and tokens[0][0] == "|":
        tree, tokens = _and(tokens[1:], expression, depth)
        terms.append(tree)
    return (terms[0] if len(terms) == 1 else Or(tuple(terms))), tokens


def _and(tokens: list[tuple[str, int]], expression: str, depth: int) -> tuple[Tree, list[tuple[str, int]]]:
    tree, tokens = _not(tokens, expression, depth)
    terms = [tree]
    while tokens and tokens[0][0] == "&":
        tree, tokens = _not(tokens[1:], expression, depth)
        terms.append(tree)
    return (terms[0] if len(terms) == 1 else And(tuple(terms))), tokens


def _not(tokens: list[tuple[str, int]], expression: str, depth: int) -> tuple[Tree, list[tuple[str, int]]]:
    if depth > _MAX_DEPTH:
        raise GatingError(f"boolean `{expression[:40]}…` is nested deeper than {_MAX_DEPTH}")
    if not tokens or tokens[0][0] in "&|)":
        raise _unexpected(tokens, expression)
    (symbol, _), *rest = tokens
    if symbol == "!":
        tree, rest = _not(rest, expression, depth + 1)
        return Not(tree), rest
    if symbol == "(":
        tree, rest = _or(rest, expression, depth + 1)
        if not rest or rest[0][0] != ")":
            raise GatingError(f"boolean `{expression}`: a parenthesis is not closed")
        return tree, rest[1:]
    return Name(symbol), rest


def names(expression: str) -> set[str]:
    """The populations that an expression names.

    Raises:
        GatingError: as `parse`.
    """
    return named_in(parse(expression))


def named_in(tree: Tree) -> set[str]:
    """The populations that a tree names."""
    if isinstance(tree, Name):
        return {tree.population}
    if isinstance(tree, Not):
        return named_in(tree.of)
    return set().union(*(named_in(term) for term in tree.of))


def evaluate(tree: Tree, members: Mapping[str, Mask]) -> Mask:
    """Membership of every event, shape (events,).

    Raises:
        KeyError: a population of the expression has no mask.
    """
    match tree:
        case Name(population):
            return members[population]
        case Not(of):
            return ~evaluate(of, members)
        case And(of):
            return reduce(lambda a, b: a & b, (evaluate(term, members) for term in of))
        case Or(of):
            return reduce(lambda a, b: a | b, (evaluate(term, members) for term in of))


def renamed(expression: str, replacement: Mapping[str, str]) -> str:
    """An expression with populations replaced by others, e.g. a skipped one by what stands in for it."""
    return "".join(replacement.get(piece, piece) for piece in re.split(r"([A-Za-z0-9][A-Za-z0-9._-]*)", expression))


def shape(row: GatingRow, edges: tuple[Edge, ...]) -> Boolean:  # noqa: ARG001 - the signature of every method
    """The expression; a boolean has no numbers."""
    return Boolean(settings_of(row, BooleanSettings).of)


def estimate(parent: Parent, row: GatingRow) -> Gate:  # noqa: ARG001 - the signature of every method
    """A boolean is what the table says."""
    return Gate(population=row.population, parent=row.parent, method=row.method, shape=shape(row, ()))


def with_named_doubts(gates: Sequence[Gate]) -> tuple[Gate, ...]:
    """The same gates, each boolean as doubtful as the populations that it names: `!nk_bright` is no surer than bright.

    Args:
        gates: in table order, so that what a boolean names stands above it.
    """
    done: list[Gate] = []
    for gate in gates:
        if isinstance(gate.shape, Boolean):
            known = doubts(done)
            flags = together(*(known.get(name, ()) for name in sorted(names(gate.shape.expression))))
            flags = tuple(flag for flag in flags if flag not in known.get(gate.parent, ()))
            if flags:
                reason = "; ".join(filter(None, (gate.reason, *flags)))
                gate = replace(gate, status=Status.FAIL if failed(flags) else Status.WARN, reason=reason)
        done.append(gate)
    return tuple(done)
