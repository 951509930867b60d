"""A model on disk: a folder with `weights.safetensors` and `model.json`, and never a pickle."""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from lds_path.classes import LabelClass
from lds_path.errors import ModelError, UsageError
from lds_path.geometry import Size
from lds_path.network.scout import Scout
from lds_path.network.spec import NetworkSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from lds_path.network.segmenter import Segmenter

WEIGHTS_NAME = "weights.safetensors"
CARD_NAME = "model.json"
SHIPPED = Path(__file__).parent.parent / "models"

Network = TypeVar("Network", bound=Scout)

MAX_WEIGHTS = 2**28
"""Numbers in a network; the largest of MONAI's that are built here have a quarter of it."""
MAX_CARD_BYTES = 2**24

_PICKLES = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".bin", ".tar")
_KINDS = {torch.float32: ("F32", "F16", "BF16"), torch.int64: ("I64",)}
"""Type in the network -> types in a file that become it without taking more room."""


@dataclass(frozen=True)
class ModelCard:
    """What a model is, how it was made and how good it is."""

    network: NetworkSpec
    classes: tuple[LabelClass, ...]
    """With the values 1, 2, ... without gaps."""
    mpp: float
    """Microns per working pixel that it was trained at."""
    region_size: Size
    """Region that it was trained on, in working pixels."""
    lattice: Size
    training: Mapping[str, Any] = field(default_factory=dict)
    """Parameters, slides and length of the training."""
    scores: Mapping[str, Any] = field(default_factory=dict)
    """Dice of each class on the tuning regions."""
    licence: str = ""
    authors: tuple[str, ...] = ()
    description: str = ""
    """What the model is for, and what it is not for."""
    data: str = ""
    """Where the training data come from, and their licence."""

    def __post_init__(self) -> None:
        values = [one.value for one in self.classes]
        if values != list(range(1, self.network.class_count + 1)):
            raise UsageError(
                f"the classes have the values {values}, expected 1 to {self.network.class_count}"
            )

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in the order of their values."""
        return tuple(one.name for one in self.classes)


def save_model(folder: Path, segmenter: Segmenter, card: ModelCard) -> None:
    """Write a model folder.

    Parameters
    ----------
    folder
        An existing folder; what else it holds stays.
    segmenter
        The network whose weights are written.
    card
        Its description.
    """
    weights = {name: tensor.contiguous() for name, tensor in segmenter.state_dict().items()}
    # Not save_file: it lets nobody but the owner read what it writes.
    (folder / WEIGHTS_NAME).write_bytes(save(weights))
    text = json.dumps(asdict(card), indent=1, allow_nan=False) + "\n"
    (folder / CARD_NAME).write_text(text, encoding="utf-8")


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
            f"{model} is no model folder: it holds no {CARD_NAME}{_name_pickles(model)}"
        )
    shipped = ", ".join(shipped_models()) or "none"
    raise ModelError(
        f"the model '{model}' does not exist; give the id of a shipped model ({shipped}) or the"
        " path of a model folder"
    )


def shipped_models() -> list[str]:
    """Return the ids of the models inside the package."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{CARD_NAME}"))


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
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ModelError(f"{path} is missing{_name_pickles(folder)}") from None
    except (ValueError, RecursionError, IsADirectoryError) as error:
        raise ModelError(f"{path} is not JSON ({error}); copy the model again") from None
    try:
        return _build_card(path, content)
    except (TypeError, UsageError) as error:
        raise ModelError(f"{path} does not describe a model: {error}") from None


def load_model(folder: Path) -> tuple[Segmenter, ModelCard]:
    """Return a model, ready to segment, on the CPU.

    Raises
    ------
    ModelError
        If a file is missing or damaged, or the weights do not fit the description.
    """
    # MONAI takes seconds to import: not for those who only read a card or scout.
    from lds_path.network.segmenter import Segmenter

    card = read_card(folder)
    return _load(folder, Segmenter, card), card


def load_scout(folder: Path) -> tuple[Scout, ModelCard]:
    """Return the part of a model that looks at the coarse view, on the CPU.

    Raises
    ------
    ModelError
        If a file is missing or damaged, or the weights do not fit the description.
    """
    card = read_card(folder)
    return _load(folder, Scout, card, without=("network.",)), card


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
            f" {_join(classes)}; set `classes` in config.yaml to the model's, or choose another"
            " model"
        )


