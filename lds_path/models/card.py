"""What a model is, on disk: the card of a model folder, and where model folders are."""

from __future__ import annotations

import json
import math
import re
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lds_path.classes import LabelClass
from lds_path.errors import ModelError, UsageError, did_you_mean
from lds_path.formats.spread import Familiarity
from lds_path.geometry import Size
from lds_path.network.spec import NetworkSpec, check_ladder, check_sizes
from lds_path.provenance.complete_file import complete_file
from lds_path.provenance.typed_json import from_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lds_path.geometry import Region

CARD_NAME = "model.json"
WEIGHTS_NAME = "weights.safetensors"
SHIPPED = Path(__file__).parent

MAX_CARD_BYTES = 2**24

_RENAMED_PARAMETERS = {"foretell": "error_source"}
"""Old name -> present name of parameters of `train` in model cards."""
_NUMBERS = re.compile(r"\[\s*(-?\d[-+.,\deE\s]*)\]")
"""A list of numbers, which takes one line."""
_PICKLES = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".bin", ".tar")


@dataclass(frozen=True)
class ModelCard:
    """What a model is, how it was trained and how good it is."""

    network: NetworkSpec
    classes: tuple[LabelClass, ...]
    """With the values 1, 2, ... without gaps."""
    mpp: float
    """Microns per working pixel that it was trained at."""
    region_size: Size
    """Region that it was trained on, in working pixels."""
    lattice: Size
    overlap: int | None = None
    """Of neighbouring regions of the training slides, in working pixels; None in older cards."""
    synthetic: bool = False
    """Whether all training slides were painted: then it knows no real tissue."""
    familiarity: Familiarity | None = None
    """What the training regions look like; None where nobody measured it."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """Parameters, slides and length of the training."""
    scores: Mapping[str, Any] = field(default_factory=dict)
    """Dice of each class on the tuning regions."""
    licence: str = ""
    authors: tuple[str, ...] = ()
    description: str = ""
    """What the model is for, and what it is not for."""
    ancestor: Mapping[str, Any] = field(default_factory=dict)
    """The model that the training started from, with its licence; empty if from none."""
    data: str = ""
    """Where the training data come from, and their licence."""

    def __post_init__(self) -> None:
        values = [label_class.value for label_class in self.classes]
        if values != list(range(1, self.network.class_count + 1)):
            raise UsageError(
                f"the classes have the values {values}, expected 1 to {self.network.class_count}"
            )
        if len({*self.class_names} - {""}) < len(values):
            raise UsageError(f"the classes are {list(self.class_names)}, expected a name for each")
        if not 0 < self.mpp < math.inf:
            raise UsageError(f"mpp is {self.mpp}, expected microns per pixel, such as 0.5")

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in the order of their values."""
        return tuple(label_class.name for label_class in self.classes)


def find_model(model: str) -> Path:
    """Return the folder of a model.

    Parameters
    ----------
    model
        Id of a model that the package ships, or the path of a model folder.

    Raises
    ------
    ModelError
        If there is none.
    """
    for folder in (SHIPPED / model, Path(model)):
        if (folder / CARD_NAME).is_file():
            return folder
    if Path(model).is_dir():
        raise ModelError(
            f"{model} is not a model folder: it holds no {CARD_NAME}{name_pickles(model)}"
        )
    shipped = ", ".join(shipped_models()) or "none"
    near = did_you_mean(model, shipped_models())
    hint = f"did you mean '{near}'? Or " if near else ""
    raise ModelError(
        f"the model '{model}' does not exist; {hint}give the id of a shipped model ({shipped}), the path"
        " of a model folder or, in config.yaml, `train`"
    )


def name_model(model: str) -> str:
    """Return the id of a shipped model, also if its folder is given; any other name as it is."""
    folder = Path(model).absolute()
    return folder.name if folder.parent == SHIPPED else model


def model_files(folder: Path) -> tuple[Path, ...]:
    """Return the files of a model folder that shape what the model predicts."""
    return folder / CARD_NAME, folder / WEIGHTS_NAME


def find_fitting_model(
    model: str,
    classes: Sequence[str],
    region: Region | None = None,
    has_budget: bool = False,
) -> Path:
    """Return the folder of a model that can do what a run asks for.

    Parameters
    ----------
    model
        As `find_model` takes it.
    classes
        Their names, in the order of their label values; empty if any will do.
    region
        A region with the size and the lattice of the run.
    has_budget
        Whether the model has to distribute a budget.

    Raises
    ------
    ModelError
        If there is no such model, or it is damaged, or has other classes.
    UsageError
        If it cannot take such regions or lattices, or has no ladder for a budget.
    """
    folder = find_model(model)
    card = read_card(folder)
    if classes:
        check_classes(card, classes, model)
    check_request(card.network, model, region, has_budget)
    return folder


