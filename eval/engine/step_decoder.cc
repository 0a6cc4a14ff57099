#include "eval/engine/step_decoder.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <sstream>
#include <utility>

#include "eval/decode/read_again.h"
#include "eval/engine/slot_table.h"
#include "eval/export/onnx_export.h"
#include "space/base/error.h"

namespace hone {
namespace {

// Long prompts are read in pieces of this many tokens by kinds of attention
// whose time then grows with the length alone: running sums, and windows.
constexpr std::int64_t kPiece = 128;

std::vector<std::int64_t> ParseLayers(const std::string& text) {
  std::vector<std::int64_t> layers;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) {
    layers.push_back(std::stoll(part));
  }
  return layers;
}

std::optional<std::string> Entry(const LoadedGraph& graph, const char* key) {
  const auto found = graph.metadata.find(key);
  if (found == graph.metadata.end()) return std::nullopt;
  return found->second;
}

// One input of the decoder that remembers.
struct PastInput {
  std::string name;  // without its prefix
  Sizes sizes;
  bool IsSlots() const { return sizes[2] < 0; }
};

class StepDecoder : public EngineDecoder {
 public:
  StepDecoder(std::unique_ptr<DecoderRuntime> runtime,
              const DecoderFiles& files)
      : file_(files.file),
        encoder_file_(files.encoder_file),
        runtime_(std::move(runtime)) {
    ReadGraph(files.graph);
    max_source_ = MaxTokensOf(files.encoder);
    WarmUp();
    memory_bytes_ = runtime_->MemoryBytes();
  }

  StepModelInfo Info() const override { return info_; }
  std::unique_ptr<DecodeBatch> Start(
      const std::vector<std::vector<std::int64_t>>& sources) override;
  double ClockMs() const override { return runtime_->ClockMs(); }
  std::vector<KernelCount> Kernels() const override {
    return runtime_->Kernels();
  }
  std::int64_t MemoryBytes() const override { return memory_bytes_; }
  std::vector<EngineNode> Nodes() const override { return runtime_->Nodes(); }

 private:
  friend class StepBatch;

  bool HasEncoder() const { return !source_layers_.empty(); }

  void ReadGraph(const LoadedGraph& graph) {
    info_.max_tokens = MaxTokensOf(graph);
    if (const auto layers = Entry(graph, kSourceLayersKey)) {
      source_layers_ = ParseLayers(*layers);
    }
    if (const auto reach = Entry(graph, kReachKey)) {
      reach_ = std::stoll(*reach);
    }
    const std::string prefix = kPastPrefix;
    for (const GraphValue& input : graph.inputs) {
      if (input.name.starts_with(prefix)) {
        past_.push_back({input.name.substr(prefix.size()), input.sizes});
      }
      places_ = places_ || input.name == kPlacesInput;
      slot_places_ = slot_places_ || input.name == kSlotPlacesInput;
    }
    sums_ = std::any_of(past_.begin(), past_.end(), [](const PastInput& input) {
      return !input.IsSlots();
    });
    in_pieces_ = sums_ || reach_.has_value();
    for (const GraphValue& output : graph.outputs) {
      if (output.name == kLogitsOutput) info_.vocabulary = output.sizes[2];
    }
  }

  void WarmUp() {
    const auto zeros = [](std::int64_t most) {
      return std::vector<std::int64_t>(
          static_cast<std::size_t>(std::min<std::int64_t>(2, most)), 0);
    };
    const auto batch = Start(
        {HasEncoder() ? zeros(max_source_) : std::vector<std::int64_t>{}});
    const std::vector<std::int64_t> tokens = zeros(info_.max_tokens);
    batch->Extend(tokens, static_cast<std::int64_t>(tokens.size()));
  }

