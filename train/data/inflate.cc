#include "train/data/inflate.h"

#include <algorithm>
#include <utility>

#include <zlib.h>

#include "space/base/error.h"

namespace hone {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 16;
constexpr int kZlibOrGzip = 15 + 32;

class Stream {
 public:
  explicit Stream(std::string_view compressed) : rest_(compressed) {
    HONE_CHECK_EQ(inflateInit2(&stream_, kZlibOrGzip), Z_OK);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { inflateEnd(&stream_); }

  // Fills `size` bytes at `out` as far as the input goes; returns how many.
  std::size_t Fill(char* out, std::size_t size) {
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = static_cast<uInt>(size);
    status_ = Z_OK;
    // Called without input too: it may still hold back output.
    while (status_ == Z_OK && stream_.avail_out > 0) {
      const std::size_t offered = std::min(rest_.size(), kChunk);
      stream_.next_in =
          reinterpret_cast<Bytef*>(const_cast<char*>(rest_.data()));
      stream_.avail_in = static_cast<uInt>(offered);
      status_ = inflate(&stream_, Z_NO_FLUSH);
      rest_.remove_prefix(offered - stream_.avail_in);
    }
    return size - stream_.avail_out;
  }
  bool ended() const { return status_ == Z_STREAM_END; }
  // Z_BUF_ERROR only says that there is nothing left to do for now.
  bool failed() const {
    return status_ != Z_OK && status_ != Z_STREAM_END && status_ != Z_BUF_ERROR;
  }
  std::string message() const {
    return stream_.msg != nullptr ? stream_.msg : "no zlib or gzip data";
  }
  std::size_t left() const { return rest_.size(); }

 private:
  z_stream stream_ = {};
  std::string_view rest_;
  int status_ = Z_OK;
};

}  // namespace

Inflated Inflate(std::string_view compressed, std::size_t max_bytes,
                 const std::string& where) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorCode::kUsage, where + ": " + what);
  };
  Stream stream(compressed);
  Inflated inflated;
  while (!stream.ended()) {
    const std::size_t had = inflated.bytes.size();
    // One byte more than allowed, to see that there are too many.
    const std::size_t room = std::min(kChunk, max_bytes + 1 - had);
    inflated.bytes.resize(had + room);
    const std::size_t filled = stream.Fill(inflated.bytes.data() + had, room);
    inflated.bytes.resize(had + filled);
    if (stream.failed()) {
      refuse("damaged compressed data at byte " +
             std::to_string(compressed.size() - stream.left()) + ": " +
             stream.message());
    }
    if (inflated.bytes.size() > max_bytes) {
      refuse("inflates to more than " + std::to_string(max_bytes) + " bytes");
    }
    if (!stream.ended() && filled < room) {
      refuse("the compressed data is cut off after " +
             std::to_string(compressed.size()) + " bytes");
    }
  }
  inflated.used = compressed.size() - stream.left();
  return inflated;
}

}  // namespace hone
