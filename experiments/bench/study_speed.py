#!/usr/bin/env python3
"""How fast a study of simulated trials runs and is read, and in what memory.

For each number of trials: `hone search` end to end, `hone pareto` and `hone
trials --json`, the best of the repeats. The program's start (`hone --version`)
is timed beside and shown; it is part of all others. Checks that all repeats
give one digest, and that the front is that of view pareto_front.
"""
import argparse
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time


def run(command):
    """Seconds, those of a processor, peak memory in MB, and the output."""
    begin = time.monotonic()
    process = subprocess.Popen([str(word) for word in command],
                               stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begin
    if status != 0:
        sys.exit(f"{command}: wait status {status}")
    return (seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024,
            output)


def best(runs, column=0):
    return min(one[column] for one in runs)


def measure(args, trials, folder):
    searches, digests = [], set()
    for repeat in range(args.repeats):
        study = folder / f"{trials}-{repeat}.db"
        searches.append(run([args.hone, "search", args.spec, "--study", study,
                             "--set", f"search.trials={trials}"]))
        digests.add(run([args.hone, "digest", study])[3])
    if len(digests) != 1:
        sys.exit(f"{trials} trials: the digests differ: {digests}")
    fronts = [run([args.hone, "pareto", study, "--json"])
              for _ in range(args.repeats)]
    tables = [run([args.hone, "trials", study, "--json"])
              for _ in range(args.repeats)]
    store = sqlite3.connect(study)
    view = {number for number,
            in store.execute("select number from pareto_front")}
    store.close()
    front = {trial["number"] for trial in json.loads(fronts[0][3])}
    if front != view:
        sys.exit(f"{trials} trials: the front is not that of the view")
    seconds = best(searches)
    print(f"| {trials} | {seconds:.2f} | {best(searches, 1):.2f} "
          f"| {trials / seconds:.0f} | {max(one[2] for one in searches):.0f} "
          f"| {1000 * best(fronts):.0f} | {1000 * best(fronts, 1):.0f} "
          f"| {best(tables):.2f} | {study.stat().st_size / trials:.0f} |",
          flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hone", type=pathlib.Path)
    parser.add_argument("--spec", type=pathlib.Path,
                        default="experiments/specs/simulated.toml")
    parser.add_argument("--trials", type=int, nargs="+",
                        default=[1000, 10000, 20000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", default=".", help="for the studies")
    args = parser.parse_args()
    starts = [run([args.hone, "--version"]) for _ in range(args.repeats)]
    print(f"the program's start takes {1000 * best(starts):.0f} ms, "
          f"{1000 * best(starts, 1):.0f} ms of a processor\n")
    print("| trials | search s | CPU s | trials/s | peak MB | front ms | CPU ms "
          "| table s | bytes/trial |\n|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for trials in args.trials:
            measure(args, trials, pathlib.Path(folder))


if __name__ == "__main__":
    main()
