"""The measured runs as text and as a picture."""

from __future__ import annotations

import platform
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STAGES = ("tile", "detect", "segment", "stitch", "export", "assess", "report")
MPP = 0.499


@dataclass(frozen=True)
class Medians:
    """The runs on a slide of one size."""

    side: int
    """Pixels."""
    runs: list[dict[str, Any]]

    def of(self, *keys: str) -> float:
        """Return the median of a measurement."""
        values: list[Any] = list(self.runs)
        for key in keys:
            values = [value[key] for value in values]
        return statistics.median(values)

    def seconds(self, *stages: str) -> float:
        """Return the sum of the stages' medians."""
        return sum(self.of("stages", stage, "seconds") for stage in stages)

    @property
    def rest(self) -> float:
        """Seconds of the workflow beside the four large stages."""
        return self.of("workflow") - self.seconds("tile", "segment", "stitch", "export")

    @property
    def tissue_megapixels(self) -> float:
        """Tissue at the working resolution."""
        return self.of("tissue_mm2") / MPP**2

    @property
    def full_resolution(self) -> float:
        """Seconds that the network would take for every pixel of the tissue."""
        return self.tissue_megapixels / self.of("full_resolution_mpx_per_second")


def describe(measured: Mapping[str, Medians], by_levels: Mapping[str, Medians], cores: int) -> str:
    """Return all tables as Markdown.

    Parameters
    ----------
    measured
        By gigapixels.
    by_levels
        1 gigapixel, by the factors of the levels in the file.
    cores
        That the workflow had.
    """
    lines = [
        "Written by `make benchmark`. The slides are derived: tissue of `CMU-1-Small-Region.svs`,",
        "mirrored and repeated in tissue-shaped areas on glass, 45 % tissue, tiled JPEG pyramid,",
        f"{MPP} um per pixel. `libvips` is the time it takes to write the same slide again as a tiled",
        "JPEG pyramid, in the same run. Memory is the peak that the operating system counted for the",
        f"stage's process. {cores} cores of {processor()}, Python {platform.python_version()}.",
        "",
        "![Time and memory against the size of the slide](speed.svg)",
        "",
        "| target | found | |",
        "| --- | ---: | --- |",
        *(
            f"| {name} | {found} | {verdict} |"
            for name, found, verdict in judge(measured, by_levels)
        ),
        "",
    ]
    files = {"1, 2, 4, ...": measured["1"], **by_levels} if "1" in measured else by_levels
    lines += _by_levels(files)
    for size, medians in measured.items():
        lines += _section(size, medians)
    return "\n".join(lines)


def judge(
    measured: Mapping[str, Medians], by_levels: Mapping[str, Medians]
) -> Iterator[tuple[str, str, str]]:
    """Yield each target, what was found, and whether it is met or by how much it is missed."""
    yield from _judge_levels(by_levels)
    one, least, most = (measured.get(size) for size in ("1", "0.25", "4"))
    if one:
        libvips = one.of("libvips")
        for name, seconds, limit in (
            ("whole workflow, 1 gigapixel", one.of("workflow"), 3.0),
            ("tile", one.seconds("tile"), 2.5),
            ("segment", one.seconds("segment"), 2.0),
            ("stitch and export", one.seconds("stitch", "export"), 1.5),
            ("the rest", one.rest, 1.0),
        ):
            yield _at_most(f"{name}: at most {limit} x libvips", seconds / libvips, limit, "x")
        yield _at_least(
            "at least 10 x faster than full resolution",
            one.full_resolution / one.of("workflow"),
            10.0,
        )
        faster = one.of("griddata") / one.of("unwarp")
        yield _at_least("unwarping at least 10 x faster than griddata", faster, 10.0)
        difference = one.of("unwarp_difference")
        met = "met" if difference <= 1e-4 else "missed"
        yield "and equal to 1e-4 in the same triangles (largest)", f"{difference:.1e}", met
    if one and most:
        growth = most.of("workflow") / one.of("workflow")
        yield _at_most("time from 1 to 4 gigapixels: at most 3.6 x", growth, 3.6, "x")
    if most:
        peak = max(most.of("stages", stage, "memory_mib") for stage in STAGES)
        yield _at_most("memory of any stage, 4 gigapixels: at most 600 MiB", peak, 600.0, "MiB")
    if least and most:
        for stage in STAGES:
            before, after = (m.of("stages", stage, "memory_mib") for m in (least, most))
            name = f"memory of {stage} from 0.25 to 4 gigapixels: at most 10 % more"
            yield _at_most(name, 100 * (after / before - 1), 10.0, "%")


