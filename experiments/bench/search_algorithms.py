#!/usr/bin/env python3
"""Search algorithms at equal budgets on a spec that trains nothing.

For each algorithm and seed runs one `hone search` and reads its trials in order:
the hypervolume of the first N in accuracy (above 0.5) and latency (below 1 ms),
linear and with the latency's logarithm.
"""
import argparse
import json
import math
import pathlib
import statistics
import subprocess
import tempfile
import time


def hypervolume(points, reference):
    """Of two objectives to be minimised."""
    volume, lowest = 0.0, reference[1]
    for x, y in sorted(points):
        if x < reference[0] and y < lowest:
            volume += (reference[0] - x) * (lowest - y)
            lowest = y
    return volume


def run(args, algorithm, seed, folder):
    study = pathlib.Path(folder) / f"{algorithm}-{seed}.db"
    start = time.monotonic()
    subprocess.run(
        [args.hone, "search", args.spec, "--study", study,
         "--set", f"search.algorithm={algorithm}", "--set",
         f"study.seed={seed}", "--set", f"search.trials={max(args.budget)}"],
        check=True, capture_output=True)
    seconds = time.monotonic() - start
    trials = json.loads(subprocess.run(
        [args.hone, "trials", study, "--json"], check=True,
        capture_output=True, text=True).stdout)
    points = [(-trial["metrics"]["accuracy"]["value"],
               trial["metrics"]["latency_ms"]["value"]) for trial in trials]
    return points, seconds


def volumes(points, budget, logarithmic):
    if logarithmic:
        return hypervolume([(x, math.log(y)) for x, y in points[:budget]],
                           (-0.5, 0.0))
    return hypervolume(points[:budget], (-0.5, 1.0))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hone", default="build/release/hone")
    parser.add_argument("--spec", default="experiments/specs/simulated.toml")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--budget", type=int, nargs="+",
                        default=[64, 96, 128, 160])
    parser.add_argument("--algorithm", nargs="+",
                        default=["random", "nsga2", "predictor"])
    args = parser.parse_args()
    runs = {}
    with tempfile.TemporaryDirectory() as folder:
        for algorithm in args.algorithm:
            runs[algorithm] = [run(args, algorithm, seed, folder)
                               for seed in range(1, args.seeds + 1)]
    print("| algorithm | trials | hypervolume | of log latency | lowest and "
          "highest | better than nsga2 |")
    print("|---|---|---|---|---|---|")
    for algorithm, done in runs.items():
        for budget in args.budget:
            linear = [volumes(points, budget, False) for points, _ in done]
            log = [volumes(points, budget, True) for points, _ in done]
            wins = sum(
                mine > volumes(points, budget, True)
                for mine, (points, _) in zip(log, runs.get("nsga2", [])))
            print(f"| {algorithm} | {budget} | {statistics.mean(linear):.4f} | "
                  f"{statistics.mean(log):.4f} | {min(log):.4f} "
                  f"{max(log):.4f} | {wins} of {len(done)} |")
    for algorithm, done in runs.items():
        print(f"{algorithm}: {statistics.mean(s for _, s in done):.1f} s a run")


if __name__ == "__main__":
    main()
