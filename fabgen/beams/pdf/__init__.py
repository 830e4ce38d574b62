"""Parton densities: files of LHAPDF 6, their interpolation, and where sets are found."""

from fabgen.beams.pdf.densities import GLUON, Densities, table_of
from fabgen.beams.pdf.evaluate import xf
from fabgen.beams.pdf.grid import Grid
from fabgen.beams.pdf.info import SetInfo
from fabgen.beams.pdf.sets import DEFAULT_SET, InstalledSet, Member, find_set, load_member

__all__ = [
    "DEFAULT_SET",
    "GLUON",
    "Densities",
    "Grid",
    "InstalledSet",
    "Member",
    "SetInfo",
    "find_set",
    "load_member",
    "table_of",
    "xf",
]
