// Reads {"hypotheses": [...], "references": [...]} and writes to standard
// output what Hone makes of it under each setting, for a program that shares no
// code with it: tests/eval/bleu_check.py. Usage: write_bleu FILE

#include <iostream>
#include <string>
#include <vector>

#include "eval/bleu.h"
#include "space/base/error.h"
#include "space/base/file.h"
#include "space/base/json.h"

namespace hone {
namespace {

Json Report(const std::vector<std::string>& hypotheses,
            const std::vector<std::string>& references,
            const BleuOptions& options) {
  const BleuScore bleu = CorpusBleu(hypotheses, references, options);
  Json tokens = Json::array();
  for (const auto* texts : {&hypotheses, &references}) {
    for (const std::string& text : *texts) {
      tokens.push_back(BleuTokens(text, options));
    }
  }
  return {{"options", FieldsToJson(options)},
          {"score", bleu.score},
          {"precisions", bleu.precisions},
          {"matches", bleu.matches},
          {"totals", bleu.totals},
          {"brevity_penalty", bleu.brevity_penalty},
          {"hypothesis_tokens", bleu.hypothesis_tokens},
          {"reference_tokens", bleu.reference_tokens},
          {"tokens", tokens}};
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: write_bleu FILE\n";
    return 2;
  }
  try {
    const hone::Json input = hone::ParseJson(hone::ReadFile(argv[1]), argv[1]);
    hone::Json reports = hone::Json::array();
    for (const char* tokenizer : {"13a", "none"}) {
      for (const char* smoothing : {"exp", "none"}) {
        for (const bool lowercase : {false, true}) {
          reports.push_back(hone::Report(input.at("hypotheses"),
                                         input.at("references"),
                                         {tokenizer, smoothing, lowercase}));
        }
      }
    }
    std::cout << reports.dump() << "\n";
  } catch (const std::exception& error) {
    std::cerr << "write_bleu: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
