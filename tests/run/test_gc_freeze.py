"""In processes of their own: what is kept from the collector stays so to the end."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent

CYCLES = """
import gc
import weakref
from lds_path.run.gc_freeze import frozen_imports, skip_last_collection

class Node:
    def __init__(self):
        self.itself = self

    def __del__(self):
        print("found", flush=True)

def cycle():
    return weakref.ref(Node())
"""


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", CYCLES + code],
        capture_output=True, text=True, cwd=REPOSITORY, check=True,
    ).stdout  # fmt: skip


def test_what_is_made_in_the_context_is_not_collected():
    kept = "with frozen_imports():\n    one = cycle()\ngc.collect()\nprint(one() is None)\n"
    assert run("one = cycle()\ngc.collect()\nprint(one() is None)\n") == "found\nTrue\n"
    assert run(kept) == "False\n"


@pytest.mark.parametrize("inside", ["pass", "raise ImportError"])
def test_the_collector_resumes_afterwards(inside):
    code = f"""
try:
    with frozen_imports():
        {inside}
except ImportError:
    pass
print(gc.isenabled())
cycle()
gc.collect()
print("end")
"""
    assert run(code) == "True\nfound\nend\n"


@pytest.mark.parametrize(
    ("begin", "said"), [("", "end\nfound\n"), ("skip_last_collection()", "end\n")]
)
def test_a_process_can_exit_without_a_last_collection(begin, said):
    assert run(f"{begin}\none = cycle()\nprint('end', flush=True)\n") == said
