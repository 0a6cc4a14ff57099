#include <sstream>

#include "experiments/report.h"
#include "space/block_layers.h"

namespace hone {
namespace {

constexpr std::size_t kDominatorsShown = 5;

std::string Section(const std::string& title, const Table& table) {
  return table.rows.empty() ? std::string()
                            : "\n" + title + "\n" + ToText(table);
}

// The blocks of an architecture, one in a row.
Table BlockTable(const Architecture& architecture) {
  Table table{{{"block"},
               {"attention"},
               {"heads", true},
               {"feed_forward"},
               {"precision"}},
              {}};
  const bool crossed = TopologyOf(architecture) == Topology::kEncoderDecoder;
  if (crossed) table.columns.push_back({"source"});
  const auto add = [&](const char* side, const std::vector<BlockSpec>& blocks) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const BlockSpec& block = blocks[i];
      std::vector<std::string> row = {
          std::string(side) + "." + std::to_string(i),
          AttentionName(block.attention) +
              (block.products == AttentionProducts::kF32
                   ? ""
                   : " " + Name(block.products)),
          std::to_string(Heads(block.attention)) +
              (block.head_dim > 0 ? " x " + std::to_string(block.head_dim)
                                  : ""),
          std::to_string(block.feed_forward.width) + " " +
              Name(block.feed_forward.activation),
          (block.rank > 0 ? "rank " + std::to_string(block.rank) + ", " : "") +
              PrecisionText(block)};
      if (crossed) {
        row.push_back(block.cross
                          ? std::to_string(block.cross->heads) + " heads, " +
                                std::to_string(block.cross->layers) + " layers"
                          : "-");
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
                  artifact.sha256.substr(0, 12), artifact.path});
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

std::string DominanceText(const Trial& trial, const StudyInfo& study,
                          const std::vector<Dominator>& dominators) {
  if (trial.state() == TrialState::kFailed) return {};
  if (Violation(trial, study.constraints) > 0) {
    return "\nNot on the front: it breaks a constraint of the study.\n";
  }
  if (dominators.empty()) return "\nOn the front: no trial dominates it.\n";
  std::ostringstream out;
  out << "\nDominated by " << dominators.size()
      << (dominators.size() == 1 ? " trial" : " trials") << " of the front\n";
  for (std::size_t i = 0; i < dominators.size() && i < kDominatorsShown; ++i) {
    out << "  trial " << dominators[i].number << ", better by";
    for (const auto& [metric, amount] : dominators[i].by) {
      out << " " << NumberText(amount) << " " << metric;
    }
    out << "\n";
  }
  if (dominators.size() > kDominatorsShown) {
    out << "  and " << dominators.size() - kDominatorsShown << " more\n";
  }
  return out.str();
}

}  // namespace

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

std::string TrialPage(const Trial& trial, const StudyInfo& study,
                      const std::vector<Dominator>& dominators) {
  Table provenance{{{"provenance"}, {""}}, {}};
  provenance.AddRow({"origin", trial.origin});
  provenance.AddRow({"fidelity", std::string(Name(trial.fidelity))});
  provenance.AddRow({"seed", std::to_string(trial.seed)});
  provenance.AddRow({"study seed", std::to_string(study.seed)});
  provenance.AddRow({"spec hash", study.spec_hash});
  provenance.AddRow({"architecture", ArchitectureHash(trial.architecture)});
  provenance.AddRow({"trial digest", TrialDigest(trial)});
  provenance.AddRow({"finished", trial.finished_at});
  return "Trial " + std::to_string(trial.number) + " of " +
         Printable(study.name) + ": " + std::string(Name(trial.state())) +
         "\n\n" + OutcomePage(trial) + DominanceText(trial, study, dominators) +
         "\n" + ToText(provenance);
}

}  // namespace hone
