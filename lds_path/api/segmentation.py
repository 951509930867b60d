"""All stages of one slide in this process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lds_path.api.results import Result, open_result
from lds_path.api.slides import open_slide
from lds_path.direct.request import read_request
from lds_path.direct.run import run_slides
from lds_path.errors import StageInputError
from lds_path.remote.address import to_slide_path
from lds_path.system.processes import usable_cores

if TYPE_CHECKING:
    from collections.abc import Mapping


def segment(
    path: str | Path,
    *,
    model: str,
    output: str | Path = "results",
    mpp: float | None = None,
    options: Mapping[str, Any] | None = None,
    threads: int | None = None,
) -> Result:
    """Run all stages on a slide, as `lds-path run` does, and return its result.

    The id of the slide is made from the name of its file. What is finished is kept; the report has all
    slides that were written into the folder.

    Parameters
    ----------
    path
        Slide or plain image, or the address of a slide.
    model
        Id of a shipped model, or a model folder.
    output
        Folder with the results of all slides.
    mpp
        Microns per level-0 pixel where the file does not state them, or states them wrongly.
    options
        Keys of config.yaml that differ from their defaults, such as `{"plan": {"budget": 64}}`.
    threads
        Threads to use; all cores when not given.

    Raises
    ------
    ModelError
        If the model is missing or damaged.
    SlideProblem
        If the slide is missing, damaged, of an unknown format, or nothing states its mpp.
    StageInputError
        If the slide cannot be analysed; its manifests say why.
    UsageError
        If an option cannot be used, or another run writes into the folder.
    """
    place, output = to_slide_path(path), Path(output).absolute()
    place = place.absolute() if isinstance(place, Path) else place
    open_slide(place, mpp)  # a wrong path leaves no results
    request = read_request(place, output, model=model, mpp=mpp, given=options or {})
    outcome = run_slides(request, threads=threads or usable_cores())
    for failure in outcome.failures:
        raise StageInputError(str(failure))
    return open_result(output, request.slides[0])
