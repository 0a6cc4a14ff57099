#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace hone {

// An array of bytes, row major.
struct IdxArray {
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> values;
};

// Reads an IDX file of unsigned bytes, the format of MNIST: two zero bytes, the
// type 0x08, the number of dimensions, each dimension as a big-endian u32, then
// the values (Y. LeCun, C. Cortes, C. Burges, "The MNIST database"). A file
// that begins with 1F 8B is gzip (RFC 1952) and is inflated, all its members.
// Throws: Error{kUsage} naming file and byte offset (after inflating): not such
// a file, no values, above 1 GiB of values, another number of bytes than the
// shape says, damaged compressed data; Error{kNotFound} naming the file.
IdxArray ReadIdx(const std::filesystem::path& path);

// Where the Debian package dataset-fashion-mnist keeps its files:
// {train,t10k}-images-idx3-ubyte.gz and {train,t10k}-labels-idx1-ubyte.gz.
// Throws: Error{kNotFound} naming the package.
std::filesystem::path FashionMnistFolder();

}  // namespace hone
