from __future__ import annotations

import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lds_path.errors import StageInputError, UsageError
from lds_path.formats.predictions import (
    Prediction,
    Predictions,
    PredictionWriter,
    encode_grid,
    encode_probability,
)
from lds_path.geometry import Region, Size


def make_prediction(index=0, lattice=None, classes=3):
    lattice = lattice or Size(8, 6)
    generator = np.random.default_rng(index)
    shape = (lattice.height, lattice.width)
    return Prediction(
        region=Region(index, 48 * index, 16, Size(64, 48), lattice),
        probability=generator.integers(0, 256, (classes, *shape), np.uint8),
        grid=generator.integers(0, 65536, (*shape, 2), np.uint16),
        density=generator.random((4, 4)).astype(np.float16),
    )


def write(path, predictions):
    with PredictionWriter(path) as writer:
        for prediction in predictions:
            writer.write(prediction)
    return path


def assert_same(found, expected):
    assert found.region == expected.region
    for name in ("probability", "grid", "density"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        assert getattr(found, name).dtype == getattr(expected, name).dtype


def test_what_is_written_is_read_from_every_shard_in_index_order(tmp_path):
    predictions = [make_prediction(index) for index in range(5)]
    paths = [write(tmp_path / f"{shard}.npz", predictions[1 - shard :: 2]) for shard in range(2)]

    with Predictions(paths) as found:
        assert found.regions == [prediction.region for prediction in predictions]
        for prediction in predictions:
            assert_same(found.read(prediction.region.index), prediction)


def test_lattice_sizes_may_differ_between_regions(tmp_path):
    predictions = [make_prediction(0, Size(8, 6)), make_prediction(1, Size(4, 4))]
    with Predictions([write(tmp_path / "a.npz", predictions)]) as found:
        assert_same(found.read(1), predictions[1])


def test_numpy_opens_the_file_without_pickle(tmp_path):
    prediction = make_prediction(17)
    path = write(tmp_path / "a.npz", [prediction])
    with np.load(path, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["region_000017/grid"], prediction.grid)
        assert arrays["regions"]["left"].tolist() == [48 * 17]


def test_the_same_predictions_give_the_same_bytes(tmp_path):
    first = write(tmp_path / "a.npz", [make_prediction(3)])
    second = write(tmp_path / "b.npz", [make_prediction(3)])
    assert first.read_bytes() == second.read_bytes()


def test_threads_read_what_one_reads(tmp_path):
    predictions = [make_prediction(index) for index in range(12)]
    path = write(tmp_path / "a.npz", predictions)
    with Predictions([path]) as found, ThreadPoolExecutor(4) as pool:
        for read, expected in zip(pool.map(found.read, range(12)), predictions, strict=True):
            assert_same(read, expected)


def test_a_shard_without_regions_is_a_file(tmp_path):
    with Predictions([write(tmp_path / "a.npz", [])]) as found:
        assert found.regions == []


def test_stored_positions_come_back_within_half_a_step():
    positions = np.linspace(-1, 1, 97, dtype=np.float32).reshape(1, 97, 1).repeat(2, axis=2)
    region = Region(0, 0, 0, Size(2048, 2048), Size(97, 1))
    probability = np.zeros((1, 1, 97), np.uint8)
    stored = Prediction(region, probability, encode_grid(positions), np.ones((2, 2), np.float16))
    assert np.abs(stored.positions - positions).max() <= 1.01 / 65535
    assert stored.positions[0, 0, 0] == -1
    assert stored.positions[0, -1, 0] == 1


def test_stored_probability_rounds_to_the_nearest():
    assert encode_probability(np.array([0, 0.5 / 255 + 1e-4, 1, 1.2])).tolist() == [0, 1, 255, 255]


def test_an_error_while_writing_leaves_no_file(tmp_path):
    with pytest.raises(ZeroDivisionError):
        write(tmp_path / "a.npz", (make_prediction(1 // left) for left in (1, 0)))
    assert list(tmp_path.iterdir()) == []


def test_arrays_that_do_not_fit_the_lattice_are_refused(tmp_path):
    prediction = make_prediction()
    wrong = Prediction(prediction.region, prediction.probability[:, 1:], prediction.grid, None)
    with (
        pytest.raises(ValueError, match="lattice of"),
        PredictionWriter(tmp_path / "a.npz") as writer,
    ):
        writer.write(wrong)


def test_one_region_in_two_shards_is_named(tmp_path):
    paths = [write(tmp_path / f"{name}.npz", [make_prediction(4)]) for name in "ab"]
    with pytest.raises(UsageError, match="region 4"):
        Predictions(paths)


@pytest.mark.parametrize("content", [None, b"", b"not a zip"])
def test_a_missing_or_unfinished_file_is_named(tmp_path, content):
    path = tmp_path / "predictions.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StageInputError, match=r"predictions\.npz (is missing|is damaged)"):
        Predictions([path])


def test_a_zip_of_something_else_is_named(tmp_path):
    path = tmp_path / "other.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(StageInputError, match="no table of regions"):
        Predictions([path])


def test_a_region_that_no_shard_holds_is_named(tmp_path):
    path = write(tmp_path / "a.npz", [make_prediction(0)])
    with Predictions([path]) as found, pytest.raises(StageInputError, match="region 5"):
        found.read(5)


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory):
    prediction = make_prediction(0)
    path = write(tmp_path_factory.mktemp("spoilt") / "a.npz", [prediction])
    return path, path.read_bytes(), prediction


@settings(max_examples=300)
@given(st.data())
def test_a_changed_byte_is_named_or_changes_nothing(spoilt, data):
    path, content, expected = spoilt
    place = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(changed)
    problem, regions = "", []
    try:
        with Predictions([path]) as found:
            regions = [found.read(region.index) for region in found.regions]
    except StageInputError as error:
        problem = str(error)
    if problem:
        assert str(path) in problem
        assert "run segment again" in problem
    else:
        assert len(regions) == 1
        assert_same(regions[0], expected)


@pytest.mark.parametrize("name", ["probability", "grid", "density", "regions"])
def test_a_changed_array_is_named(tmp_path, name):
    path = write(tmp_path / "a.npz", [make_prediction(4)])
    entry = "regions.npy" if name == "regions" else f"region_000004/{name}.npy"
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(entry)
    content = bytearray(path.read_bytes())
    content[info.header_offset + 30 + len(entry) + info.compress_size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(StageInputError, match=rf"a\.npz is damaged .*{name}.*; run segment again"):
        Predictions([path]).read(4)


@pytest.mark.parametrize("header", ["{'descr': (", "{\x00}", "'", ")]"])
def test_an_array_whose_header_is_no_header_is_named(tmp_path, header):
    path = tmp_path / "a.npz"
    array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("regions.npy", array)
    with pytest.raises(StageInputError, match=r"a\.npz is damaged .*; run segment again"):
        Predictions([path])
