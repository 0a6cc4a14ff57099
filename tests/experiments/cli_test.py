"""The program's commands on a simulated study, checked from outside."""

import csv
import io
import json
import shutil
import sqlite3
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
        self.assertIn("hone show", self.messages)
        self.assertNotIn("hone export", self.messages)  # nothing was trained
        for line in self.output.splitlines():
            self.assertLessEqual(len(line), 80, line)

    def test_predict_learns_an_additive_latency(self):
        arguments = ("predict", SIMULATED, "--measurements", "60",
                     "--held-out", "30")
        study = self.json(*arguments)
        self.assertEqual(len(study["measured"]), 60)
        self.assertEqual(len(study["held_out"]), 30)
        self.assertLess(study["errors"]["mean_share"], 0.02)
        self.assertEqual(study["repeat_errors"]["mean_share"], 0)
        filed = list(self.folder.glob("studies/simulated.artifacts/latency/*"))
        self.assertGreaterEqual(len(filed), 110)
        self.assertEqual(self.json(*arguments), study)  # from what is filed

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
        self.hone("trials", "s.db", "--where", "accuracy > 2", "--sort",
                  "latency_ms", expect=4)
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
        for words in [["trials", "s.db"], ["pareto", "s.db"], ["report", "s.db"],
                      ["show", "s.db", "0"], ["why", "s.db", "0"],
                      ["why", "s.db", "4"], ["compare", "s.db", "0", "1"],
                      ["compare", "s.db", "s.db"], ["space", "s.db"],
                      ["plan", SIMULATED], ["doctor"]]:
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

    def test_why_agrees_with_the_front(self):
        front = {t["number"]: goals(t) for t in self.json("pareto", "s.db")}
        for trial in self.json("trials", "s.db")[:20]:
            number, own = trial["number"], goals(trial)
            why = self.json("why", "s.db", number)
            self.assertEqual(why["on_front"], number in front)
            self.assertEqual(
                {d["trial"] for d in why["dominated_by"]},
                {n for n, g in front.items() if dominates(g, own)})
            for rival in why["dominated_by"]:
                self.assertAlmostEqual(
                    rival["share"]["latency_ms"],
                    (own[1] - front[rival["trial"]][1]) / own[1])
            if number in front:
                quicker = [n for n, g in front.items() if g[1] < own[1]]
                nearest = max(quicker, key=lambda n: front[n][1], default=None)
                if nearest is not None:
                    self.assertIn(nearest,
                                  {d["trial"] for d in why["neighbours"]})
        self.hone("why", "s.db", "60", expect=4)

    def test_compare_trials(self):
        first, second = self.json("trials", "s.db", "--limit", "2")
        compared = self.json("compare", "s.db", "0", "1")
        self.assertEqual(compared["trials"], [0, 1])
        self.assertTrue(any(p["differs"] for p in compared["architecture"]))
        for metric in compared["metrics"]:
            name = metric["metric"]
            self.assertAlmostEqual(
                metric["ratio"], second["metrics"][name]["value"] /
                first["metrics"][name]["value"])
        same = self.json("compare", "s.db", "3", "3")
        self.assertFalse(any(p["differs"] for p in same["architecture"]))
        self.hone("compare", "s.db", "0", "60", expect=4)

    def test_controls_are_searched_beside_a_study(self):
        words = ["--set", "search.trials=60", "--controls", "--json"]
        result, _ = self.search(*words)
        control, uniform = json.loads(result)["findings"]["controls"]
        self.assertEqual([control["control"], uniform["control"]],
                         ["random", "uniform-scaling"])
        self.assertEqual(control["trials"], 60)
        compared = self.json("compare", "s.db", "s-random.db")["studies"]
        self.assertEqual([s["hypervolume"] for s in compared],
                         [control["of_study"], control["hypervolume"]])
        self.assertEqual([s["algorithm"] for s in compared],
                         ["nsga2", "random"])
        report, _ = self.hone("report", "s.db")
        self.assertIn("uniform-scaling", report)
        self.assertIn("other trials would have told them", report)
        for line in report.splitlines():
            self.assertLessEqual(len(line), 80, line)
        again, _ = self.search(*words)
        self.assertEqual(json.loads(again), json.loads(result))

    def test_a_study_of_another_spec_is_no_control(self):
        for words, why in [
                (["search.trials=20", "study.seed=2"], "its study.seed is 2"),
                (["search.trials=20", 'study.objectives=["minimize parameters"]'],
                 "its study.objectives is"),
                (["search.trials=20"], "has 20 trials, this study 60")]:
            (self.folder / "s-random.db").unlink(missing_ok=True)
            self.search("--set", "search.algorithm=random", "--set",
                        "study.name=simulated-random",
                        *(w for word in words for w in ("--set", word)),
                        study="s-random.db")
            findings = self.json("report", "s.db")["findings"]
            self.assertEqual(len(findings["controls"]), "has" in why)
            self.assertIn(why, findings["notes"][0])
            self.assertIn(why, self.hone("report", "s.db")[0])
        (self.folder / "s-random.db").write_text("damaged")
        findings = self.json("report", "s.db")["findings"]
        self.assertEqual(findings["controls"], [])
        self.assertIn("s-random.db is no control", findings["notes"][0])

    def test_compare_studies(self):
        self.search("--set", "search.trials=60", "--set",
                    "search.algorithm=random", study="r.db")
        compared = self.json("compare", "s.db", "r.db")
        fronts = [[goals(t) for t in self.json("pareto", study)]
                  for study in ("s.db", "r.db")]
        for side, own, other in zip(compared["studies"], fronts, fronts[::-1]):
            covered = [o for o in other
                       if any(g == o or dominates(g, o) for g in own)]
            self.assertAlmostEqual(side["coverage"], len(covered) / len(other))
            self.assertEqual(
                {goals(t) for t in side["kept"]},
                {g for g in own if not any(dominates(o, g) for o in other)})
            self.assertTrue(0 < side["hypervolume"] < 1)
        self.assertEqual([d["field"] for d in compared["differences"]],
                         ["search.algorithm"])
        equal = self.json("compare", "s.db", "s.db")["studies"]
        self.assertEqual(equal[0], equal[1])
        self.assertEqual(equal[0]["coverage"], 1)
        self.search("--set", "search.trials=10", "--set",
                    'study.objectives=["minimize parameters"]', study="o.db")
        _, message = self.hone("compare", "s.db", "o.db", expect=2)
        self.assertIn("o.db has minimize parameters", message)

    def test_report_shows_how_the_front_grew(self):
        report = self.json("report", "s.db")
        steps = report["hypervolume"]["steps"]
        values = [s["value"] for s in steps]
        self.assertEqual(values, sorted(set(values)))
        self.assertEqual(values[-1], report["hypervolume"]["final"])
        self.assertTrue(set(report["front"]) <= {s["trial"] for s in steps})
        # The end is what a comparison with itself finds.
        same = self.json("compare", "s.db", "s.db")["studies"][0]
        self.assertAlmostEqual(same["hypervolume"], values[-1])

    def test_space_means_are_those_of_the_trials(self):
        trials = self.json("trials", "s.db")
        space = {d["dimension"]: d for d in self.json("space", "s.db")
                 ["dimensions"]}
        self.assertEqual(set(space), {"d_model", "layers", "heads",
                                      "feed_forward", "attention", "precision"})
        for choice in space["d_model"]["choices"]:
            values = [goals(t)[1] for t in trials
                      if str(t["architecture"]["stem"]["d_model"])
                      == choice["choice"]]
            self.assertEqual(choice["trials"], len(values))
            self.assertAlmostEqual(choice["mean"]["latency_ms"],
                                   sum(values) / len(values))
        for dimension in space.values():
            for share in dimension["explained"].values():
                self.assertTrue(0 <= share <= 1)
        self.hone("space", "s.db", "--fidelity", "trained", expect=4)
        self.hone("space", "s.db", "--fidelity", "some", expect=2)

    def test_front_is_that_of_the_view(self):
        store = sqlite3.connect(self.folder / "s.db")
        view = store.execute("select number from pareto_front").fetchall()
        store.close()
        self.assertEqual({number for number, in view},
                         {t["number"] for t in self.json("pareto", "s.db")})

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

    def test_remeasure_repeats_the_front(self):
        again = self.json("remeasure", "s.db")
        front = self.json("pareto", "s.db")
        self.assertEqual([t["trial"] for t in again["trials"]],
                         [t["number"] for t in front])
        self.assertEqual((again["drift"], again["broken"]), (1, 0))
        for one in again["trials"]:
            self.assertEqual(one["again"], one["stored"])
        self.assertIn("rank correlation 1.", self.hone("remeasure", "s.db")[0])
        self.search("--set", "search.trials=8", "--set",
                    'study.constraints=["latency_ms <= 0.001"]', study="n.db")
        _, message = self.hone("remeasure", "n.db", expect=4)
        self.assertIn("no trial is on the front", message)

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


