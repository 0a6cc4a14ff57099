"""The sandwich step beside PyTorch: subnets trained in a second.

The same batches and the same members of a space in each step (the largest, the
smallest and two random ones, which learn from the largest's logits), one update
with AdamW, both programs on the same number of threads, in turn. PyTorch is
written as its users write supernets: whole weights as parameters, each layer
cuts its weight by W[:out, :in], gradients of all members add up by autograd.

  PYTHONPATH=... python3 experiments/bench/supernet_throughput.py SPEC \\
      --hone build/release/experiments/supernet_throughput

Needs numpy and torch; torch's folder is the one that scripts/setup installs
LibTorch into.
"""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("spec")
parser.add_argument("--hone", required=True)
parser.add_argument("--steps", type=int, default=60)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--json", type=pathlib.Path)
arguments = parser.parse_args()

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

from batches import read_batches  # noqa: E402

TEMPERATURE = 2.0
LARGEST_WEIGHT = 0.5
WARM_UP_STEPS = 3


class Elastic(nn.Module):
    """A supernet of pre-norm encoders; heads and local windows by mask."""

    def __init__(self, members, vocabulary, places, classes):
        super().__init__()
        width = max(m["stem"]["d_model"] for m in members)
        layers = max(len(m["encoder"]) for m in members)
        hidden = max(b["feed_forward"]["width"]
                     for m in members for b in m["encoder"])
        self.embedding = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.position = nn.Parameter(0.02 * torch.randn(places, width))
        self.blocks = nn.ModuleList()
        for _ in range(layers):
            block = nn.ModuleDict({
                name: nn.Linear(width, width)
                for name in ("query", "key", "value", "output")})
            block["attention_norm"] = nn.LayerNorm(width)
            block["feed_forward_norm"] = nn.LayerNorm(width)
            block["up"] = nn.Linear(width, hidden)
            block["down"] = nn.Linear(hidden, width)
            self.blocks.append(block)
        self.norm = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, classes)

    def forward(self, tokens, member):
        d = member["stem"]["d_model"]

        def linear(layer, x, out):
            return F.linear(x, layer.weight[:out, :x.shape[-1]],
                            layer.bias[:out])

        def norm(layer, x):
            return F.layer_norm(x, (d,), layer.weight[:d], layer.bias[:d])

        x = F.embedding(tokens, self.embedding.weight)[..., :d]
        x = x + self.position[:tokens.shape[1], :d]
        for block, spec in zip(self.blocks, member["encoder"]):
            heads = spec["attention"]["heads"]
            y = norm(block["attention_norm"], x)

            def split(z):
                return z.view(*z.shape[:2], heads, -1).transpose(1, 2)

            mask = None
            if spec["attention"]["kind"] == "local":
                place = torch.arange(tokens.shape[1])
                near = (place[:, None] - place).abs()
                mask = near <= spec["attention"]["window"]
            y = F.scaled_dot_product_attention(
                *(split(linear(block[name], y, d))
                  for name in ("query", "key", "value")), attn_mask=mask)
            x = x + linear(block["output"],
                           y.transpose(1, 2).reshape(x.shape), d)
            y = norm(block["feed_forward_norm"], x)
            y = F.gelu(linear(block["up"], y, spec["feed_forward"]["width"]))
            x = x + linear(block["down"], y, d)
        return linear(self.classifier, norm(self.norm, x).mean(1),
                      self.classifier.out_features)


def step(network, optimizer, batch, members):
    tokens, labels = batch
    optimizer.zero_grad(set_to_none=True)
    logits = network(tokens, members[0])
    F.cross_entropy(logits, labels).backward()
    target = F.log_softmax(logits.detach() / TEMPERATURE, -1)
    for member in members[1:]:
        own = network(tokens, member)
        loss = F.cross_entropy(own, labels) + LARGEST_WEIGHT * TEMPERATURE**2 * (
            F.kl_div(F.log_softmax(own / TEMPERATURE, -1), target,
                     log_target=True, reduction="batchmean"))
        loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()


def pytorch_rate(batches, members):
    torch.manual_seed(0)
    everyone = [one for step_members in members for one in step_members]
    network = Elastic(everyone,
                      1 + max(int(x.max()) for x, _ in batches),
                      max(x.shape[1] for x, _ in batches),
                      1 + max(int(y.max()) for _, y in batches))
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    for i in range(WARM_UP_STEPS):
        step(network, optimizer, batches[i], members[i])
    start = time.perf_counter()
    for batch, step_members in zip(batches, members):
        step(network, optimizer, batch, step_members)
    seconds = time.perf_counter() - start
    return sum(len(m) for m in members) / seconds


def main():
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subprocess.run([arguments.hone, arguments.spec, "--steps",
                        str(arguments.steps), "--export", str(folder)],
                       check=True)
        batches = read_batches(folder / "batches.safetensors")
        members = json.loads((folder / "members.json").read_text())
    ours, peer, parts = [], [], []
    for _ in range(arguments.rounds):
        done = subprocess.run(
            [arguments.hone, arguments.spec, "--steps", str(arguments.steps)],
            check=True, capture_output=True, text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"})
        result = json.loads(done.stdout)
        ours.append(result["subnets_per_second"])
        parts.append([(one["ratio"], one["ratio_by_itself"])
                      for one in result["members"]])
        peer.append(pytorch_rate(batches, members))
    ratios = [a / b for a, b in zip(ours, peer)]
    row = {"hone": float(np.median(ours)), "pytorch": float(np.median(peer)),
           "ratio": float(np.median(ratios)),
           "ratio_range": [min(ratios), max(ratios)],
           "members": [{"architecture": one["architecture"],
                        "alone_ms": one["alone_ms"],
                        "ratio": float(np.median([p[i][0] for p in parts])),
                        "ratio_by_itself":
                            float(np.median([p[i][1] for p in parts]))}
                       for i, one in enumerate(result["members"])]}
    print("subnets/s: Hone {hone:.1f}, PyTorch {pytorch:.1f}, ratio {ratio:.2f} "
          "({ratio_range[0]:.2f}-{ratio_range[1]:.2f})".format(**row))
    for one in row["members"]:
        print("part / alone {ratio:.2f} ({ratio_by_itself:.2f} by itself)  "
              "{architecture}".format(**one))
    if arguments.json:
        arguments.json.write_text(json.dumps(row, indent=1) + "\n")


if __name__ == "__main__":
    main()
