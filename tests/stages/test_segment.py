from __future__ import annotations

import logging
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_slides import CLASSES, LATTICE, make_card, make_slide, save_random_model

from lds_path.classes import LabelClass
from lds_path.errors import ModelError, UsageError
from lds_path.formats.predictions import Predictions
from lds_path.formats.pyramid import Pyramid, open_pyramid
from lds_path.formats.regions import read_regions
from lds_path.formats.results import SegmentResults
from lds_path.formats.spread import DISTANCES_NAME, read_distances
from lds_path.geometry import Size
from lds_path.inference.batches import cpu_batch_size
from lds_path.inference.familiarity import COMPARED, PATCHES, measure_familiarity
from lds_path.inference.runner import Runner
from lds_path.models.card import write_card
from lds_path.models.checkpoint import load_model, save_model
from lds_path.network.segmenter import Segmenter
from lds_path.network.spec import NetworkSpec
from lds_path.options.labels import SegmentOptions
from lds_path.provenance.fingerprint import sha256
from lds_path.provenance.manifest import read_manifest
from lds_path.provenance.stage_folder import open_folder
from lds_path.provenance.stage_run import run_stage
from lds_path.stages.segment import segment

SPEC = NetworkSpec(
    2, channels=(4, 8), density_channels=(4, 8, 8), kernel_width=0.15, shared_features=False
)
CARD = make_card(SPEC)


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    return make_slide(tmp_path_factory.mktemp("slides"), "a")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_random_model(tmp_path_factory.mktemp("model"), SPEC)


def run(slide, model, output, *, threads=1, classes=None, **options):
    return segment(
        slide.tile,
        slide.detect,
        output,
        model=str(model),
        options=SegmentOptions(**options),
        threads=threads,
        classes=classes,
    )


@pytest.mark.parametrize(
    ("part", "message"),
    [("network", "gives probabilities that"), ("density", "gives densities that")],
)
def test_weights_so_large_that_results_overflow_stop_the_stage(
    slide, model, tmp_path, part, message
):
    """Cast to bytes, NaN would label everything as the first class."""
    segmenter, card = load_model(model)
    for weight in getattr(segmenter, part).parameters():
        weight.data *= 1e30
    (tmp_path / "large").mkdir()
    save_model(tmp_path / "large", segmenter, card)
    with pytest.raises(ModelError, match=f"{message} are not finite numbers, from region 0 on"):
        run(slide, tmp_path / "large", tmp_path / "a")
    assert not (tmp_path / "a" / "manifest.json").exists()


def test_every_region_has_probabilities_a_grid_and_a_density(slide, model, tmp_path):
    manifest = run(slide, model, tmp_path / "a")
    regions = read_regions(slide.detect / "regions.tsv")
    assert manifest.slide == "a"
    assert manifest.results["regions"] == len(regions)
    assert manifest.results["samples"] == len(regions) * LATTICE**2
    assert [item["name"] for item in manifest.results["classes"]] == list(CLASSES)
    with Predictions([tmp_path / "a" / "predictions.npz"]) as predictions:
        assert predictions.regions == regions
        for region in regions:
            found = predictions.read(region.index)
            total = found.probability.astype(int).sum(axis=0)
            assert np.abs(total - 255).max() <= 1
            assert np.abs(found.density.astype(float).mean() - 1) < 0.01
            assert np.ptp(found.density) > 0.5


def test_the_manifest_has_the_hash_of_all_files_of_the_model(slide, model, tmp_path):
    """A card alone changes what the same weights predict."""
    shutil.copytree(model, tmp_path / "model")
    before = run(slide, tmp_path / "model", tmp_path / "a").inputs["model"]
    files = ("model.json", "weights.safetensors")
    assert before["path"] == str(tmp_path / "model")
    assert before["files"] == {name: sha256(model / name) for name in files}
    write_card(tmp_path / "model", replace(CARD, description="another"))
    after = run(slide, tmp_path / "model", tmp_path / "a").inputs["model"]
    assert after["sha256"] != before["sha256"]
    assert after["files"][files[1]] == before["files"][files[1]]


