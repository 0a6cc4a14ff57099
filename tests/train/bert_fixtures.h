#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "space/base/file.h"
#include "space/base/json.h"
#include "space/base/tensor_data.h"

namespace hone {

// A tiny random BERT as the Python library transformers 5.24.0 wrote it, and
// what the library computes with it (bert_check.py --write-golden).
inline std::filesystem::path TinyBertFolder() {
  return std::filesystem::path(std::getenv("HONE_SOURCE_DIR")) /
         "tests/train/golden/tiny_bert";
}

// A copy of it that a test may damage.
class TinyBertCopy {
 public:
  TinyBertCopy() {
    for (const char* file : {"config.json", "model.safetensors", "vocab.txt"}) {
      WriteFileAtomic(folder_ / file, ReadFile(TinyBertFolder() / file));
    }
  }

  const std::filesystem::path& path() const { return folder_.path(); }
  void Write(const std::string& file, const std::string& bytes) const {
    WriteFileAtomic(folder_ / file, bytes);
  }

  Json ReadConfig() const {
    return ParseJson(ReadFile(folder_ / "config.json"), "config.json");
  }
  // Null removes the key.
  void SetConfig(const std::string& key, const Json& value) const {
    Json config = ReadConfig();
    if (value.is_null()) {
      config.erase(key);
    } else {
      config[key] = value;
    }
    Write("config.json", config.dump());
  }

  NamedTensors ReadTensors() const {
    return ReadSafeTensors(folder_ / "model.safetensors").tensors;
  }
  void WriteTensors(const NamedTensors& tensors) const {
    WriteSafeTensors(folder_ / "model.safetensors", {tensors, {}});
  }

 private:
  ScratchFolder folder_;
};

}  // namespace hone
