"""In processes of their own: what is imported is kept for all tests."""

from __future__ import annotations

import subprocess
import sys

NETWORKS = "from lds_path.network.architectures.monai_networks import UNet"


def run(*lines):
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    return done.stdout.split()


def test_the_networks_come_without_the_rest_of_monai():
    heavy = "pandas", "matplotlib", "skimage", "scipy", "monai.transforms"
    assert run("import sys", NETWORKS, f"print(*sys.modules.keys() & {set(heavy)})") == []


def test_all_of_monai_can_be_imported_before_and_after():
    whole = "from monai.networks.nets import UNet as theirs"
    assert run(whole, NETWORKS, "print(UNet is theirs)") == ["True"]
    after = NETWORKS, "import monai", "print(monai.networks.nets.unet.UNet.__name__)"
    assert run(*after) == ["UNet"]


def test_monai_states_its_version_to_the_networks():
    code = "from lds_path.network.architectures.monai_networks import _without_the_rest"
    assert (
        run(
            code,
            'with _without_the_rest("monai"):',
            "    from monai import __version__, utils",
            '    assert not hasattr(utils, "unknown")',
            "print(__version__)",
            "import monai",
            "print(monai.__version__)",
        )
        == [run("import monai", "print(monai.__version__)")[0]] * 2
    )
