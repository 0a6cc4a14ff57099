#include "experiments/table.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hone {
namespace {

TEST(TableTest, AlignsColumns) {
  Table table{{{"n", true}, {"text"}}, {}};
  table.AddRow({"7", "a"});
  table.AddRow({"123", "bc"});
  EXPECT_EQ(ToText(table), "  n  text\n  7  a\n123  bc\n");
}

TEST(TableTest, WrapsTheLastColumnWithin80) {
  std::string words;
  for (int i = 0; i < 60; ++i) words += "word" + std::to_string(i) + " ";
  Table table{{{"number", true}, {"text"}}, {}};
  table.AddRow({"1", words});
  table.AddRow({"2", std::string(300, 'x')});
  const std::string text = ToText(table);
  std::istringstream lines(text);
  std::string joined;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 80u) << line;
    joined += line + " ";
  }
  for (int i = 0; i < 60; ++i) {
    EXPECT_THAT(joined, testing::HasSubstr("word" + std::to_string(i) + " "));
  }
}

TEST(TableTest, WideColumnsGiveWayToTheLast) {
  Table table{{{"a"}, {"n", true}, {"b"}, {"c"}, {"last"}}, {}};
  table.AddRow({"four words of a", "12345", "a cell of some thirty letters",
                "another one of thirty letters", "and the last that is left"});
  const std::string text = ToText(table);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 80u) << line;
  }
  EXPECT_THAT(text, testing::HasSubstr("12345"));
  EXPECT_THAT(text, testing::HasSubstr("four words of a"));
}

TEST(TableTest, DropsControlCharacters) {
  EXPECT_EQ(Printable("a\x1b[31mb\r\n\tc\x7f"), "a[31mbc");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "2Jd\xc3\xa9"),
            "2Jd\xc3\xa9");
}

TEST(TableTest, CsvFollowsRfc4180) {
  Table table{{{"a"}, {"b,c"}}, {}};
  table.AddRow({"say \"hi\"", "two\nlines"});
  EXPECT_EQ(ToCsv(table), "a,\"b,c\"\r\n\"say \"\"hi\"\"\",\"two\nlines\"\r\n");
}

TEST(TableTest, CsvDisarmsFormulasButNotNumbers) {
  Table table{{{"a"}}, {}};
  for (const char* cell : {"=1+1", "+cmd", "-x", "@sum", "-1.5", "+2"}) {
    table.AddRow({cell});
  }
  EXPECT_EQ(ToCsv(table),
            "a\r\n'=1+1\r\n'+cmd\r\n'-x\r\n'@sum\r\n-1.5\r\n+2\r\n");
}

}  // namespace
}  // namespace hone
