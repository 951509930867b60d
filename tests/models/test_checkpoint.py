from __future__ import annotations

import json
import math
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lds_path.classes import LabelClass
from lds_path.errors import ModelError
from lds_path.geometry import Size
from lds_path.models.card import ModelCard
from lds_path.models.checkpoint import load_model, save_model
from lds_path.network.segmenter import Segmenter
from lds_path.network.spec import NetworkSpec

SPEC = NetworkSpec(
    2,
    channels=(4, 8),
    density_channels=(4, 8),
    view_level=2,
    mean=(0.5, 0.6, 0.7),
    shared_features=False,
)
CLASSES = (LabelClass(1, "Stroma", (1, 2, 3)), LabelClass(2, "Tumor", (4, 5, 6)))
CARD = ModelCard(
    network=SPEC,
    classes=CLASSES,
    mpp=0.5,
    region_size=Size(64, 64),
    lattice=Size(16, 16),
    training={"steps": 3},
    scores={"tune_dice": {"Stroma": 0.9}},
    licence="Apache-2.0",
    authors=("A. Author",),
)


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    save_model(tmp_path, Segmenter(SPEC), CARD)
    return tmp_path


def edit_card(folder, change):
    path = folder / "model.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_model_comes_back_as_it_was(folder):
    torch.manual_seed(0)
    expected = Segmenter(SPEC).state_dict()
    segmenter, card = load_model(folder)
    assert card == CARD
    assert not segmenter.training
    assert segmenter.state_dict().keys() == expected.keys()
    for name, tensor in segmenter.state_dict().items():
        assert torch.equal(tensor, expected[name]), name
    assert segmenter.mean.flatten().tolist() == pytest.approx([0.5, 0.6, 0.7])


def test_saving_twice_gives_the_same_bytes(folder, tmp_path):
    first = [(folder / name).read_bytes() for name in ("weights.safetensors", "model.json")]
    save_model(tmp_path, *load_model(folder))
    assert [(tmp_path / name).read_bytes() for name in ("weights.safetensors", "model.json")] == (
        first
    )


def test_both_files_have_the_same_permissions(folder):
    modes = {(folder / name).stat().st_mode for name in ("weights.safetensors", "model.json")}
    assert len(modes) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("part", ["network.", "density."])
def test_weights_that_are_not_finite_are_refused(folder, part, value):
    weights = load_file(folder / "weights.safetensors")
    name = next(
        name for name in weights if name.startswith(part) and weights[name].is_floating_point()
    )
    weights[name].view(-1)[-1] = value
    save_file(weights, folder / "weights.safetensors")
    with pytest.raises(ModelError, match=f"safetensors: '{name}' has values that are not finite"):
        load_model(folder)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name} is missing"):
        load_model(folder)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_a_damaged_file_is_named(folder, name):
    (folder / name).write_bytes((folder / name).read_bytes()[:40])
    with pytest.raises(ModelError, match=f"{name} is not"):
        load_model(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(colour=1), "unknown field 'colour'"),
        (lambda content: content.pop("mpp"), "lacks the field 'mpp'"),
        (lambda content: content["network"].update(depth=3), r"'depth' \(NetworkSpec\)"),
        (lambda content: content["classes"][0].pop("name"), r"'name' \(LabelClass\)"),
        (lambda content: content.update(network=[1]), "expected the fields of NetworkSpec"),
        (lambda content: content["network"].update(sampler="spiral"), "sampler 'spiral'"),
        (lambda content: content["classes"].pop(), "classes have the values"),
        (
            lambda content: content["classes"][1].update(name="Stroma"),
            "Stroma', 'Stroma'., expected a",
        ),
        (lambda content: content["classes"][0].update(name=""), "'', 'Tumor'., expected a name"),
        (lambda content: content["network"].update(std=[0.2, 0.0, 0.2]), "std is .* from 0.0001"),
        (lambda content: content["network"].update(std=[-1, 1, 1]), "std is .* from 0.0001 to 1"),
        (lambda content: content["network"].update(mean=[1e30, 0, 0]), "mean is .* from 0 to 1"),
        (lambda content: content.update(mpp=0), "mpp is 0, expected microns per pixel"),
        (lambda content: content.update(mpp=math.inf), "Infinity is no number of JSON"),
        (lambda content: content["training"].update(steps=math.nan), "NaN is no number of JSON"),
        (lambda content: content.update(classes=5), "does not describe a model"),
        (
            lambda content: content["network"].update(channels=[4]),
            "channels is .4., expected two values",
        ),
    ],
)
def test_a_card_that_does_not_fit_is_named(folder, change, message):
    edit_card(folder, change)
    with pytest.raises(ModelError, match=message):
        load_model(folder)


