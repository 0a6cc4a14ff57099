"""Runs the program for the tests of the command line."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

PROGRAM = os.environ["HONE_PROGRAM"]
SPECS = pathlib.Path(os.environ["HONE_SOURCE_DIR"]) / "experiments" / "specs"
SIMULATED = str(SPECS / "simulated.toml")


class CliTest(unittest.TestCase):
    """Each test runs in an empty folder."""

    def setUp(self):
        self.folder = self.make_folder(self.addCleanup)

    @staticmethod
    def make_folder(add_cleanup):
        folder = tempfile.TemporaryDirectory(prefix="hone-cli-")
        add_cleanup(folder.cleanup)
        return pathlib.Path(folder.name)

    def hone(self, *words, expect=0, stdin=""):
        """Runs a command; returns standard output and error."""
        done = subprocess.run(
            [PROGRAM, *map(str, words)], cwd=self.folder, input=stdin,
            capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, expect,
                         f"hone {words}\n{done.stdout}\n{done.stderr}")
        return done.stdout, done.stderr

    def json(self, *words, expect=0):
        return json.loads(self.hone(*words, "--json", expect=expect)[0])

    def start(self, *words):
        """Starts a command without waiting for it."""
        process = subprocess.Popen(
            [PROGRAM, *map(str, words)], cwd=self.folder,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def search(self, *words, study="s.db", expect=0):
        return self.hone("search", SIMULATED, "--study", study, *words,
                         expect=expect)

    def digest(self, study="s.db"):
        return self.hone("digest", study)[0].strip()
