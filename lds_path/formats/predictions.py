"""Predictions of one shard: per region the probabilities on the lattice, the grid, the density.

The file is a `.npz` that `numpy.load` opens: for region 17 the arrays
`region_000017/probability`, `region_000017/grid` and `region_000017/density`, and one table
`regions` for all of them. It is written region by region, so that memory holds only one.
"""

from __future__ import annotations

import io
import tokenize
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from lds_path.errors import StageInputError, UsageError, named_damage
from lds_path.geometry import Region, Size
from lds_path.provenance.complete_file import complete_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

PREDICTIONS_NAME = "predictions.npz"
ARRAYS = ("probability", "grid", "density")
REGION_FIELDS = ("region", "left", "top", "width", "height", "lattice_width", "lattice_height")
REGION_TYPE = np.dtype([(name, "<i8") for name in REGION_FIELDS])

_FIXED_DATE = (1980, 1, 1, 0, 0, 0)
_DEFLATE_LEVEL = 1


@dataclass(frozen=True)
class Prediction:
    """What the network predicts for one region, on the region's warped lattice."""

    region: Region
    probability: NDArray[np.uint8]
    """Class probabilities, (C, h, w); p = value / 255."""
    grid: NDArray[np.uint16]
    """Sample positions (x, y), (h, w, 2); position in [-1, 1] = value / 65535 * 2 - 1."""
    density: NDArray[np.float16]
    """Density map with mean 1, (hd, wd)."""

    @property
    def positions(self) -> NDArray[np.float32]:
        """Sample positions (x, y) in [-1, 1], (h, w, 2); the outer pixel edges lie at -1 and 1."""
        return decode_grid(self.grid)


def decode_grid(grid: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return stored sample positions as (x, y) in [-1, 1]."""
    return (grid / np.float32(65535) * 2 - 1).astype(np.float32)


def encode_probability(probability: ArrayLike) -> NDArray[np.uint8]:
    """Return probabilities in [0, 1] as they are stored, to the nearest 1 / 255."""
    return np.rint(np.clip(probability, 0, 1) * np.float32(255)).astype(np.uint8)


def encode_grid(positions: ArrayLike) -> NDArray[np.uint16]:
    """Return positions in [-1, 1] as they are stored, to the nearest 2 / 65535."""
    fraction = (np.clip(positions, -1, 1).astype(np.float64) + 1) / 2
    return np.rint(fraction * 65535).astype(np.uint16)


class PredictionWriter:
    """Writes the predictions of one shard; a context manager.

    The file appears under its name when the block ends without an error. The same predictions
    in the same order give the same bytes.
    """

    def __init__(self, path: Path) -> None:
        self._regions: list[Region] = []
        with ExitStack() as files:
            partial = files.enter_context(complete_file(path))
            self._archive = files.enter_context(zipfile.ZipFile(partial, "w", allowZip64=True))
            files.push(self._write_table)
            self._files = files.pop_all()

    def __enter__(self) -> Self:
        return self

    def write(self, prediction: Prediction) -> None:
        """Add one region.

        Raises
        ------
        ValueError
            If an array does not have the shape that the region's lattice asks for.
        """
        _check_shapes(prediction)
        for name in ARRAYS:
            self._write_array(entry_name(prediction.region.index, name), getattr(prediction, name))
        self._regions.append(prediction.region)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.__exit__(kind, error, trace)

    def _write_table(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            rows = [_region_row(region) for region in self._regions]
            self._write_array("regions", np.array(rows, dtype=REGION_TYPE))

    def _write_array(self, name: str, array: NDArray[Any]) -> None:
        stream = io.BytesIO()
        np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
        compress = not name.endswith("/grid")  # it would shrink by 5 %, in half of all the time
        self._archive.writestr(
            zipfile.ZipInfo(f"{name}.npy", _FIXED_DATE),
            stream.getvalue(),
            compress_type=zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED,
            compresslevel=_DEFLATE_LEVEL,
        )


class Predictions:
    """The predictions of all shards of a slide, read one region at a time; a context manager.

    Reading is safe from several threads.

    Raises
    ------
    StageInputError
        If a file is missing or was not finished.
    UsageError
        If two files hold the same region.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files = ExitStack()
        self._archives: dict[int, zipfile.ZipFile] = {}
        regions: dict[int, Region] = {}
        for path in paths:
            archive = self._files.enter_context(_open_archive(path))
            for region in _read_regions(path, archive):
                if region.index in regions:
                    raise UsageError(
                        f"{path} holds region {region.index}, which another shard holds too;"
                        " give each shard of the slide once"
                    )
                regions[region.index] = region
                self._archives[region.index] = archive
        self._regions = regions

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    @property
    def regions(self) -> list[Region]:
        """All regions in the order of their index."""
        return [self._regions[index] for index in sorted(self._regions)]

    def read(self, index: int) -> Prediction:
        """Return the prediction of the region with this index.

        Raises
        ------
        StageInputError
            If no shard holds the region.
        """
        if index not in self._regions:
            raise StageInputError(
                f"no shard holds region {index}; run segment for every shard of the slide"
            )
        arrays = {name: self._read_array(index, name) for name in ARRAYS}
        prediction = Prediction(region=self._regions[index], **arrays)
        with named_damage(Path(self._archives[index].filename or ""), "segment"):
            _check_shapes(prediction)
        return prediction

    def read_grid(self, index: int) -> NDArray[np.uint16]:
        """Return only the stored sample positions of a region, (h, w, 2); see `decode_grid`."""
        return self._read_array(index, "grid")

    def _read_array(self, index: int, name: str) -> NDArray[Any]:
        return _read_entry(self._archives[index], entry_name(index, name))


def entry_name(index: int, array: str) -> str:
    """Return the name of one array of one region inside the file."""
    return f"region_{index:06d}/{array}"


def _check_shapes(prediction: Prediction) -> None:
    lattice = prediction.region.lattice
    shape = (lattice.height, lattice.width)
    if prediction.probability.shape[1:] != shape or prediction.grid.shape != (*shape, 2):
        raise ValueError(
            f"region {prediction.region.index} has a lattice of {shape}, but probability"
            f" {prediction.probability.shape} and grid {prediction.grid.shape}"
        )


def _region_row(region: Region) -> tuple[int, ...]:
    return (
        region.index,
        region.left,
        region.top,
        region.size.width,
        region.size.height,
        region.lattice.width,
        region.lattice.height,
    )


def _open_archive(path: Path) -> zipfile.ZipFile:
    with named_damage(path, "segment", zipfile.BadZipFile, zipfile.LargeZipFile):
        return zipfile.ZipFile(path)


def _read_regions(path: Path, archive: zipfile.ZipFile) -> list[Region]:
    if "regions.npy" not in archive.namelist():
        raise StageInputError(
            f"{path} has no table of regions and is no predictions file; run segment again"
        )
    table = _read_entry(archive, "regions")
    with named_damage(path, "segment"):
        if table.dtype != REGION_TYPE:
            raise ValueError(f"its regions are {table.dtype}")
        return [_row_region(*row) for row in table.tolist()]


def _read_entry(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """Return an array of the file, whose checksum zipfile compares."""
    others = (zipfile.BadZipFile, tokenize.TokenError)  # numpy reads a header as Python
    with named_damage(Path(archive.filename or ""), "segment", *others):
        content = archive.read(f"{name}.npy")
        array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    return array


def _row_region(
    index: int, left: int, top: int, width: int, height: int, columns: int, rows: int
) -> Region:
    return Region(index, left, top, Size(width, height), Size(columns, rows))
