"""The models that come with the package, in a few lines each."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from lds_path.models.card import SHIPPED, read_card, shipped_models

if TYPE_CHECKING:
    from lds_path.models.card import ModelCard

WIDTH = 100


def list_models() -> str:
    """Return the shipped models with classes, resolution, use and scores."""
    return "\n".join(_describe(name, read_card(SHIPPED / name)) for name in shipped_models())


def _describe(name: str, card: ModelCard) -> str:
    dice = card.scores.get("tune_dice", {})
    scores = ", ".join(f"{each} {value:.2f}" for each, value in dice.items())
    known = "painted slides only, no real tissue" if card.synthetic else card.data
    rows = [
        ("classes", ", ".join(card.class_names)),
        ("resolution", f"{card.mpp:g} um per pixel"),
        ("for", card.description or "not stated"),
        ("learned from", known or "not stated"),
        ("tune Dice", scores or "not measured"),
        ("licence", card.licence or "not stated"),
    ]
    lines = [name]
    for title, text in rows:
        indent = " " * 16
        lines.append(
            textwrap.fill(
                " ".join(text.split()),
                WIDTH,
                initial_indent=f"  {title:<14}",
                subsequent_indent=indent,
                break_on_hyphens=False,
            )
        )
    return "\n".join(lines) + "\n"
