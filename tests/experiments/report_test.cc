#include "experiments/report.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/progress.h"
#include "tests/experiments/fixtures.h"

namespace hone {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(ReportTest, NumbersKeepFourDigits) {
  EXPECT_EQ(NumberText(0.123456), "0.1235");
  EXPECT_EQ(NumberText(1234567), "1234567");
  EXPECT_EQ(NumberText(-3), "-3");
  EXPECT_EQ(PercentText(0.0123), "1.2 %");
  EXPECT_EQ(PercentText(-0.5), "-50 %");
  EXPECT_EQ(PercentText(1.234), "123 %");
  EXPECT_EQ(MetricText({0.5, "ms", 0.41, 0.62}), "0.5 ms [0.41, 0.62]");
  EXPECT_EQ(MetricText({0.75, "1", {}, {}}), "0.75");
}

TEST(ReportTest, SummaryShowsIntervalsAndFailures) {
  const std::vector<Trial> trials = {Complete(0, 0.7, 1.5), Failed(1)};
  const std::string with =
      ToText(SummaryTable(trials, ExampleStudy().objectives, true));
  EXPECT_THAT(with, HasSubstr("1.5 [1.4, 1.6]"));
  EXPECT_THAT(with, HasSubstr("failed, diverged: the loss was[2J not finite"));
  const std::string without =
      ToText(SummaryTable(trials, ExampleStudy().objectives, false));
  EXPECT_THAT(without, Not(HasSubstr("[1.4, 1.6]")));
}

TEST(ReportTest, FullTableLeavesCellsOfFailedTrialsEmpty) {
  const Table table = FullTable({Complete(0, 0.7, 1.5), Failed(1)});
  std::vector<std::string> titles;
  for (const Table::Column& column : table.columns) {
    titles.push_back(column.title);
  }
  EXPECT_THAT(titles,
              ElementsAre("number", "state", "fidelity", "origin", "accuracy",
                          "latency_ms", "latency_ms_low", "latency_ms_high",
                          "architecture", "seed", "finished_at", "failure"));
  EXPECT_EQ(table.rows[0][5], "1.5");
  EXPECT_EQ(table.rows[0][11], "");
  EXPECT_EQ(table.rows[1][5], "");
  EXPECT_THAT(table.rows[1][11], HasSubstr("diverged"));
}

TEST(ReportTest, PageOfAFailedTrialSaysWhyWithoutControlCharacters) {
  const std::string page = TrialPage(Failed(1), ExampleStudy(), {});
  EXPECT_THAT(page, HasSubstr("Failed (diverged): the loss was[2J not finite"));
  EXPECT_THAT(page, Not(HasSubstr("\x1b")));
}

TEST(ReportTest, PlotPutsTheBestLeftAndUp) {
  const std::vector<Trial> trials = {Complete(0, 0.9, 1.0),
                                     Complete(1, 0.5, 3.0),
                                     Complete(2, 0.7, 2.0), Failed(3)};
  std::istringstream plot(
      FrontPlot(trials, {trials[0]}, ExampleStudy().objectives));
  std::vector<std::string> lines;
  for (std::string line; std::getline(plot, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 18u);
  EXPECT_EQ(lines[1], "       0.9 |*");
  EXPECT_EQ(lines[14].substr(0, 12), "       0.5 |");
  EXPECT_EQ(lines[14].back(), '.');
  EXPECT_EQ(lines[14].size(), 12u + 60 - 1 + 1);
  EXPECT_THAT(lines[16], HasSubstr("1"));
}

TEST(ReportTest, NoPlotOfOneObjectiveOrOneTrial) {
  EXPECT_EQ(FrontPlot({Complete(0, 1, 1)}, {}, ExampleStudy().objectives), "");
  EXPECT_EQ(FrontPlot({Complete(0, 1, 1), Complete(1, 1, 1)}, {},
                      {ExampleStudy().objectives[0]}),
            "");
}

TEST(ProgressTest, PlainLinesAreFewAndWhole) {
  std::ostringstream out;
  {
    ProgressReporter progress(out, false);
    for (int i = 0; i <= 500; ++i) progress.OnTrials(i, 500, 0);
  }
  const std::string text = out.str();
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 12);
  EXPECT_THAT(text, HasSubstr("hone: 0 of 500 trials\n"));
  EXPECT_THAT(text, HasSubstr("hone: 500 of 500 trials\n"));
  EXPECT_THAT(text, Not(HasSubstr("\r")));
}

TEST(ProgressTest, CountsFailures) {
  std::ostringstream out;
  {
    ProgressReporter progress(out, false);
    progress.OnTrials(0, 8, 0);
    progress.OnTrials(8, 8, 3);
  }
  EXPECT_EQ(out.str(), "hone: 0 of 8 trials\nhone: 8 of 8 trials, 3 failed\n");
}

TEST(ProgressTest, EstimatesFromTheSecondBatchOn) {
  std::ostringstream out;
  {
    ProgressReporter progress(out, false);
    for (const int done : {0, 8, 16, 24}) progress.OnTrials(done, 24, 0);
  }
  EXPECT_EQ(out.str(),
            "hone: 0 of 24 trials\nhone: 8 of 24 trials\n"
            "hone: 16 of 24 trials, about 1 s left\nhone: 24 of 24 trials\n");
}

TEST(ProgressTest, TerminalLineIsClearedAtTheEnd) {
  std::ostringstream out;
  {
    ProgressReporter progress(out, true);
    progress.OnTrials(3, 10, 0);
    progress.OnPhase("training", 1, 2);
  }
  const std::string text = out.str();
  EXPECT_THAT(text, HasSubstr("3 of 10 trials; training 50 %"));
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_EQ(text.back(), '\r');
}

TEST(ProgressTest, DurationsInSuitableUnits) {
  EXPECT_EQ(DurationText(0.1), "about 1 s");
  EXPECT_EQ(DurationText(240), "about 4 min");
  EXPECT_EQ(DurationText(2 * 3600), "about 2 h");
}

}  // namespace
}  // namespace hone
