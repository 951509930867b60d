"""A model card as a page of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lds_path.models.card import WEIGHTS_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from lds_path.models.card import ModelCard

_NOT_STATED = "not stated"
_CALIBRATION = ("ladder", "dice", "expected_error", "found_error", "correlation")
_SHOWN_ELSEWHERE = (
    *("classes", "colors", "architecture", "channels", "sampler", "slides", "regions", "steps"),
    *("train", "tune", "description", "data", "licence", "authors"),
)


def describe(card: ModelCard, folder: Path) -> str:
    """Return the description of a model as lines of text.

    Parameters
    ----------
    card
        The model card.
    folder
        Folder of the model.
    """
    lines = [f"Model {folder.name}: {', '.join(card.class_names)}"]
    for title, entries in (
        ("", _about(card)),
        ("Classes", _classes(card)),
        ("Input", _input(card)),
        ("Network", _network(card, folder)),
        ("Ladder", _ladder(card)),
        ("Familiar", _familiar(card)),
        ("Training", _training(card)),
    ):
        rows = _aligned(list(entries))
        lines += ["", *([title] if title else []), *rows] if rows else []
    return "\n".join(lines) + "\n"


def _about(card: ModelCard) -> Iterator[tuple[str, str]]:
    yield "for", card.description or _NOT_STATED
    yield "authors", ", ".join(card.authors) or _NOT_STATED
    if card.synthetic:
        yield "knows", "only painted slides, no real tissue"
    yield "licence", card.licence or _NOT_STATED
    yield "data", card.data or _NOT_STATED


def _classes(card: ModelCard) -> Iterator[tuple[str, str]]:
    dice, before = card.scores.get("tune_dice", {}), card.scores.get("start_dice", {})
    for label_class in card.classes:
        color = "#{:02X}{:02X}{:02X}".format(*label_class.color)
        score, old = dice.get(label_class.name), before.get(label_class.name)
        known = "no score" if score is None else f"tune Dice {score:.3f}"
        known += "" if old is None else f", {old:.3f} before"
        yield f"{label_class.value} {label_class.name}", f"{color}  {known}"


def _input(card: ModelCard) -> Iterator[tuple[str, str]]:
    size, lattice = card.region_size, card.lattice
    percent = 100 * lattice.area / size.area
    um = f"{size.width * card.mpp:g} x {size.height * card.mpp:g} um"
    yield "resolution", f"{card.mpp:g} um per pixel"
    yield "region", f"{size.width} x {size.height} pixels, {um}"
    if card.overlap is not None:
        yield "overlap", f"{card.overlap} pixels"
    yield "lattice", f"{lattice.width} x {lattice.height} samples, {percent:.2g} % of the pixels"
    yield "mean", _listing(card.network.mean)
    yield "deviation", f"{_listing(card.network.std)} (red, green, blue in 0..1)"


def _network(card: ModelCard, folder: Path) -> Iterator[tuple[str, str]]:
    spec = card.network
    yield "architecture", f"{spec.architecture}, channels {_listing(spec.level_channels)}"
    yield "sampler", f"{spec.sampler}, coarse view at pyramid level {spec.view_level}"
    if spec.texture:
        yield "texture", f"of the pixels at pyramid level {spec.texture_level}"
    weights = folder / WEIGHTS_NAME
    if weights.is_file():
        yield "weights", f"{weights.stat().st_size / 2**20:.1f} MiB, {WEIGHTS_NAME}"


def _ladder(card: ModelCard) -> Iterator[tuple[str, str]]:
    """Yield the scores on each lattice of the ladder, if they were measured."""
    known = card.scores.get("calibration")
    if not known:
        yield from ((f"{side} samples a side", "not measured") for side in card.network.ladder)
        return
    columns = (known[name] for name in _CALIBRATION)
    for side, dice, expected, found, correlation in zip(*columns, strict=True):
        text = f"tune Dice {dice:.3f}, error predicted {expected:.2%}, found {found:.2%}"
        yield f"{side} samples a side", f"{text}, correlation over regions {correlation:.2f}"


def _familiar(card: ModelCard) -> Iterator[tuple[str, str]]:
    """Yield how far the training slides vary, if that was measured."""
    known = {} if card.familiarity is None else vars(card.familiarity)
    for name, spread in known.items():
        if spread is not None:
            middle = f"half of the training within a distance of {spread.quantiles[0]:.2f}"
            yield name, f"{middle}; unlike it beyond {spread.limit:.2f}"


def _training(card: ModelCard) -> Iterator[tuple[str, str]]:
    training = card.training
    if "step" in card.scores:
        yield "weights of", f"step {card.scores['step']} of {training.get('steps', '?')}"
    for split in ("train", "tune"):
        yield split, _split(training, split)
    for name, value in training.items():
        if name not in _SHOWN_ELSEWHERE:
            yield name, _text(value)


def _split(training: Mapping[str, Any], split: str) -> str:
    """Return the data of a split, from cards of this version or of the first one."""
    summary = training.get(split)
    if not isinstance(summary, dict):
        slides = training.get("slides", {}).get(split, [])
        return f"{len(slides)} slides"
    areas = ", ".join(f"{name} {area:g} mm2" for name, area in summary["labelled_mm2"].items())
    return (
        f"{len(summary['slides'])} slides of {summary['patients']} patients,"
        f" {summary['regions']} regions: {areas}"
    )


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return ", ".join(f"{name}={item}" for name, item in value.items()) or "none"
    if isinstance(value, list | tuple):
        return _listing(value) or "none"
    return "none" if value is None or value == "" else str(value)


def _listing(values: Any) -> str:  # noqa: ANN401 - any JSON
    return ", ".join(str(value) for value in values)


def _aligned(entries: list[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in entries), default=0)
    return [f"  {name:<{width}}  {text}" for name, text in entries]
