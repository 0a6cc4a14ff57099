#include "eval/engine/cpu.h"

#include <gtest/gtest.h>

namespace hone {
namespace {

using Facts = std::map<std::string, std::string>;

TEST(ParseCpuInfo, ReadsModelFlagsAndCount) {
  const std::string text =
      "processor\t: 0\n"
      "model name\t: Some CPU @ 2.00GHz\n"
      "flags\t\t: fpu amx_bf16 avx512_vnni avx2 avx512f avx2_not\n"
      "bugs\t\t:\n"
      "\n"
      "processor\t: 1\n"
      "model name\t: Some CPU @ 2.00GHz\n"
      "flags\t\t: fpu avx2\n";
  EXPECT_EQ(ParseCpuInfo(text),
            (Facts{{"cpu", "Some CPU @ 2.00GHz"},
                   {"isa", "avx2 avx512f avx512_vnni amx_bf16"},
                   {"logical_cpus", "2"}}));
}

TEST(ParseCpuInfo, LeavesOutWhatIsNotThere) {
  EXPECT_EQ(ParseCpuInfo(""), Facts());
  EXPECT_EQ(ParseCpuInfo("processor : 0\nflags : fpu\n"),
            (Facts{{"isa", ""}, {"logical_cpus", "1"}}));
}

TEST(SaturatesInt8, WithoutVnniOnX86) {
  EXPECT_TRUE(SaturatesInt8({{"isa", "avx2"}}));
  EXPECT_TRUE(SaturatesInt8({{"isa", "avx2 avx512f"}}));
  for (const char* isa : {"", "avx2 avx512f avx512_vnni", "avx2 avx_vnni",
                          "avx2 avx512f amx_int8"}) {
    EXPECT_FALSE(SaturatesInt8({{"isa", isa}})) << isa;
  }
  EXPECT_FALSE(SaturatesInt8({}));
}

}  // namespace
}  // namespace hone
