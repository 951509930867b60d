"""The pages of the documentation, their blocks of code and the commands in them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from snakemake_run import REPOSITORY

PAGES = ("README.md", *sorted(f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md")))
_ENDS = {"&&", "||", ";", "|", ">"}


def read_page(page: str) -> str:
    """Return the text of a page, such as `docs/train.md`."""
    return (REPOSITORY / page).read_text(encoding="utf-8")


def blocks_of(page: str, language: str) -> list[str]:
    """Return the code blocks of a language in a page."""
    pattern = rf"^( *)```{language}\n(.*?)^ *```$"
    found = re.findall(pattern, read_page(page), re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(text) for _, text in found]


def script_with(page: str, words: str) -> str:
    """Return the only script of a page that has these words."""
    (script,) = (script for script in blocks_of(page, "sh") if words in script)
    return script


def run_script(script: str, folder: Path) -> str:
    """Run a script of a page in a folder and return what it prints."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@dataclass(frozen=True)
class Command:
    """A command of a page: a program with its arguments."""

    page: str
    words: tuple[str, ...]

    @property
    def program(self) -> str:
        return self.words[0]

    @property
    def arguments(self) -> list[str]:
        return list(self.words[1:])

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def commands_in(page: str, script: str) -> list[Command]:
    """Return the commands of a script, without variables that are set for them."""
    commands = []
    for line in script.replace("\\\n", " ").splitlines():
        code = re.sub(
            r"(?:^|\s)# .*", "", line
        )  # of shlex, a # inside a word begins a comment, too
        lexer = shlex.shlex(code, posix=True, punctuation_chars=";|&>")
        lexer.whitespace_split, lexer.commenters = True, ""
        for words in _split(list(lexer)):
            while words and re.match(r"\w+=", words[0]):
                words = words[1:]
            if words:
                commands.append(Command(page, tuple(words)))
    return commands


def _split(words: list[str]) -> list[list[str]]:
    """Return the words of each command of a line."""
    commands: list[list[str]] = [[]]
    for word in words:
        if word in _ENDS:
            commands.append([])
        else:
            commands[-1].append(word)
    return commands
