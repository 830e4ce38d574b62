"""What comes in: beams of fixed energy, or one decaying particle at rest."""

from fabgen.beams.fixed import Collision, decay_at_rest, energy_and_rapidity, fixed_beams

__all__ = ["Collision", "decay_at_rest", "energy_and_rapidity", "fixed_beams"]