def check_request(spec: NetworkSpec, model: str, region: Region | None, has_budget: bool) -> None:
    """Check that a network can do what a run asks for, as `find_fitting_model` does."""
    check_sizes([region] if region else [], spec)
    if has_budget:
        check_ladder(spec, model)


def shipped_models() -> list[str]:
    """Return the ids of the models inside the package."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{CARD_NAME}"))


def write_card(folder: Path, card: ModelCard) -> None:
    """Write a description into an existing folder."""
    text = json.dumps(asdict(card), indent=1, allow_nan=False) + "\n"
    text = _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text)
    with complete_file(folder / CARD_NAME) as partial:
        partial.write_text(text, encoding="utf-8")


def read_card(folder: Path) -> ModelCard:
    """Return the description of a model.

    Raises
    ------
    ModelError
        If it is missing, incomplete, or has fields that this version does not know, or if a
        pickle lies beside it.
    """
    path = folder / CARD_NAME
    _refuse_pickles(folder)
    try:
        if path.stat().st_size > MAX_CARD_BYTES:
            raise ValueError(f"more than {MAX_CARD_BYTES >> 20} MiB")
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (FileNotFoundError, NotADirectoryError):
        raise ModelError(f"{path} is missing{name_pickles(folder)}") from None
    except (ValueError, RecursionError, IsADirectoryError) as error:
        raise ModelError(f"{path} is not JSON ({error}); copy the model again") from None
    try:
        return _build_card(path, content)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{path} does not describe a model: {error}") from None


def check_classes(card: ModelCard, classes: Sequence[str], model: str) -> None:
    """Check that a run asks for the classes that a model knows, in their order.

    Raises
    ------
    ModelError
        If they differ.
    """
    if tuple(classes) != card.class_names:
        raise ModelError(
            f"the model '{model}' has the classes {_join(card.class_names)}, but config.yaml lists"
            f" {_join(classes)}; set `classes` in config.yaml to the model's or to null, or choose"
            " another model"
        )


def name_pickles(folder: str | Path) -> str:
    """Return the end of a message on a missing file: the pickle that lies there, if one does."""
    pickles = _find_pickles(folder)
    if not pickles:
        return "; a model folder holds model.json and weights.safetensors, as train writes them"
    return (
        f"; {pickles[0]} is a pickle, which could run code and is not opened: save its weights as"
        f" {WEIGHTS_NAME}"
    )


def _find_pickles(folder: str | Path) -> list[str]:
    return sorted(path.name for path in Path(folder).glob("*") if path.suffix.lower() in _PICKLES)


def _refuse_pickles(folder: Path) -> None:
    pickles = _find_pickles(folder)
    if pickles and (folder / CARD_NAME).exists():
        raise ModelError(
            f"{folder} holds {pickles[0]}, a pickle, which could run code where another program"
            f" opens it; a model folder holds {CARD_NAME} and {WEIGHTS_NAME} only: move it away"
        )


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def _build_card(path: Path, content: Any) -> ModelCard:  # noqa: ANN401 - any JSON
    _check_fields(path, content, ModelCard)
    for name, kind in (("network", NetworkSpec), ("region_size", Size), ("lattice", Size)):
        _check_fields(path, content[name], kind)
    for label_class in content["classes"]:
        _check_fields(path, label_class, LabelClass)
    classes = tuple(map(LabelClass.from_json, content["classes"]))
    # Cards written before features could be shared lack the field; these models share none.
    network = NetworkSpec(**{"shared_features": False} | _with_tuples(content["network"]))
    sizes = {name: Size(**content[name]) for name in ("region_size", "lattice")}
    rest = {**_with_tuples(content), "classes": classes, "network": network, **sizes}
    if content.get("familiarity") is not None:
        rest["familiarity"] = from_json(Familiarity, content["familiarity"])
    if isinstance(training := content.get("training"), dict):
        rest["training"] = {
            _RENAMED_PARAMETERS.get(name, name): value for name, value in training.items()
        }
    return ModelCard(**rest)


def _check_fields(path: Path, content: Any, kind: type) -> None:  # noqa: ANN401 - any JSON
    if not isinstance(content, dict):
        raise ModelError(f"{path}: found {content!r}, expected the fields of {kind.__name__}")
    known = {field_.name for field_ in fields(kind)}
    # A field that came later has the default that older models behave by.
    needed = {
        field_.name
        for field_ in fields(kind)
        if field_.default is MISSING and field_.default_factory is MISSING
    }
    for problem, names in (("lacks", needed - set(content)), ("has", set(content) - known)):
        if names:
            what = "the field" if problem == "lacks" else "the unknown field"
            raise ModelError(
                f"{path} {problem} {what} '{min(names)}' ({kind.__name__}); it was written by"
                " another version of lds-path: use that version, or train the model again"
            )


def _with_tuples(content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
    }


def _join(names: Sequence[str]) -> str:
    return "[" + ", ".join(names) + "]"
