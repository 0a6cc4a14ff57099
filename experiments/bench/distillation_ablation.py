#!/usr/bin/env python3
"""What each distillation term adds: one student, equal steps, several seeds.

Runs `hone train` for each variant and seed and prints a Markdown table. The
teacher is the same file throughout (teacher.checkpoint), so that only the
student's loss and its random streams differ.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

# hard_weight, logits_weight, hidden_weight, embedding_from_teacher
VARIANTS = {
    "labels alone": (1, 0, 0, "false"),
    "+ logits": (0.3, 0.7, 0, "false"),
    "+ logits + hidden": (0.3, 0.7, 1, "false"),
    "+ logits + embedding": (0.3, 0.7, 0, "true"),
    "+ logits + hidden + embedding": (0.3, 0.7, 1, "true"),
}
KEYS = ("hard_weight", "logits_weight", "hidden_weight",
        "embedding_from_teacher")


def train(args, seed, settings):
    command = [args.hone, "train", args.spec, "--architecture",
               args.architecture, "--json", "--set", f"study.seed={seed}"]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}")
    return json.loads(done.stdout)["metrics"]["accuracy"]["value"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hone", default="build/release/hone")
    parser.add_argument("--spec", default="experiments/specs/gloss.toml")
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--teacher", required=True, type=pathlib.Path,
                        help="teacher.safetensors of a finished study")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[],
                        help="key=value for every run")
    args = parser.parse_args()
    common = dict(item.split("=", 1) for item in args.set)
    common["teacher.checkpoint"] = args.teacher.resolve()
    print("| loss | " + " | ".join(f"seed {s}" for s in range(1, args.seeds + 1))
          + " | mean | standard deviation |")
    print("|---" * (args.seeds + 3) + "|")
    for name, values in VARIANTS.items():
        settings = dict(common)
        settings.update({f"distillation.{key}": value
                         for key, value in zip(KEYS, values)})
        values = [train(args, seed, settings)
                  for seed in range(1, args.seeds + 1)]
        cells = [f"{100 * value:.2f}" for value in values]
        print(f"| {name} | {' | '.join(cells)} | "
              f"{100 * statistics.mean(values):.2f} | "
              f"{100 * statistics.stdev(values):.2f} |", flush=True)


if __name__ == "__main__":
    main()
