#!/usr/bin/env python3
"""Checks who includes whom, and a few habits that a reader can rely on.

Usage: layering.py ROOT. Prints one line for each breach and exits with 1 if
there is any. The tables below are the rules; docs/decisions.md says why.
"""

import re
import sys
from pathlib import Path

# A zone is a part of the tree. The longest path that a file's name starts with
# decides its zone; a file of tests/X belongs to "tests" and obeys X's row too.
ZONES = {
    "space/base/": "base",
    "space/": "space",
    "train/data/": "data",
    "train/": "train",
    "eval/evaluator.": "eval API",
    "eval/measurement.": "eval API",
    "eval/bleu.": "measure",
    "eval/decode/": "decode",
    "eval/exported_network.": "measure",
    "eval/inspection.": "measure",
    "eval/latency.": "measure",
    "eval/latency_predictor.": "measure",
    "eval/quality.": "measure",
    "eval/simulated_evaluator.": "measure",
    "eval/timed_network.": "measure",
    "eval/export/": "export",
    "eval/engine/": "engine",
    "eval/": "eval",
    "search/": "search",
    "experiments/": "experiments",
    "tests/": "tests",
}

# Zone -> the zones that its files may include.
MAY_INCLUDE = {
    "base": {"base"},
    "space": {"base", "space"},
    "data": {"base", "space", "data"},
    "eval API": {"base", "space", "eval API"},
    "train": {"base", "space", "data", "eval API", "train"},
    "export": {"base", "space", "data", "eval API", "export"},
    "engine": {"base", "space", "data", "eval API", "export", "engine",
               "decode"},
    "decode": {"base", "space", "decode"},
    "measure": {"base", "space", "data", "eval API", "export", "engine",
                "decode", "measure"},
    "eval": {"base", "space", "data", "eval API", "train", "export", "engine",
             "decode", "measure", "eval"},
    "search": {"base", "space", "eval API", "search"},
    "experiments": set(ZONES.values()) - {"tests"},
}

# Folder of tests -> the zones that its files may include beside tests/.
TESTS_MAY_INCLUDE = {
    "space": MAY_INCLUDE["space"],
    "train_data": MAY_INCLUDE["data"],
    "train": MAY_INCLUDE["train"],
    "eval": MAY_INCLUDE["eval"],
    # Searches are tested on numbers from the simulated evaluator.
    "search": MAY_INCLUDE["search"] | {"measure"},
    "experiments": MAY_INCLUDE["experiments"],
}

# Zones whose files must not see LibTorch, however far down the includes.
LIBTORCH = ("ATen/", "c10/", "torch/")
LIBTORCH_FREE = {"base", "space", "data", "eval API", "export", "engine",
                 "decode", "measure", "search"}

# Third-party header -> the only files (or folders) that may include it.
# Tests may use what they check; headers that sink compile times are for nobody.
ONLY_IN = {
    "spdlog/": ["space/base/log.cc"],
    "nlohmann/": ["space/base/json.h"],
    "Eigen/": ["space/gaussian_process.cc"],
    "toml++/": ["experiments/toml.cc"],
    "SQLiteCpp/": ["search/sqlite_rows.h", "search/sqlite_trial_store.cc"],
    "sqlite3.h": ["search/sqlite_trial_store.cc"],
    "openvino/": ["eval/engine/openvino_common.h"],
    "protozero/": ["eval/export/onnx_reader.cc", "eval/export/onnx_writer.cc",
                   "tests/"],
    "sentencepiece": ["train/data/vocabulary.cc"],
    "utf8proc.h": ["train/data/wordpiece.cc"],
    "png.h": ["train/data/image_file.cc", "tests/train_data/encode_image.h"],
    "jpeglib.h": ["train/data/image_file.cc", "tests/train_data/encode_image.h"],
    "jerror.h": ["train/data/image_file.cc"],
    "zlib.h": ["train/data/inflate.cc", "tests/train_data/deflate.h"],
    "cxxopts": ["experiments/arguments.cc"],
    "gtest/": ["tests/"],
    "gmock/": ["tests/"],
    "torch/torch.h": [],
    "torch/types.h": [],
    "torch/nn": [],
    "torch/csrc/": [],
    "torch/script.h": [],
    "ATen/ATen.h": [],
    "ATen/Functions.h": [],
}

