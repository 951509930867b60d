"""The slides of a run: the files that its sheet lists for them, as rules take them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lds_path.errors import UsageError
from lds_path.provenance.fingerprint import is_store
from lds_path.remote.address import is_address, parse_address, to_slide_path
from lds_path.remote.stores import require_library
from lds_path.run.replaced_files import WatchedInput
from lds_path.run.sheet import read_sheet
from lds_path.slides.companions import find_slide_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from lds_path.remote.address import SlidePath

PAINTED = ("demo", "demo-training")
"""Names of the sheets whose slides a run paints itself."""
SPECIAL = frozenset("{}<>")
"""Characters with which Snakemake marks wildcards and path variables."""
READ_BY = {
    "path": (("tile/{}", "slide"),),
    "labels": (("evaluate/{}", "labels"), ("train", "labels/{}")),
    "tissue": (("detect/{}", "tissue"),),
    "roi": (("detect/{}", "roi"), ("evaluate/{}", "roi"), ("train", "roi/{}")),
}
"""Column -> folders of the stages that read its file, and the name of the input in their manifests;
{} is the slide."""


@dataclass(frozen=True)
class SlideFiles:
    """The slides of a run and their files."""

    sheet: Path
    base: Path
    """Folder that relative paths in the sheet start from."""
    table: pd.DataFrame
    """As `read_sheet` returns it."""
    results: Path
    """Folder of all results of the run."""
    painted: bool
    """Whether the run paints the slides, into `base`."""
    _found: dict[str, tuple[SlidePath, ...]] = field(
        default_factory=dict, repr=False, compare=False
    )
    """Path in the sheet -> files of the slide: a run looks once."""

    @property
    def ids(self) -> list[str]:
        """Ids of all slides, in the order of the sheet."""
        return list(self.table.index)

    def cell(self, slide: str, column: str) -> str | float:
        """Return a slide's cell in a column; empty text, or NaN, where there is none."""
        return cast("str | float", self.table.loc[slide, column])

    def labelled(self, *splits: str) -> list[str]:
        """Return the ids of the slides with reference labels, of all or only some splits."""
        labelled = self.table[self.table["labels"] != ""]
        return list(labelled.index[labelled["split"].isin(splits)] if splits else labelled.index)

    @property
    def training(self) -> list[str]:
        """Ids of the labelled slides that a model learns from or is tuned on."""
        return self.labelled("train", "tune")

    def files(self, slides: Sequence[str], column: str) -> list[str]:
        """Return the files in a column of some slides that a rule can have as its input.

        In the column `path` each file is followed by its companions. A file that does not exist is
        left out, so that its slide is quarantined and does not stop the cohort. So is one with {}
        or <> in its path, or on a server; the command reads it all the same.
        """
        cells = {slide: str(self.cell(slide, column)) for slide in slides}
        if self.painted:
            return [
                str(self.base / slide / Path(cell).name) for slide, cell in cells.items() if cell
            ]
        named = [cell for cell in cells.values() if is_input(cell)]
        if column != "path":
            return named
        return [str(file) for cell in named for file in self._files_of(cell) if is_input(str(file))]

    def training_labels(self) -> list[str]:
        """Return the reference labels that a model learns from or is tuned on.

        Raises
        ------
        UsageError
            If there is no slide to learn from.
        """
        if not self.labelled("train"):
            raise UsageError(
                f"{self.sheet} has no slide to train on; fill the column 'labels' and write train"
                " (and for some slides tune) into the column 'split'"
            )
        return self.files(self.training, "labels")

    def annotations(self, split: str) -> list[Path]:
        """Return the reference labels of a split, whether they exist or not."""
        return [Path(str(self.cell(slide, "labels"))) for slide in self.labelled(split)]

    def watched(self) -> dict[str, WatchedInput]:
        """Return the files that others may replace, as `find_replacements` takes them."""
        if self.painted:
            return {}
        found: dict[str, WatchedInput] = {}
        for slide, (column, readers) in product(self.ids, READ_BY.items()):
            cell = str(self.cell(slide, column))
            if not cell:
                continue
            is_slide = column == "path"
            place = to_slide_path(cell) if is_slide else Path(cell)
            files = self._files_of(cell) if is_slide else (place,)
            read_by = [
                (self.results / folder.format(slide), name.format(slide))
                for folder, name in readers
            ]
            before = found[cell].read_by if cell in found else ()  # of another slide
            found[cell] = WatchedInput(place, files, (*before, *read_by))
        return found

    def replacements(
        self, slides: Sequence[str], columns: Sequence[str], hashes: Mapping[str, str]
    ) -> list[str]:
        """Return the hashes by which files of some slides replaced others.

        Parameters
        ----------
        slides
            Ids of the slides.
        columns
            Columns that name the files.
        hashes
            File -> hash, as `find_replacements` returns it.
        """
        cells = [str(self.cell(slide, column)) for slide in slides for column in columns]
        return [hashes[cell] for cell in cells if hashes.get(cell)]

    def _files_of(self, cell: str) -> tuple[SlidePath, ...]:
        """Return the files of a slide."""
        if cell not in self._found:
            self._found[cell] = find_slide_files(to_slide_path(cell))
        return self._found[cell]


def open_sheet(name: str, *, painted: Path, results: Path) -> SlideFiles:
    """Return the slides of a run.

    Parameters
    ----------
    name
        Path of the sample sheet, or one of `PAINTED`.
    painted
        Folder of the sheets whose slides are painted.
    results
        Folder of all results.

    Raises
    ------
    UsageError
        If the sheet has a mistake, or needs packages that are missing.
    """
    if name in PAINTED:
        sheet, base = painted / f"{name}.tsv", results / "demo"
    else:
        sheet, base = Path(name), Path(name).resolve().parent
    slides = SlideFiles(sheet, base, read_sheet(sheet, base=base), results, name in PAINTED)
    for cell in filter(is_address, slides.table["path"]):
        require_library(parse_address(cell))
    return slides


def check_name(key: str, path: str) -> None:
    """Check that a path in the configuration can be the input of a rule.

    Raises
    ------
    UsageError
        If it contains characters that Snakemake would replace.
    """
    if SPECIAL & set(path):
        raise UsageError(
            f"`{key}` is {path}, but the names of files and folders there may not contain any of"
            f" {' '.join(sorted(SPECIAL))}, by which Snakemake marks what it replaces; rename them"
        )


def is_input(cell: str) -> bool:
    """Return whether a file, or a Zarr store, is there and can be the input of a rule."""
    path = Path(cell)
    return bool(cell) and not SPECIAL & set(cell) and (path.is_file() or is_store(path))
