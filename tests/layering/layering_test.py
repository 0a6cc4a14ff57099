#!/usr/bin/env python3
"""The rules themselves: each made-up breach must be found, and only it."""

import os
import tempfile
import unittest
from pathlib import Path

import layering

ROOT = Path(__file__).resolve().parents[2]

# A small tree that breaks nothing.
SOUND = {
    "space/base/error.h": "#pragma once\n#include <string>\n",
    "space/base/log.cc": "#include <spdlog/spdlog.h>\n",
    "space/architecture.h":
        '#pragma once\n#include "space/base/error.h"\n',
    "eval/evaluator.h":
        '#pragma once\n#include "space/architecture.h"\n',
    "eval/stages.cc": '#include "train/weights.h"\n',
    "train/weights.h":
        "#pragma once\n#include <ATen/core/Tensor.h>\n",
    "train/trainer.cc": '#include "eval/evaluator.h"\n',
    "search/study.cc": '#include "eval/evaluator.h"\n',
    "experiments/main.cc": '#include "search/study.h"\n',
    "tests/search/study_test.cc": "#include <gtest/gtest.h>\n",
}

# Path, added text, and what the one breach must say.
BREACHES = [
    ("space/cost.cc", '#include "eval/evaluator.h"', "may not include"),
    ("space/base/rng.cc", '#include "space/architecture.h"',
     "may not include"),
    ("train/extra.cc", '#include "eval/quality.h"', "may not include"),
    ("search/extra.cc", '#include "eval/quality.h"', "may not include"),
    ("search/extra.cc", '#include "experiments/table.h"', "may not include"),
    ("eval/export/extra.cc", '#include "train/trainer.h"', "may not include"),
    ("eval/engine/extra.cc", '#include "train/trainer.h"', "may not include"),
    ("search/study.cc", '#include "train/trainer.h"', "may not include"),
    ("search/study.cc", '#include "eval/decode/step_model.h"',
     "may not include"),
    ("eval/decode/extra.cc", '#include "eval/quality.h"', "may not include"),
    ("tests/space/extra_test.cc", '#include "search/study.h"',
     "may not include"),
    ("space/cost.cc", '#include "architecture.h"', "from the root"),
    ("space/cost.cc", "#include <ATen/core/Tensor.h>", "sees LibTorch"),
    ("train/extra.cc", "#include <torch/torch.h>", "in no file"),
    ("experiments/extra.cc", "#include <spdlog/spdlog.h>",
     "belongs in space/base/log.cc"),
    ("search/study.cc", "#include <sqlite3.h>", "belongs in"),
    ("eval/stages.cc", "#include <openvino/openvino.hpp>", "belongs in"),
    ("experiments/extra.cc", "#include <toml++/toml.h>", "belongs in"),
    ("space/extra.h", "int x;", "no #pragma once"),
    ("space/extra.cc", "int x;\n" * (layering.MAX_LINES + 1),
     "split above"),
    ("docs/extra.md", "TO" + "DO: write this", "unfinished"),
]


def write(root, files):
    for name, text in files.items():
        path = Path(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.write(text + "\n")


class LayeringTest(unittest.TestCase):
    def breaches_with(self, files):
        with tempfile.TemporaryDirectory() as root:
            write(root, SOUND)
            write(root, files)
            return layering.breaches(root)

    def test_sound_tree_has_no_breach(self):
        self.assertEqual(self.breaches_with({}), [])

    def test_every_breach_is_found(self):
        for name, text, message in BREACHES:
            with self.subTest(name=name, text=text[:60]):
                found = self.breaches_with({name: text})
                self.assertEqual(len(found), 1, found)
                self.assertIn(name, found[0])
                self.assertIn(message, found[0])

    def test_libtorch_is_found_through_includes(self):
        found = self.breaches_with({
            "train/data/dataset.h":
                "#pragma once\n#include <ATen/core/Tensor.h>",
            "eval/export/writer.cc": '#include "train/data/dataset.h"',
        })
        self.assertEqual(len(found), 2, found)
        self.assertIn("eval/export/writer.cc: sees LibTorch", found[1])

    def test_an_empty_tree_does_not_pass(self):
        with tempfile.TemporaryDirectory() as root:
            self.assertEqual(len(layering.breaches(root)), 1)

    def test_documents_for_newcomers_stay_short(self):
        for name, limit in (("CMakeLists.txt", 120), ("CONTRIBUTING.md", 100)):
            lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
            self.assertLess(len(lines), limit, name)

    def test_scripts_can_be_run(self):
        for name in ("scripts/setup", "scripts/quickstart", "scripts/test",
                     "scripts/check", ".ci/run"):
            self.assertTrue(os.access(ROOT / name, os.X_OK), name)


if __name__ == "__main__":
    unittest.main()
