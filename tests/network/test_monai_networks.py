"""In processes of their own: what is imported is kept for all tests."""

from __future__ import annotations

import subprocess
import sys

import pytest

NETWORKS = "from lds_path.network.architectures.monai_networks import UNet, _without_the_rest"
HEAVY = ("pandas", "matplotlib", "skimage", "scipy", "monai.transforms")


def run(*lines):
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def before():
    """What a process finds that imports all of monai before the networks."""
    return run(
        "import monai",
        "from monai.networks.nets import UNet as theirs",
        NETWORKS,
        "print(monai.__version__)",
        "print(UNet is theirs)",
    )


@pytest.fixture(scope="module")
def after():
    """What a process finds that imports all of monai after the networks."""
    return run(
        "import sys",
        NETWORKS,
        f"print(*sys.modules.keys() & {set(HEAVY)})",
        'with _without_the_rest("monai"):',
        "    from monai import __version__, utils",
        '    assert not hasattr(utils, "unknown")',
        "print(__version__)",
        "import monai",
        "print(monai.__version__)",
        "print(monai.networks.nets.unet.UNet.__name__)",
        f"print(*sys.modules.keys() & {set(HEAVY)})",
    )


def test_the_networks_come_without_the_rest_of_monai(after):
    assert after[0] == ""
    assert set(after[-1].split()) == set(HEAVY)


def test_all_of_monai_can_be_imported_before_and_after(before, after):
    assert before[1] == "True"
    assert after[3] == "UNet"


def test_monai_states_its_version_to_the_networks(before, after):
    assert after[1:3] == before[:1] * 2
