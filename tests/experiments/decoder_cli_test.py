"""A language model of a person's own text, from a file to what it writes."""

import json
import unittest

from hone_process import CliTest

SPEC = """
[study]
name = "lm"
[task]
kind = "language-model"
train = "train.txt"
dev = "dev.txt"
vocabulary = "character"
max_tokens = 16
[space]
d_model = [16]
layers = [1]
heads = [2]
feed_forward = [32]
precision = ["f32"]
[search]
trials = 1
[teacher]
d_model = 16
layers = 1
heads = 2
feed_forward = 32
[teacher.training]
steps = 10
[training]
steps = 10
[measurement]
tokens = 4
new_tokens = 4
rounds = 3
round_milliseconds = 1
"""


class DecoderTest(CliTest):

    def test_it_writes_on_and_is_repeated(self):
        text = "in the beginning was the word and the word was long\n" * 30
        for split in ["train", "dev"]:
            (self.folder / f"{split}.txt").write_text(text)
        (self.folder / "lm.toml").write_text(SPEC)
        self.hone("search", "lm.toml")
        # The task's own objectives, which the spec leaves out.
        [trial] = self.json("pareto", "studies/lm.db")
        self.assertIn("ms_per_token", trial["metrics"])
        # Its times are readings like any.
        self.assertTrue(self.json("rerun", "studies/lm.db", 0)["equal"])
        self.hone("export", "studies/lm.db", 0, "--out", "out/lm")
        # Half of the 16 tokens that it reads, unless told otherwise.
        said, _ = self.hone("generate", "out/lm", "--prompt", "in the ",
                            "--json")
        self.assertEqual(len(json.loads(said)["text"]), 8)
        said, _ = self.hone("generate", "out/lm", "--prompt", "in the ",
                            "--tokens", 3)
        self.assertTrue(said.startswith("in the "))
        self.assertEqual(len(said), len("in the ") + 3 + len("\n"))
        self.hone("generate", "out/lm", "--tokens", 16, expect=2)


if __name__ == "__main__":
    unittest.main()
