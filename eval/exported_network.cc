#include "eval/exported_network.h"

#include "eval/decode/beam_search.h"
#include "eval/decode/generate.h"
#include "eval/export/onnx_export.h"
#include "space/base/error.h"

namespace hone {

ExportedNetwork::ExportedNetwork(Engine& engine,
                                 const std::filesystem::path& folder,
                                 const TaskShape& task,
                                 const EngineOptions& options)
    : task_(task) {
  if (task.topology == Topology::kEncoder) {
    model_ = engine.Load(folder / kModelFile, options);
  } else {
    decoder_ = engine.LoadDecoder(folder, options);
  }
}

void ExportedNetwork::ForEachLogits(const TaskData& data,
                                    std::int64_t batch_size,
                                    const BatchLogits& visit) {
  for (const Batch& batch : OrderedBatches(data, batch_size)) {
    const auto rows = static_cast<std::int64_t>(batch.rows.size());
    if (model_ && task_.features > 0) {
      visit(batch,
            model_->Run(GatherFrames(data, batch), rows, data.frames.count));
      continue;
    }
    if (model_) {
      visit(batch, model_->Run(GatherTokens(data, batch), rows, batch.tokens));
      continue;
    }
    const DecoderBatch wanted =
        GatherDecoderBatch(data, batch, BeginToken(task_), EndToken(task_));
    std::vector<std::vector<std::int64_t>> sources(batch.rows.size());
    for (std::size_t i = 0; !data.IsStream() && i < sources.size(); ++i) {
      sources[i] = data.tokens[static_cast<std::size_t>(batch.rows[i])];
    }
    visit(batch, decoder_->Start(sources)->Extend(wanted.input, wanted.tokens));
  }
}

std::vector<float> ExportedNetwork::FlatLogits(const TaskData& data,
                                               std::int64_t batch_size) {
  std::vector<float> flat;
  ForEachLogits(data, batch_size,
                [&](const Batch&, std::span<const float> logits) {
                  flat.insert(flat.end(), logits.begin(), logits.end());
                });
  return flat;
}

std::vector<KernelCount> ExportedNetwork::Kernels() const {
  return model_ ? model_->Kernels() : decoder_->Kernels();
}

std::int64_t ExportedNetwork::MemoryBytes() const {
  return model_ ? model_->MemoryBytes() : decoder_->MemoryBytes();
}

std::vector<std::string> Translate(
    StepModel& model, const std::vector<std::vector<std::int64_t>>& sources,
    const TaskShape& task, const Vocabulary& vocabulary,
    const TranslationOptions& options) {
  std::vector<Prompt> prompts;
  for (const auto& source : sources) {
    prompts.push_back({source, {BeginToken(task)}});
  }
  std::vector<std::vector<std::int64_t>> written;
  if (options.beam == 1) {
    GenerateOptions greedy;
    greedy.max_new_tokens = task.max_target_tokens;
    greedy.batch = options.batch;
    greedy.end_token = EndToken(task);
    written = Generate(model, prompts, greedy, 0);
  } else {
    BeamOptions beam;
    beam.beam = options.beam;
    beam.length_penalty = options.length_penalty;
    beam.max_new_tokens = task.max_target_tokens;
    beam.batch = std::max<std::int64_t>(options.batch / options.beam, 1);
    beam.end_token = EndToken(task);
    for (auto& hypotheses : BeamSearch(model, prompts, beam)) {
      written.push_back(std::move(hypotheses.at(0).tokens));
    }
  }
  std::vector<std::string> texts;
  for (auto& tokens : written) {
    std::erase_if(tokens,
                  [&](auto token) { return token >= BeginToken(task); });
    texts.push_back(vocabulary.Decode(tokens));
  }
  return texts;
}

}  // namespace hone
