"""The program's commands on a simulated study, checked from outside."""

import csv
import io
import json
import shutil
import subprocess
import unittest

from hone_process import PROGRAM, SIMULATED, CliTest


def dominates(a, b):
    """By accuracy (more) and latency (less)."""
    better_or_equal = a[0] >= b[0] and a[1] <= b[1]
    return better_or_equal and a != b


def goals(trial):
    metrics = trial["metrics"]
    return metrics["accuracy"]["value"], metrics["latency_ms"]["value"]


class StudyTest(CliTest):
    """Commands that read a study of 60 trials."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared = cls.make_folder(cls.addClassCleanup)
        done = subprocess.run(
            [PROGRAM, "search", SIMULATED, "--study", "s.db", "--set",
             "search.trials=60"], cwd=cls.shared, capture_output=True,
            text=True, check=True)
        cls.output, cls.messages = done.stdout, done.stderr

    def setUp(self):
        super().setUp()
        shutil.copy(self.shared / "s.db", self.folder)

    def test_search_ends_with_front_plot_and_digest(self):
        front = self.json("pareto", "s.db")
        for trial in front:
            self.assertIn(trial["architecture_text"].split()[0], self.output)
        self.assertIn("* on the front", self.output)
        self.assertIn(self.digest(), self.output)
        self.assertIn("hone export", self.messages)
        for line in self.output.splitlines():
            self.assertLessEqual(len(line), 80, line)

    def test_sensitivity_needs_a_trained_network(self):
        _, message = self.hone("sensitivity", "s.db", 0, expect=2)
        self.assertIn("trial 0 was not trained", message)

    def test_front_equals_brute_force(self):
        trials = self.json("trials", "s.db")
        self.assertEqual([t["number"] for t in trials], list(range(60)))
        expected = {
            t["number"] for t in trials
            if not any(dominates(goals(o), goals(t)) for o in trials)}
        front = self.json("pareto", "s.db")
        self.assertEqual({t["number"] for t in front}, expected)
        self.assertGreater(len(expected), 1)

    def test_no_architecture_is_tried_twice(self):
        hashes = [t["architecture_hash"] for t in self.json("trials", "s.db")]
        self.assertEqual(len(set(hashes)), len(hashes))

    def test_filter_sort_and_limit(self):
        trials = self.json("trials", "s.db")
        bound = sorted(goals(t)[1] for t in trials)[30]
        where = f"latency_ms < {bound} and not accuracy <= 0.5"
        expected = sorted(
            (t for t in trials if goals(t)[1] < bound and goals(t)[0] > 0.5),
            key=lambda t: -goals(t)[0])
        self.assertGreater(len(expected), 5)
        found = self.json("trials", "s.db", "--where", where, "--sort",
                          "accuracy:desc", "--limit", "5")
        self.assertEqual([t["number"] for t in found],
                         [t["number"] for t in expected[:5]])
        ascending = self.json("trials", "s.db", "--sort", "latency_ms")
        latencies = [goals(t)[1] for t in ascending]
        self.assertEqual(latencies, sorted(latencies))

    def test_front_of_what_a_filter_leaves(self):
        left = [t for t in self.json("trials", "s.db")
                if t["metrics"]["parameters"]["value"] > 7e5]
        expected = {
            t["number"] for t in left
            if not any(dominates(goals(o), goals(t)) for o in left)}
        front = self.json("pareto", "s.db", "--where", "parameters > 7e5")
        self.assertEqual({t["number"] for t in front}, expected)
        self.assertTrue(expected)

    def test_filter_is_not_pasted_into_sql(self):
        for text in ["1=1; drop table trials", "accuracy > 0.1) or (1",
                     "accuracy > 'x'", "accuracy >", "(", "accuracy > 0.1 --"]:
            self.hone("trials", "s.db", "--where", text, expect=2)
        _, message = self.hone("trials", "s.db", "--where", "acuracy > 0.1",
                               expect=2)
        self.assertIn("did you mean 'accuracy'", message)
        self.assertEqual(len(self.json("trials", "s.db")), 60)

    def test_nothing_found(self):
        found = self.json("trials", "s.db", "--where", "accuracy > 2", expect=4)
        self.assertEqual(found, [])
        self.hone("show", "s.db", "60", expect=4)
        self.hone("trials", "other.db", expect=4)
        self.hone("search", "missing.toml", expect=4)

    def test_csv_has_a_column_for_each_metric(self):
        text, _ = self.hone("trials", "s.db", "--csv")
        rows = list(csv.DictReader(io.StringIO(text)))
        trials = self.json("trials", "s.db")
        self.assertEqual(len(rows), 60)
        for row, trial in zip(rows, trials):
            self.assertEqual(int(row["number"]), trial["number"])
            self.assertEqual(row["state"], "complete")
            self.assertEqual(row["seed"], trial["seed"])
            for name, metric in trial["metrics"].items():
                self.assertEqual(float(row[name]), metric["value"])
        text, _ = self.hone("pareto", "s.db", "--csv")
        self.assertEqual(len(list(csv.DictReader(io.StringIO(text)))),
                         len(self.json("pareto", "s.db")))
        self.hone("trials", "s.db", "--csv", "--json", expect=2)

    def test_tables_for_people_fit_a_terminal(self):
        for words in [["trials", "s.db"], ["pareto", "s.db"],
                      ["show", "s.db", "0"], ["plan", SIMULATED], ["doctor"]]:
            text, _ = self.hone(*words)
            for line in text.splitlines():
                self.assertLessEqual(len(line), 80, line)

    def test_show_names_who_dominates_and_by_how_much(self):
        front = self.json("pareto", "s.db")
        best = {t["number"]: goals(t) for t in front}
        for trial in self.json("trials", "s.db")[:20]:
            shown = self.json("show", "s.db", trial["number"])
            self.assertEqual(shown["architecture"], trial["architecture"])
            expected = {n for n, g in best.items()
                        if dominates(g, goals(trial))}
            self.assertEqual({d["trial"] for d in shown["dominated_by"]},
                             expected)
            for dominator in shown["dominated_by"]:
                other = best[dominator["trial"]]
                self.assertAlmostEqual(dominator["by"]["accuracy"],
                                       other[0] - goals(trial)[0])
                self.assertAlmostEqual(dominator["by"]["latency_ms"],
                                       goals(trial)[1] - other[1])

    def test_show_draws_every_block(self):
        trial = self.json("trials", "s.db")[0]
        text, _ = self.hone("show", "s.db", "0")
        blocks = trial["architecture"]["encoder"]
        self.assertIn(f"{len(blocks)} block", text)
        for i, block in enumerate(blocks):
            self.assertRegex(text, rf"(?m)^encoder\.{i} .* {block['precision']}$")
        self.assertIn(trial["seed"], text)
        self.assertIn(trial["digest"][:20], text)

    def test_nothing_is_exported_where_nothing_was_trained(self):
        _, message = self.hone("export", "s.db", "0", "--out", "d", expect=4)
        self.assertIn("nothing is trained", message)
        self.hone("export", "s.db", "0", expect=2)
        self.assertFalse((self.folder / "d").exists())

    def test_rerun_is_equal(self):
        repeat = self.json("rerun", "s.db", "7")
        self.assertTrue(repeat["equal"])
        self.assertIn("accuracy", {v["what"] for v in repeat["values"]})

    def test_train_one_architecture(self):
        trial = self.json("trials", "s.db", "--limit", "1")[0]
        path = self.folder / "a.json"
        path.write_text(json.dumps(trial["architecture"]))
        trained = self.json("train", SIMULATED, "--architecture", "a.json")
        self.assertEqual(trained["metrics"], trial["metrics"])
        path.write_text('{"stem": {"d_model": 64}}')
        self.hone("train", SIMULATED, "--architecture", "a.json", expect=2)
        self.hone("train", SIMULATED, expect=2)


class SpecTest(CliTest):
    """Starting, resuming and refusing."""

    def test_default_study_file(self):
        self.hone("search", SIMULATED, "--set", "search.trials=5")
        self.assertEqual(len(self.json("trials", "studies/simulated.db")), 5)

    def test_resumed_and_extended_equals_a_fresh_longer_run(self):
        self.search("--set", "search.trials=30")
        self.search("--set", "search.trials=90")
        self.search("--set", "search.trials=90", study="fresh.db")
        self.assertEqual(self.digest(), self.digest("fresh.db"))

    def test_workers_do_not_change_the_digest(self):
        digests = set()
        for workers in (1, 2, 4):
            study = f"w{workers}.db"
            self.search("--set", "search.trials=80", "--workers", workers,
                        study=study)
            digests.add(self.digest(study))
        self.assertEqual(len(digests), 1)

    def test_seed_changes_the_digest(self):
        self.search("--set", "search.trials=10")
        self.search("--set", "search.trials=10", "--set", "study.seed=2",
                    study="b.db")
        self.assertNotEqual(self.digest(), self.digest("b.db"))

    def test_random_search_runs(self):
        self.search("--set", "search.trials=20", "--set",
                    "search.algorithm=random")
        origins = {t["origin"] for t in self.json("trials", "s.db")}
        self.assertEqual(origins, {"random"})

    def test_changed_spec_is_refused_field_by_field(self):
        self.search("--set", "search.trials=10")
        before = self.digest()
        _, message = self.search(
            "--set", "search.trials=20", "--set", "study.seed=9", "--set",
            "space.layers=[1, 2]", expect=2)
        self.assertIn("study.seed: 1 in the study, 9 in the spec", message)
        self.assertIn("space.layers: [1,2,3,4] in the study", message)
        self.assertNotIn("search.trials:", message)
        self.assertEqual(self.digest(), before)

    def test_bad_spec_writes_nothing(self):
        spec = self.folder / "bad.toml"
        spec.write_text("[space]\nd_model = [256]\nheads = [2, 7]\n")
        _, message = self.hone("search", "bad.toml", expect=2)
        self.assertIn("bad.toml:3:13: space.heads[1]: 7 does not divide d_model"
                      " 256; use 1, 2, 4 or 8", message)
        self.hone("search", SIMULATED, "--set", "search.trails=3", expect=2)
        self.hone("plan", SIMULATED)
        self.assertEqual(list(self.folder.iterdir()), [spec])

    def test_plan_shows_the_resolved_spec(self):
        plan = self.json("plan", SIMULATED, "--set", "study.seed=3")
        self.assertEqual(plan["spec"]["study"]["seed"], 3)
        self.assertEqual(plan["spec"]["search"]["trials"], 500)
        self.assertGreater(plan["space_size"], 1e6)


class MessagesTest(CliTest):
    """Help, suggestions and exit codes without a study."""

    def test_help_for_newcomers(self):
        overview, _ = self.hone()
        self.assertEqual(overview, self.hone("--help")[0])
        for name in ["search", "plan", "train", "trials", "pareto", "show",
                     "export", "eval", "classify", "bench", "rerun", "digest",
                     "doctor"]:
            self.assertIn(f"\n  {name} ", overview)
            text, _ = self.hone(name, "--help")
            self.assertIn(f"hone {name} ", text)
            self.assertIn("Example:", text)
            self.assertEqual(text, self.hone("help", name)[0])

    def test_version(self):
        self.assertRegex(self.hone("--version")[0], r"^hone \d+\.\d+\.\d+\n$")

    def test_did_you_mean(self):
        for words, suggestion in [
                (["serach", SIMULATED], "'search'"),
                (["trials", "s.db", "--limt", "3"], "'--limit'"),
                (["search", SIMULATED, "--set", "task.kind=text-clasification"],
                 "'text-classification'"),
                (["search", SIMULATED, "--set", "serch.trials=3"], "'search'"),
        ]:
            output, message = self.hone(*words, expect=2)
            self.assertIn("did you mean " + suggestion, message)
            self.assertEqual(output, "")

    def test_usage_errors(self):
        self.hone("show", "s.db", expect=2)
        self.hone("show", "s.db", "seven", expect=2)
        self.hone("digest", expect=2)
        self.hone("search", SIMULATED, "--workers", "0", expect=2)
        self.hone("trials", "a.db", "b.db", expect=2)

    def test_doctor_without_a_study(self):
        report = self.json("doctor")
        names = {check["check"] for check in report["checks"]}
        self.assertTrue({"cores", "memory", "disk", "bf16", "sqlite"} <= names, names)

    def test_missing_model_folder(self):
        for command in ["eval", "classify", "bench"]:
            self.hone(command, "nowhere", expect=4)


if __name__ == "__main__":
    unittest.main()