SOURCE_SUFFIXES = {".h", ".cc"}
CHECKED_SUFFIXES = SOURCE_SUFFIXES | {".py", ".txt", ".cmake", ".toml", ".md"}
FOLDERS = ["space", "train", "eval", "search", "experiments", "tests", "cmake",
           "scripts", ".ci", "docs"]
MAX_LINES = 500
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def zone_of(path):
    matches = [prefix for prefix in ZONES if path.startswith(prefix)]
    return ZONES[max(matches, key=len)] if matches else None


def allowed_zones(path):
    if not path.startswith("tests/"):
        return MAY_INCLUDE[zone_of(path)]
    folder = path.split("/")[1]
    return TESTS_MAY_INCLUDE.get(folder, set()) | {"tests"}


class Tree:
    """The sources under a root: path from the root -> its includes."""

    def __init__(self, root):
        self.root = Path(root)
        self.includes = {}
        self.texts = {}
        for path in self._files():
            text = path.read_text(encoding="utf-8", errors="replace")
            name = path.relative_to(self.root).as_posix()
            self.texts[name] = text
            if path.suffix in SOURCE_SUFFIXES:
                self.includes[name] = INCLUDE.findall(text)

    def _files(self):
        for folder in FOLDERS:
            for path in sorted((self.root / folder).rglob("*")):
                if path.is_file() and (path.suffix in CHECKED_SUFFIXES or
                                       folder in ("scripts", ".ci")):
                    yield path

    def path_to_libtorch(self, name, seen):
        """The chain of includes from `name` to a LibTorch header, or None."""
        seen.add(name)
        for _, target in self.includes.get(name, []):
            if target.startswith(LIBTORCH):
                return [name, target]
            if target in self.includes and target not in seen:
                chain = self.path_to_libtorch(target, seen)
                if chain:
                    return [name] + chain
        return None


def breaches_of_layers(tree):
    for name, includes in tree.includes.items():
        allowed = allowed_zones(name)
        for kind, target in includes:
            zone = zone_of(target)
            if kind == '"' and zone is None:
                yield f'{name}: "{target}" is not written from the root'
            elif kind == '"' and zone not in allowed:
                yield (f'{name}: {zone_of(name)} may not include "{target}" '
                       f"({zone})")


def breaches_of_third_party(tree):
    for name, includes in tree.includes.items():
        for _, target in includes:
            for header, places in ONLY_IN.items():
                if target.startswith(header) and not any(
                        name.startswith(place) for place in places):
                    yield (f"{name}: <{target}> belongs in "
                           f"{' or '.join(places) or 'no file'}")
        chain = tree.path_to_libtorch(name, set())
        if chain and zone_of(name) in LIBTORCH_FREE:
            yield f"{name}: sees LibTorch: {' -> '.join(chain)}"
        if chain and any(target.startswith("spdlog/") for _, target in includes):
            yield f"{name}: spdlog does not compile beside LibTorch headers"


def breaches_of_habits(tree):
    for name, text in tree.texts.items():
        lines = text.splitlines()
        source = Path(name).suffix in SOURCE_SUFFIXES | {".py"}
        if source and len(lines) > MAX_LINES:
            yield f"{name}: {len(lines)} lines; split above {MAX_LINES}"
        if name.endswith(".h") and "#pragma once" not in lines:
            yield f"{name}: no #pragma once"
        for number, line in enumerate(lines, 1):
            if UNFINISHED.search(line):
                yield f"{name}:{number}: unfinished: {line.strip()}"


def breaches(root):
    tree = Tree(root)
    if not tree.includes:
        return [f"{root}: no sources found"]
    found = []
    for check in (breaches_of_layers, breaches_of_third_party,
                  breaches_of_habits):
        found += check(tree)
    return found


def main(arguments):
    if len(arguments) != 2:
        print("usage: layering.py ROOT", file=sys.stderr)
        return 2
    found = breaches(arguments[1])
    for line in found:
        print(line)
    print(f"{len(found)} breaches")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
