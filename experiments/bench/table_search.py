#!/usr/bin/env python3
"""Search algorithms on a table of really measured architectures.

STUDY measured every architecture of its space at one fidelity
(experiments/specs/gloss-table.toml). Hone's algorithms run on it through
build/release/experiments/table_search, Optuna's samplers through the same
choices as categorical parameters, blocks beyond the depth left out. Counts the
distinct architectures that each has looked up when its hypervolume reaches 99 %
of the whole table's, on the scale of search/front_scale.h. Optuna's samplers
propose some architectures again, which costs them nothing here.

Needs optuna; --optuna says in which folder, if not on the path.
"""
import argparse
import json
import statistics
import subprocess
import sys
import time

SHARE = 0.99
MARGIN = 0.1


def front(points):
    kept, lowest = [], float("inf")
    for x, y in sorted(points):
        if y < lowest:
            kept.append((x, y))
            lowest = y
    return kept


def hypervolume(points):
    """Below (1 + MARGIN, 1 + MARGIN), both to be minimised."""
    end = 1 + MARGIN
    volume, lowest = 0.0, end
    for x, y in front(points):
        if x < end and y < lowest:
            volume += (end - x) * (lowest - y)
            lowest = y
    return volume


class Scale:
    """Of points to be minimised, as search/front_scale.h has it: the best
    values on their front are 0, the worst 1."""

    def __init__(self, points):
        best = front(points)
        self.low = [min(p[i] for p in best) for i in (0, 1)]
        self.span = [max(p[i] for p in best) - self.low[i] or 1
                     for i in (0, 1)]

    def scaled(self, point):
        return tuple((point[i] - self.low[i]) / self.span[i] for i in (0, 1))

    def hypervolume(self, points):
        return hypervolume(map(self.scaled, points))


def most_times_faster(points, others):
    """The most that one of `points` (minus accuracy, latency) is faster than
    each of `others` that is as accurate, and its accuracy; of those that have
    such others."""
    gains = []
    for loss, latency in points:
        equal = [y for x, y in others if x <= loss]
        if equal:
            gains.append((min(equal) / latency, -loss))
    return max(gains, default=(float("nan"), float("nan")))


class Table:
    def __init__(self, trials, fidelity, share):
        self.trials = [t for t in trials if t["fidelity"] == fidelity
                       and t["state"] == "complete"]
        raw = {t["number"]: (-t["metrics"]["accuracy"]["value"],
                             t["metrics"]["latency_ms"]["value"])
               for t in self.trials}
        scale = Scale(raw.values())
        self.points = {n: scale.scaled(p) for n, p in raw.items()}
        self.keys = {t["number"]: self.key(t["architecture"])
                     for t in self.trials}
        self.numbers = {key: number for number, key in self.keys.items()}
        self.precision_place = list(self.choices()["block"]).index("precision")
        self.goal = share * hypervolume(self.points.values())
        self.front_size = len(front(raw.values()))

    @staticmethod
    def words(block):
        attention = block["attention"]
        return {"heads": attention["heads"],
                "attention": json.dumps(attention, sort_keys=True),
                "feed_forward": block["feed_forward"]["width"],
                "precision": block["precision"]}

    def key(self, architecture):
        return (architecture["stem"]["d_model"],
                tuple(tuple(self.words(b).values())
                      for b in architecture["encoder"]))

    def rounded(self, number, precision):
        width, blocks = self.keys[number]
        place = self.precision_place
        return self.numbers[width, tuple(
            b[:place] + (precision,) + b[place + 1:] for b in blocks)]

    def choices(self):
        blocks = [self.words(b) for t in self.trials
                  for b in t["architecture"]["encoder"]]
        stems = [t["architecture"]["stem"]["d_model"] for t in self.trials]
        depths = [len(t["architecture"]["encoder"]) for t in self.trials]
        return {"d_model": sorted(set(stems)), "layers": sorted(set(depths)),
                "block": {name: sorted({b[name] for b in blocks}, key=str)
                          for name in blocks[0]}}

    def needed(self, numbers):
        """Distinct lookups until the goal; None where it is not reached."""
        seen = list(dict.fromkeys(numbers))
        low, high = 1, len(seen)
        if self.reached(seen, high) is False:
            return None
        while low < high:
            middle = (low + high) // 2
            if self.reached(seen, middle):
                high = middle
            else:
                low = middle + 1
        return low

    def reached(self, seen, count):
        return hypervolume(self.points[n] for n in seen[:count]) >= self.goal


