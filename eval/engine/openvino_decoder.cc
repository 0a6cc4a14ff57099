#include "eval/engine/openvino_decoder.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <sstream>
#include <utility>

#include "eval/decode/read_again.h"
#include "eval/engine/openvino_tensors.h"
#include "eval/export/onnx_export.h"

namespace hone {
namespace {

// The place of a slot that holds no token: after every token there will be.
constexpr std::int64_t kNothing = std::numeric_limits<std::int32_t>::max();

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
  std::vector<PastInput> past_;
  bool places_ = false;
  bool slot_places_ = false;
  ov::CompiledModel decoder_;
  ov::CompiledModel encoder_;
  ov::InferRequest request_;
  ov::InferRequest encoder_request_;
  std::int64_t memory_bytes_ = 0;
};

// What is remembered lies in slots that all rows share; `slots_` says for each
// row which place a slot holds. Tensors are never written after they are made,
// so a copy of the maps is a snapshot.
class OpenVinoBatch : public DecodeBatch {
 public:
  OpenVinoBatch(OpenVinoDecoder& model, std::size_t rows, Tensors sources,
                std::size_t source_tokens)
      : model_(model), sources_(std::move(sources)) {
    now_.lengths.assign(rows, 0);
    now_.slots.assign(rows, {});
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
    const std::size_t rows = now_.lengths.size();
    HONE_CHECK_EQ(tokens.size(), rows * static_cast<std::size_t>(count));
    CheckRoom(count);
    before_ = now_;
    last_tokens_ = tokens;
    std::vector<std::int64_t> places;
    std::vector<std::int64_t> slot_places;
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::int64_t i = 0; i < count; ++i) {
        places.push_back(now_.lengths[row] + i);
        now_.slots[row].push_back(now_.lengths[row] + i);
      }
      now_.lengths[row] += count;
      slot_places.insert(slot_places.end(), now_.slots[row].begin(),
                         now_.slots[row].end());
    }
    return WithFileName(model_.file_, "run", [&] {
      return Infer(tokens, places, slot_places,
                   static_cast<std::size_t>(count));
    });
  }

  void Select(const std::vector<std::int64_t>& rows) override {
    State chosen;
    std::vector<std::size_t> source_lengths;
    for (const std::int64_t row : rows) {
      const auto i = static_cast<std::size_t>(row);
      chosen.lengths.push_back(now_.lengths.at(i));
      chosen.slots.push_back(now_.slots[i]);
      source_lengths.push_back(source_lengths_[i]);
    }
    for (const auto& [name, tensor] : now_.past) {
      chosen.past[name] = RowsOf(tensor, rows);
    }
    for (auto& [name, tensor] : sources_) tensor = RowsOf(tensor, rows);
    now_ = std::move(chosen);
    source_lengths_ = std::move(source_lengths);
    ForgetLastCall();
  }

  void Append(std::unique_ptr<DecodeBatch> given) override {
    auto* more = dynamic_cast<OpenVinoBatch*>(given.get());
    HONE_CHECK(more != nullptr && &more->model_ == &model_);
    const std::size_t slots = std::max(Slots(), more->Slots());
    for (const PastInput& input : model_.past_) {
      const auto fit = [&](const OpenVinoBatch& batch) {
        const ov::Tensor& tensor = batch.now_.past.at(input.name);
        return input.IsSlots() ? Resized(tensor, slots, 1) : tensor;
      };
      now_.past[input.name] = Joined(fit(*this), fit(*more));
    }
    AppendSources(*more);
    for (State* state : {&now_, &more->now_}) {
      for (auto& row : state->slots) row.resize(slots, kNothing);
    }
    const auto extend = [](auto& mine, const auto& others) {
      mine.insert(mine.end(), others.begin(), others.end());
    };
    extend(now_.lengths, more->now_.lengths);
    extend(now_.slots, more->now_.slots);
    extend(source_lengths_, more->source_lengths_);
    ForgetLastCall();
  }

  void Truncate(const std::vector<std::int64_t>& lengths) override {
    HONE_CHECK_EQ(lengths.size(), now_.lengths.size());
    if (lengths == now_.lengths) return;
    for (std::size_t row = 0; row < lengths.size(); ++row) {
      HONE_CHECK_LE(lengths[row], now_.lengths[row]);
      HONE_CHECK_LE(before_.lengths.at(row), lengths[row]);
    }
    const bool sums =
        std::any_of(model_.past_.begin(), model_.past_.end(),
                    [](const PastInput& input) { return !input.IsSlots(); });
    if (sums) {
      ReadKept(lengths);
    } else {
      Hide(lengths);
    }
  }

 private:
  struct State {
    std::vector<std::int64_t> lengths;
    std::vector<std::vector<std::int64_t>> slots;  // [rows][slots] places
    Tensors past;
  };

  std::size_t Slots() const {
    return now_.slots.empty() ? 0 : now_.slots.front().size();
  }

  void ForgetLastCall() {
    before_ = now_;
    last_tokens_.clear();
  }

  void CheckRoom(std::int64_t count) const {
    for (const std::int64_t length : now_.lengths) {
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
                           const std::vector<std::int64_t>& places,
                           const std::vector<std::int64_t>& slot_places,
                           std::size_t count) {
    ov::InferRequest& request = model_.request_;
    const std::size_t rows = now_.lengths.size();
    request.set_tensor(kTokensInput, Numbers(tokens, rows));
    if (model_.places_) {
      request.set_tensor(kPlacesInput, Numbers(places, rows));
    }
    if (model_.slot_places_) {
      request.set_tensor(kSlotPlacesInput, Numbers(slot_places, rows));
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
      if (input.IsSlots()) shape[2] += count;
      present[input.name] = ov::Tensor(ov::element::f32, shape);
      request.set_tensor(kPastPrefix + input.name, past);
      request.set_tensor(kPresentPrefix + input.name, present[input.name]);
    }
    request.infer();
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

  // Says of slots behind the wanted lengths that they hold nothing, and drops
  // those that hold nothing in any row.
  void Hide(const std::vector<std::int64_t>& lengths) {
    std::size_t used = 0;
    for (std::size_t row = 0; row < lengths.size(); ++row) {
      for (std::size_t i = 0; i < now_.slots[row].size(); ++i) {
        std::int64_t& place = now_.slots[row][i];
        if (place >= lengths[row]) {
          place = kNothing;
        } else {
          used = std::max(used, i + 1);
        }
      }
    }
    for (auto& row : now_.slots) row.resize(used);
    for (auto& [name, tensor] : now_.past) tensor = Resized(tensor, used, 1);
    now_.lengths = lengths;
    ForgetLastCall();
  }

  // Sums cannot forget.
  void ReadKept(const std::vector<std::int64_t>& lengths) {
    now_ = before_;
    const auto all =
        ReadAgain(before_.lengths, lengths, last_tokens_, [&](std::size_t row) {
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
