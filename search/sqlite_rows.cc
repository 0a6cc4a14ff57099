#include "search/sqlite_rows.h"

#include <charconv>

#include "space/base/error.h"
#include "space/base/hash.h"

namespace hone {
namespace {

std::int64_t EnvironmentId(Statements& statements,
                           const std::map<std::string, std::string>& values) {
  const std::string content = CanonicalJson(Json(values));
  Prepared insert =
      statements.Lend("INSERT OR IGNORE INTO environment (content) VALUES (?)");
  insert->bind(1, content);
  insert->exec();
  Prepared find =
      statements.Lend("SELECT id FROM environment WHERE content = ?");
  find->bind(1, content);
  HONE_CHECK(find->executeStep());
  return find->getColumn(0).getInt64();
}

std::int64_t InsertTrial(Statements& statements, const Trial& trial,
                         const RowTexts& texts) {
  Prepared row = statements.Lend(
      "INSERT INTO trial VALUES "
      "(NULL, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  row->bind(1, trial.number);
  row->bind(2, texts.architecture);
  row->bind(3, texts.architecture_hash);
  row->bind(4, std::to_string(trial.seed));
  row->bind(5, std::string(Name(trial.fidelity)));
  row->bind(6, trial.origin);
  row->bind(7, std::string(Name(trial.state())));
  if (const auto* failure = std::get_if<Failure>(&trial.outcome)) {
    row->bind(8, failure->code);
    row->bind(9, failure->reason);
  } else {
    row->bind(10,
              EnvironmentId(statements,
                            std::get<Measurement>(trial.outcome).environment));
  }
  row->bind(11, trial.finished_at);
  row->bind(12, texts.row_hash);
  row->exec();
  return statements.LastInsertedId();
}

void InsertMeasurement(Statements& statements, std::int64_t id,
                       const Measurement& measurement) {
  for (const auto& [name, metric] : measurement.metrics) {
    Prepared row =
        statements.Lend("INSERT INTO metric VALUES (?, ?, ?, ?, ?, ?)");
    row->bind(1, id);
    row->bind(2, name);
    row->bind(3, metric.value);
    row->bind(4, metric.unit);
    if (metric.low) row->bind(5, *metric.low);
    if (metric.high) row->bind(6, *metric.high);
    row->exec();
  }
  std::int64_t position = 0;
  for (const double round : measurement.latency_rounds_ms) {
    Prepared row =
        statements.Lend("INSERT INTO latency_round VALUES (?, ?, ?)");
    row->bind(1, id);
    row->bind(2, position++);
    row->bind(3, round);
    row->exec();
  }
  position = 0;
  for (const KernelCount& kernel : measurement.kernels) {
    Prepared row =
        statements.Lend("INSERT INTO kernel VALUES (?, ?, ?, ?, ?, ?)");
    row->bind(1, id);
    row->bind(2, position++);
    row->bind(3, kernel.layer);
    row->bind(4, kernel.primitive);
    row->bind(5, kernel.precision);
    row->bind(6, kernel.count);
    row->exec();
  }
  position = 0;
  for (const Artifact& artifact : measurement.artifacts) {
    Prepared row =
        statements.Lend("INSERT INTO artifact VALUES (?, ?, ?, ?, ?, ?)");
    row->bind(1, id);
    row->bind(2, position++);
    row->bind(3, artifact.role);
    row->bind(4, artifact.path);
    row->bind(5, artifact.sha256);
    row->bind(6, artifact.bytes);
    row->exec();
  }
}

Measurement ReadMeasurement(Statements& statements, std::int64_t id,
                            std::int64_t environment) {
  Measurement measurement;
  ForEachRow(
      statements,
      "SELECT name, value, unit, low, high FROM metric WHERE trial=?", id,
      [&](SQLite::Statement& row) {
        Metric metric = {
            row.getColumn(1).getDouble(), row.getColumn(2).getString(), {}, {}};
        if (!row.isColumnNull(3)) {
          metric.low = row.getColumn(3).getDouble();
        }
        if (!row.isColumnNull(4)) {
          metric.high = row.getColumn(4).getDouble();
        }
        measurement.metrics[row.getColumn(0).getString()] = metric;
      });
  ForEachRow(
      statements,
      "SELECT milliseconds FROM latency_round WHERE trial=? "
      "ORDER BY position",
      id, [&](SQLite::Statement& row) {
        measurement.latency_rounds_ms.push_back(row.getColumn(0).getDouble());
      });
  ForEachRow(statements,
             "SELECT layer, primitive, precision, count FROM kernel "
             "WHERE trial=? ORDER BY position",
             id, [&](SQLite::Statement& row) {
               measurement.kernels.push_back(
                   {row.getColumn(0).getString(), row.getColumn(1).getString(),
                    row.getColumn(2).getString(), row.getColumn(3).getInt64()});
             });
  ForEachRow(statements,
             "SELECT role, path, sha256, bytes FROM artifact "
             "WHERE trial=? ORDER BY position",
             id, [&](SQLite::Statement& row) {
               measurement.artifacts.push_back(
                   {row.getColumn(0).getString(), row.getColumn(1).getString(),
                    row.getColumn(2).getString(), row.getColumn(3).getInt64()});
             });
  ForEachRow(statements, "SELECT content FROM environment WHERE id=?",
             environment, [&](SQLite::Statement& row) {
               measurement.environment =
                   ParseJson(row.getColumn(0).getString(), "environment")
                       .get<std::map<std::string, std::string>>();
             });
  return measurement;
}

}  // namespace

RowTexts::RowTexts(const Trial& trial) {
  const Json json = ToJson(trial);
  architecture = CanonicalJson(json.at("architecture"));
  architecture_hash = json.at("architecture_hash").get<std::string>();
  row_hash = Sha256(CanonicalJson(json));
}

std::int64_t InsertTrialRows(Statements& statements, const Trial& trial,
                             const RowTexts& texts) {
  const std::int64_t id = InsertTrial(statements, trial, texts);
  if (const auto* measured = std::get_if<Measurement>(&trial.outcome)) {
    InsertMeasurement(statements, id, *measured);
  }
  return id;
}

void InsertScore(Statements& statements, std::int64_t id, const Score& score) {
  Prepared row = statements.Lend("INSERT INTO score VALUES (?,?,?,?,?)");
  row->bind(1, id);
  for (std::size_t i = 0; i < kMaxObjectives; ++i) {
    row->bind(static_cast<int>(i) + 2, score[i]);
  }
  row->exec();
}

Score ReadScore(SQLite::Statement& row, int column) {
  Score score;
  for (double& value : score) value = row.getColumn(column++).getDouble();
  return score;
}

Trial ReadTrialRows(Statements& statements, SQLite::Statement& row) {
  Trial trial;
  trial.number = row.getColumn("number").getInt64();
  trial.architecture = ArchitectureFromJson(
      ParseJson(row.getColumn("architecture").getString(), "architecture"),
      "trial " + std::to_string(trial.number));
  trial.seed = ParseSeed(row.getColumn("seed").getString());
  trial.fidelity = ParseFidelity(row.getColumn("fidelity").getString());
  trial.origin = row.getColumn("origin").getString();
  trial.finished_at = row.getColumn("finished_at").getString();
  if (row.getColumn("state").getString() == "failed") {
    trial.outcome = Failure{row.getColumn("failure_code").getString(),
                            row.getColumn("failure_reason").getString()};
  } else {
    trial.outcome = ReadMeasurement(statements, row.getColumn("id").getInt64(),
                                    row.getColumn("environment").getInt64());
  }
  return trial;
}

std::uint64_t ParseSeed(const std::string& text) {
  std::uint64_t seed = 0;
  const auto parsed =
      std::from_chars(text.data(), text.data() + text.size(), seed);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
    throw Error(ErrorCode::kIntegrity, "'" + text + "' is no seed");
  }
  return seed;
}

}  // namespace hone
