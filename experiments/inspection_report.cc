#include "experiments/inspection_report.h"

#include <algorithm>
#include <iomanip>
#include <map>
#include <sstream>
#include <tuple>

#include "experiments/report.h"
#include "experiments/table.h"

namespace hone {
namespace {

std::string Percent(double share) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(1) << 100 * share;
  return out.str();
}

// a, b, ..., z, a1, b1, ...
std::string Letter(std::size_t index) {
  std::string text(1, static_cast<char>('a' + index % 26));
  if (index >= 26) text += std::to_string(index / 26);
  return text;
}

// Reasons in the order that they come up in.
class Reasons {
 public:
  std::string LetterOf(const std::string& reason) {
    const auto found = std::find(all_.begin(), all_.end(), reason);
    const auto index = static_cast<std::size_t>(found - all_.begin());
    if (found == all_.end()) all_.push_back(reason);
    return Letter(index);
  }

  Table ToTable() const {
    Table table{{{"why"}, {""}}, {}};
    for (std::size_t i = 0; i < all_.size(); ++i) {
      table.AddRow({Letter(i), all_[i]});
    }
    return table;
  }

 private:
  std::vector<std::string> all_;
};

std::string StoredText(const StoredProduct& product) {
  if (product.weight) return product.weight->label;
  if (product.activations == "f32") return "f32";
  return "a" + product.activations.substr(1);
}

std::string FullWhy(const InspectedPhase& phase,
                    const InspectedProduct& product) {
  if (!product.shares_with) return product.why;
  return product.why + "; one kernel with " +
         phase.products[*product.shares_with].stored.layer;
}

// Time of a product that shares its kernel stands at the first of them, where
// "-" stands here.
Table ProductTable(const InspectedPhase& phase, Reasons& reasons) {
  Table table{
      {{"time %", true}, {"stored"}, {"runs"}, {"why"}, {"kernel"}, {"layer"}},
      {}};
  double shown = 0;
  for (const InspectedProduct& product : phase.products) {
    std::string time = "-";
    if (product.node && !product.shares_with) {
      time = Percent(phase.Share(*product.node));
      shown += phase.Share(*product.node);
    }
    std::string why = product.why;
    if (product.shares_with) why += "; its kernel is that of another row";
    table.AddRow({time, StoredText(product.stored), product.runs,
                  reasons.LetterOf(why),
                  product.node ? phase.nodes[*product.node].primitive : "-",
                  product.stored.layer});
  }
  const bool any = phase.NodeMicroseconds() > 0;
  table.AddRow({any ? Percent(1 - shown) : "-", "", "", "", "",
                "all that is no product"});
  return table;
}

struct KernelTime {
  KernelCount kernel;
  double microseconds = 0;
};

// Kernels of a kind together, the slowest first.
std::vector<KernelTime> KernelTimes(const InspectedPhase& phase) {
  std::map<std::tuple<std::string, std::string, std::string>, KernelTime> all;
  for (const EngineNode& node : phase.nodes) {
    KernelTime& one = all[{node.layer, node.primitive, node.precision}];
    one.kernel.layer = node.layer;
    one.kernel.primitive = node.primitive;
    one.kernel.precision = node.precision;
    ++one.kernel.count;
    one.microseconds += node.microseconds;
  }
  std::vector<KernelTime> times;
  for (auto& [key, one] : all) times.push_back(std::move(one));
  std::stable_sort(times.begin(), times.end(),
                   [](const KernelTime& a, const KernelTime& b) {
                     return a.microseconds > b.microseconds;
                   });
  return times;
}

double ShareOf(double microseconds, const InspectedPhase& phase) {
  const double all = phase.NodeMicroseconds();
  return all > 0 ? microseconds / all : 0;
}

Table KernelTable(const InspectedPhase& phase) {
  Table table{
      {{"time %", true}, {"count", true}, {"layer"}, {"precision"}, {"kernel"}},
      {}};
  std::int64_t small = 0;
  for (const KernelTime& one : KernelTimes(phase)) {
    if (one.microseconds == 0) {
      small += one.kernel.count;
      continue;
    }
    table.AddRow({Percent(ShareOf(one.microseconds, phase)),
                  std::to_string(one.kernel.count), one.kernel.layer,
                  one.kernel.precision, one.kernel.primitive});
  }
  if (small > 0) {
    table.AddRow({"0.0", std::to_string(small), "others", "",
                  "too short for the engine's clock"});
  }
  return table;
}

std::string Milliseconds(double value) { return NumberText(value) + " ms"; }

// Rounding down hides up to a microsecond of each kernel: is that much?
bool IsCoarse(const InspectedPhase& phase) {
  return static_cast<double>(phase.nodes.size()) > phase.NodeMicroseconds() / 4;
}

std::string PhaseText(const InspectedPhase& phase) {
  Reasons reasons;
  const Table products = ProductTable(phase, reasons);
  std::string text = phase.file + ", " + phase.what + ": " +
                     Milliseconds(phase.run_ms) + ", " +
                     Milliseconds(phase.NodeMicroseconds() / 1000) +
                     " of it in kernels\n";
  if (IsCoarse(phase)) {
    text +=
        "The engine counts whole microseconds of each kernel: too coarse for "
        "this run,\nand a larger --batch or --length shows shares better.\n";
  }
  return text + ToText(products) + "\n" + ToText(reasons.ToTable()) + "\n" +
         ToText(KernelTable(phase)) + "\n";
}

Table ByteTable(const Inspection& inspection) {
  Table table{
      {{"bytes", true}, {"share %", true}, {"stored"}, {"file"}, {"what"}}, {}};
  static const std::map<std::string, std::string> kWhat = {
      {"tables", "tables of tokens and places"},
      {"linears", "weights and biases of linear layers"},
      {"rest", "norms, other constants, the graph"}};
  std::int64_t all = 0;
  for (const InspectedFile& file : inspection.files) all += file.bytes;
  for (const InspectedFile& file : inspection.files) {
    for (const StoredBytes& part : file.stored) {
      table.AddRow(
          {std::to_string(part.bytes),
           Percent(static_cast<double>(part.bytes) / static_cast<double>(all)),
           part.label, file.name, kWhat.at(part.what)});
    }
  }
  table.AddRow({std::to_string(all), "100.0", "", "", "all"});
  return table;
}

Json ToJson(const InspectedPhase& phase, const InspectedProduct& product) {
  Json json = {{"layer", product.stored.layer},
               {"value", product.stored.value},
               {"stored", StoredText(product.stored)},
               {"activations_stored", product.stored.activations},
               {"runs", product.runs},
               {"miss", product.miss},
               {"why", FullWhy(phase, product)}};
  if (product.stored.weight) {
    const StoredWeight& weight = *product.stored.weight;
    json["weight"] = {{"type", weight.type},
                      {"bits", weight.bits},
                      {"bytes", weight.bytes},
                      {"shape", weight.dims},
                      {"chain", weight.chain}};
  }
  if (product.shares_with) {
    json["shares_kernel_with"] =
        phase.products[*product.shares_with].stored.layer;
  }
  if (!product.node) return json;
  const EngineNode& node = phase.nodes[*product.node];
  json["kernel"] = node.primitive;
  json["engine_layer"] = node.layer;
  json["engine_node"] = node.values.front();
  json["kernel_reads"] = node.inputs;
  json["microseconds"] = product.shares_with ? 0 : node.microseconds;
  json["time_share"] = product.shares_with ? 0 : phase.Share(*product.node);
  return json;
}

Json ToJson(const InspectedPhase& phase) {
  Json json = {{"file", phase.file},
               {"what", phase.what},
               {"run_ms", phase.run_ms},
               {"kernels_ms", phase.NodeMicroseconds() / 1000},
               {"products", Json::array()},
               {"kernels", Json::array()}};
  for (const InspectedProduct& product : phase.products) {
    json["products"].push_back(ToJson(phase, product));
  }
  for (const KernelTime& one : KernelTimes(phase)) {
    json["kernels"].push_back(
        {{"layer", one.kernel.layer},
         {"primitive", one.kernel.primitive},
         {"precision", one.kernel.precision},
         {"count", one.kernel.count},
         {"microseconds", one.microseconds},
         {"time_share", ShareOf(one.microseconds, phase)}});
  }
  return json;
}

}  // namespace

std::string InspectionPage(const Inspection& inspection) {
  std::string page;
  for (const InspectedPhase& phase : inspection.phases) {
    page += PhaseText(phase);
  }
  return page + ToText(ByteTable(inspection));
}

Json ToJson(const Inspection& inspection) {
  Json json = {{"files", Json::array()}, {"phases", Json::array()}};
  for (const InspectedFile& file : inspection.files) {
    Json parts = Json::array();
    for (const StoredBytes& part : file.stored) {
      parts.push_back(
          {{"what", part.what}, {"stored", part.label}, {"bytes", part.bytes}});
    }
    json["files"].push_back(
        {{"name", file.name}, {"bytes", file.bytes}, {"stored", parts}});
  }
  for (const InspectedPhase& phase : inspection.phases) {
    json["phases"].push_back(ToJson(phase));
  }
  return json;
}

}  // namespace hone
