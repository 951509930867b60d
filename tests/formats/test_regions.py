from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lds_path.errors import StageInputError
from lds_path.formats.regions import COLUMNS, copy_regions, read_regions, write_regions
from lds_path.geometry import Frame, Region, Size

if TYPE_CHECKING:
    from pathlib import Path

REGIONS = [
    Region(0, 0, 0, Size(2048, 2048), Size(256, 256)),
    Region(1, 1792, 0, Size(2048, 2048), Size(128, 512)),
]
FRAME = Frame(mpp=0.5, downsample=2.0, left_l0=100, top_l0=7)

numbers = st.integers(0, 10**6)
sizes = st.builds(Size, st.integers(1, 10**5), st.integers(1, 10**5))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "regions.tsv"
    write_regions(path, REGIONS, [1.0, 0.25], FRAME)
    return path


@settings(deadline=None)
@given(places=st.lists(st.tuples(numbers, numbers, sizes, sizes), min_size=1, max_size=5))
def test_a_table_comes_back_as_it_was_written(places, tmp_path_factory):
    path = tmp_path_factory.mktemp("regions") / "regions.tsv"
    regions = [Region(index, *place) for index, place in enumerate(places)]
    write_regions(path, regions, [0.5] * len(regions), FRAME)
    assert read_regions(path) == regions


def test_a_table_gives_each_rectangle_in_level_0_pixels_too(table):
    header, _, second = (line.split("\t") for line in table.read_text().splitlines())
    row = dict(zip(header, second, strict=True))
    assert tuple(header) == COLUMNS
    assert float(row["left_l0"]) == 100 + 1792 * 2
    assert float(row["top_l0"]) == 7
    assert float(row["width_l0"]) == 4096
    assert float(row["tissue_share"]) == 0.25


def test_the_same_regions_give_the_same_bytes(table, tmp_path):
    again = tmp_path / "again.tsv"
    write_regions(again, REGIONS, [1.0, 0.25], FRAME)
    assert again.read_bytes() == table.read_bytes()


def test_every_region_needs_its_share(tmp_path):
    with pytest.raises(ValueError, match="zip"):
        write_regions(tmp_path / "regions.tsv", REGIONS, [1.0], FRAME)


def test_a_missing_table_names_the_stage_to_run(tmp_path):
    with pytest.raises(StageInputError, match=r"regions.tsv is missing; run the detect stage"):
        read_regions(tmp_path / "regions.tsv")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lattice_width", "lattice", "has no column lattice_width"),
        ("\n1\t", "\n2\t", "line 3: found region 2, expected 1"),
        ("\t1792\t", "\tfar\t", "line 3: left is 'far', expected a whole number"),
        ("\t128\t", "\t0\t", "line 3: lattice_width is 0, expected 1 or more"),
    ],
)
def test_a_spoilt_table_names_the_line_and_the_value(table, old, new, message):
    text = table.read_text()
    assert old in text
    table.write_text(text.replace(old, new))
    with pytest.raises(StageInputError, match=message):
        read_regions(table)


def test_a_short_row_is_refused(table):
    table.write_text(table.read_text() + "2\t0\n")
    with pytest.raises(StageInputError, match="line 4: top is None"):
        read_regions(table)


def test_a_table_without_rows_is_refused(table):
    table.write_text(table.read_text().splitlines()[0] + "\n")
    with pytest.raises(StageInputError, match="lists no region"):
        read_regions(table)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\x01", b"", b"region\tleft\n\x00\r"])
def test_a_file_that_is_no_table_is_refused(table, content):
    table.write_bytes(content)
    with pytest.raises(StageInputError, match="run the detect stage again"):
        read_regions(table)


def test_a_copy_differs_in_the_lattices_alone(table, tmp_path):
    lattices = [Size(64, 64), Size(96, 192)]
    copy_regions(table, tmp_path / "copy.tsv", lattices)
    expected = [
        replace(region, lattice=size) for region, size in zip(REGIONS, lattices, strict=True)
    ]
    assert read_regions(tmp_path / "copy.tsv") == expected
    copy_regions(
        tmp_path / "copy.tsv", tmp_path / "back.tsv", [region.lattice for region in REGIONS]
    )
    assert (tmp_path / "back.tsv").read_bytes() == table.read_bytes()


def test_a_copy_needs_a_lattice_for_every_region(table, tmp_path):
    with pytest.raises(ValueError, match="zip"):
        copy_regions(table, tmp_path / "copy.tsv", [Size(8, 8)])
