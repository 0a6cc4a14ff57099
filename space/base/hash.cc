#include "space/base/hash.h"

#include <array>
#include <fstream>

#include <openssl/evp.h>

#include "space/base/error.h"

namespace hone {
namespace {

class Hasher {
 public:
  Hasher() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    HONE_CHECK(context_ != nullptr);
    HONE_CHECK_EQ(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr), 1);
  }

  void Update(const char* data, std::size_t size) {
    HONE_CHECK_EQ(EVP_DigestUpdate(context_.get(), data, size), 1);
  }

  std::string Finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned int size = 0;
    HONE_CHECK_EQ(EVP_DigestFinal_ex(context_.get(), digest.data(), &size), 1);
    constexpr char kDigits[] = "0123456789abcdef";
    std::string hex;
    for (unsigned int i = 0; i < size; ++i) {
      hex += kDigits[digest[i] >> 4];
      hex += kDigits[digest[i] & 15];
    }
    return hex;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string Sha256(std::string_view bytes) {
  Hasher hasher;
  hasher.Update(bytes.data(), bytes.size());
  return hasher.Finish();
}

std::string Sha256File(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    throw Error(ErrorCode::kNotFound, path.string() + ": cannot be read");
  }
  Hasher hasher;
  std::array<char, 1 << 16> buffer;
  while (in.read(buffer.data(), buffer.size()) || in.gcount() > 0) {
    hasher.Update(buffer.data(), static_cast<std::size_t>(in.gcount()));
  }
  return hasher.Finish();
}

}  // namespace hone
