#!/usr/bin/env python3
"""Which light model ranks architectures better: a Gaussian process, or ridge
regressions of bootstrap samples.

Both learn accuracy and the logarithm of latency from the first N trials of a
random search that trains nothing, on the same features, and rank 200 others.
The Gaussian process has the covariance and the grid of space/gaussian_process.h,
but no minor columns, and features scaled by the trials alone.
"""
import argparse
import itertools
import json
import pathlib
import subprocess
import tempfile

import numpy as np

OTHERS = 200


def features(trial):
    """Sums over blocks, costs and the stem, as space/features.h has them."""
    architecture = trial["architecture"]
    blocks = architecture["encoder"]
    width = architecture["stem"]["d_model"]
    row = [len(blocks), width, width * width, np.log(width)]
    row += [np.log(trial["metrics"][name]["value"])
            for name in ("parameters", "multiply_adds", "weight_bytes")]
    for word in ("f32", "w8a8", "w4"):
        own = [b for b in blocks if b["precision"] == word]
        inner = [b["feed_forward"]["width"] for b in own]
        row += [len(own), sum(4 * width * width + 2 * width * f for f in inner),
                sum(8 * width + 2 * (width + f) for f in inner)]
    for kind in ("full", "local"):
        own = [b for b in blocks if b["attention"]["kind"] == kind]
        row += [bool(own), len(own), sum(b["attention"]["heads"] for b in own)]
    row.append(sum(np.log(b["feed_forward"]["width"]) for b in blocks))
    return row


def scaled(x, others):
    mean, deviation = x.mean(0), x.std(0)
    varying = deviation > 1e-9
    factor = np.where(varying, 1 / np.where(varying, deviation, 1), 0)
    factor /= np.sqrt(varying.sum())
    return (x - mean) * factor, (others - mean) * factor


def covariance(a, b, linear, length):
    dots = a @ b.T
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * dots
    r = np.sqrt(5 * np.maximum(squares, 0)) / length
    return linear * (1 + dots) + (1 - linear) * (1 + r + r * r / 3) * np.exp(-r)


def gaussian_process(x, y, others):
    best = None
    for linear, length, noise in itertools.product(
            (0, 0.2, 0.5, 0.8, 0.95, 0.99), (0.35, 0.7, 1.4, 2.8, 5.6),
            (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3)):
        lower = np.linalg.cholesky(
            covariance(x, x, linear, length) + noise * np.eye(len(y)))
        z = np.linalg.solve(lower, y)
        likelihood = (-0.5 * len(y) * np.log(z @ z / len(y)) -
                      np.log(np.diag(lower)).sum())
        if best is None or likelihood > best[0]:
            best = likelihood, linear, length, lower, z
    _, linear, length, lower, z = best
    return covariance(others, x, linear, length) @ np.linalg.solve(lower.T, z)


def bootstrap_ridge(x, y, others, members=30):
    """The mean of regressions whose penalty leave-one-out errors choose."""
    rng = np.random.default_rng(0)
    means = []
    for _ in range(members):
        rows = rng.integers(len(y), size=len(y))
        a, b = x[rows], y[rows]
        best = None
        for penalty in (1e-4, 1e-3, 1e-2, 0.1, 1):
            inverse = np.linalg.inv(a.T @ a + penalty * np.eye(a.shape[1]))
            hat = a @ inverse @ a.T
            left = (b - hat @ b) / np.maximum(1 - np.diag(hat), 1e-6)
            if best is None or left @ left < best[0]:
                best = left @ left, inverse @ a.T @ b
        means.append(others @ best[1])
    return np.mean(means, axis=0)


def spearman(a, b):
    return np.corrcoef(np.argsort(np.argsort(a)), np.argsort(np.argsort(b)))[0, 1]


def trials_of(args, seed, folder):
    study = pathlib.Path(folder) / f"{seed}.db"
    subprocess.run(
        [args.hone, "search", args.spec, "--study", study, "--set",
         "search.algorithm=random", "--set", f"study.seed={seed}", "--set",
         f"search.trials={max(args.trials) + OTHERS}"],
        check=True, capture_output=True)
    return json.loads(subprocess.run(
        [args.hone, "trials", study, "--json"], check=True,
        capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hone", default="build/release/hone")
    parser.add_argument("--spec", default="experiments/specs/simulated.toml")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, nargs="+", default=[32, 64, 128])
    args = parser.parse_args()
    scores = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, args.seeds + 1):
            trials = trials_of(args, seed, folder)
            x = np.array([features(trial) for trial in trials], dtype=float)
            for metric, scale in (("accuracy", lambda v: v),
                                  ("latency_ms", np.log)):
                y = scale(np.array([trial["metrics"][metric]["value"]
                                    for trial in trials]))
                for count in args.trials:
                    seen, others = scaled(x[:count], x[-OTHERS:])
                    own = y[:count] - y[:count].mean()
                    for model in (gaussian_process, bootstrap_ridge):
                        scores.setdefault(
                            (metric, count, model.__name__), []).append(
                                spearman(model(seen, own / own.std(), others),
                                         y[-OTHERS:]))
    print("| metric | trials | model | rank correlation | lowest |")
    print("|---|---|---|---|---|")
    for (metric, count, model), values in scores.items():
        print(f"| {metric} | {count} | {model.replace('_', ' ')} | "
              f"{np.mean(values):.4f} | {min(values):.4f} |")


if __name__ == "__main__":
    main()
