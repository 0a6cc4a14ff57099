#include <sstream>

#include "experiments/report.h"
#include "space/block_layers.h"

namespace hone {
namespace {

std::string Section(const std::string& title, const Table& table) {
  return table.rows.empty() ? std::string()
                            : "\n" + title + "\n" + ToText(table);
}

// The blocks of an architecture, one in a row.
Table BlockTable(const Architecture& architecture) {
  Table table{{{"block"}}, {}};
  const Topology topology = TopologyOf(architecture);
  for (const Property& property :
       BlockProperties(AllBlocks(architecture).at(0), topology)) {
    table.columns.push_back({property.name, property.name == "heads"});
  }
  const auto add = [&](const char* side, const std::vector<BlockSpec>& blocks) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      std::vector<std::string> row = {std::string(side) + "." +
                                      std::to_string(i)};
      for (Property& property : BlockProperties(blocks[i], topology)) {
        row.push_back(std::move(property.value));
      }
      table.AddRow(row);
    }
  };
  add("encoder", architecture.encoder);
  add("decoder", architecture.decoder);
  return table;
}

std::string StemLine(const Architecture& architecture) {
  const StemSpec& stem = architecture.stem;
  const std::size_t blocks =
      architecture.encoder.size() + architecture.decoder.size();
  std::string line = "d_model " + std::to_string(stem.d_model) + ", " +
                     std::to_string(blocks) +
                     (blocks == 1 ? " block" : " blocks") + ", " +
                     Name(stem.positions) + " positions, " + Name(stem.norm) +
                     " norm " + Name(stem.norm_place);
  if (!architecture.decoder.empty()) {
    line += ", " + Name(stem.output) + " output";
  }
  if (!stem.embedding.IsFloat()) line += ", table " + Name(stem.embedding);
  if (stem.embedding_rank > 0) {
    line += ", table of rank " + std::to_string(stem.embedding_rank);
  }
  if (stem.compute != Compute::kF32) {
    line += ", computed in " + Name(stem.compute);
  }
  return line + "\n";
}

Table MetricTable(const Measurement& measurement) {
  Table table{{{"metric"}, {"value, 95 % interval"}}, {}};
  Trial trial;
  trial.outcome = measurement;
  for (const std::string& name : MetricsIn({trial})) {
    table.AddRow({name, MetricText(measurement.metrics.at(name))});
  }
  return table;
}

Table KernelTable(const Measurement& measurement) {
  Table table{{{"count", true}, {"layer"}, {"precision"}, {"primitive"}}, {}};
  for (const KernelCount& kernel : measurement.kernels) {
    table.AddRow({std::to_string(kernel.count), kernel.layer, kernel.precision,
                  kernel.primitive});
  }
  return table;
}

Table ArtifactTable(const Measurement& measurement) {
  Table table{{{"artifact"}, {"bytes", true}, {"sha256"}, {"path"}}, {}};
  for (const Artifact& artifact : measurement.artifacts) {
    table.AddRow({artifact.role, std::to_string(artifact.bytes),
                  artifact.sha256.substr(0, 12),
                  artifact.path.empty() ? "not kept" : artifact.path});
  }
  return table;
}

Table EnvironmentTable(const Measurement& measurement) {
  Table table{{{"name"}, {"value"}}, {}};
  for (const auto& [name, value] : measurement.environment) {
    table.AddRow({name, value});
  }
  return table;
}

}  // namespace

std::vector<Property> BlockProperties(const BlockSpec& block,
                                      Topology topology) {
  const std::string products = block.products == AttentionProducts::kF32
                                   ? ""
                                   : " " + Name(block.products);
  const std::string head_dim =
      block.head_dim > 0 ? " x " + std::to_string(block.head_dim) : "";
  const std::string rank =
      block.rank > 0 ? "rank " + std::to_string(block.rank) + ", " : "";
  std::vector<Property> properties = {
      {"attention", AttentionName(block.attention) + products},
      {"heads", std::to_string(Heads(block.attention)) + head_dim},
      {"feed_forward", std::to_string(block.feed_forward.width) + " " +
                           Name(block.feed_forward.activation)},
      {"precision", rank + PrecisionText(block)}};
  if (topology != Topology::kEncoderDecoder) return properties;
  properties.push_back(
      {"source", block.cross
                     ? std::to_string(block.cross->heads) + " heads, " +
                           std::to_string(block.cross->layers) + " layers"
                     : "-"});
  return properties;
}

std::string OutcomePage(const Trial& trial) {
  std::ostringstream out;
  out << StemLine(trial.architecture) << ToText(BlockTable(trial.architecture));
  if (const auto* failure = std::get_if<Failure>(&trial.outcome)) {
    out << "\nFailed (" << Printable(failure->code)
        << "): " << Printable(failure->reason) << "\n";
    return out.str();
  }
  const auto& measurement = std::get<Measurement>(trial.outcome);
  out << "\n"
      << ToText(MetricTable(measurement))
      << Section("Kernels that ran", KernelTable(measurement))
      << Section("Files, below the study's artifacts folder",
                 ArtifactTable(measurement))
      << Section("Measured with", EnvironmentTable(measurement));
  return out.str();
}

std::string TrialHeading(const Trial& trial, const StudyInfo& study) {
  return "Trial " + std::to_string(trial.number) + " of " +
         Printable(study.name) + ": " + std::string(Name(trial.state())) + "\n";
}

std::string TrialPage(const Trial& trial, const StudyInfo& study,
                      const std::string& standing) {
  Table provenance{{{"provenance"}, {""}}, {}};
  provenance.AddRow({"origin", trial.origin});
  provenance.AddRow({"fidelity", std::string(Name(trial.fidelity))});
  provenance.AddRow({"seed", std::to_string(trial.seed)});
  provenance.AddRow({"study seed", std::to_string(study.seed)});
  provenance.AddRow({"spec hash", study.spec_hash});
  provenance.AddRow({"architecture", ArchitectureHash(trial.architecture)});
  provenance.AddRow({"trial digest", TrialDigest(trial)});
  provenance.AddRow({"finished", trial.finished_at});
  return TrialHeading(trial, study) + "\n" + OutcomePage(trial) +
         (standing.empty() ? "" : "\n" + standing) + "\n" + ToText(provenance);
}

}  // namespace hone
