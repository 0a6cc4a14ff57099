#include <filesystem>
#include <fstream>

#include <sys/statfs.h>
#include <sys/sysinfo.h>

#include "eval/engine/cpu.h"
#include "experiments/build_study.h"
#include "experiments/commands/commands.h"
#include "experiments/commands/output.h"
#include "experiments/report.h"
#include "experiments/study_files.h"
#include "experiments/study_view.h"
#include "search/sqlite_trial_store.h"
#include "train/trainer.h"

namespace hone {
namespace {

enum class Verdict { kGood, kNote, kBad };

struct Check {
  std::string name;
  Verdict verdict = Verdict::kGood;
  std::string detail;
};

const char* Name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kGood:
      return "ok";
    case Verdict::kNote:
      return "note";
    case Verdict::kBad:
      return "BAD";
  }
  return "";
}

// The value of a line "name : value" of a file of the kernel's.
std::string ValueIn(const char* file, const std::string& name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(name)) continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return {};
}

Check CheckInstructions() {
  const auto cpu = DescribeCpu();
  const std::string found = cpu.contains("isa") && !cpu.at("isa").empty()
                                ? cpu.at("isa")
                                : "none of interest";
  if (!SaturatesInt8(cpu)) return {"instructions", Verdict::kGood, found};
  return {"instructions", Verdict::kNote,
          found +
              "; without VNNI 8 bits gain less, and need "
              "quantization.reduce_range, which is on by default"};
}

Check CheckMemory() {
  struct sysinfo info = {};
  sysinfo(&info);
  const double gib = static_cast<double>(info.totalram) * info.mem_unit /
                     (std::uintmax_t{1} << 30);
  return {"memory", gib < 2 ? Verdict::kNote : Verdict::kGood,
          NumberText(gib) + " GiB"};
}

Check CheckDisk() {
  std::error_code status;
  const auto space = std::filesystem::space(".", status);
  if (status) return {"disk", Verdict::kBad, status.message()};
  const double gib =
      static_cast<double>(space.available) / (std::uintmax_t{1} << 30);
  return {"disk", gib < 1 ? Verdict::kNote : Verdict::kGood,
          NumberText(gib) + " GiB free here"};
}

// Magic numbers from statfs(2).
Check CheckFileSystem(const std::filesystem::path& folder) {
  struct statfs info = {};
  if (statfs(folder.c_str(), &info) != 0) {
    return {"file system", Verdict::kBad, "cannot be examined"};
  }
  switch (static_cast<std::uint32_t>(info.f_type)) {
    case 0x6969:
    case 0xff534d42:
    case 0xfe534d42:
    case 0x01021997:
    case 0x0bd00bd0:
      return {"file system", Verdict::kNote,
              "shared over a network: its locks may not hold; keep studies on "
              "a local disk"};
    case 0x01021994:
      return {"file system", Verdict::kNote,
              "in memory (tmpfs): studies are gone after a restart"};
    default:
      return {"file system", Verdict::kGood, "local"};
  }
}

Check CheckWordNet() {
  if (std::filesystem::exists("/usr/share/wordnet/data.noun")) {
    return {"wordnet-base", Verdict::kGood, "installed"};
  }
  return {"wordnet-base", Verdict::kNote,
          "missing, and needed for the built-in text-classification: apt-get "
          "install wordnet-base"};
}

Check CheckOpenVino() {
  try {
    std::string detail;
    for (const auto& [name, value] : MakeEngine("openvino")->Describe()) {
      detail += (detail.empty() ? "" : ", ") + name + " " + value;
    }
    return {"openvino", Verdict::kGood, detail};
  } catch (const std::exception& error) {
    return {"openvino", Verdict::kBad, error.what()};
  }
}

Check CheckBf16() {
  try {
    if (MakeEngine("openvino")->ComputesInBf16()) {
      return {"bf16", Verdict::kGood,
              "openvino computes in it; space.compute may list it"};
    }
    return {"bf16", Verdict::kNote,
            "this CPU has neither avx512_bf16 nor amx_bf16; leave "
            "space.compute = [\"f32\"]"};
  } catch (const std::exception& error) {
    return {"bf16", Verdict::kBad, error.what()};
  }
}

Check CheckOnnxRuntime() {
  try {
    return {"onnxruntime", Verdict::kGood,
            "engine_version " +
                MakeEngine("onnxruntime")->Describe().at("engine_version")};
  } catch (const std::exception& error) {
    return {"onnxruntime", Verdict::kNote,
            std::string("not installed, and needed for engine = \"auto\" or "
                        "\"onnxruntime\": ") +
                error.what()};
  }
}

std::vector<Check> CheckMachine() {
  const std::string cpu = ValueIn("/proc/cpuinfo", "model name");
  return {{"program", Verdict::kGood, "hone " + ProgramVersion()},
          {"cores", Verdict::kGood,
           std::to_string(DefaultWorkers()) + (cpu.empty() ? "" : ", " + cpu)},
          CheckInstructions(),
          CheckMemory(),
          CheckDisk(),
          CheckFileSystem("."),
          {"libtorch", Verdict::kGood, TorchVersion()},
          CheckOpenVino(),
          CheckBf16(),
          CheckOnnxRuntime(),
          {"sqlite", Verdict::kGood, SqliteDescription()},
          CheckWordNet()};
}

int RunDoctor(const Arguments& arguments, const CommandContext& context) {
  std::vector<Check> checks = CheckMachine();
  int status = kExitDone;
  if (!arguments.positionals.empty()) {
    const std::filesystem::path study = arguments.positionals[0];
    const std::vector<std::string> defects = FindDefects(study);
    for (const std::string& defect : defects) {
      checks.push_back({"study", Verdict::kBad, defect});
      context.err << "hone: " << defect << "\n";
    }
    if (defects.empty()) {
      checks.push_back({"study", Verdict::kGood, "every row has its hash"});
    } else {
      status = kExitIntegrity;
    }
  }
  if (arguments.Has("json")) {
    Json json = Json::array();
    for (const Check& check : checks) {
      json.push_back({{"check", check.name},
                      {"verdict", Name(check.verdict)},
                      {"detail", check.detail}});
    }
    PrintJson({{"checks", json}}, context);
    return status;
  }
  Table table{{{"check"}, {""}, {"detail"}}, {}};
  for (const Check& check : checks) {
    table.AddRow({check.name, Name(check.verdict), check.detail});
  }
  context.out << ToText(table);
  return status;
}

}  // namespace

Command DoctorCommand() {
  return {{"doctor",
           "check machine, versions, file system and a study's hashes",
           "[STUDY]",
           0,
           1,
           {{"json", "", "print JSON"}},
           "hone doctor studies/gloss.db"},
          RunDoctor};
}

}  // namespace hone