  // Keys and values of sources of one length, in block order.
  TensorRefs EncodeSources(
      const std::vector<std::vector<std::int64_t>>& sources) {
    const auto length = static_cast<std::int64_t>(sources.front().size());
    if (length > max_source_ || length == 0) {
      throw Error(ErrorCode::kUsage,
                  encoder_file_ + ": a source of " + std::to_string(length) +
                      " tokens; use 1 to " + std::to_string(max_source_));
    }
    std::vector<std::int64_t> tokens;
    for (const auto& source : sources) {
      tokens.insert(tokens.end(), source.begin(), source.end());
    }
    return runtime_->Encode(tokens, std::ssize(sources));
  }

  std::string file_;
  std::string encoder_file_;
  std::unique_ptr<DecoderRuntime> runtime_;
  StepModelInfo info_;
  std::int64_t max_source_ = 0;
  std::vector<std::int64_t> source_layers_;
  // How far back tokens see; none: to the first one.
  std::optional<std::int64_t> reach_;
  std::vector<PastInput> past_;
  bool sums_ = false;  // some of it is running sums, not slots
  bool in_pieces_ = false;
  bool places_ = false;
  bool slot_places_ = false;
  std::int64_t memory_bytes_ = 0;
};

// What is remembered lies in slots that all rows share.
class StepBatch : public DecodeBatch {
 public:
  StepBatch(StepDecoder& model, std::size_t rows, TensorRefs sources,
            std::size_t source_tokens)
      : model_(model), sources_(std::move(sources)) {
    now_.table = SlotTable(rows);
    for (const PastInput& input : model_.past_) {
      Sizes sizes = {static_cast<std::int64_t>(rows)};
      for (std::size_t i = 1; i < 4; ++i) {
        sizes.push_back(std::max<std::int64_t>(input.sizes[i], 0));
      }
      now_.past[input.name] = model_.runtime_->Zeros(sizes);
    }
    source_lengths_.assign(rows, source_tokens);
    before_ = now_;
  }

  std::vector<float> Extend(const std::vector<std::int64_t>& tokens,
                            std::int64_t count) override {
    const std::size_t rows = now_.table.rows();
    HONE_CHECK_EQ(tokens.size(), rows * static_cast<std::size_t>(count));
    CheckRoom(count);
    ForgetUnseen();
    before_ = now_;
    last_tokens_ = tokens;
    if (!model_.in_pieces_ || count <= kPiece) return Infer(tokens, count);
    const std::int64_t columns = model_.info_.vocabulary;
    std::vector<float> logits(tokens.size() *
                              static_cast<std::size_t>(columns));
    for (std::int64_t begin = 0; begin < count; begin += kPiece) {
      const std::int64_t size = std::min(kPiece, count - begin);
      std::vector<std::int64_t> piece;
      for (std::int64_t row = 0; row < std::ssize(now_.table.lengths());
           ++row) {
        const auto first = tokens.begin() + row * count + begin;
        piece.insert(piece.end(), first, first + size);
      }
      ForgetUnseen();
      const std::vector<float> read = Infer(piece, size);
      for (std::int64_t row = 0; row < std::ssize(now_.table.lengths());
           ++row) {
        std::copy_n(read.begin() + row * size * columns, size * columns,
                    logits.begin() + (row * count + begin) * columns);
      }
    }
    return logits;
  }

  void Select(const std::vector<std::int64_t>& rows) override {
    now_.table.Select(rows);
    std::vector<std::size_t> source_lengths;
    for (const std::int64_t row : rows) {
      source_lengths.push_back(source_lengths_[static_cast<std::size_t>(row)]);
    }
    for (auto& [name, tensor] : now_.past)
      tensor = model_.runtime_->Rows(tensor, rows);
    for (auto& [name, tensor] : sources_)
      tensor = model_.runtime_->Rows(tensor, rows);
    source_lengths_ = std::move(source_lengths);
    ForgetLastCall();
  }

