"""A model as a MONAI bundle: a folder that `monai.bundle` loads and runs on images.

The bundle's network takes a region's pixels and returns their probabilities, so that MONAI's
sliding window can carry it over an image of any size. Whole slides are better served by the
workflow, which reads only what the samples need.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import monai
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from lds_path import __version__
from lds_path.errors import UsageError
from lds_path.geometry import Size
from lds_path.models.card import CARD_NAME, WEIGHTS_NAME, read_card
from lds_path.models.checkpoint import load_model
from lds_path.models.description import describe
from lds_path.network.spec import levels_around, texture_count
from lds_path.network.texture import texture_levels
from lds_path.network.warp import halve
from lds_path.pixels.texture import measure_texture
from lds_path.provenance.manifest import write_json
from lds_path.unwarp.blend import unwarp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lds_path.models.card import ModelCard
    from lds_path.network.segmenter import Segmenter

GLASS = 243
"""Grey value beyond the edges of an image."""
_OVERLAP = 0.125


def write_bundle(model: Path, output: Path) -> None:
    """Write a model folder as a MONAI bundle.

    Parameters
    ----------
    model
        Model folder.
    output
        Folder to write, new or empty.

    Raises
    ------
    ModelError
        If the model is missing or damaged.
    UsageError
        If the folder is not empty.
    """
    load_model(model)  # a damaged model does not become a bundle
    card = read_card(model)
    if output.exists() and any(output.iterdir()):
        raise UsageError(f"{output} is not empty; name a new folder for the bundle")
    for name in ("configs", "docs", "models"):
        (output / name).mkdir(parents=True)
    for name in (CARD_NAME, WEIGHTS_NAME):
        shutil.copyfile(model / name, output / "models" / name)
    write_json(output / "configs" / "metadata.json", _metadata(card, model.name))
    write_json(output / "configs" / "inference.json", _inference(card))
    text = f"# {model.name}\n\n```text\n{describe(card, model)}```\n\n{_USE}"
    (output / "docs" / "README.md").write_text(text, encoding="utf-8")


class RegionNetwork(nn.Module):
    """The complete processing of a region: coarse view, samples, segmentation, and back to its pixels."""

    def __init__(self, segmenter: Segmenter, lattice: Size) -> None:
        super().__init__()
        self.segmenter = segmenter
        self.lattice = lattice

    def forward(self, region: Tensor) -> Tensor:
        """Return the probabilities of the classes, (B, C, H, W), of regions.

        Parameters
        ----------
        region
            RGB in 0..255 at the model's mpp, (B, 3, H, W).
        """
        size = Size(region.shape[3], region.shape[2])
        wanted = levels_around(size, self.lattice)
        spec = self.segmenter.spec
        pyramid = halve(region.float(), max(spec.view_level + 1, wanted.stop))
        levels = pyramid[wanted.start : wanted.stop]
        texture: list[Tensor] = []
        if spec.texture:
            shown = (pyramid[spec.texture_level] + 0.5).to(torch.uint8).cpu().numpy()
            codes = torch.from_numpy(np.stack([measure_texture(planes) for planes in shown]))
            texture = texture_levels(codes, texture_count(spec, wanted))
            texture = [level.to(region.device) for level in texture]
        view = pyramid[spec.view_level]
        segmentation = self.segmenter(view, levels, self.lattice, texture=texture)
        probability = torch.softmax(segmentation.logits.float(), dim=1).cpu().numpy()
        grid = segmentation.grid.cpu().numpy()
        pixels = [unwarp(*prediction, size) for prediction in zip(probability, grid, strict=True)]
        return torch.from_numpy(np.stack(pixels)).to(region.device)


def load_network(folder: str) -> RegionNetwork:
    """Return the network of a bundle from its folder `models`, ready to segment."""
    segmenter, card = load_model(Path(folder))
    return RegionNetwork(segmenter, card.lattice).eval()


def read_image(path: str) -> Tensor:
    """Return an image file, (3, H, W), RGB in 0..255, float32."""
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float()


@dataclass(frozen=True)
class Evaluator:
    """Segments the images of a data set and writes their labels as PNG."""

    network: nn.Module
    dataset: Sequence[Tensor]
    files: Sequence[str]
    inferer: Callable[[Tensor, nn.Module], Tensor]
    device: torch.device
    output_dir: str

    @torch.inference_mode()
    def run(self) -> list[Path]:
        """Return the files written: class values from 1, of the image's size."""
        folder = Path(self.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        pairs = zip(self.files, self.dataset, strict=True)
        for file, image in tqdm(pairs, total=len(self.files), unit="image", disable=None):
            probability = self.inferer(image[None].to(self.device), self.network)
            labels = (probability.argmax(dim=1)[0] + 1).to(torch.uint8).cpu().numpy()
            path = folder / f"{Path(file).stem}.labels.png"
            Image.fromarray(labels).save(path)
            written.append(path)
        return written


def _inference(card: ModelCard) -> dict[str, Any]:
    side = card.region_size
    return {
        "imports": ["$import glob", "$import torch", "$from lds_path.bundle import read_image"],
        "bundle_root": ".",
        "dataset_dir": "$@bundle_root + '/images'",
        "output_dir": "$@bundle_root + '/labels'",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "files": "$sorted(glob.glob(@dataset_dir + '/*'))",
        "network_def": {
            "_target_": "lds_path.bundle.load_network",
            "folder": "$@bundle_root + '/models'",
        },
        "network": "$@network_def.to(@device)",
        "preprocessing": "$read_image",
        "dataset": {"_target_": "Dataset", "data": "@files", "transform": "@preprocessing"},
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": [side.height, side.width],
            "sw_batch_size": 1,
            "overlap": _OVERLAP,
            "mode": "gaussian",
            "cval": GLASS,
        },
        "evaluator": {
            "_target_": "lds_path.bundle.Evaluator",
            "network": "@network",
            "dataset": "@dataset",
            "files": "@files",
            "inferer": "@inferer",
            "device": "@device",
            "output_dir": "@output_dir",
        },
        "initialize": ["$torch.manual_seed(0)"],
        "run": ["$@evaluator.run()"],
    }


