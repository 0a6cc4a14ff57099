"""Training throughput beside PyTorch eager: real tokens a second.

The same network on the same batches, each program on one thread, in turn
(Hone, PyTorch, Hone, ...); then two of Hone's trials side by side. PyTorch is
written as its users do: nn.Module, scaled_dot_product_attention, dropout
modules, fused AdamW, clip_grad_norm_. It is given Hone's batches (no padding),
and reads them from memory.

  PYTHONPATH=... python3 experiments/bench/training_throughput.py \\
      --hone build/release/experiments/training_throughput \\
      --case NAME=SPEC,ARCHITECTURE [--case ...]

SPEC is a search spec whose task is text-classification or language-model,
ARCHITECTURE the JSON of full-attention pre-norm GELU blocks with learned
positions. Needs numpy and torch; torch's folder is the one that scripts/setup
installs LibTorch into.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import tomllib

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402  (after the thread limits)
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

from batches import read_batches  # noqa: E402

WARM_UP_STEPS = 5


class Attention(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(self, x):
        batch, length, width = x.shape

        def split(y):
            return y.view(batch, length, self.heads, -1).transpose(1, 2)

        mixed = F.scaled_dot_product_attention(
            split(self.query(x)), split(self.key(x)), split(self.value(x)),
            is_causal=self.causal)
        return self.output(mixed.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    def __init__(self, width, spec, causal, dropout):
        super().__init__()
        hidden = spec["feed_forward"]["width"]
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, spec["attention"]["heads"], causal)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        x = x + self.dropout(self.attention(self.attention_norm(x)))
        hidden = F.gelu(self.up(self.feed_forward_norm(x)))
        return x + self.dropout(self.down(hidden))


class Network(nn.Module):
    def __init__(self, architecture, vocabulary, places, classes, dropout):
        super().__init__()
        width = architecture["stem"]["d_model"]
        self.decodes = bool(architecture["decoder"])
        self.embedding = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.position = nn.Parameter(0.02 * torch.randn(places, width))
        self.blocks = nn.ModuleList(
            Block(width, block, self.decodes, dropout)
            for block in architecture["decoder"] or architecture["encoder"])
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        if not self.decodes:
            self.classifier = nn.Linear(width, classes)

    def forward(self, tokens):
        x = self.embedding(tokens) + self.position[:tokens.shape[1]]
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        if self.decodes:
            return F.linear(x, self.embedding.weight)
        return self.classifier(x.mean(1))


class PyTorchTrial:
    def __init__(self, spec, architecture, batches):
        torch.manual_seed(0)
        self.batches = batches
        self.training = spec["training"]
        decodes = bool(architecture["decoder"])
        vocabulary = 1 + max(int(x.max()) for x, _ in batches)
        if "vocabulary_size" in spec["task"]:
            vocabulary = max(vocabulary, spec["task"]["vocabulary_size"])
        classes = 0 if decodes else 1 + max(int(y.max()) for _, y in batches)
        self.network = Network(architecture, vocabulary,
                               spec["task"]["max_tokens"], classes,
                               self.training.get("dropout", 0.1))
        matrices = [p for p in self.network.parameters() if p.dim() == 2]
        others = [p for p in self.network.parameters() if p.dim() != 2]
        self.optimizer = torch.optim.AdamW(
            [{"params": matrices,
              "weight_decay": self.training.get("weight_decay", 0.01)},
             {"params": others, "weight_decay": 0.0}],
            lr=self.training["learning_rate"], fused=True)
        self.parameters = sum(p.numel() for p in self.network.parameters())

    def step(self, batch):
        tokens, labels = batch
        logits = self.network(tokens)
        loss = F.cross_entropy(logits.flatten(0, -2), labels.flatten())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        return float(loss.detach())

    def rate(self):
        """Real tokens a second over all batches."""
        for batch in self.batches[:WARM_UP_STEPS]:
            self.step(batch)
        start = time.perf_counter()
        for batch in self.batches:
            self.step(batch)
        seconds = time.perf_counter() - start
        return sum(x.numel() for x, _ in self.batches) / seconds


def run_hone(arguments, spec, architecture, workers):
    done = subprocess.run(
        [arguments.hone, spec, architecture, "--workers", str(workers),
         "--steps", str(arguments.steps)],
        check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def measure(arguments, name, spec_path, architecture_path):
    spec = tomllib.loads(pathlib.Path(spec_path).read_text())
    architecture = json.loads(pathlib.Path(architecture_path).read_text())
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "batches.safetensors"
        subprocess.run([arguments.hone, spec_path, architecture_path,
                        "--steps", str(arguments.steps),
                        "--batches", str(path)], check=True)
        batches = read_batches(path)
    one, two, peer = [], [], []
    for _ in range(arguments.rounds):
        ours = run_hone(arguments, spec_path, architecture_path, 1)
        one.append(ours["tokens_per_second"][0])
        trial = PyTorchTrial(spec, architecture, batches)
        peer.append(trial.rate())
        two.append(sum(run_hone(arguments, spec_path, architecture_path,
                                2)["tokens_per_second"]))
    if ours["parameters"] != trial.parameters:
        sys.exit(f"{name}: PyTorch's network has {trial.parameters} parameters, "
                 f"Hone's {ours['parameters']}; they must be the same")
    ratios = [a / b for a, b in zip(one, peer)]
    both = [a / b for a, b in zip(two, one)]
    return {
        "case": name, "parameters": ours["parameters"],
        "hone": float(np.median(one)), "pytorch": float(np.median(peer)),
        "two_side_by_side": float(np.median(two)),
        "ratio": float(np.median(ratios)),
        "ratio_range": [min(ratios), max(ratios)],
        "scaling": float(np.median(both)),
        "scaling_range": [min(both), max(both)],
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--hone", required=True)
    parser.add_argument("--case", action="append", required=True)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| case | parameters | Hone, tokens/s | PyTorch, tokens/s | ratio | "
          "two side by side | of one |\n|---|---|---|---|---|---|---|")
    rows = []
    for case in arguments.case:
        name, _, files = case.partition("=")
        if files.count(",") != 1:
            sys.exit(f"--case {case}: NAME=SPEC,ARCHITECTURE wanted")
        row = measure(arguments, name, *files.split(","))
        rows.append(row)
        print("| {case} | {parameters} | {hone:.0f} | {pytorch:.0f} | "
              "{ratio:.2f} ({ratio_range[0]:.2f}-{ratio_range[1]:.2f}) | "
              "{two_side_by_side:.0f} | {scaling:.2f} "
              "({scaling_range[0]:.2f}-{scaling_range[1]:.2f}) |".format(**row),
              flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
