"""Cuts on the final particles in the lab frame, and the bounds on phase space that they imply.

Names and meanings are those of MadGraph's run card, with the rapidity y where it says eta. Only the
cuts that a card writes apply; one whose classes do not occur in the process does nothing.
"""

from .bounds import Bound, CutLeg, Kind
from .cuts import Cuts
from .event import Event
from .table import PAIRS

__all__ = ["PAIRS", "Bound", "CutLeg", "Cuts", "Event", "Kind"]
