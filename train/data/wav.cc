#include "train/data/wav.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string_view>
#include <utility>

#include "space/base/error.h"
#include "space/base/file.h"

namespace hone {
namespace {

constexpr std::uintmax_t kMaxFile = std::uintmax_t{1} << 30;
constexpr std::uint64_t kPcm = 1;
constexpr std::uint64_t kFloat = 3;
constexpr std::uint64_t kExtensible = 0xFFFE;
// What follows the two bytes of the encoding in the GUID of an extensible file.
constexpr std::string_view kGuidRest("\0\0\0\0\x10\0\x80\0\0\xAA\0\x38\x9B\x71",
                                     14);

struct Chunk {
  std::size_t begin = 0;
  std::size_t size = 0;
  bool found() const { return begin != 0; }
};

struct Format {
  std::uint64_t encoding = 0;
  std::uint64_t channels = 0;
  std::uint64_t rate = 0;
  std::uint64_t frame = 0;  // bytes of a sample of every channel
  std::uint64_t bits = 0;
};

class Wav {
 public:
  explicit Wav(const std::filesystem::path& path)
      : path_(path.string()), bytes_(ReadFile(path, kMaxFile)) {
    FindChunks();
    ReadFormat();
  }

  Sound Samples() const {
    if (data_.size % format_.frame != 0) {
      Refuse(data_.begin, std::to_string(data_.size) +
                              " bytes of samples; no multiple of the " +
                              std::to_string(format_.frame) +
                              " of one of every channel");
    }
    if (data_.size == 0) Refuse(data_.begin, "holds no samples");
    Sound sound{static_cast<std::int64_t>(format_.rate), {}};
    sound.samples.reserve(data_.size / format_.frame);
    const std::size_t width = format_.bits / 8;
    for (std::size_t at = data_.begin; at < data_.begin + data_.size;) {
      double sum = 0;
      for (std::uint64_t i = 0; i < format_.channels; ++i, at += width) {
        sum += Sample(at);
      }
      sound.samples.push_back(
          static_cast<float>(sum / static_cast<double>(format_.channels)));
    }
    return sound;
  }

 private:
  [[noreturn]] void Refuse(std::size_t at, const std::string& what) const {
    throw Error(ErrorCode::kUsage,
                path_ + ": byte " + std::to_string(at) + ": " + what);
  }

  std::uint64_t Number(std::size_t at, std::size_t size) const {
    std::uint64_t number = 0;
    for (std::size_t i = size; i-- > 0;) {
      number = number << 8 | static_cast<unsigned char>(bytes_[at + i]);
    }
    return number;
  }

  void FindChunks() {
    const std::string_view bytes = bytes_;
    if (bytes.size() < 12 || !bytes.starts_with("RIFF") ||
        bytes.substr(8, 4) != "WAVE") {
      Refuse(0, "no WAV file: 'RIFF', a size and 'WAVE' begin it");
    }
    const std::size_t riff = 8 + Number(4, 4);
    // Some writers leave out the padding of the last chunk.
    if (riff > bytes.size() + 1) {
      Refuse(4, "the file is cut off: it has " + std::to_string(bytes.size()) +
                    " of " + std::to_string(riff) + " bytes");
    }
    const std::size_t end = std::min(riff, bytes.size());
    for (std::size_t at = 12; at < end;) {
      if (end - at < 8) Refuse(at, "the head of a chunk is cut off");
      const std::string_view name = bytes.substr(at, 4);
      const Chunk chunk{at + 8, Number(at + 4, 4)};
      if (chunk.size > end - chunk.begin) {
        Refuse(at, "a chunk of " + std::to_string(chunk.size) + " bytes, and " +
                       std::to_string(end - chunk.begin) + " are left");
      }
      if (name == "fmt ") Keep(chunk, at, "fmt ", fmt_);
      if (name == "data") Keep(chunk, at, "data", data_);
      at = chunk.begin + chunk.size + chunk.size % 2;
    }
    if (!fmt_.found()) Refuse(end, "no chunk 'fmt '");
    if (!data_.found()) Refuse(end, "no chunk 'data'");
  }

  void Keep(const Chunk& chunk, std::size_t at, const std::string& name,
            Chunk& kept) const {
    if (kept.found()) Refuse(at, "a second chunk '" + name + "'");
    kept = chunk;
  }

