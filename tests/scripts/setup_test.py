#!/usr/bin/env python3
"""scripts/setup on made-up machines: apt, pip and ldd are stand-ins."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

INSTALLED = "#!/bin/sh\nprintf 'install ok installed'\n"
ABSENT = "#!/bin/sh\nexit 1\n"
FAILING_APT = """#!/bin/sh
case "$*" in *install*) echo "E: Unable to locate package libtbb-dev"; exit 100
esac
"""
SUDO = '#!/bin/sh\nexec "$@"\n'
LINKED = "#!/bin/sh\necho '  libc.so.6 => /lib/libc.so.6 (0x1)'\n"
UNLINKED = "#!/bin/sh\necho '  libcudart.so.12 => not found'\n"
FAILING_PIP = """#!/bin/sh
case "$*" in *"pip install"*)
  echo "ERROR: No matching distribution found for torch==2.13.0"; exit 1
esac
"""
# Lays what setup looks at where --target says, and notes each installation.
PIP = """#!/bin/sh
case "$*" in *"pip install"*) ;; *) exit 0 ;; esac
while [ "$1" != --target ]; do shift; done
target="$2"
echo "$*" >> "$HOME/installed"
case "$*" in
  *torch==*)
    mkdir -p "$target/torch/include/ATen/core" "$target/torch/lib"
    echo "__version__ = '2.13.0+cpu'" > "$target/torch/version.py"
    touch "$target/torch/include/ATen/core/Tensor.h"
    touch "$target/torch/lib/libtorch_cpu.so" ;;
  *openvino==*)
    mkdir -p "$target/openvino/cmake" "$target/openvino/include/openvino"
    mkdir -p "$target/openvino/libs"
    printf 'set(PACKAGE_VERSION_%s %s)\\n' MAJOR 2026 MINOR 4 PATCH 1 \\
      > "$target/openvino/cmake/OpenVINOConfig-version.cmake"
    touch "$target/openvino/include/openvino/openvino.hpp"
    touch "$target/openvino/libs/libopenvino.so.2641" ;;
  *onnxruntime==*)
    mkdir -p "$target/onnxruntime" "$target/numpy" ;;
esac
"""


class SetupTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name) / "a checkout"
        shutil.copytree(ROOT / "scripts", self.root / "scripts")
        shutil.copytree(ROOT / "cmake", self.root / "cmake")
        self.tools = self.root / "tools"
        self.tools.mkdir()
        self.put({"dpkg-query": INSTALLED, "apt-get": FAILING_APT,
                  "sudo": SUDO, "python3": PIP, "ldd": LINKED})

    def put(self, tools):
        for name, text in tools.items():
            (self.tools / name).write_text(text, encoding="utf-8")
            (self.tools / name).chmod(0o755)

    def run_setup(self, *arguments, **environment):
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith("HONE_")}
        kept["PATH"] = f"{self.tools}:{kept['PATH']}"
        kept["HOME"] = str(self.root)
        return subprocess.run(
            [self.root / "scripts/setup", *arguments], env=kept | environment,
            capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL)

    def assert_refused(self, result, *words):
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)

    def left(self):
        return sorted(path.name for path in (self.root / ".deps").iterdir()
                      if not path.name.startswith("."))

    def test_installs_once(self):
        self.assertEqual(self.run_setup().returncode, 0)
        self.assertEqual(self.left(), ["openvino-2026.4.1", "torch-2.13.0"])
        self.assertEqual(self.run_setup().returncode, 0)
        installed = (self.root / "installed").read_text(encoding="utf-8")
        self.assertEqual(installed.count("\n"), 2, installed)

    def test_the_other_engine_is_installed_when_it_is_asked_for(self):
        for _ in range(2):
            self.assertEqual(self.run_setup("--onnxruntime").returncode, 0)
            self.assertEqual(self.left(), ["onnxruntime-1.32.0",
                                           "openvino-2026.4.1", "torch-2.13.0"])
        self.assert_refused(
            self.run_setup("--onnxruntime",
                           HONE_ONNXRUNTIME_ROOT=str(self.tools)),
            str(self.tools), "HONE_ONNXRUNTIME_ROOT")
        self.assert_refused(self.run_setup("--onnx"), "unknown argument")

    def test_a_package_that_cannot_be_had_is_named(self):
        self.put({"dpkg-query": ABSENT})
        self.assert_refused(self.run_setup(), "libtbb-dev", "apt")

    def test_a_failing_pip_leaves_nothing(self):
        self.put({"python3": FAILING_PIP})
        self.assert_refused(self.run_setup(), "torch==2.13.0",
                            "No matching distribution")
        self.assertEqual(self.left(), [])

    def test_a_build_for_another_device_is_refused_and_removed(self):
        self.put({"ldd": UNLINKED})
        self.assert_refused(self.run_setup(), "libcudart.so.12",
                            "HONE_TORCH_ROOT", "CPU build")
        self.assertEqual(self.left(), [])

    def test_a_wrong_version_is_refused_by_name(self):
        other = self.root / "other"
        other.mkdir()
        (other / "version.py").write_text("__version__ = '2.13.01'\n",
                                          encoding="utf-8")
        self.assert_refused(self.run_setup(HONE_TORCH_ROOT=str(other)), "2.13.01",
                            "2.13.0 is needed", str(other))
        self.assert_refused(self.run_setup(HONE_OPENVINO_ROOT=str(other)),
                            "no OpenVINO at", str(other))

    def test_existing_installations_are_used(self):
        self.assertEqual(self.run_setup().returncode, 0)
        mine = self.root / "mine"
        (self.root / ".deps").rename(mine)
        result = self.run_setup(
            HONE_TORCH_ROOT=str(mine / "torch-2.13.0/torch"),
            HONE_OPENVINO_ROOT=str(mine / "openvino-2026.4.1/openvino"))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.left(), [])


if __name__ == "__main__":
    unittest.main()