def _judge_levels(by_levels: Mapping[str, Medians]) -> Iterator[tuple[str, str, str]]:
    for factors, limit in (("1, 4, 16", 3.0), ("1", 5.0)):
        if one := by_levels.get(factors):
            name = f"1 gigapixel, levels {factors} in the file: at most {limit} x libvips"
            yield _at_most(name, one.of("workflow") / one.of("libvips"), limit, "x")


def _at_most(name: str, found: float, limit: float, unit: str) -> tuple[str, str, str]:
    digits = 1 if found < 100 else 0
    verdict = "met" if found <= limit else f"missed by {found - limit:.{digits}f} {unit}"
    return name, f"{found:.{digits}f} {unit}", verdict


def _at_least(name: str, found: float, limit: float) -> tuple[str, str, str]:
    verdict = "met" if found >= limit else f"missed by {limit - found:.1f} x"
    return name, f"{found:.1f} x", verdict


def _by_levels(files: Mapping[str, Medians]) -> Iterator[str]:
    yield "### 1 gigapixel, by the levels in the file"
    yield ""
    yield "| factors | workflow, s | libvips, s | x libvips | pyramid / slide | all results / slide |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for factors, one in files.items():
        seconds, libvips = one.of("workflow"), one.of("libvips")
        shares = " | ".join(f"{one.of(key):.2f}" for key in ("pyramid_share", "results_share"))
        yield f"| {factors} | {seconds:.1f} | {libvips:.1f} | {seconds / libvips:.1f} | {shares} |"
    yield ""


def processor() -> str:
    """Return the name of the processor, as far as the operating system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _section(size: str, medians: Medians) -> list[str]:
    libvips, megapixels = medians.of("libvips"), medians.side**2 / 1e6
    rows = [("libvips copy", libvips, ("", ""))]
    rows += [("**whole workflow**", medians.of("workflow"), ("", ""))]
    for stage in STAGES:
        counted = ("memory_mib", "written_mib")
        rest = tuple(f"{medians.of('stages', stage, key):.0f}" for key in counted)
        rows.append((stage, medians.seconds(stage), rest))
    tissue, full = medians.tissue_megapixels, medians.full_resolution
    return [
        f"### {size} gigapixel ({medians.side} x {medians.side}), median of {len(medians.runs)}",
        "",
        "| | seconds | x libvips | megapixels/s | peak MiB | written MiB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {name} | {seconds:.1f} | {seconds / libvips:.1f} |"
            f" {megapixels / max(seconds, 0.1):.0f} | {' | '.join(rest)} |"
            for name, seconds, rest in rows
        ),
        "",
        (
            f"- {medians.of('regions'):.0f} regions, {tissue:.0f} megapixels of tissue. assess runs"
            " beside export."
        ),
        (
            "- The same network over the same tissue at full resolution: MONAI's"
            " `SlidingWindowInferer`, windows of 512 that overlap by a quarter, channels last, all"
            f" cores, timed on 2048 x 2048 pixels of tissue and scaled: {full:.0f} s,"
            f" {full / medians.of('workflow'):.1f} x the whole workflow."
        ),
        (
            f"- The inverse of one region: scipy's linear `griddata` {medians.of('griddata'):.2f} s,"
            f" `unwarp` {medians.of('unwarp'):.3f} s,"
            f" {medians.of('griddata') / medians.of('unwarp'):.0f} x; largest difference where"
            f" Delaunay's triangles are the mesh's: {medians.of('unwarp_difference'):.1e}."
        ),
        "",
    ]


def draw_plot(path: Path, measured: Mapping[str, Medians]) -> None:
    """Draw seconds and peak memory of each stage against the size of the slide."""
    sizes = [float(size) for size in measured]
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    time, memory = figure.subplots(1, 2)
    for stage in STAGES:
        time.plot(sizes, [m.seconds(stage) for m in measured.values()], "o-", label=stage)
        peaks = [m.of("stages", stage, "memory_mib") for m in measured.values()]
        memory.plot(sizes, peaks, "o-", label=stage)
    time.plot(sizes, [m.of("workflow") for m in measured.values()], "ks-", label="workflow")
    time.plot(sizes, [m.of("libvips") for m in measured.values()], "k^:", label="libvips copy")
    time.set(xscale="log", yscale="log", xlabel="gigapixels", ylabel="seconds")
    memory.set(xscale="log", xlabel="gigapixels", ylabel="peak MiB", ylim=0)
    memory.axhline(600, color="grey", linestyle=":")
    for axes in (time, memory):
        axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
        axes.minorticks_off()
    time.legend(fontsize="x-small", ncols=2)
    with mpl.rc_context({"svg.hashsalt": "lds-path"}):
        figure.savefig(path, metadata={"Date": None})
