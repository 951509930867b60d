"""Nothing but `lds_path/system/`, and the server for Linux, calls what Windows or macOS lack."""

import ast
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

import lds_path
from lds_path.formats.pyramid import open_pyramid
from lds_path.geometry import Size

PACKAGE = Path(lds_path.__file__).parent
ALLOWED = (PACKAGE / "system", PACKAGE / "run" / "warm_start")
MODULES = {"crypt", "fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
WINDOWS_MODULES = {"msvcrt", "winreg", "_winapi"}
MULTIPROCESSING = {"fork", "forkserver"}
PROCESS_ARGUMENTS = {"group", "pass_fds", "preexec_fn", "start_new_session", "umask"}
FOLDERS = ("/dev/", "/etc/", "/proc/", "/sys/", "/tmp", "/usr/", "/var/")
WINDOWS_HAS = {
    "os": frozenset(
        [
            "DirEntry",
            "PathLike",
            "abort",
            "access",
            "altsep",
            "chdir",
            "chmod",
            "close",
            "cpu_count",
            "curdir",
            "devnull",
            "dup",
            "dup2",
            "environ",
            "error",
            "execv",
            "execve",
            "extsep",
            "fdopen",
            "fsdecode",
            "fsencode",
            "fspath",
            "fstat",
            "fsync",
            "ftruncate",
            "get_terminal_size",
            "getcwd",
            "getcwdb",
            "getenv",
            "getlogin",
            "getpid",
            "getppid",
            "isatty",
            "linesep",
            "link",
            "listdir",
            "lseek",
            "lstat",
            "makedirs",
            "mkdir",
            "name",
            "open",
            "pardir",
            "path",
            "pathsep",
            "pipe",
            "putenv",
            "read",
            "readlink",
            "remove",
            "removedirs",
            "rename",
            "renames",
            "replace",
            "rmdir",
            "scandir",
            "sep",
            "stat",
            "stat_result",
            "strerror",
            "symlink",
            "system",
            "times",
            "truncate",
            "umask",
            "unlink",
            "unsetenv",
            "urandom",
            "utime",
            "walk",
            "write",
            "_exit",
            "F_OK",
            "R_OK",
            "W_OK",
            "X_OK",
            "O_APPEND",
            "O_CREAT",
            "O_EXCL",
            "O_RDONLY",
            "O_RDWR",
            "O_TRUNC",
            "O_WRONLY",
            "SEEK_CUR",
            "SEEK_END",
            "SEEK_SET",
        ]
    ),
    "signal": frozenset(
        [
            "Handlers",
            "Signals",
            "SIGABRT",
            "SIGFPE",
            "SIGILL",
            "SIGINT",
            "SIGSEGV",
            "SIGTERM",
            "SIG_DFL",
            "SIG_IGN",
            "getsignal",
            "raise_signal",
            "signal",
            "strsignal",
            "valid_signals",
        ]
    ),
}
"""What these modules have everywhere, and behaves alike: `os.kill` ends a process on Windows."""
SOCKETS = {"AF_UNIX", "AF_NETLINK", "SO_PEERCRED", "recv_fds", "send_fds"}


def foreign(tree):
    """Yield the line and the text of what a system may lack."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found = [each.name for each in names if each.name in MODULES | WINDOWS_MODULES]
            case ast.ImportFrom(module=module, names=names, level=0):
                listed = {each.name for each in names}
                found = [module] if module in MODULES | WINDOWS_MODULES else []
                found += sorted(listed - WINDOWS_HAS.get(module, listed))
                found += sorted(listed & SOCKETS) if module == "socket" else []
            case ast.Attribute(value=ast.Name(id="os" | "signal" as module), attr=name):
                found = [] if name in WINDOWS_HAS[module] else [f"{module}.{name}"]
            case ast.Attribute(value=ast.Name(id="socket"), attr=name):
                found = [f"socket.{name}"] if name in SOCKETS else []
            case ast.keyword(arg=name):
                found = [name] if name in PROCESS_ARGUMENTS else []
            case ast.Constant(value=str(text)):
                found = [text] if text.startswith(FOLDERS) or text in MULTIPROCESSING else []
            case _:
                continue
        yield from ((node.lineno, text) for text in found)


@pytest.mark.parametrize(
    "line",
    [
        "import fcntl",
        "from resource import getrusage",
        "from os import getuid",
        "os.pread(1, 2, 3)",
        "os.sched_getaffinity(0)",
        "os.kill(1, 9)",
        "signal.SIGHUP",
        "signal.alarm(1)",
        "socket.socket(socket.AF_UNIX)",
        "subprocess.run([], preexec_fn=print)",
        "open('/proc/meminfo')",
        "get_context('fork')",
        "import msvcrt",
    ],
)
def test_what_a_system_lacks_is_recognised(line):
    assert len(list(foreign(ast.parse(line)))) == 1


def test_the_list_of_what_windows_has_is_no_longer_than_here():
    for module in (os, signal):
        assert set(dir(module)) >= WINDOWS_HAS[module.__name__]
    assert set(dir(socket)) >= SOCKETS


def test_no_other_module_calls_what_a_system_lacks():
    wrong = [
        f"{path.relative_to(PACKAGE.parent)}:{line}: {text}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if not any(path.is_relative_to(folder) for folder in ALLOWED)
        for line, text in foreign(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert wrong == []


ELSEWHERE = """
import os, signal, sys
for name in ("fcntl", "resource"):
    sys.modules[name] = None  # cannot be imported
for name in ("SIGALRM", "SIGHUP", "SIGKILL"):
    delattr(signal, name)
"""
WITHOUT_CALLS = """
for name in ("geteuid", "getuid", "pread", "sched_getaffinity"):
    delattr(os, name)
os.process_cpu_count = os.cpu_count  # of Python 3.13, which is so where there is no sched_getaffinity
"""
"""Not for modules that import torch and platformdirs: on Linux these call some."""


def run_elsewhere(code, *arguments):
    """Run Python code where much of Linux is missing."""
    return subprocess.run(
        [sys.executable, "-c", ELSEWHERE + code, *map(str, arguments)],
        capture_output=True, text=True, check=False, cwd=PACKAGE.parent,
    )  # fmt: skip


def test_all_modules_are_imported_where_linux_is_missing():
    ended = run_elsewhere(
        "import importlib, pkgutil, lds_path\n"
        "for found in pkgutil.walk_packages(lds_path.__path__, 'lds_path.'):\n"
        "    importlib.import_module(found.name)\n"
        "print('all')"
    )
    assert ended.stdout == "all\n", ended.stderr


def test_a_slide_is_tiled_where_linux_is_missing(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (600, 600, 3), np.uint8)
    tifffile.imwrite(tmp_path / "slide.tif", picture, tile=(256, 256), photometric="rgb")
    ended = run_elsewhere(
        WITHOUT_CALLS + "from lds_path.cli import main; main()",
        "tile", tmp_path / "slide.tif", tmp_path / "tile", "--slide-mpp", 0.5, "--strict",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    pyramid = open_pyramid(tmp_path / "tile")
    np.testing.assert_array_equal(pyramid.read(0, 0, 0, Size(600, 600)), picture)
    assert json.loads((tmp_path / "tile" / "manifest.json").read_text())["peak_memory_mib"] > 10