  void ReadFormat() {
    const std::size_t at = fmt_.begin;
    if (fmt_.size < 16) Refuse(at, "a chunk 'fmt ' of less than 16 bytes");
    format_ = {Number(at, 2), Number(at + 2, 2), Number(at + 4, 4),
               Number(at + 12, 2), Number(at + 14, 2)};
    if (format_.encoding == kExtensible) {
      if (fmt_.size < 40 ||
          std::string_view(bytes_).substr(at + 26, 14) != kGuidRest) {
        Refuse(at, "WAVE_FORMAT_EXTENSIBLE without an encoding of its kind");
      }
      format_.encoding = Number(at + 24, 2);
    }
    const std::uint64_t bits = format_.bits;
    const bool pcm = format_.encoding == kPcm &&
                     (bits == 8 || bits == 16 || bits == 24 || bits == 32);
    if (!pcm && !(format_.encoding == kFloat && bits == 32)) {
      Refuse(at, "encoding " + std::to_string(format_.encoding) + " of " +
                     std::to_string(bits) +
                     " bits; PCM (1) of 8, 16, 24 or 32 bits or float (3) of "
                     "32 is needed");
    }
    if (format_.channels == 0) Refuse(at + 2, "no channels");
    if (format_.rate == 0) Refuse(at + 4, "no samples in a second");
    if (format_.frame != format_.channels * bits / 8) {
      Refuse(at + 12, std::to_string(format_.frame) +
                          " bytes for a sample of " +
                          std::to_string(format_.channels) + " channels of " +
                          std::to_string(bits) + " bits");
    }
  }

  double Sample(std::size_t at) const {
    const std::uint64_t number = Number(at, format_.bits / 8);
    if (format_.encoding == kFloat) {
      const auto value =
          std::bit_cast<float>(static_cast<std::uint32_t>(number));
      if (!std::isfinite(value)) Refuse(at, "a sample that is no number");
      return std::clamp(value, -1.0f, 1.0f);
    }
    if (format_.bits == 8) return (static_cast<double>(number) - 128) / 128;
    // Shifted to the top, the sign is where a 32-bit number has it.
    return static_cast<std::int32_t>(number << (32 - format_.bits)) / 0x1p31;
  }

  std::string path_;
  std::string bytes_;
  Chunk fmt_;
  Chunk data_;
  Format format_;
};

struct Language {
  const char* label;
  const char* folder;
};
constexpr Language kLanguages[] = {{"en", "en_US_f_Allison"},
                                   {"es", "es_MX_f_Allison"},
                                   {"fr", "fr_CA_f_June"},
                                   {"it", "it_IT_m_Carlo"},
                                   {"ru", "ru_RU_f_IvrvoiceRU"}};

// A header and no samples.
constexpr std::uintmax_t kEmptyWav = 44;

std::vector<std::filesystem::path> WavFiles(
    const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  std::error_code status;
  if (!std::filesystem::is_directory(folder, status)) return paths;
  std::filesystem::recursive_directory_iterator at(folder, status), end;
  for (; !status && at != end; at.increment(status)) {
    std::error_code broken_link;
    if (at->path().extension() == ".wav" && at->is_regular_file(broken_link) &&
        at->file_size() > kEmptyWav) {
      paths.push_back(at->path());
    }
  }
  if (status) {
    throw Error(ErrorCode::kResource,
                folder.string() + ": cannot be read: " + status.message());
  }
  std::sort(paths.begin(), paths.end(), [](const auto& a, const auto& b) {
    return a.native() < b.native();
  });
  return paths;
}

}  // namespace

Sound ReadWav(const std::filesystem::path& path) { return Wav(path).Samples(); }

std::vector<LabelledSound> ReadSoundFolder(
    const std::filesystem::path& folder) {
  std::vector<LabelledSound> sounds;
  for (const LabelledFile& file : ListClassFolders(folder, {".wav"})) {
    sounds.push_back({ReadWav(file.path), file.label, file.path.string()});
  }
  return sounds;
}

std::filesystem::path SpokenPromptsFolder() {
  return "/usr/share/asterisk/sounds";
}

std::vector<LabelledFile> SpokenPrompts(const std::filesystem::path& folder) {
  std::vector<LabelledFile> prompts;
  std::string missing;
  for (const Language& language : kLanguages) {
    const auto paths = WavFiles(folder / language.folder);
    for (const auto& path : paths) prompts.push_back({path, language.label});
    if (paths.empty()) {
      missing +=
          std::string(" asterisk-core-sounds-") + language.label + "-wav";
    }
  }
  if (!missing.empty()) {
    throw Error(ErrorCode::kNotFound,
                folder.string() +
                    ": spoken prompts are missing; install the Debian "
                    "packages" +
                    missing);
  }
  return prompts;
}

}  // namespace hone
