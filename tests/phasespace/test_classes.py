"""Maps of a class are the maps that they stand for."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fabgen.build import build_integrand
from fabgen.card import card_of_process
from fabgen.integrand.kinematics import own_kinematics
from fabgen.phasespace.classes import Members, class_of
from fabgen.phasespace.rambo import Rambo

BEAMS = "beams.energy=[250.0, 250.0]"
#: Process, cuts, and how many channels and classes there are.
PROCESSES = {
    "e+ e- > e+ e- mu+ mu-": (
        "cuts={ptl = 10.0, etal = 2.5, mmll = 10.0}",
        (40, 20),
    ),
    "u u~ > g g g": ("cuts={ptj = 20.0, etaj = 2.5, drjj = 0.4}", (16, 5)),
    "e+ e- > w+ w- z": ("channels.prior=flat", (11, 10)),
}


@pytest.mark.parametrize("process", PROCESSES)
def test_every_channel_is_a_member_of_its_class(process):
    cuts, expected = PROCESSES[process]
    integrand = build_integrand(card_of_process(process, [BEAMS, cuts, "channels.use=all"]))
    (component,) = integrand.components
    collision = integrand.beams.of_total(
        jnp.zeros((4, 1)), component.beam_masses(integrand.derived)
    )
    kinematics = own_kinematics(component, collision, integrand.derived)
    found = [class_of(channel.mapping) for channel in component.channels]
    assert (len(found), len({mapping for mapping, _ in found})) == expected
    members = Members.of([member for _, member in found])
    u = jnp.asarray(np.random.default_rng(1).random((integrand.dim, 3)))
    # a few of each kind are enough: the first of a class, and one that other names belong to
    for i in sorted({0, 3, 5, len(found) - 1, len(found) - 2}):
        member = jax.tree.map(lambda array, i=i: array[i], members)
        with jax.disable_jit():
            expected_final, expected_log = component.channels[i].mapping.forward(u, kinematics)
            final, log_jacobian = found[i][0].forward(u, member.of_class(kinematics))
        np.testing.assert_allclose(final[member.order], expected_final, rtol=1e-12, atol=1e-9)
        np.testing.assert_allclose(log_jacobian, expected_log, rtol=1e-12)


def test_other_maps_are_a_class_of_their_own():
    mapping, member = class_of(Rambo(4))
    assert mapping == Rambo(4)
    assert member.legs == (0, 1, 2, 3)
