"""Starting, resuming and refusing studies, checked from outside."""

import hashlib
import json
import sqlite3
import unittest

from hone_process import SIMULATED, CliTest


class ResumeTest(CliTest):
    """On the simulated engine."""

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

    def test_a_study_without_trials_takes_another_spec(self):
        self.search("--set", "search.trials=10")
        store = sqlite3.connect(self.folder / "s.db")
        tables = [name for name, in store.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'")]
        self.assertIn("trial", tables)
        for table in set(tables) - {"study", "objective", "study_constraint"}:
            store.execute(f"DELETE FROM {table}")
        store.execute("UPDATE study SET trials = 0, chain = ''")
        store.commit()
        store.close()
        self.search("--set", "search.trials=10", "--set", "study.seed=9")
        self.search("--set", "search.trials=10", "--set", "study.seed=9",
                    study="fresh.db")
        self.assertEqual(self.digest(), self.digest("fresh.db"))

    def test_study_of_an_older_program_is_read_but_not_gone_on_with(self):
        self.search("--set", "search.trials=10")
        self.forget_key("search", "other_precisions")
        self.assertEqual(len(self.json("trials", "s.db")), 10)
        before = self.digest()
        _, message = self.search("--set", "search.trials=20", expect=2)
        self.assertIn("search.other_precisions: unknown in the study, true in "
                      "the spec", message)
        self.assertNotIn("search.trials:", message)
        self.assertEqual(self.digest(), before)

    def forget_key(self, table, key):
        """Makes s.db a study of a program that did not know a key."""
        def canonical(value):
            return json.dumps(value, sort_keys=True, separators=(",", ":"))

        def sha256(text):
            return hashlib.sha256(text.encode()).hexdigest()

        store = sqlite3.connect(self.folder / "s.db")
        name, text, seed, version = store.execute(
            "SELECT name, spec, seed, program_version FROM study").fetchone()
        spec = json.loads(text)
        self.assertEqual(canonical(spec), text)
        del spec[table][key]
        objectives = store.execute(
            "SELECT metric, direction FROM objective ORDER BY position")
        spec_hash = sha256(canonical(spec))
        row_hash = sha256(canonical([name, spec, spec_hash, int(seed),
                                     objectives.fetchall(), [], version]))
        store.execute("UPDATE study SET spec = ?, spec_hash = ?, row_hash = ?",
                      (canonical(spec), spec_hash, row_hash))
        store.commit()
        store.close()

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


if __name__ == "__main__":
    unittest.main()
