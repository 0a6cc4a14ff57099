// What each kind of attention costs as sequences grow: one block in training
// (eager) and exported, from 128 to 4,096 tokens, beside `full`.
//
//   build/release/experiments/attention_lengths [--json FILE] [--longest T]
//
// Prints Markdown tables: milliseconds, the exponent p of time ~ T^p fitted
// over the longer half of the lengths, and the first length at which a kind is
// faster than `full`. Times of one thread; kinds of one length are timed in
// turn.

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <iomanip>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "eval/attention_time.h"
#include "eval/engine/cpu.h"
#include "experiments/bench/bench_main.h"
#include "space/base/error.h"
#include "space/base/json.h"
#include "train/trainer.h"

namespace hone {
namespace {

constexpr std::int64_t kDModel = 64;
constexpr std::int64_t kHeads = 4;
// Tokens of one training step, at every length.
constexpr std::int64_t kStepTokens = 4096;

// A kind whose parameters may grow with the length.
struct Kind {
  std::string name;
  std::function<std::string(std::int64_t tokens)> word;
};

std::vector<Kind> Kinds(Topology topology) {
  const auto fixed = [](const std::string& word) {
    return Kind{word, [word](std::int64_t) { return word; }};
  };
  std::vector<Kind> kinds = {
      fixed("full"), fixed("local:16"),
      // Child et al. 2019, 4.2: a stride near the root of the length.
      Kind{"strided:sqrt(T)",
           [](std::int64_t tokens) {
             return "strided:" + std::to_string(std::llround(
                                     std::sqrt(static_cast<double>(tokens))));
           }},
      fixed("performer:32"), fixed("linear")};
  if (topology == Topology::kEncoder) {
    kinds.insert(kinds.begin() + 3, fixed("linformer:32"));
  }
  return kinds;
}

// The slope of log time over log length, by least squares.
double Exponent(const std::vector<std::int64_t>& lengths,
                const std::vector<double>& times) {
  double x_mean = 0;
  double y_mean = 0;
  const auto count = static_cast<double>(lengths.size());
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    x_mean += std::log(static_cast<double>(lengths[i])) / count;
    y_mean += std::log(times[i]) / count;
  }
  double xy = 0;
  double xx = 0;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const double x = std::log(static_cast<double>(lengths[i])) - x_mean;
    xy += x * (std::log(times[i]) - y_mean);
    xx += x * x;
  }
  return xy / xx;
}

std::string Fixed(double value, int digits) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(digits) << value;
  return out.str();
}

// One row: a kind's times over the lengths.
struct Curve {
  std::string kind;
  std::vector<double> times_ms;
};

// The first length from which on the kind is faster, or "never".
std::string Crossover(const std::vector<std::int64_t>& lengths,
                      const Curve& curve, const Curve& full) {
  std::string first = "never";
  for (std::size_t i = lengths.size(); i-- > 0;) {
    if (curve.times_ms[i] >= full.times_ms[i]) break;
    first = std::to_string(lengths[i]);
  }
  return first;
}

Json Report(const std::string& title, const std::vector<std::int64_t>& lengths,
            const std::vector<Curve>& curves) {
  std::cout << "\n" << title << "\n\n| kind |";
  for (const std::int64_t length : lengths) std::cout << " " << length << " |";
  std::cout << " exponent | faster than full from |\n|---|";
  for (std::size_t i = 0; i < lengths.size() + 2; ++i) std::cout << "---|";
  std::cout << "\n";
  Json json = Json::object();
  const auto half = static_cast<std::ptrdiff_t>(lengths.size() / 2);
  const std::vector<std::int64_t> longer(lengths.begin() + half, lengths.end());
  for (const Curve& curve : curves) {
    const double exponent =
        Exponent(longer, {curve.times_ms.begin() + half, curve.times_ms.end()});
    const std::string crossover =
        &curve == curves.data() ? "" : Crossover(lengths, curve, curves[0]);
    std::cout << "| " << curve.kind << " |";
    for (const double time : curve.times_ms) {
      std::cout << " " << Fixed(time, time < 1 ? 3 : 1) << " |";
    }
    std::cout << " " << Fixed(exponent, 2) << " | " << crossover << " |\n";
    json[curve.kind] = {{"milliseconds", curve.times_ms},
                        {"exponent", exponent},
                        {"crossover", crossover}};
  }
  std::cout.flush();
  return json;
}

Json Measure(Engine& engine, Topology topology,
             const std::vector<std::int64_t>& lengths) {
  const std::vector<Kind> kinds = Kinds(topology);
  std::vector<Curve> training;
  std::vector<Curve> exported;
  for (const Kind& kind : kinds) {
    training.push_back({kind.name, {}});
    exported.push_back({kind.name, {}});
  }
  for (const std::int64_t tokens : lengths) {
    MeasurementOptions measurement;
    measurement.tokens = tokens;
    measurement.new_tokens = 1;
    measurement.rounds = 7;
    std::vector<std::string> words;
    for (const Kind& kind : kinds) words.push_back(kind.word(tokens));
    AttentionTiming timing;
    timing.topology = topology;
    timing.d_model = kDModel;
    timing.heads = kHeads;
    timing.max_tokens = tokens;
    timing.training_tokens = tokens;
    timing.training_batch = std::max<std::int64_t>(1, kStepTokens / tokens);
    const auto times = TimeAttention(engine, words, timing, measurement);
    HONE_CHECK_EQ(times.size(), kinds.size());
    for (std::size_t i = 0; i < times.size(); ++i) {
      // Of one sequence.
      training[i].times_ms.push_back(
          times[i].training.median_ms /
          static_cast<double>(timing.training_batch));
      exported[i].times_ms.push_back(times[i].exported.median_ms);
    }
    std::cerr << Name(topology) << ", " << tokens << " tokens done\n";
  }
  const std::string where = Name(topology);
  return {{"training", Report("Training, " + where +
                                  ": ms a sequence, forward and backward",
                              lengths, training)},
          {"exported", Report("Exported, " + where + ": ms for one sequence",
                              lengths, exported)}};
}

int Main(const std::vector<std::string>& arguments) {
  std::int64_t longest = 4096;
  std::optional<std::string> file;
  for (std::size_t i = 0; i + 1 < arguments.size(); i += 2) {
    if (arguments[i] == "--longest") longest = std::stoll(arguments[i + 1]);
    if (arguments[i] == "--json") file = arguments[i + 1];
  }
  std::vector<std::int64_t> lengths;
  for (std::int64_t tokens = 128; tokens <= longest; tokens *= 2) {
    lengths.push_back(tokens);
  }
  InitializeTorch();
  const auto engine = MakeOpenVinoEngine();
  std::cout << "One block, d " << kDModel << ", " << kHeads
            << " heads, one thread; training steps of " << kStepTokens
            << " tokens.\n";
  Json json = {{"lengths", lengths}, {"engine", engine->Describe()}};
  for (const Topology topology : {Topology::kEncoder, Topology::kDecoder}) {
    json[std::string(Name(topology))] = Measure(*engine, topology, lengths);
  }
  if (file) std::ofstream(*file) << json.dump(1) << "\n";
  return 0;
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  return hone::RunBenchmark("attention_lengths", hone::Main, argc, argv);
}
