#!/usr/bin/env python3
"""What each distillation term adds: one student, equal steps, several seeds.

Runs `hone train` for each variant and seed and prints a Markdown table. The
teacher is the same file throughout (or several files, whose answers are
averaged), so that only the student's loss and its random streams differ.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

OFF = {"hard_weight": 1, "logits_weight": 0, "hidden_weight": 0,
       "relation_weight": 0, "embedding_from_teacher": "false"}
LOGITS = {"hard_weight": 0.3, "logits_weight": 0.7}
EMBEDDING = {"embedding_from_teacher": "true"}
HIDDEN = {"hidden_weight": 1}
UNIFORM = {"hidden_weight": 1, "hidden_layers": "uniform"}
RELATIONS = {"relation_weight": 1}

# What differs from learning from the labels alone.
VARIANTS = {
    "labels alone": {},
    "+ logits": LOGITS,
    "+ logits, reverse KL": LOGITS | {"divergence": "reverse-kl"},
    "+ logits, alpha": LOGITS | {"divergence": "alpha"},
    "+ relations": RELATIONS,
    "+ logits + hidden": LOGITS | HIDDEN,
    "+ logits + hidden, all blocks": LOGITS | UNIFORM,
    "+ logits + relations": LOGITS | RELATIONS,
    "+ logits + embedding": LOGITS | EMBEDDING,
    "+ logits, reverse KL + embedding":
        LOGITS | EMBEDDING | {"divergence": "reverse-kl"},
    "+ logits, alpha + embedding":
        LOGITS | EMBEDDING | {"divergence": "alpha"},
    "+ logits + hidden + embedding": LOGITS | HIDDEN | EMBEDDING,
    "+ logits + hidden, all blocks + embedding": LOGITS | UNIFORM | EMBEDDING,
    "+ logits + relations + embedding": LOGITS | RELATIONS | EMBEDDING,
}


def train(args, seed, settings):
    command = [args.hone, "train", args.spec, "--architecture",
               args.architecture, "--json", "--set", f"study.seed={seed}"]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}")
    return json.loads(done.stdout)["metrics"][args.metric]["value"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hone", default="build/release/hone")
    parser.add_argument("--spec", default="experiments/specs/gloss.toml")
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--teacher", required=True, type=pathlib.Path,
                        nargs="+",
                        help="teacher.safetensors of finished studies")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--metric", default="accuracy")
    parser.add_argument("--scale", type=float, default=100,
                        help="multiplies the metric in the table")
    parser.add_argument("--only", action="append", choices=VARIANTS,
                        help="this variant, instead of all")
    parser.add_argument("--set", action="append", default=[],
                        help="key=value for every run")
    args = parser.parse_args()
    common = dict(item.split("=", 1) for item in args.set)
    common["teacher.checkpoints"] = json.dumps(
        [str(path.resolve()) for path in args.teacher])
    print("| loss | " + " | ".join(f"seed {s}" for s in range(1, args.seeds + 1))
          + " | mean | standard deviation |")
    print("|---" * (args.seeds + 3) + "|")
    for name, changes in VARIANTS.items():
        if args.only and name not in args.only:
            continue
        settings = dict(common)
        settings.update({f"distillation.{key}": value
                         for key, value in (OFF | changes).items()})
        values = [train(args, seed, settings)
                  for seed in range(1, args.seeds + 1)]
        cells = [f"{args.scale * value:.2f}" for value in values]
        print(f"| {name} | {' | '.join(cells)} | "
              f"{args.scale * statistics.mean(values):.2f} | "
              f"{args.scale * statistics.stdev(values):.2f} |", flush=True)


if __name__ == "__main__":
    main()
