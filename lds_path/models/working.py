"""The resolution, regions and lattices that a model learned from, and what a run asks of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lds_path.errors import UsageError
from lds_path.formats.results import Remark
from lds_path.geometry import Size
from lds_path.models.card import find_model, read_card
from lds_path.network.spec import levels_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lds_path.models.card import ModelCard
    from lds_path.network.spec import NetworkSpec

SECTIONS = {"mpp": "tile", "region_size": "detect", "overlap": "detect", "lattice": "detect"}
"""Key -> its section in config.yaml."""
MPP_TOLERANCE = 0.1
"""Another mpp within this fraction is as good."""
TYPICAL_ZOOM = 2.0
"""Hardly any sample of a trained model lies closer, compared to the uniform grid."""
FAR_MPP = 1.5
"""Beyond this factor the model sees something else than what it learned."""


@dataclass(frozen=True)
class Working:
    """How a slide is cut up for a model."""

    mpp: float
    """Microns per working pixel."""
    region_size: int
    """Side of a region, in working pixels."""
    overlap: int
    """Of neighbouring regions, in working pixels."""
    lattice: int
    """Samples per side of a region."""


def working_of(card: ModelCard, region_size: int | None = None) -> Working:
    """Return how the training slides of a model were cut up.

    Parameters
    ----------
    card
        Of the model.
    region_size
        Side of the regions, if another one than the model's is asked for.
    """
    side = region_size or _longer(card.region_size)
    overlap = card.overlap if side == _longer(card.region_size) else None
    # Cards from before the overlap was noted: an eighth, as by default.
    overlap = side // 8 if overlap is None else overlap
    multiple = _stride_multiple(card, side)
    return Working(card.mpp, side, overlap // multiple * multiple, _longer(card.lattice))


def set_working(config: Mapping[str, Any], *defaults: object) -> list[str]:
    """Replace the keys of a configuration that are null by what its model learned from.

    Parameters
    ----------
    config
        A configuration that follows its schema; its sections are changed. Where a model is trained,
        the one that it starts from counts.
    defaults
        Options that hold the values for a model that starts from none.

    Returns
    -------
    list of str
        A warning for each key that differs from what the model learned from.

    Raises
    ------
    ModelError
        If there is no such model, or it is damaged.
    UsageError
        If the model cannot work on such regions or lattices.
    """
    model = config["train"]["start"] if config["model"] == "train" else config["model"]
    if model is None:
        _fill(config, {key: value for each in defaults for key, value in vars(each).items()})
        return []
    card = read_card(find_model(model))
    _fill(config, vars(working_of(card, config["detect"]["region_size"])))
    asked = Working(**{key: config[section][key] for key, section in SECTIONS.items()})
    _check_possible(asked, card, model)
    size, lattice = (Size(side, side) for side in (asked.region_size, asked.lattice))
    remarks = compare_working(card, model, mpp=asked.mpp, sizes=[size], lattices=[lattice])
    return [f"config.yaml: {remark.reason}" for remark in remarks]


def finest_sampled(
    network: NetworkSpec, region_size: int, lattice: int, *, zoom: float = TYPICAL_ZOOM
) -> int:
    """Return the finest level of the pyramid that samples up to some zoom are read from.

    Parameters
    ----------
    network
        Of the model.
    region_size, lattice
        Working pixels and samples per side of a region.
    zoom
        How many times closer the samples may lie than in the uniform grid, if the network moves them.
    """
    is_uniform = not network.warps or network.warp_strength == 0
    limit = 1.0 if is_uniform else network.max_zoom or math.inf
    pitch = region_size / max(lattice, *network.ladder, 1)
    level = max(math.floor(math.log2(pitch / min(zoom, limit)) + 1e-9), 0)
    return min(level, network.view_level) if network.uses_view else level


def compare_working(
    card: ModelCard,
    model: str,
    *,
    mpp: float,
    true_mpp: float | None = None,
    sizes: Iterable[Size],
    lattices: Iterable[Size] = (),
) -> tuple[Remark, ...]:
    """Return what differs from what a model learned from.

    Parameters
    ----------
    card, model
        Of the model, and how the user calls it.
    mpp
        Microns per working pixel that were asked for.
    true_mpp
        Those that the slide has; as asked for if not given.
    sizes
        Of the regions, in working pixels.
    lattices
        Of the regions.
    """
    remarks = []
    true_mpp = mpp if true_mpp is None else true_mpp
    if is_other_mpp(mpp, card.mpp):
        remarks.append(
            Remark(
                _word(mpp, card.mpp),
                f"the slide was tiled at {mpp:g} um per pixel, but the model '{model}' learned at"
                f" {card.mpp:g}; set `tile: mpp` to null",
            )
        )
    elif is_other_mpp(true_mpp, card.mpp):
        remarks.append(
            Remark(
                _word(true_mpp, card.mpp),
                f"the slide has {true_mpp:.3g} um per pixel at its finest, but the model '{model}'"
                f" learned at {card.mpp:g}",
            )
        )
    known = [("regions", "pixels", "region_size", sizes, [_longer(card.region_size)])]
    known.append(("lattices", "samples", "lattice", lattices, list(trained_lattices(card))))
    for noun, unit, key, found, learned in known:
        for side in sorted(set(map(_longer, found)) - set(learned)):
            reason = (
                f"the {noun} have {side} {unit} per side, but the model '{model}' learned from"
                f" {_either(learned)}; set `detect: {key}` to null"
            )
            remarks.append(Remark("warn", reason))
    return tuple(remarks)


def trained_lattices(card: ModelCard) -> tuple[int, ...]:
    """Return the samples per side that a model was trained with, increasing."""
    return tuple(sorted({*card.network.ladder, _longer(card.lattice)}))


def is_other_mpp(mpp: float, learned: float) -> bool:
    """Return whether a resolution is another one than a model learned from, beyond the tolerance."""
    return abs(mpp / learned - 1) > MPP_TOLERANCE


def _fill(config: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    for key, section in SECTIONS.items():
        if config[section][key] is None:
            config[section][key] = values[key]


def _check_possible(asked: Working, card: ModelCard, model: str) -> None:
    """Raise a `UsageError` if the network cannot take such regions."""
    spec = card.network
    for key, value, multiple in (
        ("region_size", asked.region_size, spec.region_multiple),
        ("overlap", asked.overlap, _stride_multiple(card, asked.region_size)),
        ("lattice", asked.lattice, spec.lattice_multiple),
    ):
        if value % multiple:
            raise UsageError(
                f"config.yaml: `detect: {key}` is {value}, but the model '{model}' needs a multiple"
                f" of {multiple}; set it to null for the model's own"
            )
    if spec.ladder and asked.lattice not in trained_lattices(card):
        raise UsageError(
            f"config.yaml: `detect: lattice` is {asked.lattice}, which is not on the ladder of the"
            f" model '{model}', {_either(trained_lattices(card))}; set it to one of these, or to"
            " null"
        )


def _stride_multiple(card: ModelCard, side: int) -> int:
    """Return what regions must lie apart in multiples of, so that every level fits them."""
    square = Size(side, side)
    levels = levels_of(square, [Size(count, count) for count in trained_lattices(card)])
    return int(2 ** max(card.network.view_level, levels.stop - 1))


def _word(mpp: float, learned: float) -> Literal["warn", "fail"]:
    return "fail" if not 1 / FAR_MPP <= mpp / learned <= FAR_MPP else "warn"


def _longer(size: Size) -> int:
    return max(size.width, size.height)


def _either(sides: Iterable[int]) -> str:
    *others, last = map(str, sides)
    return f"{', '.join(others)} or {last}" if others else last