def _metadata(card: ModelCard, name: str) -> dict[str, Any]:
    spatial = [card.region_size.height, card.region_size.width]
    names = {str(label_class.value - 1): label_class.name for label_class in card.classes}
    return {
        "version": __version__,
        "changelog": {__version__: "written by lds-path"},
        "monai_version": monai.__version__,
        "pytorch_version": torch.__version__,
        "numpy_version": np.__version__,
        "required_packages_version": {"lds-path": __version__},
        "name": name,
        "task": "Segmentation of histology with learned downsampling",
        "description": card.description or f"Segments {', '.join(card.class_names)}",
        "authors": ", ".join(card.authors),
        "copyright": card.licence,
        "data_source": card.data,
        "data_type": "RGB image",
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image",
                    "format": "RGB",
                    "modality": "histology",
                    "num_channels": 3,
                    "spatial_shape": spatial,
                    "dtype": "float32",
                    "value_range": [0, 255],
                    "is_patch_data": True,
                    "channel_def": {"0": "red", "1": "green", "2": "blue"},
                    "microns_per_pixel": card.mpp,
                }
            },
            "outputs": {
                "pred": {
                    "type": "probabilities",
                    "format": "segmentation",
                    "num_channels": len(card.classes),
                    "spatial_shape": spatial,
                    "dtype": "float32",
                    "value_range": [0, 1],
                    "is_patch_data": True,
                    "channel_def": names,
                }
            },
        },
    }


_USE = """\
Put RGB images at the resolution above into `images/` of this folder, and run, with lds-path
installed:

```python
from monai.bundle import ConfigWorkflow

workflow = ConfigWorkflow(
    "configs/inference.json", meta_file="configs/metadata.json", workflow_type="inference"
)
workflow.initialize()
workflow.run()
workflow.finalize()
```

The labels appear in `labels/`. Change folders by `bundle_root=`, `dataset_dir=` and `output_dir=`.
"""
