#include "eval/engine/onnxruntime_session.h"

#include <cstring>
#include <utility>

#include "eval/engine/file_compute.h"
#include "eval/engine/onnxruntime_worker.h"
#include "space/base/error.h"

namespace hone {
namespace {

// Nothing but what is named: no packages of the user's, no variables.
std::vector<std::string> CommandOf(const OnnxRuntimeOptions& options) {
  std::vector<std::string> command = {options.python, "-I", "-B", "-c",
                                      kOnnxRuntimeWorker};
  if (!options.packages.empty()) {
    command.push_back(std::filesystem::absolute(options.packages).string());
  }
  return command;
}

std::string PlaceOf(const OnnxRuntimeOptions& options) {
  return options.python +
         (options.packages.empty()
              ? " and its own packages"
              : " with the packages in " + options.packages.string());
}

template <typename Values>
std::string_view BytesOf(const Values& values) {
  return {reinterpret_cast<const char*>(values.data()),
          values.size() * sizeof(values[0])};
}

std::vector<GraphValue> ValuesOf(const Json& json) {
  std::vector<GraphValue> values;
  for (const Json& one : json) {
    values.push_back(
        {one.at("name").get<std::string>(), one.at("shape").get<Sizes>()});
  }
  return values;
}

}  // namespace

RunInput Int64Input(const std::string& name,
                    const std::vector<std::int64_t>& values, Sizes sizes) {
  return {name, "i64", std::move(sizes), BytesOf(values), {}};
}

RunInput FloatInput(const std::string& name, const std::vector<float>& values,
                    Sizes sizes) {
  return {name, "f32", std::move(sizes), BytesOf(values), {}};
}

OnnxRuntimeSession::OnnxRuntimeSession(const OnnxRuntimeOptions& options)
    : worker_(CommandOf(options), options.time_limit_seconds) {
  std::string problem;
  try {
    const Json hello = worker_.Receive().header;
    if (!hello.contains("error")) {
      version_ = hello.at("version").get<std::string>();
      return;
    }
    problem = hello.at("error").get<std::string>();
  } catch (const Error& error) {
    problem = error.what();
  }
  throw Error(ErrorCode::kNotFound,
              "ONNX Runtime cannot be used: " + problem + "; asked " +
                  PlaceOf(options) + ", which must have onnxruntime and numpy");
}

WorkerMessage OnnxRuntimeSession::Ask(const std::string& file,
                                      const char* action, Json request,
                                      std::string body) {
  request["model"] = file;
  request["release"] = std::exchange(released_, {});
  const std::string cannot =
      file + ": ONNX Runtime cannot " + action + " this model: ";
  try {
    worker_.Send({std::move(request), std::move(body)});
    WorkerMessage answer = worker_.Receive();
    if (!answer.header.contains("error")) return answer;
    throw Error(ErrorCode::kUsage,
                cannot + answer.header.at("error").get<std::string>());
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kUsage) throw;
    throw Error(ErrorCode::kUsage, cannot + error.what());
  }
}

LoadedGraph OnnxRuntimeSession::Load(const std::string& file,
                                     const EngineOptions& options) {
  const Json header = Ask(file, "load",
                          {{"do", "load"},
                           {"file", file},
                           {"threads", options.threads},
                           {"activation_group", options.activation_group},
                           {"timed", options.batch > 0}})
                          .header;
  LoadedGraph graph{
      ValuesOf(header.at("inputs")), ValuesOf(header.at("outputs")),
      header.at("metadata").get<std::map<std::string, std::string>>()};
  if (AsksForBf16(graph.metadata, options)) throw NoBf16(file, "ONNX Runtime");
  return graph;
}

RunAnswer OnnxRuntimeSession::Run(const std::string& file,
                                  const std::vector<RunInput>& inputs,
                                  const std::vector<RunOutput>& outputs) {
  Json request = {
      {"do", "run"}, {"inputs", Json::array()}, {"outputs", Json::array()}};
  std::string body;
  for (const RunInput& input : inputs) {
    Json one = {{"name", input.name}};
    if (input.held) {
      one["held"] = *input.held;
    } else {
      one["type"] = input.type;
      one["shape"] = input.sizes;
      body += input.bytes;
    }
    request["inputs"].push_back(std::move(one));
  }
  for (const RunOutput& output : outputs) {
    Json one = {{"name", output.name}};
    if (output.held) one["held"] = *output.held;
    request["outputs"].push_back(std::move(one));
  }
  const WorkerMessage answer =
      Ask(file, "run", std::move(request), std::move(body));
  clock_ms_ += answer.header.at("nanoseconds").get<double>() / 1e6;
  RunAnswer run;
  run.sizes = answer.header.at("shapes").get<std::vector<Sizes>>();
  run.numbers.resize(answer.body.size() / sizeof(float));
  if (!run.numbers.empty()) {
    std::memcpy(run.numbers.data(), answer.body.data(),
                run.numbers.size() * sizeof(float));
  }
  return run;
}

std::vector<KernelCount> OnnxRuntimeSession::Kernels(const std::string& file) {
  std::vector<KernelCount> kernels;
  const Json header = Ask(file, "run", {{"do", "kernels"}}).header;
  for (const Json& one : header.at("kernels")) {
    kernels.push_back({one.at(0), one.at(1), one.at(2), one.at(3)});
  }
  return kernels;
}

std::int64_t OnnxRuntimeSession::MemoryBytes(const std::string& file) {
  return Ask(file, "run", {{"do", "memory"}}).header.at("bytes");
}

Sizes OnnxRuntimeSession::Make(const std::string& file, Json request) {
  return Ask(file, "run", std::move(request)).header.at("shape");
}

}  // namespace hone