def _join(names: Sequence[str]) -> str:
    return "[" + ", ".join(names) + "]"


def _find_pickles(folder: str | Path) -> list[str]:
    return sorted(path.name for path in Path(folder).glob("*") if path.suffix.lower() in _PICKLES)


def _refuse_pickles(folder: Path) -> None:
    pickles = _find_pickles(folder)
    if pickles and (folder / CARD_NAME).exists():
        raise ModelError(
            f"{folder} holds {pickles[0]}, a pickle, which could run code where another program"
            f" opens it; a model folder holds {CARD_NAME} and {WEIGHTS_NAME} alone: move it away"
        )


def _name_pickles(folder: str | Path) -> str:
    pickles = _find_pickles(folder)
    if not pickles:
        return "; a model folder holds model.json and weights.safetensors, as train writes them"
    return (
        f"; {pickles[0]} is a pickle, which could run code and is not opened: save its weights as"
        f" {WEIGHTS_NAME}"
    )


def _load(
    folder: Path, kind: type[Network], card: ModelCard, *, without: tuple[str, ...] = ()
) -> Network:
    """Return a network of a kind with the weights of a model, but those whose names begin so."""
    planned = _plan(folder / CARD_NAME, kind, card)
    path = folder / WEIGHTS_NAME
    if not path.is_file():
        raise ModelError(f"{path} is missing{_name_pickles(folder)}")
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if not name.startswith(without)]  # noqa: SIM118
            slices = {name: file.get_slice(name) for name in names}
            found = {name: (one.get_shape(), one.get_dtype()) for name, one in slices.items()}
            _check_weights(path, found, planned)
            weights = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path} is not a safetensors file ({error}); copy the model again"
        ) from None
    network = kind(card.network)
    network.load_state_dict(weights)
    return network.eval()


def _plan(path: Path, kind: type[Network], card: ModelCard) -> dict[str, Tensor]:
    """Return the weights that a description asks for, as shapes that take no memory."""
    try:
        with torch.device("meta"):
            planned: dict[str, Tensor] = kind(card.network).state_dict()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"{path} does not describe a network: {error}") from None
    count = sum(tensor.numel() for tensor in planned.values())
    if count > MAX_WEIGHTS:
        raise ModelError(
            f"{path} describes a network of {count // 10**6} million weights; expected at most"
            f" {MAX_WEIGHTS // 10**6} million; use a smaller network"
        )
    return planned


def _build_card(path: Path, content: Any) -> ModelCard:  # noqa: ANN401 - any JSON
    _check_fields(path, content, ModelCard)
    for name, kind in (("network", NetworkSpec), ("region_size", Size), ("lattice", Size)):
        _check_fields(path, content[name], kind)
    for one in content["classes"]:
        _check_fields(path, one, LabelClass)
    classes = tuple(LabelClass(**_with_tuples(one)) for one in content["classes"])
    network = NetworkSpec(**_with_tuples(content["network"]))
    sizes = {name: Size(**content[name]) for name in ("region_size", "lattice")}
    rest = {**_with_tuples(content), "classes": classes, "network": network, **sizes}
    return ModelCard(**rest)


def _check_fields(path: Path, content: Any, kind: type) -> None:  # noqa: ANN401 - any JSON
    if not isinstance(content, dict):
        raise ModelError(f"{path}: found {content!r}, expected the fields of {kind.__name__}")
    known = {one.name for one in fields(kind)}
    # A field that came later has the default that older models behave by.
    needed = {
        one.name
        for one in fields(kind)
        if one.default is MISSING and one.default_factory is MISSING
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


def _check_weights(
    path: Path, found: Mapping[str, tuple[Sequence[int], str]], planned: Mapping[str, Tensor]
) -> None:
    """Check names, shapes and types of weights before they are read."""
    for name in sorted(planned.keys() | found.keys()):
        kinds = _KINDS.get(planned[name].dtype, ()) if name in planned else ()
        expected = [_describe(planned[name].shape, kind) for kind in kinds] or ["nothing"]
        stored = _describe(*found[name]) if name in found else "nothing"
        if stored not in expected:
            raise ModelError(
                f"{path} does not fit {CARD_NAME}: '{name}' is {stored}, expected {expected[0]};"
                " copy both files from the same training"
            )


def _describe(shape: Sequence[int], kind: str) -> str:
    return f"{tuple(shape)} of {kind}"
