"""Process cards: schema, parser and writer."""

from fabgen.card.channels import with_channels
from fabgen.card.cuts import CUT_DECAYS, CUT_KEYS, CutKey
from fabgen.card.parser import card_from_table, card_of_process, load_card
from fabgen.card.schema import (
    Beams,
    Card,
    Channels,
    Evaluation,
    Generation,
    Limits,
    PhaseSpace,
    Scales,
    SurrogateOptions,
    TrainingOptions,
    VegasOptions,
)
from fabgen.card.training_options import AutoOptions, FabOptions, FkldOptions, MadnisOptions
from fabgen.card.writer import HEADER, Difference, diff_cards, dump_card

__all__ = [
    "CUT_DECAYS",
    "CUT_KEYS",
    "HEADER",
    "AutoOptions",
    "Beams",
    "Card",
    "Channels",
    "CutKey",
    "Difference",
    "Evaluation",
    "FabOptions",
    "FkldOptions",
    "Generation",
    "Limits",
    "MadnisOptions",
    "PhaseSpace",
    "Scales",
    "SurrogateOptions",
    "TrainingOptions",
    "VegasOptions",
    "card_from_table",
    "card_of_process",
    "diff_cards",
    "dump_card",
    "load_card",
    "with_channels",
]
