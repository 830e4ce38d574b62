"""Recognises the cards of MadGraph and says what they are as TOML, as far as fabgen has it.

Process cards (generate, add process, define, import model, set, output, launch), run cards
(`value = name ! comment`) and parameter cards (SLHA: BLOCK, DECAY).
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Iterator
from typing import Any

from fabgen.card import toml
from fabgen.card.cuts import CUT_DECAYS, CUT_KEYS, CUT_OPTIONS, PDG_CUT_KEYS
from fabgen.card.meant import KNOWN_NAMES, SM_PARAMETERS, parameter_name
from fabgen.card.scales import BY_CHOICE
from fabgen.card.schema import MODELS
from fabgen.errors import InputError

_COMMAND = re.compile(
    r"(generate|add\s+(?:process|model)|define|import(?:\s+model)?|output|launch|set|display|decay"
    r"|check|compute_widths|install|open)"
    r"(?=\s|$)(?!\s*=)\s*(.*)",
    re.IGNORECASE,
)
_RUN_LINE = re.compile(r"(\{.*?\}|\S+)\s*=\s*([A-Za-z]\w*)\s*(?:[!#].*)?")
_SLHA_LINE = re.compile(r"block\s+[A-Za-z]\w*|decay\s+\d+\s+\S+", re.IGNORECASE)
#: (block, code) of a parameter card, and the width of a DECAY by its PDG id.
_SLHA = {
    **{("sminputs", 1): "aEWM1", ("sminputs", 2): "Gf", ("sminputs", 3): "aS"},
    **{("mass", 5): "MB", ("mass", 6): "MT", ("mass", 15): "MTA"},
    **{("mass", 23): "MZ", ("mass", 25): "MH"},
    **{("yukawa", 5): "ymb", ("yukawa", 6): "ymt", ("yukawa", 15): "ymtau"},
    **{("decay", 6): "WT", ("decay", 23): "WZ", ("decay", 24): "WW", ("decay", 25): "WH"},
}
#: Names of the run card by table and key; energies and cuts come beside these.
_NUMBERS = {
    "nevents": ("generation", "events"),
    "iseed": ("generation", "seed"),
    "bwcutoff": ("phase_space", "bw_cutoff"),
    "scale": ("scales", "renormalization"),
    "dsqrt_q2fact1": ("scales", "factorization"),
    "scalefact": ("scales", "factor"),
}
#: Cuts by PDG number as the run card writes them, without capitals, and an entry of their values.
_PDG_KEYS = {name.lower(): name for name in PDG_CUT_KEYS}
_ENTRY = re.compile(r"['\"]?(\w+)['\"]?\s*:\s*([^,}]+)")
#: GeV, of each proton where a card names none.
_LHC = 6500.0
#: Sets of densities by their numbers in LHAPDF.
_SETS = {
    247000: "NNPDF23_lo_as_0130_qed",
    246800: "NNPDF23_lo_as_0119_qed",
    315000: "NNPDF31_lo_as_0118",
    331900: "NNPDF40_lo_as_01180",
}
_FIXED = {"fixed_ren_scale": "renormalization", "fixed_fac_scale": "factorization"}
#: Blocks of a parameter card as `set` names them.
_BLOCKS = {"mass": "mass", "sminputs": "sminputs", "yukawa": "yukawa", "width": "decay"}
#: What takes the place of a command without a key in a card.
_INSTEAD = {
    "output": "the directory of a run is --run DIR of fabgen generate",
    "launch": "fabgen generate CARD writes events",
    "decay": 'decays stand behind the process: process = "p p > t t~, t > w+ b"',
    "display": "fabgen show CARD lists diagrams",
    "import model": f"the models are {', '.join(MODELS)}",
}
_CARDS = {"process": "process card", "run": "run card", "parameters": "parameter card (SLHA)"}


@dataclasses.dataclass
class Foreign:
    """The reading of a text that is no card of fabgen, filled line by line.

    first: the line that gave it away. tables: keys by table, "" for those above all tables.
    left_out: lines and names without a counterpart. energies: of the beams in GeV, by name.
    fixed_scales: whether a scale is a number, by its key. dynamic_scale: what it is, if not.
    """

    kind: str = ""
    first: str = ""
    tables: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    left_out: list[str] = dataclasses.field(default_factory=list)
    energies: dict[str, float] = dataclasses.field(default_factory=dict)
    fixed_scales: dict[str, bool] = dataclasses.field(default_factory=dict)
    dynamic_scale: str = ""

    @property
    def name(self) -> str:
        return f"a {_CARDS[self.kind]} of MadGraph"

    def toml_lines(self) -> Iterator[str]:
        """The TOML that says the same."""
        tables = dict(self.tables)
        beams = dict(tables.get("beams", {}))
        if self.energies:
            first = self.energies.get("ebeam1", self.energies.get("ebeam2"))
            beams["energy"] = [first, self.energies.get("ebeam2", first)]
        elif beams.get("kind") == "proton":
            beams["energy"] = [_LHC, _LHC]
        if beams:
            tables["beams"] = beams
        if "scales" in tables or self.dynamic_scale:
            tables["scales"] = self._scales(tables.get("scales", {}))
        for table in ("", *sorted(tables.keys() - {""})):
            if table:
                yield f"[{table}]"
            for key, value in tables.get(table, {}).items():
                if key == "process" and len(value) == 1:
                    value = value[0]
                yield f"{toml.key(key)} = {toml.value(value)}"

    def _scales(self, given: dict[str, Any]) -> dict[str, Any]:
        """Dynamic scales in the place of numbers that are not used, and a factor of such only."""
        keys = [key for key in _FIXED.values() if not self.fixed_scales.get(key)]
        dynamic = dict.fromkeys(keys, self.dynamic_scale) if self.dynamic_scale else {}
        kept = {key: value for key, value in given.items() if dynamic or key != "factor"}
        return {**kept, **dynamic}

    def put(self, table: str, key: str, value: Any) -> None:
        self.tables.setdefault(table, {})[key] = value

    def see(self, kind: str, line: str) -> None:
        if not self.kind:
            self.kind, self.first = kind, line


def recognise(text: str) -> Foreign | None:
    """The reading of a text if it is a card of MadGraph, else None."""
    found = Foreign()
    block = ""
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        line = line.strip()
        if not line or line.startswith(("#", "!", "<")):
            continue
        plain = line.split("#")[0].strip()
        run = _RUN_LINE.fullmatch(line)
        if _SLHA_LINE.match(plain):
            found.see("parameters", line)
            block, *rest = plain.lower().split()
            if block == "decay":
                _slha(found, "decay", rest)
            else:
                block = rest[0]
        elif command := _COMMAND.fullmatch(plain):
            found.see("process", line)
            _command(found, " ".join(command[1].lower().split()), command[2].strip(), plain)
        elif run and run[2].lower() in KNOWN_NAMES:
            found.see("run", line)
            _setting(found, run[2].lower(), run[1])
        elif found.kind == "parameters":
            _slha(found, block, plain.split())
        elif found.kind:
            found.left_out.append(plain)
    return found if found.kind else None


def refuse_command(text: str) -> None:
    """Raises InputError for a process that begins as a command of MadGraph: what to write."""
    first = _COMMAND.match(text.strip())
    found = recognise(text) if first else None
    if first is None or found is None:
        return
    command = " ".join(first[1].lower().split())
    lines = list(found.toml_lines())
    if command == "add process":
        lines = [f'process = ["...", {line.removeprefix("process = ")}]' for line in lines]
    hints = [*filter(None, [_instead(found) if found.left_out else "", _protons(found)])]
    instead = _instead(found) or "no such command; fabgen --help lists what there is"
    raise InputError(
        f"'{command}' is a command of MadGraph and not part of a process",
        key="process",
        found=" ".join(text.split()),
        allowed="\n".join(["in a card:", *lines]) if lines else instead,
        hint="; ".join(hints) or None if lines else None,
    )


def refuse_card(text: str, file: str | os.PathLike[str] | None) -> None:
    """Raises InputError if the text of a card is a card of MadGraph (what to write instead), or
    an event file."""
    if text.lstrip().startswith("<LesHouchesEvents"):
        raise InputError(
            "this is an event file, not a card",
            file=file,
            allowed="a TOML card; events to learn from are training.fkld.data (--data)",
        )
    found = recognise(text)
    if found is None:
        return
    lines = list(found.toml_lines())
    if found.kind != "process":
        lines.insert(0, '# below the process, such as process = "e+ e- > mu+ mu-"')
    left = f"left out here: {', '.join(dict.fromkeys(found.left_out[:8]))}"
    more = ", ..." if len(found.left_out) > 8 else ""
    hints = [left + more] if found.left_out else []
    raise InputError(
        f"this is {found.name}, which fabgen cannot read yet: its cards are TOML",
        file=file,
        found=found.first,
        allowed="\n".join(["as TOML:", *lines]),
        hint="; ".join([*hints, *filter(None, [_instead(found), _protons(found)])]) or None,
    )


def _instead(found: Foreign) -> str:
    """Keys and options in the place of the commands that were left out."""
    commands = (_COMMAND.match(line) for line in found.left_out)
    names = dict.fromkeys(" ".join(c[1].lower().split()) for c in commands if c)
    return "; ".join(_INSTEAD[name] for name in names if name in _INSTEAD)


def _protons(found: Foreign) -> str:
    """Advice on a definition of p or j: what collides under these names is a proton."""
    own = [name for name in found.tables.get("multiparticles", {}) if name.lower() in ("p", "j")]
    if not own:
        return ""
    return (
        f"beams named {' or '.join(own)} mean protons (beams.kind); to add up the partons"
        " themselves, each with weight one, name them q, in the process too"
    )


def _slha(found: Foreign, block: str, words: list[str]) -> None:
    if len(words) < 2 or not re.fullmatch(r"[0-9]{1,9}", words[0]):
        return
    name, value = _SLHA.get((block, int(words[0]))), _number(words[1])
    if name is not None and value is not None:
        found.put("parameters", name, value)


def _command(found: Foreign, command: str, rest: str, line: str) -> None:
    match command:
        case "generate" | "add process":
            processes = found.tables.setdefault("", {}).setdefault("process", [])
            if command == "generate":
                processes.clear()  # it begins anew
            processes.append(re.sub(r"\s--\S*", "", rest))
            if rest.lower().split()[:3] == ["p", "p", ">"]:
                found.put("beams", "kind", "proton")
        case "define":
            name, _, members = rest.replace("=", " ").partition(" ")
            found.put("multiparticles", name, " ".join(members.split()))
        case "import model":
            model = rest.split()[0] if rest else ""
            if model in MODELS:
                found.put("", "model", model)
            else:
                found.left_out.append(line)
        case "set":
            words = rest.replace("=", " ").split()
            if words[:1] in (["run_card"], ["param_card"]):
                words = words[1:]
            name = words[0].lower() if words else ""
            if name in _BLOCKS and len(words) == 3:
                _slha(found, _BLOCKS[name], words[1:])
            else:
                _setting(found, name, " ".join(words[1:]), line)
        case _:
            found.left_out.append(line)


def _setting(found: Foreign, name: str, text: str, line: str = "") -> None:
    """One value of the run card, or a parameter by name."""
    value = _number(text)
    if name in ("ebeam1", "ebeam2") and value is not None:
        found.energies[name] = value
    elif name in _NUMBERS and value is not None:
        if name != "iseed" or value:
            whole = name in ("nevents", "iseed")
            found.put(*_NUMBERS[name], int(value) if whole else value)
    elif name in ("lpp1", "lpp2") and value in (0, 1):
        found.put("beams", "kind", "proton" if value else "fixed")
    elif name == "lhaid" and value in _SETS:
        found.put("beams", "pdf", _SETS[int(value)])
    elif name == "pdlabel" and text.strip(" '\"").lower() in ("nn23lo1", "lhapdf"):
        if "lhapdf" not in text.lower():
            found.put("beams", "pdf", _SETS[247000])
    elif name in CUT_OPTIONS:
        _cut_option(found, name, text, value)
    elif name in _PDG_KEYS:
        bounds = {pdg: _number(bound) for pdg, bound in _ENTRY.findall(text)}
        bounds = {pdg: bound for pdg, bound in bounds.items() if bound is not None and bound > 0}
        if bounds:
            found.put("cuts", _PDG_KEYS[name], bounds)
    elif name in _FIXED:
        found.fixed_scales[_FIXED[name]] = _is_true(text)
    elif name == "dynamical_scale_choice" and value in BY_CHOICE:
        found.dynamic_scale = BY_CHOICE[int(value)]
    elif name in CUT_KEYS and value is not None:
        if value > 0:  # 0 and -1 switch a cut off
            found.put("cuts", name, value)
    elif (parameter := parameter_name(name, SM_PARAMETERS)) and value is not None:
        found.put("parameters", parameter, value)
    else:
        found.left_out.append(line or name)


def _cut_option(found: Foreign, name: str, text: str, value: float | None) -> None:
    """A key of the cuts that is no bound; {'default': True} is a switch as well."""
    default = CUT_OPTIONS[name].default
    entry = _ENTRY.search(text)
    word = entry[2] if entry else text
    new = _is_true(word) if isinstance(default, bool) else value
    if new is not None and (new != default or name == CUT_DECAYS):
        found.put("cuts", name, new)


def _is_true(text: str) -> bool:
    return text.lower().strip(" .") in ("true", "t", "1")


def _number(text: str) -> float | None:
    """The number that Fortran or Python wrote, None for anything else."""
    try:
        value = float(re.sub("d", "e", text, flags=re.IGNORECASE))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
