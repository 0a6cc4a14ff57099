#include "eval/engine/openvino_decoder.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <sstream>
#include <utility>

#include "eval/decode/read_again.h"
#include "eval/engine/openvino_tensors.h"
#include "eval/engine/slot_table.h"
#include "eval/export/onnx_export.h"

namespace hone {
namespace {

// Long prompts are read in pieces of this many tokens by kinds of attention
// whose time then grows with the length alone: running sums, and windows.
constexpr std::int64_t kPiece = 128;

using Tensors = std::map<std::string, ov::Tensor>;

std::vector<std::int64_t> ParseLayers(const std::string& text) {
  std::vector<std::int64_t> layers;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) {
    layers.push_back(std::stoll(part));
  }
  return layers;
}

// An output may carry names of the graph's inner values too.
std::string SourceNameOf(const ov::Output<const ov::Node>& output) {
  for (const std::string& name : output.get_names()) {
    if (name.starts_with(kSourcePrefix)) return name;
  }
  return output.get_any_name();
}

// One input of the decoder that remembers.
struct PastInput {
  std::string name;  // without its prefix
  ov::PartialShape shape;
  bool IsSlots() const { return shape[2].is_dynamic(); }
};

class OpenVinoDecoder : public EngineDecoder {
 public:
  OpenVinoDecoder(ov::Core& core, const std::filesystem::path& folder,
                  const EngineOptions& options)
      : file_((folder / kModelFile).string()),
        encoder_file_((folder / kEncoderFile).string()) {
    const std::int64_t before = HeapBytes();
    WithFileName(file_, "load", [&] { LoadModel(core, options); });
    if (std::filesystem::exists(encoder_file_)) {
      WithFileName(encoder_file_, "load", [&] {
        const auto model = core.read_model(encoder_file_);
        max_source_ = MaxTokens(*model);
        encoder_ =
            core.compile_model(model, kOpenVinoDevice, Properties(options));
        encoder_request_ = encoder_.create_infer_request();
      });
    }
    WarmUp();
    memory_bytes_ = std::max<std::int64_t>(HeapBytes() - before, 0);
  }

  StepModelInfo Info() const override { return info_; }
  std::unique_ptr<DecodeBatch> Start(
      const std::vector<std::vector<std::int64_t>>& sources) override;

  std::vector<KernelCount> Kernels() const override {
    std::vector<ov::CompiledModel> models = {decoder_};
    if (HasEncoder()) models.push_back(encoder_);
    return KernelsOf(models);
  }
  std::int64_t MemoryBytes() const override { return memory_bytes_; }

  std::vector<EngineNode> Nodes() const override {
    return WithFileName(file_, "profile", [&] {
      auto nodes = NodesOf(kModelFile, decoder_, request_, inferences_);
      if (!HasEncoder()) return nodes;
      const auto encoder = NodesOf(kEncoderFile, encoder_, encoder_request_,
                                   encoder_inferences_);
      nodes.insert(nodes.end(), encoder.begin(), encoder.end());
      return nodes;
    });
  }

 private:
  friend class OpenVinoBatch;

  bool HasEncoder() const { return !source_layers_.empty(); }

  static std::int64_t MaxTokens(const ov::Model& model) {
    if (!model.has_rt_info("framework", kMaxTokensKey)) {
      return std::numeric_limits<std::int64_t>::max();
    }
    return std::stoll(
        model.get_rt_info<std::string>("framework", kMaxTokensKey));
  }

  void LoadModel(ov::Core& core, const EngineOptions& options) {
    const auto model = core.read_model(file_);
    info_.max_tokens = MaxTokens(*model);
    if (model->has_rt_info("framework", kSourceLayersKey)) {
      source_layers_ = ParseLayers(
          model->get_rt_info<std::string>("framework", kSourceLayersKey));
    }
    if (model->has_rt_info("framework", kReachKey)) {
      reach_ =
          std::stoll(model->get_rt_info<std::string>("framework", kReachKey));
    }
    const std::string prefix = kPastPrefix;
    for (const auto& input : model->inputs()) {
      const std::string name = input.get_any_name();
      if (name.starts_with(prefix)) {
        past_.push_back(
            {name.substr(prefix.size()), input.get_partial_shape()});
      }
      places_ = places_ || name == kPlacesInput;
      slot_places_ = slot_places_ || name == kSlotPlacesInput;
    }
    sums_ = std::any_of(past_.begin(), past_.end(), [](const PastInput& input) {
      return !input.IsSlots();
    });
    in_pieces_ = sums_ || reach_.has_value();
    info_.vocabulary =
        model->output(kLogitsOutput).get_partial_shape()[2].get_length();
    decoder_ = core.compile_model(model, kOpenVinoDevice, Properties(options));
    request_ = decoder_.create_infer_request();
  }

