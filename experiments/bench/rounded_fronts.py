#!/usr/bin/env python3
"""What is lost where bits are chosen after the architecture, on a table.

STUDY measured every architecture of its space in f32 and in other precisions.
Its f32 front is rounded to each precision, all blocks alike; what that gives is
compared with the front of the whole table, also where networks may be no slower
than a bound on latency_ratio. A search in f32 that shall respect such a bound
has to decide how much slower than it a network may be before it is rounded:
--relax lists factors. Printed are
  lost      hypervolume that the rounded front lacks of the whole front's, on
            the scale of search/front_scale.h
  faster    the most that a network is faster than any of the rounded front
            that is at least as accurate, where there is one
  accuracy  the best of the rounded front and of the table
Both fronts are chosen by the latencies of STUDY and judged by those of --again,
the same table measured once more, so that luck in measuring is nobody's gain.
"""
import argparse
import json
import subprocess

from table_search import Scale, Table, front, most_times_faster


def ratios(trials):
    return {t["architecture_hash"]: t["metrics"]["latency_ratio"]["value"]
            for t in trials if t["state"] == "complete"}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study")
    parser.add_argument("--again", help="a second study of the same spec")
    parser.add_argument("--hone", default="build/release/hone")
    parser.add_argument("--bounds", type=float, nargs="*", default=[])
    parser.add_argument("--relax", type=float, nargs="*",
                        default=[1, 1.5, 2, 3])
    args = parser.parse_args()

    def read(study):
        return json.loads(subprocess.run(
            [args.hone, "trials", study, "--json"], check=True,
            capture_output=True, text=True).stdout)

    trials = read(args.study)
    table = Table(trials, "inherited", 1)
    choosing = ratios(trials)
    judging = ratios(read(args.again or args.study))
    trials = {t["number"]: t for t in table.trials
              if t["architecture_hash"] in judging}

    def points(numbers, by):
        return {n: (-trials[n]["metrics"]["accuracy"]["value"],
                    by[trials[n]["architecture_hash"]]) for n in numbers}

    def best(numbers, bound):
        allowed = {n: p for n, p in points(numbers, choosing).items()
                   if p[1] <= bound}
        kept = set(front(allowed.values()))
        return [n for n, p in allowed.items() if p in kept]

    words = table.choices()["block"]["precision"]
    only_f32 = [n for n in trials if all(
        b["precision"] == "f32" for b in trials[n]["architecture"]["encoder"])]
    print(f"{len(trials)} architectures, {len(only_f32)} of them in f32\n")
    print("| bound | in f32 | lost | faster | accuracy |")
    print("|---|---|---|---|---|")
    for bound in [float("inf"), *args.bounds]:
        for relaxed in ([float("inf")] if bound == float("inf") else
                        [bound * r for r in args.relax] + [float("inf")]):
            chosen = [table.rounded(n, word) for n in best(only_f32, relaxed)
                      for word in words]
            whole = points(best(trials, bound), judging).values()
            rounded = points(best([n for n in chosen if n in trials], bound),
                             judging).values()
            scale = Scale([*whole, *rounded])
            lost = 1 - (scale.hypervolume(rounded) /
                        scale.hypervolume(whole))
            text = ["none" if b == float("inf") else f"{b:g}"
                    for b in (bound, relaxed)]
            print(f"| {text[0]} | {text[1]} | "
                  f"{lost:.1%} | "
                  f"{most_times_faster(whole, rounded)[0]:.2f} | "
                  f"{-100 * min(x for x, _ in rounded):.2f} to "
                  f"{-100 * min(x for x, _ in whole):.2f} % |")


if __name__ == "__main__":
    main()
