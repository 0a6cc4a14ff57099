"""A person's own data, from files to an exported model that is used."""

import json
import signal
import subprocess
import time
import unittest

from hone_process import PROGRAM, CliTest

SPEC = """
[study]
name = "own"
[task]
kind = "text-classification"
train = "train.tsv"
dev = "dev.csv"
test = "test.jsonl"
vocabulary_size = 64
max_tokens = 8
[space]
d_model = [16, 32]
layers = [1]
heads = [2]
feed_forward = [32]
attention = ["full", "local:2"]
precision = ["f32", "w8a8", "w4"]
[search]
trials = 4
batch = 2
[teacher]
d_model = 32
layers = 1
heads = 2
feed_forward = 32
[teacher.training]
steps = 60
[training]
steps = 60
learning_rate = 1e-2
[measurement]
tokens = 4
rounds = 3
round_milliseconds = 1
"""


def examples(first, count):
    """Texts whose label can be read off one word."""
    colours, sizes = ["red", "blue", "green"], ["big", "small"]
    for i in range(first, first + count):
        label = "warm" if i % 3 == 0 else "cold"
        yield f"a {sizes[i % 2]} {colours[i % 3]} thing {i % 5}", label


class TrainedTest(CliTest):

    def setUp(self):
        super().setUp()
        self.write("own.toml", SPEC)
        self.write("train.tsv", "text\tlabel\n" + "".join(
            f"{t}\t{l}\n" for t, l in examples(0, 120)))
        self.write("dev.csv", "label,text\n" + "".join(
            f'{l},"{t}"\n' for t, l in examples(7, 40)))
        self.write("test.jsonl", "".join(
            json.dumps({"text": t, "label": l}) + "\n"
            for t, l in examples(11, 40)))

    def write(self, name, text):
        (self.folder / name).write_text(text)

    def test_search_export_and_use(self):
        self.hone("search", "own.toml", "--workers", "2")
        study = "studies/own.db"
        trials = self.json("trials", study)
        self.assertEqual(len(trials), 4)
        for trial in trials:
            for name in ["accuracy", "macro_f1", "latency_ms", "file_bytes",
                         "parity_error", "peak_memory_bytes"]:
                self.assertIn(name, trial["metrics"])
            latency = trial["metrics"]["latency_ms"]
            self.assertLessEqual(latency["low"], latency["value"])
            self.assertLessEqual(latency["value"], latency["high"])
            self.assertEqual(len(trial["latency_rounds_ms"]), 3)
            self.assertTrue(trial["kernels"])
        best = max(trials, key=lambda t: t["metrics"]["accuracy"]["value"])
        self.assertGreater(best["metrics"]["accuracy"]["value"], 0.9)
        number = best["number"]

        self.hone("export", study, number, "--out", "out/best")
        quality = self.json("eval", "out/best")
        self.assertEqual(quality["examples"], 40)
        self.assertGreater(quality["metrics"]["accuracy"]["value"], 0.9)
        texts = ["a big red thing 1", "a small blue thing 2"]
        said, _ = self.hone("classify", "out/best", *texts, "--json")
        labels = [json.loads(line)["labels"] for line in said.splitlines()]
        self.assertEqual([l[0]["label"] for l in labels], ["warm", "cold"])
        for ranked in labels:
            self.assertAlmostEqual(sum(l["probability"] for l in ranked), 1, 5)
        piped, _ = self.hone("classify", "out/best", "--json",
                             stdin="\n".join(texts) + "\n")
        self.assertEqual(piped, said)
        bytes_in = b"a big caf\xe9\na red thing\n"  # no UTF-8
        raw = subprocess.run([PROGRAM, "classify", "out/best", "--json"],
                             cwd=self.folder, input=bytes_in,
                             capture_output=True, check=True).stdout
        self.assertEqual(
            [json.loads(line)["text"] for line in raw.decode().splitlines()],
            ["a big caf\ufffd", "a red thing"])
        latency = self.json("bench", "out/best", "--length", "8")
        self.assertEqual(latency["length"], 8)
        self.assertGreater(latency["latency_ms"], 0)
        self.hone("bench", "out/best", "--length", "9", expect=2)

        self.check_inspection(best)
        self.check_libtorch(quality)
        self.check_tensorrt(study, number)
        self.check_compression(study, best)
        self.check_bf16(study, best)
        self.check_sensitivity(study, best)

        again = self.json("remeasure", study)
        self.assertEqual([t["trial"] for t in again["trials"]],
                         [t["number"] for t in self.json("pareto", study)])
        for one in again["trials"]:
            for name in ["accuracy", "file_bytes"]:
                self.assertEqual(one["again"][name], one["stored"][name])
            self.assertGreater(one["again"]["latency_ms"]["value"], 0)

        repeat = self.json("rerun", study, number)
        self.assertTrue(repeat["equal"])
        equal = {v["what"]: v["equal"] for v in repeat["values"]}
        for what in ["teacher.safetensors", "student.safetensors",
                     "model.onnx", "accuracy"]:
            self.assertTrue(equal[what], what)
        trained = self.json("train", "own.toml", "--architecture",
                            "out/best/card.json")
        self.assertEqual(trained["metrics"]["accuracy"],
                         best["metrics"]["accuracy"])

        self.check_that_other_data_is_refused(study, number)
        self.check_that_damage_is_found(study, best)

    def check_that_other_data_is_refused(self, study, number):
        rows = (self.folder / "train.tsv").read_text()
        self.write("train.tsv", rows + "a tiny new thing\tabsent\n")
        for words in [["export", study, number, "--out", "out/other"],
                      ["compress", study, number, "--precision", "w4"],
                      ["sensitivity", study, number], ["rerun", study, number],
                      ["remeasure", study], ["search", "own.toml"]]:
            _, message = self.hone(*words, expect=2)
            self.assertIn("made of other data", message)
        self.assertFalse((self.folder / "out/other").exists())
        self.write("train.tsv", rows)
        self.hone("export", study, number, "--out", "out/other")

    def test_what_was_left_in_f32_is_repeated(self):
        self.hone("search", "own.toml", "--set", "search.trials=2", "--set",
                  'space.precision=["w8a8"]', "--set",
                  "quantization.f32_where_faster=true")
        study = "studies/own.db"
        for trial in self.json("trials", study):
            number = trial["number"]
            said = trial["environment"].get("precision of encoder.0", "w8a8")
            self.hone("export", study, number, "--out", f"out/{number}")
            products = self.json(
                "inspect", f"out/{number}")["phases"][0]["products"]
            kept = {p["layer"].split(".")[-1] for p in products
                    if p["why"].startswith("kept f32: timed")}
            self.assertEqual(kept == set(), said == "w8a8", (kept, said))
            self.assertTrue(self.json("rerun", study, number)["equal"])

    def check_inspection(self, trial):
        found = self.json("inspect", "out/best", "--batch", "64")
        self.assertEqual(found["batch"], 64)
        self.assertEqual(found["length"], 4)
        [phase] = found["phases"]
        for part in ["kernels", "products"]:
            shares = sum(one.get("time_share", 0) for one in phase[part])
            self.assertLess(shares, 1.001)
        self.assertAlmostEqual(
            sum(one["time_share"] for one in phase["kernels"]), 1, 6)
        # Four linears of attention, two of feed-forward, the head; and the
        # two products of attention.
        stored = [p["stored"] for p in phase["products"] if "weight" in p]
        precision = trial["architecture"]["encoder"][0]["precision"]
        self.assertEqual(stored, [precision] * 6 + ["f32"])
        self.assertEqual(len(phase["products"]), 9)
        for product in phase["products"]:
            self.assertTrue(product["why"])
        [file] = found["files"]
        size = (self.folder / "out" / "best" / "model.onnx").stat().st_size
        self.assertEqual(file["bytes"], size)
        self.assertEqual(sum(p["bytes"] for p in file["stored"]), size)
        page, _ = self.hone("inspect", "out/best")
        self.assertIn("encoder.0.feed_forward.up", page)
        self.assertIn("openvino", page)
        for line in page.splitlines():
            self.assertLessEqual(len(line), 80, line)
        self.hone("inspect", "out/nowhere", expect=4)
        self.hone("inspect", "out/best", "--length", "9", expect=2)

    def check_libtorch(self, quality):
        other = self.json("eval", "out/best", "--engine", "libtorch")
        self.assertAlmostEqual(other["metrics"]["accuracy"]["value"],
                               quality["metrics"]["accuracy"]["value"], 2)
        timed = self.json("bench", "out/best", "--engine", "libtorch")
        self.assertEqual(timed["engine"]["engine"], "libtorch")
        self.assertGreater(timed["latency_ms"], 0)
        found = self.json("inspect", "out/best", "--engine", "libtorch")
        [phase] = found["phases"]
        self.assertEqual(len(phase["products"]), 9)
        self.hone("bench", "out/best", "--engine", "torch", expect=2)

    def check_tensorrt(self, study, number):
        found, _ = self.hone("inspect", "out/best", "--target", "tensorrt",
                             "--json", expect=1)
        self.assertIn("opset", {one["rule"] for one in json.loads(found)})
        self.hone("export", study, number, "--out", "out/trt", "--target",
                  "tensorrt", "--precision", "w8a8")
        said, _ = self.hone("inspect", "out/trt", "--target", "tensorrt")
        self.assertIn("Nothing stands against", said)
        card = json.loads(
            (self.folder / "out" / "trt" / "card.json").read_text())
        self.assertEqual(card["metrics"], {})
        self.assertEqual(
            {b["precision"] for b in card["architecture"]["encoder"]},
            {"w8a8"})
        quality = self.json("eval", "out/trt")
        self.assertGreater(quality["metrics"]["accuracy"]["value"], 0.9)
        for wrong in [["--target", "tensort"], ["--precision", "w8a8"],
                      ["--target", "tensorrt", "--precision", "w4"]]:
            self.hone("export", study, number, "--out", "out/no", *wrong,
                      expect=2)

    def check_compression(self, study, trial):
        number = trial["number"]
        stored, w4, w2 = self.json(
            "compress", study, number, "--precision", "w4", "--precision",
            "w2", "--set", "quantization.rounding=gptq")
        self.assertEqual(stored["metrics"]["accuracy"],
                         trial["metrics"]["accuracy"])
        for one, precision in [(w4, "w4"), (w2, "w2")]:
            self.assertEqual(one["model"], precision)
            blocks = one["architecture"]["encoder"]
            self.assertEqual({b["precision"] for b in blocks}, {precision})
        self.assertLess(w2["metrics"]["weight_bytes"]["value"],
                        w4["metrics"]["weight_bytes"]["value"])
        # The same student, rounded otherwise: nothing is trained anew.
        self.assertEqual(
            [a["sha256"] for a in w4["artifacts"] if "student" in a["role"]],
            [a["sha256"] for a in trial["artifacts"]
             if "student" in a["role"]])
        page, _ = self.hone("compress", study, number, "--precision", "w2a8",
                            "--set", "quantization.qat_steps=20",
                            "--out", "out/small")
        self.assertIn("w2a8", page)
        for line in page.splitlines():
            self.assertLessEqual(len(line), 80, line)
        self.hone("eval", "out/small")
        self.hone("compress", study, number, expect=2)
        self.hone("compress", study, number, "--precision", "w5", expect=2)
        _, message = self.hone("compress", study, number, "--precision", "w4",
                               "--set", "training.steps=9", expect=2)
        self.assertIn("[quantization]", message)
        self.hone("compress", study, 99, "--precision", "w4", expect=4)
        for words, why in [(["--decoder-layers", 1], "is of a translation"),
                           (["--heads", 2], "has these sizes already")]:
            _, message = self.hone("compress", study, number, *words, expect=2)
            self.assertIn(why, message)
        # One layer in another precision, whatever the others have.
        _, one, two = self.json(
            "compress", study, number, "--precision", "w8a8", "--precision",
            "w4", "--linear", "feed_forward.down=w2a8", "--linear",
            "attention.query=f32")
        for mixed, precision in [(one, "w8a8"), (two, "w4")]:
            self.assertEqual(
                mixed["model"], precision +
                " feed_forward.down=w2a8 attention.query=f32")
            for block in mixed["architecture"]["encoder"]:
                self.assertEqual(block["precision"], precision)
                self.assertEqual(block["linears"], {
                    "attention.query": "f32", "feed_forward.down": "w2a8"})
            self.assertEqual(mixed["state"], "complete")
        for linear, message in [
                ("feed_forward.down", "needs ROLE=WORD"),
                ("feed_forward.dwn=w4", "did you mean 'feed_forward.down'"),
                ("feed_forward.down=w5", "did you mean 'w8'"),
                ("cross.key=w4", "no block of the trial has such a layer")]:
            _, said = self.hone("compress", study, number, "--linear", linear,
                                expect=2)
            self.assertIn(message, said)
        # Half of the neurons, one of two heads, and what is left in 4 bits.
        _, small = self.json(
            "compress", study, number, "--feed-forward", "16", "--heads", "1",
            "--precision", "w4", "--set", "compression.steps=30")
        block = small["architecture"]["encoder"][0]
        self.assertEqual(block["feed_forward"]["width"], 16)
        self.assertEqual(block["attention"]["heads"], 1)
        self.assertGreater(small["metrics"]["accuracy"]["value"], 0.8)
        _, factored = self.json("compress", study, number, "--rank", "4",
                                "--set", "compression.steps=30")
        self.assertEqual(factored["model"], "smaller")
        self.assertLess(factored["metrics"]["parameters"]["value"],
                        trial["metrics"]["parameters"]["value"])
        # The token table in 2 bits, and as a product.
        _, whole, both = self.json(
            "compress", study, number, "--embedding", "w8", "--embedding",
            "w2:row", "--precision", "w4")
        self.assertEqual(both["model"], "w4, table w2:row")
        self.assertEqual(both["architecture"]["stem"]["embedding"], "w2:row")
        # The file itself also has a table of levels, which is worth it from
        # some hundred words on.
        self.assertLess(both["metrics"]["weight_bytes"]["value"],
                        whole["metrics"]["weight_bytes"]["value"])
        _, product = self.json(
            "compress", study, number, "--embedding-rank", "4", "--embedding",
            "w8", "--set", "compression.steps=30")
        self.assertEqual(product["architecture"]["stem"]["embedding_rank"], 4)
        self.assertGreater(product["metrics"]["accuracy"]["value"], 0.8)
        _, message = self.hone("compress", study, number, "--embedding", "w4",
                               expect=2)
        self.assertIn('use one of "f32", "w8", "w4:row", "w2:row"', message)
        _, message = self.hone("compress", study, number, "--embedding-rank",
                               "99", expect=2)
        self.assertIn("embedding_rank: 99 is not below d_model", message)
        _, message = self.hone("compress", study, number, "--feed-forward",
                               "999", expect=2)
        self.assertIn("feed-forward width of 32, and 999", message)
        # Fewer channels, in two rounds; heads keep their dimension.
        _, narrow = self.json(
            "compress", study, number, "--d-model", "12", "--set",
            "compression.steps=60", "--set", "compression.rounds=2")
        before = trial["architecture"]["stem"]["d_model"]
        block = narrow["architecture"]["encoder"][0]
        self.assertEqual(narrow["architecture"]["stem"]["d_model"], 12)
        self.assertEqual(block["head_dim"], before // 2)
        self.assertGreater(narrow["metrics"]["accuracy"]["value"], 0.8)
        self.assertLess(narrow["metrics"]["file_bytes"]["value"],
                        trial["metrics"]["file_bytes"]["value"])
        _, message = self.hone("compress", study, number, "--d-model", "64",
                               expect=2)
        self.assertIn(f"d_model is {before}, and 64 is asked for", message)

    def check_bf16(self, study, trial):
        """A model in bf16 where this machine has it, else a refusal."""
        _, message = self.hone(
            "search", "own.toml", "--study", "bf16.db", "--set",
            'space.compute=["f32","bf16"]', "--set",
            'measurement.engine="libtorch"', expect=2)
        self.assertIn("space.compute[1]: 'bf16' needs an engine", message)
        self.assertFalse((self.folder / "bf16.db").exists())
        checks = {check["check"]: check["verdict"]
                  for check in self.json("doctor")["checks"]}
        has_bf16 = checks["bf16"] == "ok"
        compressed = self.json("compress", study, trial["number"], "--compute",
                               "bf16", expect=0 if has_bf16 else 3)[1]
        self.assertEqual(compressed["model"], "bf16")
        self.assertEqual(compressed["architecture"]["stem"]["compute"], "bf16")
        if not has_bf16:
            self.assertIn("avx512_bf16", compressed["failure"]["reason"])
            return
        self.assertLess(compressed["metrics"]["weight_bytes"]["value"],
                        trial["metrics"]["weight_bytes"]["value"])
        page, _ = self.hone("compress", study, trial["number"], "--compute",
                            "bf16", "--precision", "w8a8", "--out", "out/bf16")
        self.assertIn("w8a8, rest bf16", page)
        _, message = self.hone("bench", "out/bf16", "--engine", "libtorch",
                               expect=2)
        self.assertIn("LibTorch cannot load this model", message)
        kernels = self.hone("inspect", "out/bf16")[0]
        self.assertIn("bf16", kernels)

    def check_sensitivity(self, study, trial):
        number = trial["number"]
        trials = self.json("trials", study)
        found = self.json("sensitivity", study, number)
        self.assertEqual(found["quality"],
                         {"metric": "accuracy", "better": "larger"})
        self.assertEqual(found["engine"], "openvino")
        changes = {c["change"]: c for c in found["changes"]}
        rank = f"rank {trial['architecture']['stem']['d_model'] // 4}"
        self.assertEqual(set(changes), {"w8a8", "w4", "half the neurons",
                                        "half the heads", rank, "no block"})
        for name, change in changes.items():
            self.assertEqual(change["block"], "encoder.0")
            if name == "no block":
                self.assertIn("only one", change["failure"]["reason"])
                continue
            self.assertLess(change["file_bytes"], found["base"]["file_bytes"])
            self.assertAlmostEqual(
                change["difference"],
                change["quality"] - found["base"]["quality"])
            self.assertGreater(change["latency_ms"]["value"], 0)
        page, _ = self.hone("sensitivity", study, number)
        self.assertIn("no block", page)
        for line in page.splitlines():
            self.assertLessEqual(len(line), 80, line)
        # What was measured are no trials.
        self.assertEqual(self.json("trials", study), trials)
        self.hone("sensitivity", study, 99, expect=4)

    def check_that_damage_is_found(self, study, trial):
        self.hone("doctor", study)
        model = next(a for a in trial["artifacts"] if a["role"] == "model.onnx")
        path = self.folder / "studies" / "own.artifacts" / model["path"]
        path.write_bytes(path.read_bytes()[:-1] + b"?")
        _, message = self.hone("doctor", study, expect=5)
        self.assertIn("model.onnx", message)
        self.hone("export", study, trial["number"], "--out", "other", expect=5)
        self.assertFalse((self.folder / "other").exists())
        exported = self.folder / "out" / "best" / "model.onnx"
        exported.write_bytes(exported.read_bytes() + b"?")
        for command in ["eval", "classify", "bench", "inspect"]:
            self.hone(command, "out/best", expect=5)

    def test_plan_times_attention_kinds(self):
        plan = self.json("plan", "own.toml")
        self.assertEqual([side["side"] for side in plan["attention"]],
                         ["encoder"])
        side = plan["attention"][0]
        self.assertEqual((side["d_model"], side["heads"], side["tokens"]),
                         (32, 2, 4))
        self.assertEqual([kind["attention"] for kind in side["others"]],
                         ["local:2"])
        for kind in side["others"]:
            for where in ["exported", "training"]:
                self.assertAlmostEqual(
                    kind[where + "_over_full"],
                    kind[where + "_ms"] / side[f"full_{where}_ms"], 6)
        said, _ = self.hone("plan", "own.toml")
        self.assertIn("slower than full", said)
        said, _ = self.hone("plan", "own.toml", "--set",
                            'space.attention=["full"]')
        self.assertNotIn("slower than full", said)

    def test_bad_data_is_refused_and_nothing_written(self):
        before = {path.name for path in self.folder.iterdir()}
        self.write("dev.csv", "label,text\nwarm,a\nhot,b\n")
        _, message = self.hone("search", "own.toml", expect=2)
        self.assertIn("dev.csv:3", message)
        self.write("train.tsv", "text\tlabel\na\twarm\nb\n")
        _, message = self.hone("search", "own.toml", expect=2)
        self.assertIn("train.tsv:3", message)
        (self.folder / "train.tsv").unlink()
        _, message = self.hone("search", "own.toml", expect=4)
        self.assertIn("train.tsv", message)
        after = {path.name for path in self.folder.iterdir()}
        self.assertEqual(after, before - {"train.tsv"})

    def test_interrupt_ends_training(self):
        slow = ["--set", "training.steps=100000"]
        process = self.start("search", "own.toml", *slow)
        while process.poll() is None:
            line = process.stderr.readline()
            if "training" in line:
                break
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=60), 130)
        self.assertIn("hone search own.toml", process.stderr.read())
        # Nothing was tried yet, so another spec may begin.
        self.hone("search", "own.toml")
        _, message = self.hone("search", "own.toml", *slow, expect=2)
        self.assertIn("training.steps: 60 in the study, 100000", message)


if __name__ == "__main__":
    unittest.main()
