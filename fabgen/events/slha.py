"""Parameters in the SUSY Les Houches Accord format (hep-ph/0311123), as showers read them."""

from __future__ import annotations

from collections.abc import Mapping

#: Block and code of the Standard Model's external parameters (UFO names), as in MadGraph.
SM_BLOCKS: Mapping[str, tuple[str, int]] = {
    "aEWM1": ("SMINPUTS", 1),
    "Gf": ("SMINPUTS", 2),
    "aS": ("SMINPUTS", 3),
    "MZ": ("SMINPUTS", 4),
    "ymb": ("YUKAWA", 5),
    "ymt": ("YUKAWA", 6),
    "ymtau": ("YUKAWA", 15),
}
_COMMENTS = {"YUKAWA": "GeV", "MASS": "GeV"}
#: Block of the parameters without a place of their own, numbered in the order given.
OTHER_BLOCK = "FABGEN"


def slha_text(
    parameters: Mapping[str, float],
    masses: Mapping[int, float],
    widths: Mapping[int, float],
    blocks: Mapping[str, tuple[str, int]] = SM_BLOCKS,
) -> str:
    """SLHA text of a parameter point, 15 significant digits.

    parameters: external ones by their UFO names; `blocks` says where each stands, the rest goes to
    the block FABGEN, except masses and widths (names M... and W... whose value is one of `masses`
    or `widths`). masses, widths: in GeV by PDG id.
    """
    entries: dict[str, list[str]] = {}
    listed = {*masses.values(), *widths.values()}
    others = 0
    for name, value in parameters.items():
        if name in blocks:
            block, code = blocks[name]
        elif name[:1] in "MW" and value in listed:
            continue
        else:
            others += 1
            block, code = OTHER_BLOCK, others
        entries.setdefault(block, []).append(_entry(code, value, name))
    for pdg in sorted(masses):
        entries.setdefault("MASS", []).append(_entry(pdg, masses[pdg], ""))
    lines = []
    for block in sorted(entries, key=_block_order):
        lines.append(f"BLOCK {block}" + (f" # {_COMMENTS[block]}" if block in _COMMENTS else ""))
        lines += entries[block]
    lines += [f"DECAY {pdg:9d} {widths[pdg]: .14e} # GeV" for pdg in sorted(widths)]
    return "\n".join(lines) + "\n"


def _entry(code: int, value: float, name: str) -> str:
    return f"  {code:9d} {value: .14e}" + (f" # {name}" if name else "")


def _block_order(block: str) -> tuple[int, str]:
    order = ["SMINPUTS", "MASS", "YUKAWA"]
    return (order.index(block), "") if block in order else (len(order), block)
