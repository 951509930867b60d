from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow
from PIL import Image
from small_slides import paint

from lds_path.classes import LabelClass
from lds_path.errors import ModelError, UsageError
from lds_path.geometry import Size
from lds_path.models.bundle import RegionNetwork, load_network, write_bundle
from lds_path.models.card import ModelCard
from lds_path.models.checkpoint import save_model
from lds_path.network.segmenter import Segmenter
from lds_path.network.spec import NetworkSpec

SPEC = NetworkSpec(
    2, channels=(4, 8), density_channels=(4, 8), kernel_width=0.15, shared_features=False
)
CLASSES = (LabelClass(1, "Pale", (1, 2, 3)), LabelClass(2, "Dark", (4, 5, 6)))


class Darkness(torch.nn.Module):
    """Takes what is darker than the mean for Dark."""

    def forward(self, image):
        red = image[:, :1]
        return torch.cat((red, -red), dim=1) * 10


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    folder = tmp_path / "pale-and-dark"
    folder.mkdir()
    card = ModelCard(SPEC, CLASSES, 0.5, Size(512, 512), Size(64, 64), authors=("A. Author",))
    save_model(folder, Segmenter(SPEC), card)
    return folder


def test_monai_loads_and_runs_the_bundle(model, tmp_path):
    write_bundle(model, tmp_path / "bundle")
    images = tmp_path / "bundle" / "images"
    images.mkdir()
    for seed, name in enumerate(("a.png", "b.tif")):
        Image.fromarray(paint(seed, width=700, height=400)[0]).save(images / name)
    configs = tmp_path / "bundle" / "configs"
    workflow = ConfigWorkflow(
        str(configs / "inference.json"),
        meta_file=str(configs / "metadata.json"),
        logging_file=False,
        workflow_type="inference",
        bundle_root=str(tmp_path / "bundle"),
    )
    workflow.initialize()
    assert not workflow.check_properties()
    workflow.run()
    workflow.finalize()
    for name in "ab":
        with Image.open(tmp_path / "bundle" / "labels" / f"{name}.labels.png") as labels:
            assert labels.size == (700, 400)
            assert set(np.unique(np.asarray(labels))) <= {1, 2}


def test_the_network_finds_its_way_back_to_the_pixels(model):
    network = load_network(str(model))
    network.segmenter.network = Darkness()
    rgb, labels = paint(3, width=512, height=512)
    image = torch.from_numpy(rgb).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        probability = network(image)
    assert probability.shape == (1, 2, 512, 512)
    torch.testing.assert_close(probability.sum(dim=1), torch.ones(1, 512, 512))
    assert (probability.argmax(dim=1)[0].numpy() + 1 == labels).mean() > 0.95


def test_the_metadata_names_classes_and_resolution(model, tmp_path):
    write_bundle(model, tmp_path / "bundle")
    data = json.loads((tmp_path / "bundle" / "configs" / "metadata.json").read_text())
    formats = data["network_data_format"]
    assert formats["outputs"]["pred"]["channel_def"] == {"0": "Pale", "1": "Dark"}
    assert formats["inputs"]["image"]["microns_per_pixel"] == 0.5
    assert data["authors"] == "A. Author"
    assert "Model pale-and-dark" in (tmp_path / "bundle" / "docs" / "README.md").read_text()
    pickles = [path for path in (tmp_path / "bundle").rglob("*") if path.suffix in (".pt", ".ts")]
    assert not pickles


def test_a_folder_that_holds_something_is_left_alone(model, tmp_path):
    with pytest.raises(UsageError, match="is not empty"):
        write_bundle(model, model)


def test_a_damaged_model_is_no_bundle(model, tmp_path):
    (model / "weights.safetensors").write_bytes(b"x")
    with pytest.raises(ModelError, match="not a safetensors file"):
        write_bundle(model, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_the_network_is_a_module_that_moves_and_trains_nothing(model):
    network = load_network(str(model))
    assert isinstance(network, RegionNetwork)
    assert not network.training