def test_a_prediction_is_what_the_network_says(slide, model, tmp_path):
    """Reading only the needed levels, in threads, changes nothing."""
    run(slide, model, tmp_path / "a", precision="float32")
    segmenter, _ = load_model(model)
    pyramid = open_pyramid(slide.tile)
    region = read_regions(slide.detect / "regions.tsv")[1]
    runner = Runner(segmenter, pyramid, torch.device("cpu"), 1, 1)
    batch = (region,) * cpu_batch_size(region.lattice)
    sampled = runner._sample(batch, 1, runner._read_views(batch, 1))
    everything = replace(sampled, needed=(range(10),))
    (expected,) = runner._classify(sampled, runner._read(everything))
    with Predictions([tmp_path / "a" / "predictions.npz"]) as predictions:
        found = predictions.read(region.index)
    assert np.abs(found.probability.astype(int) - expected.probability).max() <= 1
    np.testing.assert_array_equal(found.grid, expected.grid)


def test_bfloat16_changes_probabilities_a_little_and_no_grid(slide, model, tmp_path):
    found = {}
    for precision in ("float32", "bfloat16"):
        manifest = run(slide, model, tmp_path / precision, precision=precision)
        assert manifest.results["precision"] == precision
        with Predictions([tmp_path / precision / "predictions.npz"]) as predictions:
            found[precision] = predictions.read(0)
    exact, fast = found["float32"], found["bfloat16"]
    np.testing.assert_array_equal(exact.grid, fast.grid)
    difference = np.abs(exact.probability.astype(int) - fast.probability)
    assert 0 < difference.max() <= 16
    assert difference.mean() < 2


