"""The model that a training starts from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lds_path.models.card import WEIGHTS_NAME, find_model, read_card
from lds_path.provenance.fingerprint import sha256

if TYPE_CHECKING:
    from pathlib import Path

    from lds_path.models.card import ModelCard
    from lds_path.network.spec import NetworkSpec


@dataclass(frozen=True)
class Ancestor:
    """A model folder and its description."""

    name: str
    """As the user calls it."""
    folder: Path
    card: ModelCard

    def about(self) -> dict[str, Any]:
        """Return what the card of a descendant says of it."""
        card = self.card
        return {
            "model": self.name,
            "weights_sha256": sha256(self.folder / WEIGHTS_NAME),
            "licence": card.licence,
            "data": card.data,
            "authors": list(card.authors),
            "ancestor": dict(card.ancestor),
        }

    def shape(self, network: NetworkSpec) -> NetworkSpec:
        """Return its network, with the number of classes of another one."""
        return replace(self.card.network, class_count=network.class_count)


def find_ancestor(model: str | None) -> Ancestor | None:
    """Return the model that a training starts from; None where it starts afresh.

    Parameters
    ----------
    model
        As `find_model` takes it.

    Raises
    ------
    ModelError
        If there is no such model, or its description is damaged.
    """
    if model is None:
        return None
    folder = find_model(model)
    return Ancestor(model, folder, read_card(folder))