def test_weights_of_another_network_are_named(folder):
    edit_card(folder, lambda content: content["network"].update(channels=[8, 8]))
    with pytest.raises(ModelError, match=r"does not fit model\.json: .* expected"):
        load_model(folder)


@pytest.mark.parametrize("name", ["weights.pt", "OLD.PKL", "optimizer.bin"])
def test_a_model_with_a_pickle_beside_it_is_refused(folder, name):
    (folder / name).write_bytes(pickle.dumps({"weights": 1}))
    with pytest.raises(ModelError, match=f"holds {name}, a pickle"):
        load_model(folder)


def test_a_pickle_under_the_name_of_the_weights_is_not_opened(folder, tmp_path):
    class Hostile:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"weights": Hostile()}, folder / "weights.safetensors")
    with pytest.raises(ModelError, match="is not a safetensors file"):
        load_model(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"channels": [8192] * 8}, "describes a network of .* million weights"),
        ({"channels": [4, 10**9]}, "channels is 1000000000, expected a whole number from 1"),
        ({"channels": [4] * 10**5}, "channels is not a list of at most"),
        ({"channels": 4}, "channels is not a list"),
        ({"channels": [4, 8.0]}, "channels is 8.0, expected a whole number"),
        ({"density_channels": [8192] * 8}, "describes a network of .* million weights"),
        ({"residual_units": 10**9}, "residual_units is 1000000000"),
        ({"view_level": 10**6}, "view_level is 1000000"),
        ({"class_count": 10**9}, "class_count is 1000000000"),
        ({"class_count": True}, "class_count is True"),
        ({"mean": [0.5]}, "mean is not three numbers"),
        ({"std": [0.1, 0.1]}, "std is not three numbers"),
    ],
)
def test_a_network_too_large_for_any_slide_is_refused(folder, sizes, message):
    edit_card(folder, lambda content: content["network"].update(sizes))
    with pytest.raises(ModelError, match=message):
        load_model(folder)


def test_oversized_weights_are_refused_by_their_header_alone(folder):
    path = folder / "weights.safetensors"
    weights = load_file(path)
    name, largest = max(weights.items(), key=lambda item: item[1].numel())
    shape = [2**20, *largest.shape[1:]]
    count = math.prod(shape) * 4
    header = json.dumps({name: {"dtype": "F32", "shape": shape, "data_offsets": [0, count]}})
    with path.open("wb") as stream:
        stream.write(len(header).to_bytes(8, "little") + header.encode())
        stream.truncate(8 + len(header) + count)
    with pytest.raises(ModelError, match=r"does not fit model\.json"):
        load_model(folder)


@pytest.mark.parametrize("kind", [torch.float64, torch.complex64, torch.int64])
def test_weights_of_another_type_are_refused(folder, kind):
    path = folder / "weights.safetensors"
    save_file({name: tensor.to(kind) for name, tensor in load_file(path).items()}, path)
    with pytest.raises(ModelError, match=r"expected .* of F32"):
        load_model(folder)


def test_weights_of_half_the_size_are_read(folder):
    path = folder / "weights.safetensors"
    halves = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in load_file(path).items()
    }
    save_file(halves, path)
    assert next(iter(load_model(folder)[0].parameters())).dtype == torch.float32
