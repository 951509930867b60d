"""A Zarr store is one input: its hash is that of the list of its files."""

import subprocess

import pytest
from ngff import pyramid, random_pixels, write_image

from lds_path.provenance.fingerprint import describe_input, identify, is_store, note_input, sha256


@pytest.fixture(params=["0.4", "0.5"])
def store(tmp_path, request):
    levels = pyramid(random_pixels(200, 300), 1)
    return write_image(tmp_path / "a.zarr", levels, version=request.param)


def test_the_hash_of_a_store_is_the_one_that_sha256sum_gives(store):
    names = "find . -type f | sed 's,^./,,' | LC_ALL=C sort | xargs sha256sum | sha256sum"
    listed = subprocess.run(
        names, shell=True, cwd=store, capture_output=True, text=True, check=True
    )
    assert sha256(store) == listed.stdout.split()[0]
    assert describe_input(note_input(store, (store,))) == {
        "path": str(store),
        "sha256": sha256(store),
    }


def test_a_store_changes_with_any_file_in_it_but_not_with_those_of_other_programs(store):
    noted = note_input(store, (store,))
    (store / ".snakemake_timestamp").touch()
    (store / "0" / ".DS_Store").touch()
    assert list(noted.changed()) == []
    lost = next(file for file in (store / "1").rglob("*") if file.is_file())
    lost.unlink()
    assert list(noted.changed()) == [store]


def test_another_folder_is_no_input(tmp_path):
    (tmp_path / "a.zarr").mkdir()
    assert not is_store(tmp_path / "a.zarr")
    assert identify(tmp_path / "a.zarr") is None
