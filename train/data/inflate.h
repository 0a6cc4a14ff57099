#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hone {

struct Inflated {
  std::string bytes;
  std::size_t used = 0;  // how many compressed bytes the stream took
};

// Inflates the zlib (RFC 1950) or gzip (RFC 1952) stream that `compressed`
// begins with, and checks its checksum. What follows it is left to the caller.
// Never allocates much more than `max_bytes`, whatever the stream says.
// Throws: Error{kUsage} that begins with `where`: not a stream, damaged, cut
// off, or more than `max_bytes`.
Inflated Inflate(std::string_view compressed, std::size_t max_bytes,
                 const std::string& where);

}  // namespace hone
