"""The surrogate that the options of a card ask for."""

from __future__ import annotations

from dataclasses import replace

from fabgen.card import Channels, SurrogateOptions
from fabgen.errors import InputError
from fabgen.surrogate.base import Surrogate
from fabgen.surrogate.channel_weights import ChannelLayout, ChannelWeights
from fabgen.surrogate.channels import MultiChannel
from fabgen.surrogate.flow.flow import Flow
from fabgen.surrogate.uniform import Uniform
from fabgen.surrogate.vegas.axis_grid import Gridded


def build_channels(
    dim: int,
    layout: ChannelLayout,
    density_of_channel: tuple[int, ...],
    n_features: int,
    options: SurrogateOptions,
    channels: Channels,
    *,
    trained_weights: bool,
    grids: bool,
) -> Surrogate | MultiChannel:
    """The surrogate of an integrand with the channels of a layout.

    density_of_channel (n_channels,): the number of the flow of each, from 0. trained_weights:
    whether the training trains them, too (the card has to want it as well). grids: whether the
    flows start from a fixed map of each axis (VEGAS pre-training), identities at first.
    """
    n_channels = layout.n_channels
    if n_channels == 1:
        density = build_surrogate(dim, options)
        gridded = grids and options.kind == "flow"
        return Gridded(dim, density, options.vegas.bins) if gridded else density
    if options.kind == "vegas":
        return gridded_channels(dim, layout, options.vegas.bins)
    density = build_surrogate(dim, options)
    conditioned = channels.flows == "conditioned"
    if conditioned and isinstance(density, Flow):
        density = replace(density, n_context=n_channels)
    weights = None
    if trained_weights and channels.trained_weights:
        weights = ChannelWeights(n_channels, n_features, tuple(channels.hidden), options.precision)
    return MultiChannel(
        density,
        layout,
        density_of_channel if isinstance(density, Flow) else (0,) * n_channels,
        conditioned and isinstance(density, Flow),
        weights,
        options.vegas.bins if grids and options.kind == "flow" else 0,
        channels.drop_below,
    )


def untrained_surrogate(dim: int, layout: ChannelLayout) -> Uniform | MultiChannel:
    """Flat sampling of all channels, with the weights that they have before training."""
    flat, n = Uniform(dim), layout.n_channels
    return flat if n == 1 else MultiChannel(flat, layout, (0,) * n)


def gridded_channels(dim: int, layout: ChannelLayout, bins: int) -> MultiChannel:
    """A VEGAS grid for each of several channels, identities at first."""
    return MultiChannel(Uniform(dim), layout, (0,) * layout.n_channels, grid_bins=bins)


def build_surrogate(dim: int, options: SurrogateOptions) -> Surrogate:
    """The surrogate on [0, 1]^dim, untrained: kind flow, uniform or vegas.

    For vegas this is the grid that `train_vegas` would fill; it imports the package.
    """
    if options.kind == "uniform":
        return Uniform(dim)
    if options.kind == "vegas":
        from fabgen.surrogate.vegas.adapt import vegas_grid

        return vegas_grid(dim, options.vegas)
    if options.kind != "flow":
        raise InputError(
            "unknown surrogate",
            key="surrogate.kind",
            found=options.kind,
            allowed="flow | vegas | uniform",
        )
    return Flow(
        dim,
        layers=options.layers,
        bins=options.bins,
        hidden=tuple(options.hidden),
        permutation=options.permutation,
        precision=options.precision,
        boundary=options.boundary,
        coupling=options.coupling,
    )