  void Append(std::unique_ptr<DecodeBatch> given) override {
    auto* more = dynamic_cast<StepBatch*>(given.get());
    HONE_CHECK(more != nullptr && &more->model_ == &model_);
    const auto slots = static_cast<std::int64_t>(
        std::max(now_.table.slots(), more->now_.table.slots()));
    for (const PastInput& input : model_.past_) {
      const auto fit = [&](const StepBatch& batch) {
        const TensorRef& tensor = batch.now_.past.at(input.name);
        return input.IsSlots() ? Fit(tensor, slots, 1) : tensor;
      };
      now_.past[input.name] = model_.runtime_->Joined(fit(*this), fit(*more));
    }
    AppendSources(*more);
    now_.table.Append(more->now_.table);
    source_lengths_.insert(source_lengths_.end(), more->source_lengths_.begin(),
                           more->source_lengths_.end());
    ForgetLastCall();
  }

  void Truncate(const std::vector<std::int64_t>& lengths) override {
    const std::vector<std::int64_t>& mine = now_.table.lengths();
    HONE_CHECK_EQ(lengths.size(), mine.size());
    if (lengths == mine) return;
    for (std::size_t row = 0; row < lengths.size(); ++row) {
      HONE_CHECK_LE(lengths[row], mine[row]);
      HONE_CHECK_LE(before_.table.lengths().at(row), lengths[row]);
    }
    if (model_.sums_ || now_.table.dropped() != before_.table.dropped()) {
      ReadKept(lengths);
    } else {
      Hide(lengths);
    }
  }

 private:
  struct State {
    SlotTable table;
    TensorRefs past;
  };

  void ForgetLastCall() {
    before_ = now_;
    last_tokens_.clear();
  }

  // Drops the first slots when no row will see them again and they are many.
  void ForgetUnseen() {
    if (!model_.reach_) return;
    const std::size_t unseen = now_.table.Unseen(*model_.reach_);
    if (unseen < static_cast<std::size_t>(kPiece)) return;
    now_.table.DropFront(unseen);
    for (const PastInput& input : model_.past_) {
      TensorRef& past = now_.past.at(input.name);
      if (!input.IsSlots()) continue;
      past = model_.runtime_->CutFront(past, static_cast<std::int64_t>(unseen));
    }
  }

  void CheckRoom(std::int64_t count) const {
    for (const std::int64_t length : now_.table.lengths()) {
      if (length + count <= model_.info_.max_tokens) continue;
      throw Error(ErrorCode::kUsage,
                  model_.file_ + ": " + std::to_string(length + count) +
                      " tokens are more than the model's positions; use at "
                      "most " +
                      std::to_string(model_.info_.max_tokens));
    }
  }

  // Most tensors fit already.
  TensorRef Fit(const TensorRef& tensor, std::int64_t size,
                std::int64_t pieces) const {
    const Sizes& sizes = tensor->sizes();
    if (sizes[sizes.size() - 2] == size * pieces) return tensor;
    return model_.runtime_->Resized(tensor, size, pieces);
  }

  std::vector<float> Infer(const std::vector<std::int64_t>& tokens,
                           std::int64_t count) {
    const SlotTable::Places places = now_.table.Extend(count);
    const std::vector<float> mask = SourceMask();
    StepInputs inputs;
    inputs.rows = static_cast<std::int64_t>(now_.table.rows());
    inputs.numbers[kTokensInput] = &tokens;
    if (model_.places_) inputs.numbers[kPlacesInput] = &places.tokens;
    if (model_.slot_places_) inputs.numbers[kSlotPlacesInput] = &places.slots;
    inputs.tensors = sources_;
    if (!sources_.empty()) inputs.masks[kSourceMaskInput] = &mask;
    for (const PastInput& input : model_.past_) {
      const TensorRef& past = now_.past.at(input.name);
      Sizes sizes = past->sizes();
      if (input.IsSlots()) sizes[2] += count;
      inputs.tensors[kPastPrefix + input.name] = past;
      inputs.kept[kPresentPrefix + input.name] = std::move(sizes);
    }
    StepOutputs outputs = model_.runtime_->Step(inputs);
    for (const PastInput& input : model_.past_) {
      now_.past[input.name] = outputs.kept.at(kPresentPrefix + input.name);
    }
    return std::move(outputs.logits);
  }

