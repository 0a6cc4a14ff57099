#include "experiments/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/base/error.h"

namespace hone {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

CommandSpec Example() {
  return {
      "paint",
      "paints",
      "WALL [COLOUR]",
      1,
      2,
      {{"coats", "N", "layers"}, {"set", "K=V", "a field"}, {"dry", "", ""}},
      "hone paint north"};
}

std::string MessageOf(const std::vector<std::string>& words) {
  try {
    ParseArguments(Example(), words);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    return error.what();
  }
  return "accepted";
}

TEST(ArgumentsTest, ReadsOptionsAnywhere) {
  const Arguments arguments = ParseArguments(
      Example(),
      {"--coats=2", "north", "--set", "a=1,2", "red", "--dry", "--set=b=3"});
  EXPECT_THAT(arguments.positionals, ElementsAre("north", "red"));
  EXPECT_EQ(arguments.Integer("coats", 1, 1, 9), 2);
  EXPECT_THAT(arguments.All("set"), ElementsAre("a=1,2", "b=3"));
  EXPECT_TRUE(arguments.Has("dry"));
}

TEST(ArgumentsTest, TextsMayHoldCommasAndDashes) {
  const Arguments arguments =
      ParseArguments(Example(), {"--dry", "--", "a, b", "--not-an-option"});
  EXPECT_THAT(arguments.positionals, ElementsAre("a, b", "--not-an-option"));
}

TEST(ArgumentsTest, DefaultsWhenAbsent) {
  const Arguments arguments = ParseArguments(Example(), {"north"});
  EXPECT_EQ(arguments.Integer("coats", 5, 1, 9), 5);
  EXPECT_EQ(arguments.Text("set", "none"), "none");
  EXPECT_FALSE(arguments.Has("dry"));
}

TEST(ArgumentsTest, RefusesWithARemedy) {
  EXPECT_THAT(MessageOf({"north", "--coat", "2"}),
              HasSubstr("unknown option '--coat'; did you mean '--coats'?"));
  EXPECT_THAT(MessageOf({}), HasSubstr("needs WALL [COLOUR]"));
  EXPECT_THAT(MessageOf({"a", "b", "c"}), HasSubstr("does not take 'c'"));
  EXPECT_THAT(MessageOf({"north", "--coats"}), HasSubstr("coats"));
  EXPECT_THAT(MessageOf({"north", "-x"}), HasSubstr("x"));
}

TEST(ArgumentsTest, ChecksIntegers) {
  for (const char* bad : {"0", "10", "two", "2x", "", "99999999999999999999"}) {
    const Arguments arguments =
        ParseArguments(Example(), {"north", std::string("--coats=") + bad});
    EXPECT_THROW(arguments.Integer("coats", 1, 1, 9), Error) << bad;
  }
}

TEST(ArgumentsTest, HelpShowsEveryOptionAndTheExample) {
  const std::string help = CommandHelp(Example());
  for (const char* part : {"paint", "WALL [COLOUR]", "--coats N", "--set",
                           "--dry", "--help", "hone paint north"}) {
    EXPECT_THAT(help, HasSubstr(part));
  }
}

}  // namespace
}  // namespace hone
