#include "eval/decode/speculative.h"

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "eval/decode/generate.h"
#include "space/base/check_fields.h"
#include "space/base/error.h"

namespace hone {
namespace {

// One text in one model, and how much of it the model has read.
class Reader {
 public:
  Reader(StepModel& model, const Prompt& prompt)
      : vocabulary_(static_cast<std::size_t>(model.Info().vocabulary)),
        batch_(model.Start({prompt.source})) {}

  // The likeliest token after each token that was not read before; the last of
  // them is the one after all of `text`.
  std::vector<std::int64_t> Read(std::span<const std::int64_t> text) {
    const std::vector<std::int64_t> fresh(
        text.begin() + static_cast<std::ptrdiff_t>(read_), text.end());
    const std::vector<float> logits =
        batch_->Extend(fresh, static_cast<std::int64_t>(fresh.size()));
    HONE_CHECK_EQ(logits.size(), fresh.size() * vocabulary_);
    read_ = text.size();
    ++calls_;
    std::vector<std::int64_t> likeliest;
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      likeliest.push_back(
          Greedy(std::span(logits).subspan(i * vocabulary_, vocabulary_)));
    }
    return likeliest;
  }

  void ForgetBeyond(std::size_t length) {
    if (read_ <= length) return;
    batch_->Truncate({static_cast<std::int64_t>(length)});
    read_ = length;
  }

  std::int64_t calls() const { return calls_; }

 private:
  const std::size_t vocabulary_;
  std::unique_ptr<DecodeBatch> batch_;
  std::size_t read_ = 0;
  std::int64_t calls_ = 0;
};

// The decoding of one prompt.
class Speculation {
 public:
  Speculation(StepModel& target, StepModel& draft, const Prompt& prompt,
              const SpeculativeOptions& options)
      : options_(options),
        target_(target, prompt),
        draft_(draft, prompt),
        draft_limit_(draft.Info().max_tokens),
        text_(prompt.tokens),
        prompt_size_(text_.size()),
        limit_(text_.size() +
               static_cast<std::size_t>(NewTokenLimit(
                   prompt, target.Info(), options.max_new_tokens))) {}

  // The result for this prompt.
  SpeculativeResult Run() {
    while (text_.size() < limit_) {
      const std::vector<std::int64_t> proposals = Propose(ProposalCount());
      Verify(proposals);
      if (ended_) break;
      // The last token is the target's own and unread.
      target_.ForgetBeyond(text_.size() - 1);
      draft_.ForgetBeyond(text_.size() - 1);
    }
    text_.erase(text_.begin(),
                text_.begin() + static_cast<std::ptrdiff_t>(prompt_size_));
    return {{text_}, target_.calls(), draft_.calls(), proposed_, accepted_};
  }

 private:
  // The target adds a token of its own, and nobody reads the last proposal but
  // the target.
  std::size_t ProposalCount() const {
    const auto size = static_cast<std::int64_t>(text_.size());
    const auto limit = static_cast<std::int64_t>(limit_);
    const std::int64_t count = std::min(
        {options_.draft_tokens, limit - size - 1, draft_limit_ - size + 1});
    return static_cast<std::size_t>(std::max<std::int64_t>(count, 0));
  }

  std::vector<std::int64_t> Propose(std::size_t count) {
    std::vector<std::int64_t> text = text_;
    while (text.size() < text_.size() + count) {
      if (text.size() > text_.size() + 1) draft_.ForgetBeyond(text_.size());
      text.push_back(draft_.Read(text).back());
    }
    return {text.begin() + static_cast<std::ptrdiff_t>(text_.size()),
            text.end()};
  }

  void Verify(const std::vector<std::int64_t>& proposals) {
    std::vector<std::int64_t> text = text_;
    text.insert(text.end(), proposals.begin(), proposals.end());
    const std::vector<std::int64_t> likeliest = target_.Read(text);
    proposed_ += static_cast<std::int64_t>(proposals.size());
    auto chosen =
        likeliest.end() - static_cast<std::ptrdiff_t>(proposals.size()) - 1;
    for (const std::int64_t proposal : proposals) {
      if (*chosen != proposal) break;
      ++accepted_;
      if (!Add(*chosen++)) return;
    }
    Add(*chosen);
  }

  // Whether the text goes on.
  bool Add(std::int64_t token) {
    ended_ = token == options_.end_token;
    if (!ended_) text_.push_back(token);
    return !ended_;
  }

  const SpeculativeOptions& options_;
  Reader target_;
  Reader draft_;
  const std::int64_t draft_limit_;
  std::vector<std::int64_t> text_;
  const std::size_t prompt_size_;
  const std::size_t limit_;  // of text_
  bool ended_ = false;
  std::int64_t proposed_ = 0;
  std::int64_t accepted_ = 0;
};

}  // namespace

SpeculativeResult DecodeSpeculatively(StepModel& target, StepModel& draft,
                                      const std::vector<Prompt>& prompts,
                                      const SpeculativeOptions& options) {
  CheckFields(options);
  CheckPrompts(prompts, target.Info(), options.end_token);
  if (draft.Info().vocabulary != target.Info().vocabulary) {
    throw Error(ErrorCode::kUsage,
                "the draft has a vocabulary of " +
                    std::to_string(draft.Info().vocabulary) +
                    ", the target one of " +
                    std::to_string(target.Info().vocabulary) +
                    "; speculative decoding needs the same");
  }
  SpeculativeResult result;
  for (const Prompt& prompt : prompts) {
    SpeculativeResult one = Speculation(target, draft, prompt, options).Run();
    result.texts.push_back(std::move(one.texts[0]));
    result.target_calls += one.target_calls;
    result.draft_calls += one.draft_calls;
    result.proposed += one.proposed;
    result.accepted += one.accepted;
  }
  return result;
}

}  // namespace hone