  // Two tokens first (see the engine's kFirstTokens).
  void WarmUp() {
    const auto batch = Start({HasEncoder() ? std::vector<std::int64_t>{0, 0}
                                           : std::vector<std::int64_t>{}});
    batch->Extend({0, 0}, std::min<std::int64_t>(2, info_.max_tokens));
  }

  // Keys and values of sources of one length, in block order.
  Tensors EncodeSources(const std::vector<std::vector<std::int64_t>>& sources) {
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
    return WithFileName(encoder_file_, "run", [&] {
      encoder_request_.set_input_tensor(
          ov::Tensor(ov::element::i64, {sources.size(), sources.front().size()},
                     tokens.data()));
      encoder_request_.infer();
      ++encoder_inferences_;
      Tensors made;
      for (const auto& output : encoder_.outputs()) {
        const ov::Tensor held = encoder_request_.get_tensor(output);
        ov::Tensor copy(ov::element::f32, held.get_shape());
        held.copy_to(copy);
        made[SourceNameOf(output)] = copy;
      }
      return made;
    });
  }

  std::string file_;
  std::string encoder_file_;
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
  ov::CompiledModel decoder_;
  ov::CompiledModel encoder_;
  ov::InferRequest request_;
  ov::InferRequest encoder_request_;
  std::int64_t inferences_ = 0;
  std::int64_t encoder_inferences_ = 0;
  std::int64_t memory_bytes_ = 0;
};

// What is remembered lies in slots that all rows share. Tensors are never
// written after they are made, so a copy of the maps is a snapshot.
class OpenVinoBatch : public DecodeBatch {
 public:
  OpenVinoBatch(OpenVinoDecoder& model, std::size_t rows, Tensors sources,
                std::size_t source_tokens)
      : model_(model), sources_(std::move(sources)) {
    now_.table = SlotTable(rows);
    for (const PastInput& input : model_.past_) {
      ov::Shape shape = {rows};
      for (std::size_t i = 1; i < 4; ++i) {
        shape.push_back(
            input.shape[i].is_dynamic()
                ? 0
                : static_cast<std::size_t>(input.shape[i].get_length()));
      }
      now_.past[input.name] = NewTensor(shape);
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
    for (auto& [name, tensor] : now_.past) tensor = RowsOf(tensor, rows);
    for (auto& [name, tensor] : sources_) tensor = RowsOf(tensor, rows);
    source_lengths_ = std::move(source_lengths);
    ForgetLastCall();
  }

  void Append(std::unique_ptr<DecodeBatch> given) override {
    auto* more = dynamic_cast<OpenVinoBatch*>(given.get());
    HONE_CHECK(more != nullptr && &more->model_ == &model_);
    const std::size_t slots =
        std::max(now_.table.slots(), more->now_.table.slots());
    for (const PastInput& input : model_.past_) {
      const auto fit = [&](const OpenVinoBatch& batch) {
        const ov::Tensor& tensor = batch.now_.past.at(input.name);
        return input.IsSlots() ? Resized(tensor, slots, 1) : tensor;
      };
      now_.past[input.name] = Joined(fit(*this), fit(*more));
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
    Tensors past;
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
      ov::Tensor& past = now_.past.at(input.name);
      if (input.IsSlots()) past = CutFront(past, unseen);
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

  static ov::Tensor Numbers(const std::vector<std::int64_t>& values,
                            std::size_t rows) {
    return {ov::element::i64,
            {rows, values.size() / rows},
            const_cast<std::int64_t*>(values.data())};
  }

  std::vector<float> Infer(const std::vector<std::int64_t>& tokens,
                           std::int64_t count) {
    return WithFileName(model_.file_, "run",
                        [&] { return Run(tokens, count); });
  }

  std::vector<float> Run(const std::vector<std::int64_t>& tokens,
                         std::int64_t count) {
    ov::InferRequest& request = model_.request_;
    const std::size_t rows = now_.table.rows();
    const SlotTable::Places places = now_.table.Extend(count);
    request.set_tensor(kTokensInput, Numbers(tokens, rows));
    if (model_.places_) {
      request.set_tensor(kPlacesInput, Numbers(places.tokens, rows));
    }
    if (model_.slot_places_) {
      request.set_tensor(kSlotPlacesInput, Numbers(places.slots, rows));
    }
    const std::vector<float> mask = SourceMask();
    if (!sources_.empty()) {
      request.set_tensor(
          kSourceMaskInput,
          ov::Tensor(ov::element::f32, {rows, mask.size() / rows},
                     const_cast<float*>(mask.data())));
    }
    for (const auto& [name, tensor] : sources_) {
      request.set_tensor(name, tensor);
    }
    Tensors present;
    for (const PastInput& input : model_.past_) {
      const ov::Tensor& past = now_.past.at(input.name);
      ov::Shape shape = past.get_shape();
      if (input.IsSlots()) shape[2] += static_cast<std::size_t>(count);
      present[input.name] = ov::Tensor(ov::element::f32, shape);
      request.set_tensor(kPastPrefix + input.name, past);
      request.set_tensor(kPresentPrefix + input.name, present[input.name]);
    }
    request.infer();
    ++model_.inferences_;
    now_.past = std::move(present);
    return Floats(request.get_tensor(kLogitsOutput));
  }

  std::vector<float> SourceMask() const {
    std::vector<float> mask;
    if (sources_.empty()) return mask;
    const std::size_t longest =
        static_cast<std::size_t>(Axis(sources_.at(SourceName(0, "key")), 2) /
                                 model_.source_layers_.front());
    for (const std::size_t length : source_lengths_) {
      for (std::size_t i = 0; i < longest; ++i) {
        mask.push_back(i < length ? 0
                                  : -std::numeric_limits<float>::infinity());
      }
    }
    return mask;
  }

  void AppendSources(const OpenVinoBatch& more) {
    for (std::size_t block = 0; block < model_.source_layers_.size(); ++block) {
      const auto layers =
          static_cast<std::size_t>(model_.source_layers_[block]);
      for (const char* role : {"key", "value"}) {
        ov::Tensor& mine = sources_.at(SourceName(block, role));
        const ov::Tensor& other = more.sources_.at(SourceName(block, role));
        const auto size =
            static_cast<std::size_t>(std::max(Axis(mine, 2), Axis(other, 2))) /
            layers;
        mine =
            Joined(Resized(mine, size, layers), Resized(other, size, layers));
      }
    }
  }

  void Hide(const std::vector<std::int64_t>& lengths) {
    now_.table.Truncate(lengths);
    for (const PastInput& input : model_.past_) {
      ov::Tensor& past = now_.past.at(input.name);
      past = Resized(past, now_.table.slots(), 1);
    }
    ForgetLastCall();
  }

  // Sums cannot forget, and slots that were dropped are gone.
  void ReadKept(const std::vector<std::int64_t>& lengths) {
    now_ = before_;
    const auto all = ReadAgain(
        before_.table.lengths(), lengths, last_tokens_, [&](std::size_t row) {
          auto one = std::make_unique<OpenVinoBatch>(*this);
          one->Select({static_cast<std::int64_t>(row)});
          return one;
        });
    now_ = dynamic_cast<OpenVinoBatch&>(*all).now_;
    sources_ = dynamic_cast<OpenVinoBatch&>(*all).sources_;
    ForgetLastCall();
  }

  OpenVinoDecoder& model_;
  Tensors sources_;
  std::vector<std::size_t> source_lengths_;
  State now_;
  State before_;  // the last call of Extend
  std::vector<std::int64_t> last_tokens_;
};

std::unique_ptr<DecodeBatch> OpenVinoDecoder::Start(
    const std::vector<std::vector<std::int64_t>>& sources) {
  if (!HasEncoder()) {
    return std::make_unique<OpenVinoBatch>(*this, sources.size(), Tensors{}, 0);
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
    auto batch = std::make_unique<OpenVinoBatch>(*this, rows.size(),
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

std::unique_ptr<EngineDecoder> LoadOpenVinoDecoder(
    ov::Core& core, const std::filesystem::path& folder,
    const EngineOptions& options) {
  return std::make_unique<OpenVinoDecoder>(core, folder, options);
}

}  // namespace hone