  std::vector<float> SourceMask() const {
    std::vector<float> mask;
    if (sources_.empty()) return mask;
    const auto longest =
        static_cast<std::size_t>(sources_.at(SourceName(0, "key"))->sizes()[2] /
                                 model_.source_layers_.front());
    for (const std::size_t length : source_lengths_) {
      for (std::size_t i = 0; i < longest; ++i) {
        mask.push_back(i < length ? 0
                                  : -std::numeric_limits<float>::infinity());
      }
    }
    return mask;
  }

  void AppendSources(const StepBatch& more) {
    for (std::size_t block = 0; block < model_.source_layers_.size(); ++block) {
      const std::int64_t layers = model_.source_layers_[block];
      for (const char* role : {"key", "value"}) {
        TensorRef& mine = sources_.at(SourceName(block, role));
        const TensorRef& other = more.sources_.at(SourceName(block, role));
        const std::int64_t size =
            std::max(mine->sizes()[2], other->sizes()[2]) / layers;
        mine = model_.runtime_->Joined(Fit(mine, size, layers),
                                       Fit(other, size, layers));
      }
    }
  }

  void Hide(const std::vector<std::int64_t>& lengths) {
    now_.table.Truncate(lengths);
    for (const PastInput& input : model_.past_) {
      TensorRef& past = now_.past.at(input.name);
      past = Fit(past, static_cast<std::int64_t>(now_.table.slots()), 1);
    }
    ForgetLastCall();
  }

  // Sums cannot forget, and slots that were dropped are gone.
  void ReadKept(const std::vector<std::int64_t>& lengths) {
    now_ = before_;
    const auto all = ReadAgain(before_.table.lengths(), lengths, last_tokens_,
                               [&](std::size_t row) {
                                 auto one = std::make_unique<StepBatch>(*this);
                                 one->Select({static_cast<std::int64_t>(row)});
                                 return one;
                               });
    now_ = dynamic_cast<StepBatch&>(*all).now_;
    sources_ = dynamic_cast<StepBatch&>(*all).sources_;
    ForgetLastCall();
  }

  StepDecoder& model_;
  TensorRefs sources_;
  std::vector<std::size_t> source_lengths_;
  State now_;
  State before_;  // the last call of Extend
  std::vector<std::int64_t> last_tokens_;
};

std::unique_ptr<DecodeBatch> StepDecoder::Start(
    const std::vector<std::vector<std::int64_t>>& sources) {
  if (!HasEncoder()) {
    return std::make_unique<StepBatch>(*this, sources.size(), TensorRefs{}, 0);
  }
  std::map<std::size_t, std::vector<std::int64_t>> by_length;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    by_length[sources[i].size()].push_back(static_cast<std::int64_t>(i));
  }
  std::unique_ptr<DecodeBatch> all;
  std::vector<std::int64_t> order;
  for (const auto& [length, rows] : by_length) {
    std::vector<std::vector<std::int64_t>> alike;
    for (const std::int64_t row : rows) {
      alike.push_back(sources[static_cast<std::size_t>(row)]);
    }
    auto batch = std::make_unique<StepBatch>(*this, rows.size(),
                                             EncodeSources(alike), length);
    if (all) {
      all->Append(std::move(batch));
    } else {
      all = std::move(batch);
    }
    order.insert(order.end(), rows.begin(), rows.end());
  }
  // Row `order[i]` lies at i.
  std::vector<std::int64_t> back(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    back[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
  }
  if (by_length.size() > 1) all->Select(back);
  return all;
}

}  // namespace

std::int64_t MaxTokensOf(const LoadedGraph& graph) {
  const auto most = Entry(graph, kMaxTokensKey);
  return most ? std::stoll(*most) : std::numeric_limits<std::int64_t>::max();
}

std::unique_ptr<EngineDecoder> MakeStepDecoder(
    std::unique_ptr<DecoderRuntime> runtime, const DecoderFiles& files) {
  return std::make_unique<StepDecoder>(std::move(runtime), files);
}

}  // namespace hone
