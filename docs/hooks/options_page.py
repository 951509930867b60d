"""Writes the reference of commands and options into the page `options.md`, from the code that defines them."""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING

import click
import yaml

from lds_path.cli import cli
from lds_path.option import describe
from lds_path.options.schema import KEYS, SECTIONS, describe_section
from lds_path.options.slides import DemoOptions
from lds_path.options.suggesting import SuggestOptions
from lds_path.starting.installed import find_workflow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mkdocs.structure.pages import Page

    from lds_path.option import Description, Options

MARK = "<!-- options -->"
OPTIONS = {**SECTIONS, "demo": DemoOptions(), "suggest": SuggestOptions()}
"""The options of each command that has a dataclass of them."""
TYPES = {int: "whole number", float: "number", bool: "true, false", str: "text"}


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Return the page with the reference in the place of its mark."""
    return markdown.replace(MARK, options_text()) if page.file.src_uri == "options.md" else markdown


def options_text() -> str:
    """Return the reference in Markdown: keys that belong to no stage, then all commands."""
    return "\n\n".join([_keys_text(), _labels_text(), *map(_command_text, _commands())])


def _commands() -> Iterator[click.Command]:
    return (command for command in cli.commands.values() if not command.hidden)


def _keys_text() -> str:
    shipped = yaml.safe_load((find_workflow() / "config.yaml").read_text(encoding="utf-8"))
    rows = [
        (f"`{name}`", _code(shipped[name]) if name != "classes" else "the four of `demo`", _sentence(key["description"]))
        for name, key in KEYS.items()
    ]  # fmt: skip
    return "## Keys for the whole run\n\n" + _table(
        ("`config.yaml`", "shipped as", "meaning"), rows
    )


def _labels_text() -> str:
    rows = [
        (f"`labels: {option.name}`", _default_of(option), _values_of(option), _sentence(option.about.text))
        for option in describe_section("labels")
    ]  # fmt: skip
    head = "## What labels mean\n\nFor `train` and `evaluate`, once for both.\n\n"
    return head + _table(("`config.yaml`", "default", "values", "meaning"), rows)


def _command_text(command: click.Command) -> str:
    context = click.Context(command, info_name=f"lds-path {command.name}")
    usage = " ".join(command.collect_usage_pieces(context))
    text = inspect.cleandoc(command.help or "").replace("\n\n\n", "\n\n")
    described = _described(command)
    rows = [
        _row(parameter, described.get(parameter.name or ""), command.name or "")
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.hidden
    ]
    parts = [f"## {command.name}", text, f"```text\nlds-path {command.name} {usage}\n```"]
    if rows:
        parts.append(_table(("option", "`config.yaml`", "default", "values", "meaning"), rows))
    return "\n\n".join(parts)


def _described(command: click.Command) -> dict[str, Description]:
    options = OPTIONS.get(command.name or "")
    return {} if options is None else {option.name: option for option in describe(options)}


def _row(parameter: click.Option, option: Description | None, command: str) -> tuple[str, ...]:
    flags = ", ".join(f"`{flag}`" for flag in (*parameter.opts, *parameter.secondary_opts))
    if option is None:
        return (
            flags,
            "",
            _click_default(parameter),
            _click_values(parameter),
            _sentence(parameter.help or ""),
        )
    return (
        flags,
        _key_of(option, command),
        _default_of(option),
        _values_of(option),
        _sentence(option.about.text),
    )


def _key_of(option: Description, command: str) -> str:
    if option.about.scope != "config" or command not in SECTIONS:
        return ""
    section = "labels" if option.name in _names(SECTIONS["labels"]) else command
    return f"`{section}: {option.name}`"


def _names(options: Options) -> set[str]:
    return {option.name for option in describe(options)}


def _default_of(option: Description) -> str:
    if option.about.from_model:
        return f"the model's ({_code(option.default)} without one)"
    return _code(list(option.default) if option.kind.form == "list" else option.default)


def _values_of(option: Description) -> str:
    about, kind = option.about, option.kind
    if about.choices:
        text = ", ".join(f"`{choice}`" for choice in about.choices)
    elif about.is_bounded:
        text = about.bounds()
    elif kind.form == "mapping":
        text = "names"
    else:
        text = TYPES[kind.item]
    return f"list: {text}" if kind.form == "list" else text


def _click_default(parameter: click.Option) -> str:
    if parameter.required:
        return "required"
    shown = parameter.show_default and parameter.default is not None
    return _code(parameter.default) if shown else ""


def _click_values(parameter: click.Option) -> str:
    match parameter.type:
        case click.Choice(choices=choices):
            return ", ".join(f"`{choice}`" for choice in choices)
        case click.IntRange(min=least, max=most):
            return f"{least} to {most}"
        case click.Path():
            return "path"
        case _ if parameter.is_flag:
            return "flag"
        case _:
            return parameter.metavar or parameter.type.name


def _code(value: object) -> str:
    return f"`{json.dumps(value, ensure_ascii=False) if not isinstance(value, str) or not value else value}`"


def _sentence(text: str) -> str:
    clean = re.sub(r"\s+", " ", text).rstrip(".").replace("|", "\\|")
    value = re.match(r"(\w+): ", clean)  # what a value does
    first = f"`{value[1]}`{clean[value.end() - 2 :]}" if value else clean[:1].upper() + clean[1:]
    return f"{first}."


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
