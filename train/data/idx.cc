#include "train/data/idx.h"

#include <string_view>
#include <utility>

#include "space/base/error.h"
#include "space/base/file.h"
#include "train/data/inflate.h"

namespace hone {
namespace {

constexpr std::uint64_t kMaxValues = std::uint64_t{1} << 30;
constexpr std::size_t kMaxHeader = 4 + 4 * 255;

std::string Unpacked(const std::filesystem::path& path) {
  std::string packed = ReadFile(path, kMaxValues + kMaxHeader);
  if (!packed.starts_with("\x1F\x8B")) return packed;
  std::string bytes;
  for (std::string_view rest = packed; !rest.empty();) {
    const std::string where = path.string() + ": gzip member at byte " +
                              std::to_string(packed.size() - rest.size());
    const Inflated member =
        Inflate(rest, kMaxValues + kMaxHeader - bytes.size(), where);
    bytes += member.bytes;
    rest.remove_prefix(member.used);
  }
  return bytes;
}

std::string Text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t size : shape) {
    text += (text.empty() ? "" : " x ") + std::to_string(size);
  }
  return text;
}

}  // namespace

IdxArray ReadIdx(const std::filesystem::path& path) {
  const std::string bytes = Unpacked(path);
  const auto refuse = [&](std::size_t at, const std::string& what) {
    throw Error(ErrorCode::kUsage,
                path.string() + ": byte " + std::to_string(at) + ": " + what);
  };
  const auto byte = [&](std::size_t at) -> std::uint8_t {
    if (at >= bytes.size()) refuse(at, "the file ends within its header");
    return static_cast<std::uint8_t>(bytes[at]);
  };
  if (byte(0) != 0 || byte(1) != 0)
    refuse(0, "no IDX file: two zeros begin it");
  if (byte(2) != 0x08) refuse(2, "values other than unsigned bytes (type 8)");
  IdxArray array;
  std::uint64_t values = 1;
  std::size_t at = 4;
  for (int left = byte(3); left > 0; --left, at += 4) {
    std::uint32_t size = 0;
    for (std::size_t i = 0; i < 4; ++i) size = size << 8 | byte(at + i);
    array.shape.push_back(size);
    values *= size;
    if (values > kMaxValues) refuse(at, "more than 1 GiB of values");
    if (values == 0) refuse(at, "a dimension of size 0");
  }
  if (array.shape.empty()) refuse(3, "no dimensions");
  if (bytes.size() - at != values) {
    refuse(at, std::to_string(bytes.size() - at) + " values; the shape " +
                   Text(array.shape) + " needs " + std::to_string(values));
  }
  array.values.assign(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                      bytes.end());
  return array;
}

std::filesystem::path FashionMnistFolder() {
  std::filesystem::path folder = "/usr/share/datasets/fashion-mnist";
  std::error_code status;
  if (std::filesystem::is_directory(folder, status)) return folder;
  throw Error(ErrorCode::kNotFound,
              folder.string() +
                  ": no such folder; install the Debian package "
                  "dataset-fashion-mnist");
}

}  // namespace hone
