"""Kills, interrupts and damages studies; nothing may be lost or go unseen."""

import fcntl
import random
import signal
import sqlite3
import time
import unittest

from hone_process import SIMULATED, CliTest

KILLS = 20


class CrashTest(CliTest):

    def test_killed_20_times_gives_the_same_digest(self):
        chance = random.Random(7)
        for kill in range(KILLS):
            before = self.rows()
            process = self.start("search", SIMULATED, "--study", "s.db",
                                 "--set", "search.trials=100000")
            if kill % 2:  # anywhere, from before its first breath on
                time.sleep(chance.uniform(0, 0.5))
            else:  # while it writes
                wanted = before + 1 + chance.randrange(20)
                while self.rows() < wanted:
                    self.assertIsNone(process.poll(), "ended by itself")
            self.assertIsNone(process.poll(), "ended before it was killed")
            process.kill()
            process.wait()
        self.assertGreater(self.rows(), KILLS // 2)
        trials = len(self.json("trials", "s.db")) + 5
        self.search("--set", f"search.trials={trials}")
        self.search("--set", f"search.trials={trials}", study="calm.db")
        self.assertEqual(self.digest(), self.digest("calm.db"))
        self.hone("doctor", "s.db")

    def interrupt(self, number):
        process = self.start("search", SIMULATED, "--study", "s.db", "--set",
                             "search.trials=20000")
        while self.rows() < 20:
            self.assertIsNone(process.poll(), "ended early")
            time.sleep(0.01)
        process.send_signal(number)
        self.assertEqual(process.wait(timeout=60), 128 + number)
        return process.stderr.read()

    def rows(self):
        """Trials at the moment; 0 where a killed writer left a journal that
        this reader may not roll back."""
        try:
            uri = f"file:{self.folder}/s.db?mode=ro"
            store = sqlite3.connect(uri, uri=True, timeout=5)
            try:
                return store.execute("select count(*) from trial").fetchone()[0]
            finally:
                store.close()
        except sqlite3.OperationalError:
            return 0

    def test_interrupt_is_resumable(self):
        message = self.interrupt(signal.SIGINT)
        self.assertIn("hone search", message)
        done = len(self.json("trials", "s.db"))
        self.assertGreaterEqual(done, 20)
        # Fewer trials than there are is no reason to refuse or to lose any.
        self.search("--set", f"search.trials={done + 5}")
        self.search("--set", f"search.trials={done + 5}", study="calm.db")
        self.assertEqual(self.digest(), self.digest("calm.db"))

    def test_terminate_says_143(self):
        self.interrupt(signal.SIGTERM)
        self.hone("doctor", "s.db")

    def test_a_study_that_is_written_is_locked(self):
        with open(self.folder / "s.db.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _, message = self.search(expect=75)
        self.assertIn("s.db", message)
        self.search("--set", "search.trials=3")

    def test_damage_is_found(self):
        self.search("--set", "search.trials=40")
        path = self.folder / "s.db"
        whole = path.read_bytes()
        path.write_bytes(whole[:len(whole) // 2])
        for words in [["digest"], ["doctor"], ["trials"]]:
            self.hone(words[0], "s.db", *words[1:], expect=5)
        path.write_bytes(b"not a study")
        self.hone("digest", "s.db", expect=5)
        path.write_bytes(whole)
        self.hone("doctor", "s.db")

    def test_an_edited_row_is_found(self):
        self.search("--set", "search.trials=10")
        store = sqlite3.connect(self.folder / "s.db")
        columns = [r[1] for r in store.execute("pragma table_info(trial)")]
        self.assertIn("number", columns)
        store.execute("update trial set seed = '1' where number = 4")
        store.commit()
        store.close()
        for command in ["digest", "doctor", "trials"]:
            _, message = self.hone(command, "s.db", expect=5)
            self.assertIn("4", message)


if __name__ == "__main__":
    unittest.main()
