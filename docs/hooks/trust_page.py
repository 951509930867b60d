"""Writes the limits of the verdict and the shipped models into the page `trust.md`, from the code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lds_path.models.listing import list_models
from lds_path.option import describe
from lds_path.quality.metrics.thresholds import Thresholds
from lds_path.reporting.words.advice import ADVICE

if TYPE_CHECKING:
    from mkdocs.structure.pages import Page

VERDICTS = "<!-- verdicts -->"
MODELS = "<!-- models -->"


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Return the page with both in the places of their marks."""
    if page.file.src_uri != "trust.md":
        return markdown
    models = f"```text\n{list_models().rstrip()}\n```"
    return markdown.replace(VERDICTS, verdicts_text()).replace(MODELS, models)


def verdicts_text() -> str:
    """Return a table in Markdown of the limits and of what to do beyond them."""
    options = {option.name: option for option in describe(Thresholds())}
    lines = ["| measure | warn | fail | what it means to be beyond |", "| --- | --- | --- | --- |"]
    for metric in (name.removeprefix("warn_") for name in options if name.startswith("warn_")):
        warn, fail = options[f"warn_{metric}"], options[f"fail_{metric}"]
        text = f"{warn.about.text[:1].upper()}{warn.about.text[1:]}"
        limits = f"{warn.default:g} | {fail.default:g}"
        lines.append(f"| {text}<br>`{metric}` | {limits} | {ADVICE[metric].meaning} |")
    return "\n".join(lines)
