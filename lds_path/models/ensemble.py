"""Further models that segment the same samples as the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lds_path.errors import ModelError
from lds_path.models.card import check_classes, find_model
from lds_path.models.checkpoint import load_model
from lds_path.models.working import is_other_mpp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lds_path.geometry import Region
    from lds_path.models.card import ModelCard
    from lds_path.network.segmenter import Segmenter


def load_members(
    models: Sequence[str], first: ModelCard, regions: Sequence[Region]
) -> tuple[Segmenter, ...]:
    """Return the networks of further models, ready to segment, on the CPU.

    Parameters
    ----------
    models
        Ids of shipped models, or paths of model folders.
    first
        Card of the model that places the samples.
    regions
        Those that are segmented.

    Raises
    ------
    ModelError
        If a model is missing or damaged, has other classes, learned at another resolution, or looks
        at regions in another way than the first.
    UsageError
        If it cannot take the regions or lattices.
    """
    # Like the networks, late: MONAI takes seconds to import.
    from lds_path.network.spec import check_sizes

    members = []
    for model in models:
        segmenter, card = load_model(find_model(model))
        check_classes(card, first.class_names, model)
        if is_other_mpp(card.mpp, first.mpp):
            raise ModelError(
                f"the model '{model}' learned at {card.mpp:g} um per pixel, the first one at"
                f" {first.mpp:g}; average models of one resolution"
            )
        views = {(spec.view_level, spec.view_margin) for spec in (card.network, first.network)}
        if card.network.uses_view and len(views) > 1:
            raise ModelError(
                f"the model '{model}' has another `view_level` or `view_margin` than the first one;"
                " average models that are trained alike"
            )
        check_sizes(regions, card.network)
        members.append(segmenter)
    return tuple(members)
