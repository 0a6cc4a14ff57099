#include "eval/decode/generate.h"

#include <algorithm>

#include "eval/decode/speculative.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/model_session.h"
#include "experiments/report.h"
#include "space/base/error.h"

namespace hone {
namespace {

constexpr std::int64_t kUsualTokens = 64;

// The prompt's last tokens, so that what follows has room.
Prompt PromptOf(const ModelSession& model, const std::string& text,
                std::int64_t new_tokens) {
  const std::int64_t context = model.card.shape.max_tokens;
  if (new_tokens >= context) {
    throw Error(ErrorCode::kUsage,
                "--tokens " + std::to_string(new_tokens) +
                    " leaves no room for a prompt: this model reads " +
                    std::to_string(context) + " tokens; use at most " +
                    std::to_string(context - 1));
  }
  auto tokens = model.vocabulary->Encode(text, std::int64_t{1} << 20);
  const auto room = static_cast<std::size_t>(context - new_tokens);
  if (tokens.size() > room)
    tokens.erase(tokens.begin(),
                 tokens.end() - static_cast<std::ptrdiff_t>(room));
  return {{}, std::move(tokens)};
}

// `context`: the tokens that the model reads.
GenerateOptions OptionsOf(const Arguments& arguments, std::int64_t context) {
  GenerateOptions options;
  options.max_new_tokens = arguments.Integer(
      "tokens", std::min(kUsualTokens, std::max<std::int64_t>(context / 2, 1)),
      1, 1 << 20);
  options.temperature = arguments.Real("temperature", 0, 0, 100);
  options.top_k = arguments.Integer("top-k", 0, 0, 1 << 20);
  options.top_p = arguments.Real("top-p", 1, 1e-6, 1);
  return options;
}

// What is new behind a text whose last tokens are `prompt`. Subwords have the
// blank before them only behind others, and lose one at the text's end.
std::string Added(const Vocabulary& vocabulary, const std::string& text,
                  const std::vector<std::int64_t>& prompt,
                  const std::vector<std::int64_t>& written) {
  std::vector<std::int64_t> all = prompt;
  all.insert(all.end(), written.begin(), written.end());
  const std::string before = vocabulary.Decode(prompt);
  const std::string whole = vocabulary.Decode(all);
  if (!whole.starts_with(before)) return vocabulary.Decode(written);
  std::string added = whole.substr(before.size());
  const bool lost = text.ends_with(' ') && !before.ends_with(' ');
  if (lost && added.starts_with(' ')) added.erase(0, 1);
  return added;
}

// With a draft: greedy, and how often the draft was right.
std::vector<std::vector<std::int64_t>> WriteWithDraft(
    const ModelSession& model, const std::filesystem::path& draft_folder,
    const std::vector<Prompt>& prompts, const GenerateOptions& options,
    std::ostream& err) {
  if (options.temperature > 0) {
    throw Error(ErrorCode::kUsage,
                "--draft is for the likeliest text; leave out --temperature");
  }
  const ModelSession draft = OpenModelFolder(draft_folder, {});
  RequireKind(draft, "hone generate --draft", {"language-model"});
  SpeculativeOptions speculative;
  speculative.max_new_tokens = options.max_new_tokens;
  SpeculativeResult result = DecodeSpeculatively(
      model.network->decoder(), draft.network->decoder(), prompts, speculative);
  err << "The draft proposed " << result.proposed << " tokens, of which "
      << result.accepted << " were right; the model was run "
      << result.target_calls << " times.\n";
  return std::move(result.texts);
}

int RunGenerate(const Arguments& arguments, const CommandContext& context) {
  const ModelSession model = OpenModelFolder(arguments.positionals[0], {});
  RequireKind(model, "hone generate", {"language-model"});
  const std::string text = arguments.Text("prompt", "\n");
  if (text.empty()) {
    throw Error(ErrorCode::kUsage,
                "--prompt: at least one character is needed");
  }
  const GenerateOptions options =
      OptionsOf(arguments, model.card.shape.max_tokens);
  const auto count =
      static_cast<std::size_t>(arguments.Integer("count", 1, 1, 65536));
  const std::vector<Prompt> prompts(
      count, PromptOf(model, text, options.max_new_tokens));
  const auto seed =
      static_cast<std::uint64_t>(arguments.Integer("seed", 1, 0, 1LL << 53));
  const auto written =
      arguments.Has("draft")
          ? WriteWithDraft(model, arguments.Text("draft", ""), prompts, options,
                           context.err)
          : Generate(model.network->decoder(), prompts, options, seed);
  for (const auto& tokens : written) {
    const std::string added =
        Added(*model.vocabulary, text, prompts.front().tokens, tokens);
    if (arguments.Has("json")) {
      context.out << JsonLine({{"prompt", text}, {"text", added}}) << "\n";
    } else {
      context.out << text << added << "\n";
    }
  }
  return kExitDone;
}

}  // namespace

Command GenerateCommand() {
  return {{"generate",
           "write on from a prompt with an exported language model",
           "DIR",
           1,
           1,
           {{"prompt", "TEXT", "what to write on from; default: a new line"},
            {"tokens", "N",
             "tokens to write; default 64, at most half of what the model "
             "reads"},
            {"temperature", "T", "0, the default: always the likeliest token"},
            {"top-k", "K", "draw from the K likeliest tokens"},
            {"top-p", "P", "draw from the likeliest tokens of probability P"},
            {"count", "N", "texts to write side by side"},
            {"seed", "N", "labels the random draws; default 1"},
            {"draft", "DIR", "a small model that proposes tokens; same text"},
            {"json", "", "print one JSON object for each text"}},
           "hone generate exported/kjv-3 --prompt \"In the \" "
           "--temperature 0.8"},
          RunGenerate};
}

}  // namespace hone
