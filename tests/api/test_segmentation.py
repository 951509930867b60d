import shutil

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
    asked = {"model": "demo", "output": tmp_path / "results", "threads": 1}
    result = lds.segment(path, **asked)
    assert result.name == "slide"
    assert result.labels.levels[0].shape == (300, 350)  # four label pixels from sample to sample
    assert (result.labels.levels[0] > 1).any()
    assert result.slide.levels[0].shape == (3, 600, 700)
    assert result.metrics["confidence"]["value"] > 0
    assert result.read_objects() is not None
    times = [path.stat().st_mtime_ns for path in (tmp_path / "results").rglob("manifest.json")]
    assert lds.segment(path, **asked).name == "slide"
    assert times == [
        path.stat().st_mtime_ns for path in (tmp_path / "results").rglob("manifest.json")
    ]


def test_slides_of_one_name_get_ids_of_their_own(tmp_path):
    demo(tmp_path / "demo", options=DemoOptions(width=700, height=600))
    other = tmp_path / "other/slide.tif"
    other.parent.mkdir()
    shutil.copy(tmp_path / "demo/slide.tif", other)
    found = [
        lds.segment(path, model="demo", output=tmp_path / "results", threads=1).name
        for path in (tmp_path / "demo/slide.tif", other)
    ]
    assert found == ["slide", "slide-2"]
    assert (tmp_path / "results/report/index.html").is_file()


def test_a_slide_without_tissue_says_so(tmp_path):
    Image.fromarray(np.full((600, 700, 3), 243, np.uint8)).save(tmp_path / "my glass!.png")
    with pytest.raises(StageInputError, match=r"my-glass .* is quarantined \(.*tissue"):
        lds.segment(tmp_path / "my glass!.png", model="demo", output=tmp_path / "results", mpp=0.5)


def test_what_cannot_be_done_is_refused_before_a_stage_runs(tmp_path):
    path, output = tmp_path / "slide.png", tmp_path / "results"
    Image.fromarray(np.full((600, 700, 3), 243, np.uint8)).save(path)
    asked = {"output": output, "mpp": 0.5}
    with pytest.raises(UnreadableSlideError, match=r"gone.tif cannot be opened"):
        lds.segment(tmp_path / "gone.tif", model="demo", output=output)
    with pytest.raises(ModelError, match="nothing-like-it"):
        lds.segment(path, model="nothing-like-it", **asked)
    with pytest.raises(UsageError, match="plam"):
        lds.segment(path, model="demo", options={"plam": {}}, **asked)
    assert not output.exists()
    with pytest.raises(UsageError, match="ladder"):
        lds.segment(path, model="colon-epithelium", options={"plan": {"budget": "64"}}, **asked)
    assert not (output / "tile").exists()
