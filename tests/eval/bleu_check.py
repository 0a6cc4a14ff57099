#!/usr/bin/env python3
"""Checks Hone's BLEU against sacreBLEU, which shares no code with it.

Makes sentence pairs with punctuation, numbers, other scripts, entities and
empty texts, and compares the tokens of each sentence, and scores and counts of
the corpus and of its parts, under every setting. Exits 77 (skipped) when the
Python package is not installed.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

try:
    from sacrebleu.metrics import BLEU
except ImportError as error:
    print(f"skipped: {error}; install sacrebleu with pip --target into the "
          "folder named by HONE_TEST_PYTHON")
    sys.exit(77)

SEED = 20240611
PAIRS = 1000
LARGEST_DIFFERENCE = 1e-6  # of scores, of 100
WORDS = """the a of to and in Katze Haus über größe ÄRGER naïve Ærø ŁÓDŹ Жизнь
мир ЭТО λόγος ΩΜΕΓΑ 東京 你好 مرحبا שלום हिन्दी 🙂 👩‍🔬 e.g. U.S.A. i.e. Mr. don't
l'eau rock'n'roll well-known 5-year-old state-of-the-art x_y foo@bar.com C++
http://a.b/c?d=1&e=2 <skipped> 3.14 1,000,000 1.000,50 -7 +3 50% $5.00 €3,20 §4
2024-06-11 12:30 1-2 4- 5. .5 ,5 6, ٣.٤ ½ ² ... .. ,, ,. ., -- — – … „ “ ” « »
‘ ’ 。 ， ！ & &amp; &quot; &lt; &gt; &apos; &amp;lt; &amp;amp; &quot;x&quot;
&#39; &lt;b&gt; &ampx ( ) [ ] { } < > / \\ | ~ ^ ` ' " ! ? : ; = # * _ @ %
""".split()
BLANKS = [" "] * 40 + ["", "", "  ", "\t", "\u00a0", "\u3000", "\u2009",
                       "\u200b", "\u0085", "\u001f", "\n", "-\n", "\r\n"]


def sentence(random_, length):
    text = random_.choice(["", "", " "])
    for _ in range(length):
        text += random_.choice(WORDS) + random_.choice(BLANKS)
    return text


def altered(random_, text):
    """Text with some of its words changed, dropped, added or cased."""
    words = text.split(" ")
    for _ in range(random_.randrange(1 + len(words) // 3)):
        place = random_.randrange(len(words))
        change = random_.randrange(4)
        if change == 0:
            words[place] = random_.choice(WORDS)
        elif change == 1 and len(words) > 1:
            del words[place]
        elif change == 2:
            words.insert(place, random_.choice(WORDS))
        else:
            words[place] = words[place].swapcase()
    return " ".join(words)


def comparable(text):
    """The text without the sigma, whose lower case depends on its place."""
    return text.replace("Σ", "S")


def make_pairs():
    random_ = random.Random(SEED)
    pairs = []
    for number in range(PAIRS):
        reference = sentence(random_, random_.randrange(1, 30))
        hypothesis = altered(random_, reference)
        if number % 50 == 7:
            hypothesis = random_.choice(["", " ", "\n"])
        if number % 97 == 3:
            reference = ""
        pairs.append((comparable(hypothesis), comparable(reference)))
    return pairs


def differences(pairs, report):
    """What Hone and sacreBLEU do not agree on under the report's options."""
    options = report["options"]
    bleu = BLEU(tokenize=options["tokenizer"], lowercase=options["lowercase"],
                smooth_method=options["smoothing"])
    texts = [h for h, _ in pairs] + [r for _, r in pairs]
    for text, tokens in zip(texts, report["tokens"]):
        expected = bleu._preprocess_segment(text).split()
        if tokens != expected:
            yield f"{text!r}: tokens {tokens}, expected {expected}"
    expected = bleu.corpus_score([h for h, _ in pairs], [[r for _, r in pairs]])
    for name, actual, wanted in [
            ("score", [report["score"]], [expected.score]),
            ("precisions", report["precisions"], expected.precisions),
            ("brevity penalty", [report["brevity_penalty"]], [expected.bp]),
            ("matches", report["matches"], expected.counts),
            ("totals", report["totals"], expected.totals),
            ("lengths",
             [report["hypothesis_tokens"], report["reference_tokens"]],
             [expected.sys_len, expected.ref_len])]:
        if len(actual) != len(wanted) or not all(
                abs(a - w) <= LARGEST_DIFFERENCE
                for a, w in zip(actual, wanted)):
            yield f"{name} {actual}, expected {wanted}"


def check(writer, folder, name, pairs):
    """Returns what is wrong."""
    path = pathlib.Path(folder) / f"{name}.json"
    path.write_text(json.dumps({"hypotheses": [h for h, _ in pairs],
                                "references": [r for _, r in pairs]}))
    result = subprocess.run([writer, str(path)], check=True,
                            stdout=subprocess.PIPE)
    reports = json.loads(result.stdout)
    if len(reports) != 8:
        return [f"{name}: {len(reports)} reports"]
    wrong = []
    for report in reports:
        wrong += [f"{name}, {report['options']}: {difference}"
                  for difference in differences(pairs, report)]
    if name == "all":
        print("scores", [round(report["score"], 2) for report in reports])
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writer", required=True)
    arguments = parser.parse_args()
    pairs = make_pairs()
    # Parts of one or few sentences reach orders without matches or n-grams.
    corpora = {"all": pairs}
    for begin in range(0, 60):
        corpora[f"from_{begin}"] = pairs[begin:begin + 1 + begin % 3]
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        for name, corpus in corpora.items():
            failures += check(arguments.writer, folder, name, corpus)
    for failure in failures[:20]:
        print("FAILED", failure)
    print(f"{len(failures)} differences")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
