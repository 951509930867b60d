import numpy as np
import pytest
from PIL import Image

import lds_path as lds
from lds_path.errors import ModelError, StageInputError, UnreadableSlideError, UsageError
from lds_path.options.slides import DemoOptions
from lds_path.stages.demo import demo


def test_a_slide_is_segmented_in_this_process(tmp_path):
    demo(tmp_path / "demo", options=DemoOptions(width=700, height=600))
    path = tmp_path / "demo/slide.tif"
    asked = {"model": "demo", "output": tmp_path / "results", "threads": 1, "device": "cpu"}
    result = lds.segment(path, **asked)
    assert result.name == "slide"
    assert result.labels.levels[0].shape == (600, 700)
    assert (result.labels.levels[0] > 1).any()
    assert result.slide.levels[0].shape == (3, 600, 700)
    assert result.metrics["confidence"]["value"] > 0
    assert result.read_objects() is not None
    other = tmp_path / "other/slide.tif"
    other.parent.mkdir()
    other.write_bytes(path.read_bytes())
    with pytest.raises(UsageError, match=r"was made from .*demo/slide.tif, .* another `name`"):
        lds.segment(other, **asked)


def test_a_slide_without_tissue_says_so(tmp_path):
    Image.fromarray(np.full((600, 700, 3), 243, np.uint8)).save(tmp_path / "my glass!.png")
    with pytest.raises(StageInputError, match=r"my-glass- .* is quarantined \(.*tissue"):
        lds.segment(tmp_path / "my glass!.png", model="demo", output=tmp_path / "results", mpp=0.5)


def test_what_cannot_be_done_is_refused_before_anything_is_written(tmp_path):
    path, output = tmp_path / "slide.tif", tmp_path / "results"
    with pytest.raises(ModelError, match="nothing-like-it"):
        lds.segment(path, model="nothing-like-it", output=output)
    with pytest.raises(UsageError, match="ladder"):
        lds.segment(path, model="colon-epithelium", output=output, budget="64")
    with pytest.raises(UsageError, match="is not made of letters"):
        lds.segment(path, model="demo", output=output, name="../x")
    with pytest.raises(UnreadableSlideError, match=r"slide.tif cannot be opened"):
        lds.segment(path, model="demo", output=output)
    assert not output.exists()