class MessagesTest(CliTest):
    """Help, suggestions and exit codes without a study."""

    def test_help_for_newcomers(self):
        overview, _ = self.hone()
        self.assertEqual(overview, self.hone("--help")[0])
        for name in ["search", "plan", "train", "trials", "pareto", "report",
                     "show", "why", "compare", "space", "export", "eval", "classify", "bench", "rerun", "digest",
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

    def test_studies_are_looked_at_without_the_lab(self):
        alone = self.folder / "hone"
        shutil.copy(PROGRAM, alone)

        def run(*words):
            return subprocess.run([alone, *words], capture_output=True,
                                  text=True, timeout=60)

        needs = subprocess.run(["readelf", "-d", alone], capture_output=True,
                               text=True, check=True).stdout
        self.assertIn("libsqlite3", needs)
        self.assertNotRegex(needs, "NEEDED.*(torch|openvino)")
        self.search("--set", "search.trials=9")
        study = self.folder / "s.db"
        for name, *rest in [["trials"], ["pareto"], ["report"], ["show", "0"],
                            ["why", "0"], ["space"], ["compare", "0", "1"]]:
            done = run(name, study, *rest)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stdout, self.hone(name, study, *rest)[0])
            self.assertEqual(run(name, "--help").stdout,
                             self.hone("help", name)[0])
        self.assertEqual(run("--version").stdout, self.hone("--version")[0])
        done = run("digest", study)
        self.assertEqual(done.returncode, 4)
        self.assertIn("hone-lab: No such file", done.stderr)

    def test_missing_model_folder(self):
        for command in ["eval", "classify", "bench"]:
            self.hone(command, "nowhere", expect=4)


if __name__ == "__main__":
    unittest.main()
