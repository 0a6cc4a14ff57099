#!/usr/bin/env python3
"""Real searches at equal time: Hone's beside what people would use instead.

For each seed the teacher is trained once, by a study of one trial, and lent to
all. Then each of these may run --minutes from the start of its program on, and
is stopped as by Ctrl-C; what it needs for itself, such as the supernet, counts:
  hone              the spec as it is
  random            random search, every trial trained in full
  uniform           the same of networks whose blocks are all alike
  random on ladder  random search on the spec's ladder and supernet
  f32, then bits    the spec without quantization for --rounding-minutes less;
                    then each network of its front in every other precision of
                    the spec, by `hone train`, which is what they are for
  f32 without bound, then bits
                    the same without --bound, which only what is rounded has
                    to keep
With --bound all others have it as a hard constraint on the latency's ratio to
the reference model, and whatever is above it does not count.
The hypervolume is of accuracy and latency, as a ratio to the reference model
that is timed in the same rounds, on the scale of search/front_scale.h, taken
from the front of all of a seed's runs. Between two programs it also prints the
most that a network of one is faster than every network of the other that is as
accurate, of those for which the other has one. Programs run one after another.
"""
import argparse
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import tomllib

from table_search import MARGIN, Scale, front, most_times_faster


def overrides(**keys):
    words = []
    for key, value in keys.items():
        words += ["--set", f"{key.replace('__', '.')}={json.dumps(value)}"]
    return words


class Runs:
    def __init__(self, args):
        self.args = args
        self.folder = pathlib.Path(args.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.hone = str(pathlib.Path(args.hone).resolve())
        self.spec = str(pathlib.Path(args.spec).resolve())
        with open(args.spec, "rb") as file:
            self.precisions = tomllib.load(file)["space"]["precision"]

    def call(self, *words, seconds=None):
        run = subprocess.Popen([self.hone, *words], cwd=self.folder,
                               stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
        try:
            out, _ = run.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGINT)
            out, _ = run.communicate()
        return out

    def common(self, name, seed):
        return overrides(study__name=name, study__seed=seed) + [
            word for one in self.args.set for word in ("--set", one)]

    def teacher(self, seed):
        name = f"teacher-{seed}"
        if not (self.folder / "studies" / f"{name}.db").exists():
            self.call("search", self.spec, *self.common(name, seed),
                      *overrides(search__trials=1, search__rungs=[],
                                 search__algorithm="random"))
        return self.folder / "studies" / f"{name}.artifacts"

    def search(self, arm, seed, keys, minutes):
        name = f"{arm.replace(' ', '-').replace(',', '')}-{seed}"
        study = self.folder / "studies" / f"{name}.db"
        if not study.exists():
            shutil.copytree(self.teacher(seed), study.with_suffix(".artifacts"))
            begun = time.monotonic()
            self.call("search", self.spec, *self.common(name, seed),
                      *overrides(**keys), seconds=60 * minutes)
            print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr,
                  flush=True)
        return json.loads(self.call("trials", f"studies/{name}.db", "--json"))

    def quantized(self, arm, seed, keys, trials):
        """The front's students in other precisions, by `hone train`."""
        name = f"{arm.replace(' ', '-').replace(',', '')}-{seed}"
        kept = self.folder / f"{name}.json"
        if kept.exists():
            return json.loads(kept.read_text())
        more = []
        begun = time.monotonic()
        for number in front_numbers(trials):
            architecture = trials[number]["architecture"]
            for precision in self.precisions:
                for block in architecture["encoder"]:
                    block["precision"] = precision
                path = self.folder / "architecture.json"
                path.write_text(json.dumps(architecture))
                if precision == "f32":
                    continue
                more.append(json.loads(self.call(
                    "train", self.spec, *self.common(name, seed),
                    *overrides(**keys), "--architecture", path.name,
                    *(["--from-supernet"] if "search__rungs" not in keys
                      else []), "--json")))
        kept.write_text(json.dumps(more))
        print(f"{name}: {time.monotonic() - begun:.0f} s of rounding",
              file=sys.stderr, flush=True)
        return more


def point(trial):
    return (-trial["metrics"]["accuracy"]["value"],
            trial["metrics"]["latency_ratio"]["value"])


def full(trials, bound=float("inf")):
    return [t for t in trials
            if t["state"] == "complete" and t["fidelity"] == "trained"
            and point(t)[1] <= bound]


def front_numbers(trials):
    best = set(front([point(t) for t in full(trials)]))
    return [t["number"] for t in full(trials) if point(t) in best]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hone", default="build/release/hone")
    parser.add_argument("--spec", default="experiments/specs/gloss-quick.toml")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--folder", required=True)
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--bound", type=float, default=float("inf"))
    parser.add_argument("--rounding-minutes", type=float, default=1)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--only", nargs="+")
    args = parser.parse_args()
    runs = Runs(args)
    unbounded = {"search__trials": 100000}
    only_f32 = {"space__precision": ["f32"], "search__rung_precision": ""}
    many = unbounded | ({} if args.bound == float("inf") else
                        {"study__constraints":
                         [f"latency_ratio <= {args.bound}"]})
    arms = {
        "hone": many,
        "random": many | {"search__algorithm": "random", "search__rungs": []},
        "uniform": many | {"search__algorithm": "uniform-scaling",
                           "search__rungs": []},
        "f32, then bits": many | only_f32,
        "f32 without bound, then bits": unbounded | only_f32,
        "random on ladder": many | {"search__algorithm": "random"},
    }
    for seed in range(args.first_seed, args.first_seed + args.seeds):
        results, begun = {}, {}
        for arm, keys in arms.items():
            if args.only and arm not in args.only:
                continue
            rounds = arm.endswith("then bits")
            trials = runs.search(
                arm, seed, keys,
                args.minutes - (args.rounding_minutes if rounds else 0))
            begun[arm] = len(trials)
            if rounds:
                trials += runs.quantized(arm, seed, keys, trials)
            results[arm] = [point(t) for t in full(trials, args.bound)]
        scale = Scale([p for points in results.values() for p in points])
        for arm, points in results.items():
            share = scale.hypervolume(points) / (1 + MARGIN) ** 2
            best = sorted(front(points))
            print(f"| {seed} | {arm} | {begun[arm]} | {len(points)} | "
                  f"{share:.4f} | " + ", ".join(
                      f"{-100 * x:.2f} % {y:.4f}" for x, y in best) + " |",
                  flush=True)
        for arm in results:
            for other in results:
                if arm == other:
                    continue
                times, accuracy = most_times_faster(results[arm],
                                                    results[other])
                print(f"seed {seed}: of {arm}, {100 * accuracy:.2f} % "
                      f"{times:.2f} times faster than {other}",
                      file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
