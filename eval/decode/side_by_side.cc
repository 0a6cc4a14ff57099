#include "eval/decode/side_by_side.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "space/base/error.h"

namespace hone {
namespace {

// Whether selecting these rows would change nothing.
bool IsIdentity(const std::vector<std::int64_t>& rows, std::int64_t count) {
  if (static_cast<std::int64_t>(rows.size()) != count) return false;
  for (std::int64_t row = 0; row < count; ++row) {
    if (rows[static_cast<std::size_t>(row)] != row) return false;
  }
  return true;
}

// A prompt in the model, and how many rows it has there.
struct Member {
  std::size_t prompt = 0;
  std::int64_t rows = 0;
};

// Prompts that share one batch of the model; their rows lie in the order of
// `members`.
struct Group {
  std::unique_ptr<DecodeBatch> batch;
  std::vector<Member> members;
  std::vector<std::int64_t> next;  // the token that each row reads next

  bool empty() const { return members.empty(); }
};

class SideBySide {
 public:
  SideBySide(StepModel& model, const std::vector<Prompt>& prompts,
             std::int64_t batch,
             const std::vector<std::unique_ptr<Decoding>>& decodings)
      : model_(model),
        prompts_(prompts),
        capacity_(static_cast<std::size_t>(batch)),
        decodings_(decodings),
        vocabulary_(model.Info().vocabulary) {}

  void Run() {
    for (;;) {
      Admit();
      if (running_.empty()) return;
      const std::vector<float> logits =
          running_.batch->Extend(running_.next, 1);
      Advance(running_, logits, 1);
    }
  }

 private:
  // Fills the places that are free. A prompt that is done with its first token
  // leaves its place at once.
  void Admit() {
    while (running_.members.size() < capacity_ && waiting_ < prompts_.size()) {
      const std::size_t count = std::min(capacity_ - running_.members.size(),
                                         prompts_.size() - waiting_);
      std::map<std::size_t, std::vector<std::size_t>> by_length;
      for (std::size_t i = 0; i < count; ++i, ++waiting_) {
        by_length[prompts_[waiting_].tokens.size()].push_back(waiting_);
      }
      for (const auto& [length, numbers] : by_length) {
        Join(Enter(numbers, static_cast<std::int64_t>(length)));
      }
    }
  }

  // Reads equally long prompts.
  Group Enter(const std::vector<std::size_t>& numbers, std::int64_t length) {
    Group group;
    std::vector<std::vector<std::int64_t>> sources;
    std::vector<std::int64_t> tokens;
    for (const std::size_t number : numbers) {
      const Prompt& prompt = prompts_[number];
      sources.push_back(prompt.source);
      tokens.insert(tokens.end(), prompt.tokens.begin(), prompt.tokens.end());
      group.members.push_back({number, 1});
    }
    group.batch = model_.Start(sources);
    const std::vector<float> logits = group.batch->Extend(tokens, length);
    Advance(group, logits, length);
    return group;
  }

  void Join(Group more) {
    if (more.empty()) return;
    if (running_.empty()) {
      running_ = std::move(more);
      return;
    }
    running_.batch->Append(std::move(more.batch));
    running_.members.insert(running_.members.end(), more.members.begin(),
                            more.members.end());
    running_.next.insert(running_.next.end(), more.next.begin(),
                         more.next.end());
  }

  // Hands each prompt its logits, and lets its rows go on as it says. Only the
  // last of the `count` positions of `logits` matters.
  void Advance(Group& group, const std::vector<float>& logits,
               std::int64_t count) {
    std::int64_t size = 0;
    for (const Member& member : group.members) size += member.rows;
    HONE_CHECK_EQ(static_cast<std::int64_t>(logits.size()),
                  size * count * vocabulary_);
    const std::vector<float> last = LastPositions(logits, count);
    std::vector<Member> members;
    std::vector<std::int64_t> rows;
    group.next.clear();
    std::int64_t first = 0;
    for (const Member& member : group.members) {
      const std::vector<Continuation> continuations =
          decodings_[member.prompt]->Advance(std::span(last).subspan(
              static_cast<std::size_t>(first * vocabulary_),
              static_cast<std::size_t>(member.rows * vocabulary_)));
      for (const Continuation& one : continuations) {
        rows.push_back(first + one.row);
        group.next.push_back(one.token);
      }
      if (!continuations.empty()) {
        members.push_back(
            {member.prompt, static_cast<std::int64_t>(continuations.size())});
      }
      first += member.rows;
    }
    group.members = std::move(members);
    if (group.members.empty()) {
      group.batch.reset();
    } else if (!IsIdentity(rows, first)) {
      group.batch->Select(rows);
    }
  }

  // [rows, count, vocabulary] to [rows, vocabulary].
  std::vector<float> LastPositions(const std::vector<float>& logits,
                                   std::int64_t count) const {
    if (count == 1) return logits;
    const auto stride = static_cast<std::ptrdiff_t>(count * vocabulary_);
    std::vector<float> last;
    for (auto end = logits.begin() + stride;; end += stride) {
      last.insert(last.end(), end - vocabulary_, end);
      if (end == logits.end()) return last;
    }
  }

  StepModel& model_;
  const std::vector<Prompt>& prompts_;
  const std::size_t capacity_;
  const std::vector<std::unique_ptr<Decoding>>& decodings_;
  const std::int64_t vocabulary_;
  Group running_;
  std::size_t waiting_ = 0;  // the first prompt that has not entered
};

void CheckToken(std::int64_t token, std::int64_t vocabulary,
                const std::string& what) {
  if (token < 0 || token >= vocabulary) {
    throw Error(ErrorCode::kUsage, what + " is " + std::to_string(token) +
                                       ", outside the vocabulary of " +
                                       std::to_string(vocabulary));
  }
}

}  // namespace

void DecodeSideBySide(StepModel& model, const std::vector<Prompt>& prompts,
                      std::int64_t batch,
                      const std::vector<std::unique_ptr<Decoding>>& decodings) {
  HONE_CHECK_LE(1, batch);
  HONE_CHECK_EQ(prompts.size(), decodings.size());
  SideBySide(model, prompts, batch, decodings).Run();
}

void CheckPrompts(const std::vector<Prompt>& prompts, const StepModelInfo& info,
                  std::optional<std::int64_t> end_token) {
  if (end_token) CheckToken(*end_token, info.vocabulary, "the end token");
  for (std::size_t k = 0; k < prompts.size(); ++k) {
    const std::string name = "prompt " + std::to_string(k);
    const std::vector<std::int64_t>& tokens = prompts[k].tokens;
    if (tokens.empty()) {
      throw Error(ErrorCode::kUsage,
                  name +
                      " has no tokens; begin it with one, such as the token "
                      "that marks the begin of a text");
    }
    if (static_cast<std::int64_t>(tokens.size()) > info.max_tokens) {
      throw Error(ErrorCode::kUsage, name + " has " +
                                         std::to_string(tokens.size()) +
                                         " tokens; the model reads at most " +
                                         std::to_string(info.max_tokens));
    }
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      CheckToken(tokens[i], info.vocabulary,
                 "token " + std::to_string(i) + " of " + name);
    }
  }
}

std::int64_t NewTokenLimit(const Prompt& prompt, const StepModelInfo& info,
                           std::int64_t max_new_tokens) {
  const auto read = static_cast<std::int64_t>(prompt.tokens.size());
  return std::min(max_new_tokens, info.max_tokens - read + 1);
}

}  // namespace hone
