#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace hone {

// What a latency depends on, of the machine it was taken on, name -> value:
//   cpu           "model name" of /proc/cpuinfo
//   isa           the flags among avx2 avx512f avx512_vnni avx_vnni avx512_bf16
//                 amx_int8 amx_bf16 that it has, in this order, separated by
//                 blanks
//   logical_cpus  how many it lists
//   governor      scaling_governor of the first one; left out where unreadable
// Only Linux's files are read; elsewhere the result is empty.
std::map<std::string, std::string> DescribeCpu();

// The first three from the text of /proc/cpuinfo.
std::map<std::string, std::string> ParseCpuInfo(std::string_view text);

// Whether such a CPU (DescribeCpu) adds products of u8 and s8 in 16 bits, where
// pairs of wide ones do not fit: one with AVX2 or AVX512 but neither VNNI nor
// AMX. Others have their own instructions, or are not known.
bool SaturatesInt8(const std::map<std::string, std::string>& cpu);

// Bytes in use on the heap of the process, over all arenas; 0 where the C
// library does not tell.
std::int64_t HeapBytes();

}  // namespace hone
