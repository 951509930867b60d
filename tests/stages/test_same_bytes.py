"""The stages from a painted slide to its objects: neither threads nor shards change a byte."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from lds_path.options.labels import SegmentOptions
from lds_path.options.slides import DemoOptions
from lds_path.stages.demo import demo
from lds_path.stages.detect import detect
from lds_path.stages.export import export
from lds_path.stages.segment import segment
from lds_path.stages.stitch import stitch
from lds_path.stages.tile import tile

if TYPE_CHECKING:
    from pathlib import Path


def analyse(slide: Path, root: Path, *, threads: int, shards: int) -> dict[str, bytes]:
    """Return the Zarr, the regions, the label image and the GeoJSON of a slide, by their paths."""
    tile(slide, root / "tile/a", threads=threads, strict=True)
    detect(root / "tile/a", root / "detect/a", strict=True)
    parts = [f"{number}-of-{shards}" for number in range(1, shards + 1)]
    for part in parts:
        segment(
            root / "tile/a",
            root / "detect/a",
            root / "segment/a" / part,
            model="demo",
            threads=threads,
            strict=True,
            options=SegmentOptions(shard=part, device="cpu"),
        )
    stitch(
        root / "tile/a",
        root / "detect/a",
        [root / "segment/a" / part for part in parts],
        root / "stitch/a",
        threads=threads,
        strict=True,
    )
    export(root / "stitch/a", root / "export/a", threads=threads, strict=True)
    files = [path for path in (root / "tile/a/pyramid.ome.zarr").rglob("*") if path.is_file()]
    files += [root / "detect/a/regions.tsv"]
    files += [root / "stitch/a/a.labels.ome.tif", root / "export/a/a.geojson.gz"]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def slide(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("painted") / "a"
    demo(folder, options=DemoOptions(seed=3, width=3000, height=2500))
    return folder / "slide.tif"


@pytest.fixture(scope="module")
def once(slide, tmp_path_factory) -> dict[str, bytes]:
    """With one thread and one shard."""
    return analyse(slide, tmp_path_factory.mktemp("once"), threads=1, shards=1)


@pytest.mark.parametrize(("threads", "shards"), [(2, 1), (1, 3), (2, 3)])
def test_threads_and_shards_change_no_byte(slide, once, tmp_path, threads, shards):
    again = analyse(slide, tmp_path, threads=threads, shards=shards)
    assert again.keys() == once.keys()
    assert [path for path in once if again[path] != once[path]] == []


def test_the_slide_has_objects_and_several_regions(once):
    """Otherwise there would be nothing to tell apart."""
    assert gzip.decompress(once["export/a/a.geojson.gz"]).count(b'"objectType"') > 5
    assert len(once["detect/a/regions.tsv"].splitlines()) > 3