@pytest.mark.parametrize("changes", [{"threads": 3}, {"batch_size": 2}])
def test_threads_and_batches_do_not_change_a_byte(slide, model, tmp_path, changes):
    run(slide, model, tmp_path / "a")
    run(slide, model, tmp_path / "b", **changes)
    first, second = (tmp_path / name / "predictions.npz" for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_all_shards_together_hold_what_a_single_one_holds(slide, model, tmp_path):
    run(slide, model, tmp_path / "whole")
    shards = [tmp_path / f"{number}" for number in (1, 2, 3)]
    for number, folder in enumerate(shards, start=1):
        run(slide, model, folder, shard=f"{number}-of-3")
    with (
        Predictions([tmp_path / "whole" / "predictions.npz"]) as whole,
        Predictions([folder / "predictions.npz" for folder in shards]) as parts,
    ):
        assert parts.regions == whole.regions
        for region in whole.regions:
            one, other = whole.read(region.index), parts.read(region.index)
            for name in ("probability", "grid", "density"):
                np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_a_shard_may_be_empty(slide, model, tmp_path):
    manifest = run(slide, model, tmp_path / "a", shard="99-of-99")
    assert manifest.results["regions"] == 0


def test_levels_that_no_sample_needs_are_not_read(slide, tmp_path, monkeypatch):
    torch.manual_seed(0)
    save_model(tmp_path, Segmenter(SPEC), CARD)  # constant density: pitch 16, level 4 alone
    read = []

    def spy(self, level, left, top, size, _read=Pyramid.read):
        read.append((level, size.width))
        return _read(self, level, left, top, size)

    monkeypatch.setattr(Pyramid, "read", spy)
    run(slide, tmp_path, tmp_path / "a")
    coarsest = open_pyramid(slide.tile).level_count - 1
    assert {level for level, _ in read} == {coarsest}


def test_a_quarantined_slide_is_passed_on(slide, model, tmp_path):
    def work(*_):
        from lds_path.errors import UnsuitableSlideError

        raise UnsuitableSlideError("no tissue")

    run_stage("detect", tmp_path / "d", work, inputs={"tile": slide.tile}, parameters={})
    manifest = segment(slide.tile, tmp_path / "d", tmp_path / "a", model=str(model))
    assert manifest.quarantined
    assert manifest.reason == "no tissue"


def test_the_command_imports_torch_and_the_networks_frozen_and_no_compiler(slide, model, tmp_path):
    code = """
import sys
from contextlib import contextmanager
from lds_path import cli

found = set()

@contextmanager
def frozen_imports():
    before = set(sys.modules)
    yield
    found.update(set(sys.modules) - before)

cli.frozen_imports = frozen_imports
cli.cli(["segment", *sys.argv[1:]], standalone_mode=False)
print(sorted({"torch", "lds_path.network.architectures.monai_networks"} & found))
print("numba" in sys.modules)
"""
    arguments = [slide.tile, slide.detect, tmp_path / "a", "--model", model]
    ended = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ended.stdout == "['lds_path.network.architectures.monai_networks', 'torch']\nFalse\n"


@pytest.mark.parametrize("shard", ["0-of-2", "3-of-2", "1of2", "", "1-of-0", "-1-of-2"])
def test_a_wrong_shard_is_named(slide, model, tmp_path, shard):
    with pytest.raises(UsageError, match=f"the shard '{shard}' is not k-of-n"):
        run(slide, model, tmp_path / "a", shard=shard)


def test_an_unknown_device_is_named(slide, model, tmp_path):
    with pytest.raises(UsageError, match="device 'tpu' is unknown; there are auto, cpu, cuda"):
        run(slide, model, tmp_path / "a", device="tpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_gpu_is_named(slide, model, tmp_path):
    with pytest.raises(UsageError, match="no CUDA device; set `device` to auto or cpu"):
        run(slide, model, tmp_path / "a", device="cuda")


def test_a_missing_model_is_named(slide, tmp_path):
    with pytest.raises(ModelError, match="'nowhere' does not exist"):
        run(slide, "nowhere", tmp_path / "a")


def test_other_classes_than_the_models_are_named(slide, model, tmp_path):
    with pytest.raises(ModelError, match=r"has the classes \[Pale, Dark\].*lists \[Pale, Red\]"):
        run(slide, model, tmp_path / "a", classes=("Pale", "Red"))
    run(slide, model, tmp_path / "b", classes=CLASSES)


@pytest.mark.parametrize(
    ("mpp", "word", "message"),
    [
        (
            0.25,
            "fail",
            r"tiled at 0\.25 um per pixel, but the model '.*' learned at 0\.5; set `tile",
        ),
        (0.56, "warn", r"tiled at 0\.56 um per pixel"),
    ],
)
def test_another_mpp_than_the_models_is_a_warning_and_a_remark(
    model, tmp_path, caplog, mpp, word, message
):
    slide = make_slide(tmp_path, "other", mpp=mpp)
    with caplog.at_level(logging.WARNING):
        manifest = run(slide, model, tmp_path / "a")
    (remark,) = manifest.results["remarks"]
    assert remark["word"] == word
    assert re.search(message, remark["reason"])
    assert remark["reason"] in caplog.text


def test_other_regions_than_the_model_learned_from_are_a_remark(slide, tmp_path, caplog):
    torch.manual_seed(0)
    card = replace(CARD, region_size=Size(1024, 1024), lattice=Size(64, 64))
    save_model(tmp_path, Segmenter(SPEC), card)
    manifest = run(slide, tmp_path, tmp_path / "a")
    reasons = [remark["reason"] for remark in manifest.results["remarks"]]
    assert [remark["word"] for remark in manifest.results["remarks"]] == ["warn", "warn"]
    assert "the regions have 512 pixels per side" in reasons[0]
    assert "learned from 1024; set `detect: region_size` to null" in reasons[0]
    assert "the lattices have 32 samples per side" in reasons[1]
    assert all(reason in caplog.text for reason in reasons)


@pytest.mark.parametrize("painted", [False, True])
def test_a_model_of_painted_slides_fails_on_every_other_slide(tmp_path, painted):
    torch.manual_seed(0)
    save_model(tmp_path, Segmenter(SPEC), replace(CARD, synthetic=True))
    slide = make_slide(tmp_path, "a", painted=painted)
    manifest = run(slide, tmp_path, tmp_path / "out")
    words = [(remark["word"], remark["reason"]) for remark in manifest.results["remarks"]]
    reason = (
        f"the model '{tmp_path}' knows only painted slides: its labels mean nothing on this one"
    )
    assert words == ([] if painted else [("fail", reason)])


def test_the_results_say_what_the_model_is_and_how_much_it_does_not_know(slide, tmp_path):
    torch.manual_seed(0)
    segmenter = Segmenter(SPEC)
    places = [(open_pyramid(slide.tile), region) for region in regions_of(slide)]
    familiarity = measure_familiarity(segmenter, places, [])
    scores = {"tune_dice": {"Pale": 0.9, "Dark": None}}
    card = replace(CARD, description="Tries things", scores=scores, familiarity=familiarity)
    for number, limit in enumerate((1e-3, 1e3)):
        features = replace(familiarity.features, limit=limit)
        changed = replace(card, familiarity=replace(familiarity, features=features))
        save_model(tmp_path, segmenter, changed)
        manifest = run(slide, tmp_path, tmp_path / f"{number}")
        found = open_folder(tmp_path / f"{number}").read(SegmentResults)
        assert found.about.description == "Tries things"
        assert found.about.tune_dice == scores["tune_dice"]
        assert found.about.colours == familiarity.colours
        assert found.patches == len(places) * PATCHES**2
        assert manifest.results["unlike_patches"] == (0 if number else found.patches)
        distances = read_distances(open_folder(tmp_path / f"{number}").file(DISTANCES_NAME))
        assert list(distances) == [region.index for region in regions_of(slide)]
        assert any((each > 1).any() for each in distances.values()) == (number == 0)


@pytest.mark.parametrize("shards", [1, 2])
def test_where_no_region_has_the_model_s_lattice_some_are_compared_on_it(slide, tmp_path, shards):
    """Else a budget that gives it to no region would hide a slide that is unlike what the model learned."""
    torch.manual_seed(0)
    segmenter = Segmenter(SPEC)
    regions = regions_of(slide)
    finer = Size(2 * LATTICE, 2 * LATTICE)
    places = [(open_pyramid(slide.tile), replace(region, lattice=finer)) for region in regions]
    familiarity = measure_familiarity(segmenter, places, [])
    never = replace(familiarity.features, limit=1e-3)
    card = replace(CARD, lattice=finer, familiarity=replace(familiarity, features=never))
    save_model(tmp_path, segmenter, card)
    folders = [tmp_path / f"{number}-of-{shards}" for number in range(1, shards + 1)]
    results = [run(slide, tmp_path, folder, shard=folder.name).results for folder in folders]
    patches = min(len(regions), COMPARED) * PATCHES**2
    assert sum(each["unlike_patches"] for each in results) == patches
    assert sum(each["regions"] for each in results) == len(regions)
    with Predictions([folder / "predictions.npz" for folder in folders]) as predictions:
        assert predictions.regions == regions
    assert not read_distances(open_folder(folders[0]).file(DISTANCES_NAME))


def regions_of(slide):
    return read_regions(slide.detect / "regions.tsv")


def test_a_slide_coarser_than_asked_for_gives_a_warning(model, tmp_path, caplog):
    slide = make_slide(tmp_path, "coarse", mpp=0.8)
    manifest = read_manifest(slide.tile)
    run_stage(
        "tile", tmp_path / "asked", lambda *_: manifest.results, inputs={}, parameters={"mpp": 0.5}
    )
    (tmp_path / "asked" / "manifest.json").replace(slide.tile / "manifest.json")
    with caplog.at_level(logging.WARNING):
        run(slide, model, tmp_path / "a")
    assert "the slide has 0.8 um per pixel at its finest, but the model" in caplog.text


def test_regions_that_the_network_cannot_halve_are_named(slide, model, tmp_path):
    detect = tmp_path / "detect"
    text = (slide.detect / "regions.tsv").read_text()
    rows = [line.split("\t") for line in text.splitlines()]
    changed = [rows[0], *([*row[:9], "31", *row[10:]] for row in rows[1:])]

    def write(folder, _):
        (folder / "regions.tsv").write_text("\n".join(map("\t".join, changed)) + "\n")
        return {}

    run_stage(
        "detect",
        detect,
        write,
        inputs={"tile": slide.tile},
        parameters={},
    )
    with pytest.raises(UsageError, match="the lattice 31 x 32, but the model needs multiples of 2"):
        segment(slide.tile, detect, tmp_path / "a", model=str(model))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_gpu_agrees_with_the_cpu(slide, model, tmp_path, batch_size):
    run(slide, model, tmp_path / "cpu", device="cpu")
    run(slide, model, tmp_path / "gpu", device="cuda", batch_size=batch_size, threads=2)
    paths = [tmp_path / name / "predictions.npz" for name in ("cpu", "gpu")]
    with Predictions(paths[:1]) as cpu, Predictions(paths[1:]) as gpu:
        for region in cpu.regions:
            one, other = cpu.read(region.index), gpu.read(region.index)
            assert np.abs(one.probability.astype(int) - other.probability).max() <= 12
            assert np.abs(one.positions - other.positions).max() < 0.01


@pytest.fixture
def write_model(tmp_path):
    """Return a function that writes a model with other random weights."""

    def write(seed, spec=SPEC, **changes):
        folder = tmp_path / f"model-{seed}"
        folder.mkdir()
        torch.manual_seed(seed)
        save_model(folder, Segmenter(spec), replace(make_card(spec), **changes))
        return folder

    return write


def probabilities(folder):
    with Predictions([folder / "predictions.npz"]) as predictions:
        return np.stack([predictions.read(one.index).probability for one in predictions.regions])


def test_the_models_of_an_ensemble_see_the_samples_of_the_first(
    slide, model, write_model, tmp_path
):
    shared = replace(SPEC, shared_features=True)
    others = write_model(1), write_model(2, shared)
    manifest = run(slide, model, tmp_path / "all", also=tuple(map(str, others)))
    assert [name for name in manifest.inputs if name.startswith("model")] == [
        "model", "model/2", "model/3"
    ]  # fmt: skip
    alone = run(slide, model, tmp_path / "alone")
    assert read_samples(tmp_path / "all") == read_samples(tmp_path / "alone")
    assert alone.results["model"] == str(model)
    assert manifest.results["model"] == " + ".join(map(str, (model, *others)))
    run(slide, model, tmp_path / "twice", also=(str(model),))
    assert np.array_equal(probabilities(tmp_path / "twice"), probabilities(tmp_path / "alone"))
    assert not np.array_equal(probabilities(tmp_path / "all"), probabilities(tmp_path / "alone"))


def test_a_model_of_painted_slides_fails_on_every_other_slide_also_beside_another(
    slide, model, write_model, tmp_path
):
    other = write_model(1, synthetic=True)
    (remark,) = run(slide, model, tmp_path / "out", also=(str(other),)).results["remarks"]
    assert remark["word"] == "fail"
    assert remark["reason"].startswith(f"the model '{other}' knows only painted slides")


def test_models_with_and_without_texture_are_averaged(slide, write_model, tmp_path):
    models = write_model(1, replace(SPEC, texture=True)), write_model(2)
    for number, (one, other) in enumerate((models, models[::-1])):
        run(slide, one, tmp_path / str(number), also=(str(other),))
        run(slide, one, tmp_path / f"{number}-alone")
    first, second, *alone = (
        probabilities(tmp_path / name).astype(float) for name in ("0", "1", "0-alone", "1-alone")
    )
    # Both place their samples evenly, so that the order of the models is all that differs.
    assert np.abs(first - second).max() <= 1
    assert np.abs(first - np.mean(alone, axis=0)).max() <= 1
    assert np.abs(alone[0] - alone[1]).max() > 1


def read_samples(folder):
    with Predictions([folder / "predictions.npz"]) as predictions:
        return [predictions.read_grid(one.index).tobytes() for one in predictions.regions]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": (LabelClass(1, "Pale", (1, 2, 3)), LabelClass(2, "Grey", (9, 9, 9)))}, "Grey"),
        ({"mpp": 1.0}, "learned at 1 um per pixel, the first one at 0.5"),
        ({"spec": replace(SPEC, view_level=3)}, "another `view_level`"),
    ],
)
def test_models_that_cannot_be_averaged_say_why(
    slide, model, write_model, tmp_path, changes, message
):
    with pytest.raises(ModelError, match=message):
        run(slide, model, tmp_path / "out", also=(str(write_model(3, **changes)),))
    assert not (tmp_path / "out").exists()
