#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "eval/decode/generate.h"
#include "space/base/error.h"
#include "space/base/rng.h"
#include "tests/eval/fake_step_model.h"

namespace hone {

// Prompts of 1 to 4 tokens, each with a source of 0 to 3.
inline std::vector<Prompt> SomePrompts(std::size_t count,
                                       std::int64_t vocabulary) {
  Rng rng(7, 0, "prompts");
  const auto below = [&](std::int64_t bound) {
    return static_cast<std::int64_t>(
        rng.Below(static_cast<std::uint64_t>(bound)));
  };
  std::vector<Prompt> prompts(count);
  for (Prompt& prompt : prompts) {
    prompt.source.resize(static_cast<std::size_t>(below(4)));
    prompt.tokens.resize(static_cast<std::size_t>(1 + below(4)));
    for (std::int64_t& token : prompt.source) token = below(vocabulary);
    for (std::int64_t& token : prompt.tokens) token = below(vocabulary);
  }
  return prompts;
}

// Greedy decoding as its definition says: one text at a time, each read anew
// for each token.
inline std::vector<std::int64_t> GreedyByDefinition(
    const FakeStepModel& model, const Prompt& prompt,
    std::int64_t max_new_tokens, std::optional<std::int64_t> end_token) {
  std::vector<std::int64_t> text = prompt.tokens;
  std::vector<std::int64_t> added;
  while (static_cast<std::int64_t>(added.size()) < max_new_tokens &&
         static_cast<std::int64_t>(text.size()) <= model.Info().max_tokens) {
    const std::int64_t token = Greedy(model.Logits(prompt.source, text));
    if (token == end_token) break;
    added.push_back(token);
    text.push_back(token);
  }
  return added;
}

// The message of the Error{kUsage} that `call` throws.
template <typename Call>
std::string MessageOf(Call call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return error.what();
  }
  return "nothing thrown";
}

}  // namespace hone
