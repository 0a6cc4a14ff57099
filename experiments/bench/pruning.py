#!/usr/bin/env python3
"""What pruning and low rank cost and give: one trained model, made smaller.

For each seed, trains one architecture of a spec (`hone search` of one trial)
and makes it smaller in many ways (`hone compress`). Each smaller model is
measured in turn with the model that it comes from; the table shows the change
of quality for each seed and the ratio of their latencies.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

CRITERIA = ("taylor", "fisher", "norm", "random")
FACTORS = ("svd", "fisher", "activations")


def variants(args):
    """Name, options and [compression] settings of each smaller model."""
    for steps in args.steps:
        trained = f", {steps} steps" if steps else ", untrained"
        for size in args.size:
            for criterion in args.criterion or CRITERIA:
                yield (f"{size}, {criterion}{trained}", size.split(),
                       {"importance": criterion, "steps": steps})
        for rank in args.rank:
            for factors in args.factors or FACTORS:
                yield (f"--rank {rank}, {factors}{trained}",
                       ["--rank", str(rank)],
                       {"factors": factors, "steps": steps})


def run(command):
    done = subprocess.run([str(word) for word in command],
                          stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{command}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def train(args, seed):
    study = args.folder / f"{args.spec.stem}-{seed}.db"
    settings = dict(item.split("=", 1) for item in args.set)
    settings |= {"study.seed": seed, "search.trials": 1,
                 "search.algorithm": "random", "search.rungs": "[]"}
    command = [args.hone, "search", args.spec, "--study", study, "--workers", 1]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    run(command)
    return study


def compress(args, study, options, settings):
    command = [args.hone, "compress", study, 0, *options, "--json"]
    for key, value in settings.items():
        command += ["--set", f"compression.{key}={value}"]
    return [{name: metric["value"] for name, metric in one["metrics"].items()}
            for one in json.loads(run(command))]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hone", default="build/release/hone")
    parser.add_argument("--spec", type=pathlib.Path,
                        default="experiments/specs/gloss.toml")
    parser.add_argument("--folder", type=pathlib.Path, required=True,
                        help="where the studies are kept")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--size", action="append", default=[],
                        help="options of hone compress: '--feed-forward 512'")
    parser.add_argument("--rank", action="append", type=int, default=[])
    parser.add_argument("--criterion", action="append", choices=CRITERIA,
                        help="this one, instead of all")
    parser.add_argument("--factors", action="append", choices=FACTORS,
                        help="this kind, instead of all")
    parser.add_argument("--steps", type=int, nargs="*", default=[0, 500])
    parser.add_argument("--metric", default="accuracy")
    parser.add_argument("--scale", type=float, default=100,
                        help="multiplies the metric in the table")
    parser.add_argument("--set", action="append", default=[],
                        help="key=value: the architecture, as lists of one")
    args = parser.parse_args()
    studies = [train(args, seed) for seed in range(1, args.seeds + 1)]
    print(f"| smaller by | {args.metric} before, after | change, each seed | "
          "parameters | times faster |\n|---|---|---|---|---|", flush=True)
    for name, options, settings in variants(args):
        pairs = [compress(args, study, options, settings)
                 for study in studies]
        before, after = ([args.scale * pair[i][args.metric] for pair in pairs]
                         for i in (0, 1))
        changes = ", ".join(f"{b - a:+.2f}" for a, b in zip(before, after))
        parameters = [pair["parameters"] for pair in pairs[0]]
        faster = statistics.mean(base["latency_ms"] / small["latency_ms"]
                                 for base, small in pairs)
        print(f"| {name} | {statistics.mean(before):.2f}, "
              f"{statistics.mean(after):.2f} | {changes} | "
              f"{parameters[0]:.0f} -> {parameters[1]:.0f} | {faster:.2f} |",
              flush=True)


if __name__ == "__main__":
    main()
