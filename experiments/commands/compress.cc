#include <algorithm>
#include <optional>

#include "eval/faster_layers.h"
#include "experiments/build_study.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/model_folder.h"
#include "experiments/progress.h"
#include "experiments/report.h"
#include "experiments/study_files.h"
#include "experiments/study_view.h"
#include "space/base/error.h"
#include "space/block_layers.h"

namespace hone {
namespace {

// A table of the study's spec with what the command line changes of it.
template <typename Options>
void Override(const std::string& table, const std::vector<std::string>& sets,
              Options SearchSpec::*member, SearchSpec& spec) {
  std::vector<std::string> assignments;
  const Json fields = FieldsToJson(spec.*member);
  for (const auto& [key, value] : fields.items()) {
    assignments.push_back(table + "." + key + "=" + value.dump());
  }
  for (const std::string& set : sets) {
    if (set.starts_with(table + ".")) assignments.push_back(set);
  }
  spec.*member = ParseSearchSpec("", "--set", assignments).*member;
}

SearchSpec WithOverrides(SearchSpec spec,
                         const std::vector<std::string>& sets) {
  for (const std::string& set : sets) {
    if (set.starts_with("compression.from_largest")) {
      throw Error(ErrorCode::kUsage,
                  "--set " + set +
                      ": says how a search trains its students; this one is "
                      "trained");
    }
    if (set.starts_with("quantization.") || set.starts_with("compression.")) {
      continue;
    }
    throw Error(ErrorCode::kUsage,
                "--set " + set +
                    ": a trained model is compressed, so only keys of "
                    "[quantization] and [compression] may change; 'hone train' "
                    "trains anew");
  }
  Override("quantization", sets, &SearchSpec::quantization, spec);
  Override("compression", sets, &SearchSpec::compression, spec);
  return spec;
}

// What the command line asks of each block; 0: as it is.
struct Sizes {
  std::int64_t d_model = 0;
  std::int64_t layers = 0;
  std::int64_t decoder_layers = 0;
  std::int64_t heads = 0;
  std::int64_t feed_forward = 0;
  std::int64_t rank = 0;
  std::int64_t embedding_rank = 0;
  bool operator==(const Sizes&) const = default;
};

Sizes SizesOf(const Arguments& arguments) {
  const auto count = [&](const char* name) {
    return arguments.Has(name) ? arguments.Integer(name, 0, 1, 1 << 20) : 0;
  };
  return {count("d-model"),        count("layers"),
          count("decoder-layers"), count("heads"),
          count("feed-forward"),   count("rank"),
          count("embedding-rank")};
}

// Heads keep their dimension, whatever becomes of d_model.
void ResizeBlock(std::int64_t d_model_before, const StemSpec& stem,
                 const Sizes& sizes, BlockSpec& block) {
  const std::int64_t head_dim = HeadDim({d_model_before}, block);
  if (sizes.heads > 0 && sizes.heads != Heads(block.attention)) {
    const auto fewer = WithHeads(block.attention, sizes.heads);
    if (!fewer) {
      throw Error(ErrorCode::kUsage,
                  "hone compress: --heads " + std::to_string(sizes.heads) +
                      ": the key/value heads of " +
                      AttentionName(block.attention) + " do not divide it");
    }
    block.attention = *fewer;
  }
  block.head_dim = SpelledHeadDim(stem, block.attention, head_dim);
  if (sizes.feed_forward > 0) block.feed_forward.width = sizes.feed_forward;
  if (sizes.rank > 0) block.rank = sizes.rank;
  block = Canonical(stem, block);
}

Architecture Resized(Architecture architecture, const Sizes& sizes) {
  const std::int64_t d_model_before = architecture.stem.d_model;
  if (sizes.d_model > 0) architecture.stem.d_model = sizes.d_model;
  const auto resize = [&](std::vector<BlockSpec>& blocks, std::int64_t layers) {
    if (layers > 0 && layers != static_cast<std::int64_t>(blocks.size())) {
      // More than there are is refused with the rest (CheckCanShrink).
      blocks.resize(static_cast<std::size_t>(layers), blocks.front());
    }
    for (BlockSpec& block : blocks) {
      ResizeBlock(d_model_before, architecture.stem, sizes, block);
    }
  };
  if (sizes.embedding_rank > 0) {
    architecture.stem.embedding_rank = sizes.embedding_rank;
  }
  const bool lone = architecture.encoder.empty();
  if (sizes.decoder_layers > 0 && (lone || architecture.decoder.empty())) {
    throw Error(ErrorCode::kUsage,
                "hone compress: --decoder-layers is of a translation, which "
                "has an encoder and a decoder; use --layers");
  }
  if (!lone) resize(architecture.encoder, sizes.layers);
  if (!architecture.decoder.empty()) {
    resize(architecture.decoder, lone ? sizes.layers : sizes.decoder_layers);
  }
  return architecture;
}

// "feed_forward.down=w4": of that layer in all blocks that have it.
void SetLinear(const std::string& text, Architecture& architecture) {
  const std::size_t equals = std::min(text.find('='), text.size());
  if (equals == text.size()) {
    throw Error(ErrorCode::kUsage, "--linear " + text +
                                       ": needs ROLE=WORD, such as "
                                       "feed_forward.down=w4");
  }
  LinearRole role{};
  Precision precision;
  try {
    role = Parse<LinearRole>(text.substr(0, equals));
    precision = ParsePrecision(text.substr(equals + 1));
  } catch (const Error& error) {
    throw Error(ErrorCode::kUsage, "--linear " + text + ": " + error.what());
  }
  bool found = false;
  for (auto* blocks : {&architecture.encoder, &architecture.decoder}) {
    for (BlockSpec& block : *blocks) {
      LinearPrecisions precisions = PrecisionsOf(block);
      const auto own = precisions.find(role);
      if (own == precisions.end()) continue;
      own->second = precision;
      SetPrecisions(precisions, block);
      found = true;
    }
  }
  if (!found) {
    throw Error(
        ErrorCode::kUsage,
        "--linear " + text + ": no block of the trial has such a layer");
  }
}

// The trial itself, then what is made of its student. All are measured in one
// batch, their latencies in turn.
struct Variant {
  std::string name;
  Trial trial;
  std::optional<Architecture> parent = std::nullopt;
};

// Precisions of blocks and of the token table, and what the rest is computed
// in; none: as they are.
struct Words {
  std::vector<std::string> blocks;
  std::vector<std::string> tables;
  std::string compute;
  bool empty() const { return blocks.empty() && tables.empty(); }
};

std::vector<Variant> VariantsOf(const Trial& stored, const Sizes& sizes,
                                const Words& words,
                                const std::vector<std::string>& linears) {
  std::vector<Variant> variants{
      {"trial " + std::to_string(stored.number), stored}};
  const auto add = [&](std::string name, Architecture architecture) {
    if (!words.compute.empty()) {
      architecture.stem.compute = Parse<Compute>(words.compute);
      name += (name.empty() ? "" : ", rest ") + words.compute;
    }
    for (const std::string& linear : linears) {
      SetLinear(linear, architecture);
      name += (name.empty() ? "" : " ") + linear;
    }
    Variant variant{name, stored};
    variant.trial.architecture = std::move(architecture);
    variant.trial.origin = "compressed";
    if (sizes != Sizes{}) variant.parent = stored.architecture;
    variants.push_back(std::move(variant));
  };
  const Architecture resized = Resized(stored.architecture, sizes);
  if (sizes != Sizes{}) {
    CheckCanShrink(stored.architecture, resized);
    CheckArchitecture(resized, "hone compress");
    if (resized == stored.architecture) {
      throw Error(ErrorCode::kUsage,
                  "hone compress: the trial has these sizes already");
    }
  }
  const auto add_blocks = [&](const Architecture& architecture,
                              const std::string& suffix) {
    for (const std::string& word : words.blocks) {
      add(word + suffix, WithPrecision(architecture, ParsePrecision(word)));
    }
  };
  if (words.tables.empty()) add_blocks(resized, "");
  for (const std::string& table : words.tables) {
    Architecture changed = resized;
    changed.stem.embedding = ParseTablePrecision(table);
    if (words.blocks.empty()) add("table " + table, changed);
    add_blocks(changed, ", table " + table);
  }
  if (words.empty()) add(sizes == Sizes{} ? "" : "smaller", resized);
  return variants;
}

// Vectors are read without a table, and some ranks make none smaller.
void CheckTables(const Sizes& sizes, const Words& words,
                 const Architecture& stored, const TaskShape& task) {
  if (sizes.embedding_rank == 0 && words.tables.empty()) return;
  if (task.features > 0) {
    throw Error(ErrorCode::kUsage,
                "hone compress: the network reads vectors and has no token "
                "table; leave out --embedding and --embedding-rank");
  }
  const std::int64_t d_model = stored.stem.d_model;
  if (sizes.embedding_rank > 0 &&
      !IsFactored(sizes.embedding_rank, task.vocabulary, d_model)) {
    throw Error(ErrorCode::kUsage, "hone compress: --embedding-rank " +
                                       std::to_string(sizes.embedding_rank) +
                                       " does not make a table of " +
                                       std::to_string(task.vocabulary) +
                                       " rows and " + std::to_string(d_model) +
                                       " columns smaller");
  }
}

void Measure(std::vector<Variant>& variants, Workbench& workbench) {
  std::vector<Candidate> batch;
  for (const Variant& variant : variants) {
    batch.push_back({static_cast<std::int64_t>(batch.size()),
                     variant.trial.architecture, variant.trial.seed,
                     variant.trial.fidelity, variant.parent});
  }
  // The first is the stored trial.
  const Trial& stored = variants.front().trial;
  batch.front().exported =
      ExportedArchitecture(stored.architecture, stored.outcome);
  std::vector<Outcome> outcomes = workbench.evaluator().Evaluate(batch);
  for (std::size_t i = 0; i < variants.size(); ++i) {
    variants[i].trial.outcome = std::move(outcomes[i]);
  }
}

Table ComparisonTable(const std::vector<Variant>& variants,
                      const StudyInfo& study) {
  std::vector<std::string> metrics;
  for (const Objective& objective : study.objectives) {
    metrics.push_back(objective.metric);
  }
  for (const char* metric : {"latency_ms", "file_bytes", "peak_memory_bytes"}) {
    if (std::find(metrics.begin(), metrics.end(), metric) == metrics.end()) {
      metrics.emplace_back(metric);
    }
  }
  Table table{{{"model"}}, {}};
  for (const std::string& metric : metrics) {
    table.columns.push_back({metric, true});
  }
  for (const Variant& variant : variants) {
    std::vector<std::string> row{variant.name};
    const auto* measured = std::get_if<Measurement>(&variant.trial.outcome);
    for (const std::string& metric : metrics) {
      const bool known = measured && measured->metrics.contains(metric);
      row.push_back(known ? NumberText(measured->metrics.at(metric).value)
                          : "-");
    }
    table.AddRow(std::move(row));
  }
  return table;
}

void Print(const std::vector<Variant>& variants, const StudyInfo& study,
           const Arguments& arguments, const CommandContext& context) {
  if (arguments.Has("json")) {
    Json json = Json::array();
    for (const Variant& variant : variants) {
      Json one = TrialToJson(variant.trial);
      one["model"] = variant.name;
      json.push_back(std::move(one));
    }
    PrintJson(json, context);
    return;
  }
  context.out << ToText(ComparisonTable(variants, study));
  for (const Variant& variant : variants) {
    if (const auto* failure = std::get_if<Failure>(&variant.trial.outcome)) {
      context.out << variant.name << " failed: " << failure->reason << "\n";
    }
  }
}

int RunCompress(const Arguments& arguments, const CommandContext& context) {
  const std::filesystem::path path = arguments.positionals[0];
  const std::int64_t number = arguments.PositionalInteger(1, "N");
  const Words words{arguments.All("precision"), arguments.All("embedding"),
                    arguments.Text("compute", "")};
  const Sizes sizes = SizesOf(arguments);
  const std::vector<std::string> linears = arguments.All("linear");
  if (words.empty() && words.compute.empty() && linears.empty() &&
      sizes == Sizes{}) {
    throw Error(ErrorCode::kUsage,
                "hone compress: needs a size (--d-model, --feed-forward, "
                "--heads, --layers, --rank, --embedding-rank), --precision "
                "WORD, --linear ROLE=WORD, --embedding WORD, --compute WORD, "
                "or several of them; words: " +
                    std::string(kPrecisionWords));
  }
  if (arguments.Has("out") &&
      (words.blocks.size() > 1 || words.tables.size() > 1)) {
    throw Error(ErrorCode::kUsage,
                "hone compress: --out writes one model; give one --precision "
                "and one --embedding");
  }
  const StudyView study = ReadStudy(path);
  const Trial& stored = TrialNumbered(study, number);
  std::vector<Variant> variants = VariantsOf(stored, sizes, words, linears);
  SearchSpec spec = SpecFromJson(study.info.spec);
  const SearchSpec changed = WithOverrides(spec, arguments.All("set"));
  spec.quantization = changed.quantization;
  spec.measurement.engine = EngineOf(spec.measurement, stored.outcome);
  ProgressReporter progress(context.err, context.err_is_terminal);
  Workbench workbench(spec, ArtifactsPath(path), 1, progress.PhaseCallback(),
                      &context.cancelled);
  workbench.CheckData(stored);
  workbench.SetParentCompression(changed.compression);
  CheckTables(sizes, words, stored.architecture, workbench.task());
  Measure(variants, workbench);
  progress.Clear();
  const Trial& last = variants.back().trial;
  if (arguments.Has("out") && last.state() == TrialState::kComplete) {
    WriteModelFolder(arguments.Text("out", ""), last, ArtifactsPath(path),
                     CardOf(last, spec, workbench), workbench.Vocabulary(),
                     context.err);
  }
  Print(variants, study.info, arguments, context);
  const bool complete =
      std::all_of(variants.begin(), variants.end(), [](const Variant& one) {
        return one.trial.state() == TrialState::kComplete;
      });
  return complete ? kExitDone : kExitSomeFailed;
}

}  // namespace

Command CompressCommand() {
  return {
      {"compress",
       "make a trial's trained model smaller and compare",
       "STUDY N",
       2,
       2,
       {{"precision", "WORD", "of all blocks; may be given again"},
        {"linear", "ROLE=WORD",
         "of one layer of each block, such as feed_forward.down=w4; may be "
         "given again"},
        {"embedding", "WORD", "of the token table; may be given again"},
        {"compute", "WORD", "of the rest: f32 or bf16"},
        {"d-model", "N", "keep so many channels of the residual stream"},
        {"embedding-rank", "N", "make the token table a product of two"},
        {"feed-forward", "N", "keep so many neurons of each block"},
        {"heads", "N", "keep so many heads of each block"},
        {"layers", "N", "keep so many blocks"},
        {"decoder-layers", "N", "the same of the decoder behind an encoder"},
        {"rank", "N", "make layers products of two matrices of this rank"},
        {"set", "TABLE.KEY=VALUE",
         "override a field of [quantization] or [compression]"},
        {"out", "DIR", "write the exported model there"},
        {"json", "", "print JSON"}},
       "hone compress studies/gloss.db 12 --feed-forward 64 --precision w4"},
      RunCompress};
}

}  // namespace hone
