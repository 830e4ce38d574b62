"""From the text of a process to its syntax tree.

    line  = link ("," decay)* [@number order*]
    decay = link | "(" link ("," decay)* ")"
    link  = names ">" [names ("|" names)* ">"] names restriction*
    restriction = "/" names | "$$" names | "$" names | order
    order = NAME ("=" | "<=" | "==") INTEGER

`@number` may also stand among the restrictions of the core, which go on behind it; behind a chain,
orders bound the whole of it (both as in MadGraph). Every message quotes the token it stumbled over
and the whole text, blanks collapsed, with the position counted from 1 in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from fabgen.card.madgraph import refuse_command
from fabgen.errors import InputError
from fabgen.process.syntax import Core, Decay, Order, ProcessLine

EXAMPLE = "for example 'e+ e- > t t~, t > w+ b, t~ > w- b~'"
MAX_NAMES = 200  # of particles in a line
MAX_DEPTH = 20  # of nested parentheses; deeper is a mistake, and the parser recurses

# `order` precedes `name` and "$$" precedes "$". An order with ">" would read as an arrow: only a
# number directly behind it, and an upper-case name, tell `QED>1` from `t > w+ b`.
_TOKENS = re.compile(
    r"""(?P<order>[A-Za-z_]\w*(?:\s?\^\s?\d+)?\s?(?:==|<=|>=|!=|=|<)\s?-?[\w.]*
               | [A-Z_][A-Z0-9_]*(?:\s?\^\s?\d+)?\s?>\s?\d+(?![\w~+\-]))
      | (?P<number>@\s?\d*)
      | (?P<bracket>\[[^\]]*\]?)
      | (?P<polarization>[\w~+\-*'.]+\{[^}]*\}?)
      | (?P<option>--[\w=\-]*)
      | (?P<name>[~+\-*'.]*\w[\w~+\-*'.]*)
      | (?P<sign>\$\$|[>|/$,()])
      | (?P<space>\s+)
      | (?P<unknown>.)""",
    re.VERBOSE | re.ASCII,
)
_ORDER = re.compile(r"(\w+)\s?(\^\s?\d+)?\s?(==|<=|>=|!=|=|<|>)\s?(.*)")
_NAME = re.compile(r"[~+\-*'.]*\w[\w~+\-*'.]*", re.ASCII)
_RESTRICTIONS = {"/": "exclude", "$$": "exclude_s_channel", "$": "veto_on_shell"}


def is_name(text: str) -> bool:
    """Whether `text` reads as one particle or multiparticle name."""
    return _NAME.fullmatch(text) is not None and not text.startswith("--")


def parse_process(text: str) -> ProcessLine:
    """The syntax tree of a process.

    text: one process in MadGraph syntax; names are not case-sensitive. Raises InputError for
    anything that is not process syntax, names the model does not know excepted.
    """
    if not isinstance(text, str):
        raise InputError("A process is a text.", found=repr(text), allowed=EXAMPLE)
    refuse_command(text)
    text = " ".join(text.split())
    if not text:
        raise InputError("The process is empty.", found=repr(text), allowed=EXAMPLE)
    return _Parser(text).line()


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    position: int


class _Parser:
    """Recursive descent over the tokens of one line; a method for each rule of the grammar."""

    def __init__(self, text: str):
        self.text = text
        self.tokens = [
            _Token(match.lastgroup or "", match.group(), match.start() + 1)
            for match in _TOKENS.finditer(text)
            if match.lastgroup != "space"
        ]
        self.next = 0
        self.number: int | None = None

    # tokens

    @property
    def token(self) -> _Token:
        if self.next < len(self.tokens):
            return self.tokens[self.next]
        return _Token("end", "", len(self.text) + 1)

    def take(self) -> _Token:
        token = self.token
        self.next += 1
        return token

    def at(self, sign: str) -> bool:
        return self.token.kind == "sign" and self.token.text == sign

    def fail(
        self, problem: str, allowed: str, token: _Token | None = None, hint: str | None = None
    ) -> NoReturn:
        token = token or self.token
        if token.kind == "end":
            found = f"the end of '{self.text}'"
        else:
            found = f"'{token.text}' at position {token.position} of '{self.text}'"
        raise InputError(problem, found=found, allowed=allowed, hint=hint)

    # rules

    def line(self) -> ProcessLine:
        names = sum(token.kind == "name" for token in self.tokens)
        if names > MAX_NAMES:
            raise InputError(
                "The process names too many particles.",
                found=f"{names:,} in '{self.text}'",
                allowed=f"at most {MAX_NAMES}",
            )
        core = self.link(is_decay=False)
        decays = self.decays(depth=0)
        orders: dict[str, Order] = {}
        if self.token.kind == "number":
            self.process_number()
            while self.token.kind == "order":
                if "==" in self.token.text:
                    self.fail("The orders of a whole chain are bounded from above.", "QED<=4")
                self.order(orders)
        if self.at(")"):
            self.fail("A closing parenthesis has no opening one.", "balanced parentheses")
        if self.number is not None and self.token.kind != "end":
            self.fail("Something follows the process number.", "coupling orders, as in '@1 QED=2'")
        if self.token.kind != "end":
            self.unexpected("',' and a decay, or the end of the process")
        return ProcessLine(core, decays, self.number, tuple(orders.values()))

    def process_number(self) -> None:
        token = self.token
        digits = token.text.removeprefix("@").strip()
        if not 1 <= len(digits) <= 9:
            problem = "too long" if digits else "incomplete"
            self.fail(f"A process number is {problem}.", "'@' and an integer, as in '@1'")
        if self.number is not None:
            self.fail("The process number is given twice.", "one '@1'")
        self.number = int(digits)
        self.take()

    def decays(self, depth: int) -> tuple[Decay, ...]:
        decays: list[Decay] = []
        while self.at(","):
            comma = self.take()
            if self.token.kind == "end" or self.at(")"):
                self.fail("Nothing follows a comma.", "a decay, as in ', t > w+ b'", comma)
            decays.append(self.decay(depth))
        return tuple(decays)

    def decay(self, depth: int) -> Decay:
        if not self.at("("):
            return Decay(self.link(is_decay=True))
        opening = self.take()
        if depth >= MAX_DEPTH:
            self.fail("The parentheses nest too deeply.", f"at most {MAX_DEPTH} levels", opening)
        core = self.link(is_decay=True)
        decays = self.decays(depth + 1)
        if self.token.kind == "end":
            self.fail("A parenthesis is not closed.", "balanced parentheses", opening)
        if not self.at(")"):
            self.unexpected("',' and a decay, or ')'")
        self.take()
        return Decay(core, decays)

    def link(self, is_decay: bool) -> Core:
        start = self.token
        groups = [self.alternatives()]
        arrows = []
        while self.at(">"):
            arrows.append(self.take())
            groups.append(self.alternatives())
        if not arrows:
            if self.token.kind in ("end", "sign") and groups[0] != [()]:
                self.fail("A process needs '>' between what comes in and what goes out.", EXAMPLE)
            self.unexpected("a particle name" if groups[0] == [()] else "a particle name or '>'")
        if len(arrows) > 2:
            self.fail(
                "There are too many '>'.",
                "'a b > c d', or 'a b > x > c d' for x in the s-channel",
                arrows[2],
            )
        initial, final = groups[0], groups[-1]
        for group in (initial, final):
            if len(group) > 1:
                self.fail(
                    "'|' separates alternatives for the s-channel only.",
                    "'a b > x | y > c d'; several particles in one place are a multiparticle",
                    start,
                )
        required = groups[1] if len(arrows) == 2 else []
        if initial == [()]:
            self.fail("Nothing comes in before '>'.", "one or two particles", arrows[0])
        if required and () in required:
            self.fail("A name is missing for the s-channel.", "'a b > x > c d'", arrows[1])
        if final == [()]:
            if self.token.kind in ("end", "order", "number") or self.token.text in ("/", "$", "$$"):
                self.fail("Nothing comes out after '>'.", "at least one particle", arrows[-1])
            self.unexpected("a particle name")
        if is_decay and len(initial[0]) != 1:
            self.fail(
                "A decay has one incoming particle.",
                "one name before '>' of what follows a comma, as in ', t > w+ b'",
                start,
            )
        if len(initial[0]) > 2:
            self.fail(f"{len(initial[0])} particles come in.", "one or two", start)
        return self.restrictions(initial[0], final[0], tuple(required), is_decay)

    def alternatives(self) -> list[tuple[str, ...]]:
        groups = [self.names()]
        while self.at("|"):
            self.take()
            groups.append(self.names())
        return groups

    def names(self) -> tuple[str, ...]:
        names = []
        while self.token.kind == "name":
            names.append(self.take().text.lower())
        return tuple(names)

    def restrictions(
        self,
        initial: tuple[str, ...],
        final: tuple[str, ...],
        required: tuple[tuple[str, ...], ...],
        is_decay: bool,
    ) -> Core:
        names: dict[str, tuple[str, ...]] = dict.fromkeys(_RESTRICTIONS.values(), ())
        orders: dict[str, Order] = {}
        while True:
            if self.token.kind == "sign" and self.token.text in _RESTRICTIONS:
                sign = self.take()
                listed = self.names()
                if not listed:
                    self.fail(f"No particle follows '{sign.text}'.", f"'{sign.text} x y'", sign)
                field = _RESTRICTIONS[sign.text]
                names[field] = tuple(dict.fromkeys(names[field] + listed))
            elif self.token.kind == "order":
                self.order(orders)
            elif self.token.kind == "number" and not is_decay:
                self.process_number()
            else:
                break
        return Core(initial, final, required, **names, orders=tuple(orders.values()))

    def order(self, given: dict[str, Order]) -> None:
        """Takes an order and adds it to those given, by its name in capitals."""
        match = _ORDER.fullmatch(self.token.text)
        assert match is not None  # the tokenizer's pattern is narrower
        name, power, operator, value = match.groups()
        allowed = f"{name}=2 or {name}<=2 (at most), {name}==2 (exactly)"
        if power:
            self.fail("Orders of the squared amplitude (^2) are not supported.", allowed)
        if name.upper() == "WEIGHTED":
            self.fail("WEIGHTED is not supported.", "QED=2, QCD=0, ... for each coupling")
        if operator not in ("=", "<=", "=="):
            self.fail(f"A coupling order cannot be bounded with '{operator}'.", allowed)
        if not re.fullmatch(r"[0-9]{1,9}", value):
            self.fail("The value of a coupling order is not a natural number.", allowed)
        if name.upper() in given:
            self.fail(f"The order {name} is given twice.", "each order once")
        given[name.upper()] = Order(name, "==" if operator == "==" else "<=", int(value))
        self.take()

    def unexpected(self, allowed: str) -> NoReturn:
        """The message for a token that no rule takes, with the cure where MadGraph has a use."""
        token = self.token
        match token.kind:
            case "bracket":
                self.fail("Loop corrections ('[QCD]') are not supported.", "tree-level processes")
            case "polarization":
                self.fail("Polarized particles ('{L}') are not supported.", "a particle name")
            case "option":
                self.fail("MadGraph's options ('--...') are not supported.", allowed)
            case "number":
                self.fail("The process number stands in the wrong place.", "'@1' at the end")
            case "order":
                self.fail("A coupling order stands in the wrong place.", allowed)
            case "unknown":
                self.fail("The process has a character without meaning.", allowed)
            case "end":
                self.fail("The process ends too early.", allowed)
        if token.text == "(" and self.next == 0:
            self.fail("The process begins with a parenthesis.", "parentheses around decays only")
        self.fail(f"'{token.text}' is not expected here.", allowed)