def rounded_runs(args, table):
    """A search in f32 alone; after each batch, what its front so far would
    have cost and given if it was rounded then, all blocks alike."""
    precisions = table.choices()["block"]["precision"]
    for numbers in hone_runs(args, "predictor", "--precision", "f32"):
        for end in range(args.batch, len(numbers) + args.batch, args.batch):
            begun = numbers[:end]
            best = set(front([table.points[n] for n in begun]))
            rounded = [table.rounded(n, word) for n in begun
                       if table.points[n] in best
                       for word in precisions if word != "f32"]
            if table.reached(begun + rounded, None):
                break
        yield begun + rounded


def optuna_runs(table, make_sampler, seeds, calls):
    import optuna
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    choices = table.choices()
    for seed in range(1, seeds + 1):
        study = optuna.create_study(directions=["minimize", "minimize"],
                                    sampler=make_sampler(seed))
        numbers, seen, best = [], set(), []
        for _ in range(calls):
            trial = study.ask()
            width = trial.suggest_categorical("d_model", choices["d_model"])
            depth = trial.suggest_categorical("layers", choices["layers"])
            blocks = tuple(
                tuple(trial.suggest_categorical(f"{name}.{i}", options)
                      for name, options in choices["block"].items())
                for i in range(depth))
            number = table.numbers[width, blocks]
            numbers.append(number)
            study.tell(trial, table.points[number])
            if number not in seen:
                seen.add(number)
                best = front(best + [table.points[number]])
                if hypervolume(best) >= table.goal:
                    break
        yield numbers


def hone_runs(args, algorithm, *more):
    run = subprocess.run(
        [args.search, args.study, "--algorithm", algorithm,
         "--seeds", str(args.seeds), "--batch", str(args.batch), *more] +
        (["--trials", "200"] if algorithm == "predictor" else []),
        check=True, capture_output=True, text=True)
    return json.loads(run.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", default="studies/gloss-table.db")
    parser.add_argument("--hone", default="build/release/hone")
    parser.add_argument("--search",
                        default="build/release/experiments/table_search")
    parser.add_argument("--fidelity", default="inherited")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--batch", type=int, default=8,
                        help="of Hone's; Optuna's samplers learn from each")
    parser.add_argument("--share", type=float, default=SHARE)
    parser.add_argument("--optuna", help="folder of the package")
    parser.add_argument("--only", nargs="+", help="these rows alone")
    args = parser.parse_args()
    if args.optuna:
        sys.path.insert(0, args.optuna)
    from optuna import __version__
    from optuna.samplers import NSGAIISampler, TPESampler
    table = Table(json.loads(subprocess.run(
        [args.hone, "trials", args.study, "--json"], check=True,
        capture_output=True, text=True).stdout), args.fidelity, args.share)
    calls = 5 * len(table.points)
    samplers = {
        "optuna NSGA-II": lambda seed: NSGAIISampler(seed=seed),
        "optuna NSGA-II, population 16":
            lambda seed: NSGAIISampler(seed=seed, population_size=16),
        "optuna TPE": lambda seed: TPESampler(seed=seed),
        "optuna TPE, multivariate, group":
            lambda seed: TPESampler(seed=seed, multivariate=True, group=True),
    }
    rows = {f"hone {name}": lambda name=name: hone_runs(args, name)
            for name in ("random", "regularized-evolution", "nsga2",
                         "predictor")}
    rows["hone predictor in f32, its front rounded"] = (
        lambda: rounded_runs(args, table))
    rows |= {name: lambda make=make: optuna_runs(table, make, args.seeds, calls)
             for name, make in samplers.items()}
    print(f"{args.share:.1%} of the hypervolume; "
          f"{len(table.points)} architectures, {table.front_size} on the front; "
          f"optuna {__version__}; {args.seeds} seeds\n")
    print("| algorithm | median | lowest and highest | not reached |")
    print("|---|---|---|---|", flush=True)
    for name, run in rows.items():
        if args.only and name not in args.only:
            continue
        start = time.monotonic()
        needed = [table.needed(numbers) for numbers in run()]
        done = sorted(n for n in needed if n is not None)
        missed = len(needed) - len(done)
        # Those that never arrive count as the whole table.
        median = statistics.median(done + [len(table.points)] * missed)
        span = f"{done[0]} {done[-1]}" if done else "-"
        print(f"| {name} | {median:g} | {span} | {missed} |", flush=True)
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
