#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace hone {

// SHA-256 (FIPS 180-4) of a byte string, as 64 lower-case hex digits.
std::string Sha256(std::string_view bytes);

// The same of a file's content, streamed. Throws Error{kNotFound}.
std::string Sha256File(const std::filesystem::path& path);

}  // namespace hone
