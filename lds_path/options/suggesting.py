"""Options of suggest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lds_path.option import MAX_SEED, Options, option

By = Literal["score", "doubt", "distance", "error", "random"]


@dataclass(frozen=True)
class SuggestOptions(Options):
    """How many areas are suggested, how large they are, and why."""

    areas: int = option(
        20, "areas to suggest", minimum=1, maximum=10_000, short="-n", scope="command"
    )
    side_um: float | None = option(
        None,
        "side of an area, microns; default: half the side of the model's regions",
        above=0,
        maximum=20_000,
        scope="command",
    )
    by: By = option(
        "score",
        "what counts: the score, one of its parts, or chance, to compare with",
        choices=("score", "doubt", "distance", "error", "random"),
        scope="command",
    )
    seed: int = option(1, "of chance", minimum=0, maximum=MAX_SEED, scope="command")
