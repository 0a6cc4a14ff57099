#include "experiments/report.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/progress.h"

namespace hone {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Trial Complete(std::int64_t number, double accuracy, double latency_ms) {
  Trial trial;
  trial.number = number;
  trial.architecture = {{64}, {{MultiHead(2), {128}, Precision::kW8A8}}};
  Measurement measurement;
  measurement.metrics = {
      {"accuracy", {accuracy, "1", {}, {}}},
      {"latency_ms", {latency_ms, "ms", latency_ms - 0.1, latency_ms + 0.1}}};
  trial.outcome = measurement;
  return trial;
}

Trial Failed(std::int64_t number) {
  Trial trial = Complete(number, 0, 0);
  trial.outcome = Failure{"diverged", "the loss was\x1b[2J not finite"};
  return trial;
}

StudyInfo Study() {
  StudyInfo study;
  study.name = "example";
  study.objectives = {{"accuracy", Direction::kMaximize},
                      {"latency_ms", Direction::kMinimize}};
  return study;
}

TEST(ReportTest, NumbersKeepFourDigits) {
  EXPECT_EQ(NumberText(0.123456), "0.1235");
  EXPECT_EQ(NumberText(1234567), "1234567");
  EXPECT_EQ(NumberText(-3), "-3");
  EXPECT_EQ(MetricText({0.5, "ms", 0.41, 0.62}), "0.5 ms [0.41, 0.62]");
  EXPECT_EQ(MetricText({0.75, "1", {}, {}}), "0.75");
}

TEST(ReportTest, SummaryShowsIntervalsAndFailures) {
  const std::vector<Trial> trials = {Complete(0, 0.7, 1.5), Failed(1)};
  const std::string with =
      ToText(SummaryTable(trials, Study().objectives, true));
  EXPECT_THAT(with, HasSubstr("1.5 [1.4, 1.6]"));
  EXPECT_THAT(with, HasSubstr("failed, diverged: the loss was[2J not finite"));
  const std::string without =
      ToText(SummaryTable(trials, Study().objectives, false));
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

TEST(ReportTest, DominatorsAreNowhereWorseAndSomewhereBetter) {
  const std::vector<Trial> front = {
      Complete(0, 0.9, 2.0), Complete(1, 0.8, 1.0), Complete(2, 0.7, 0.5)};
  const auto dominators = DominatorsOf(Complete(3, 0.75, 1.25), front, Study());
  ASSERT_EQ(dominators.size(), 1u);
  EXPECT_EQ(dominators[0].number, 1);
  EXPECT_EQ(dominators[0].by[0].first, "accuracy");
  EXPECT_NEAR(dominators[0].by[0].second, 0.05, 1e-12);
  EXPECT_NEAR(dominators[0].by[1].second, 0.25, 1e-12);
  // Equal in one, better in the other; and equal in both.
  EXPECT_EQ(DominatorsOf(Complete(3, 0.8, 1.25), front, Study()).size(), 1u);
  EXPECT_THAT(DominatorsOf(front[1], front, Study()), IsEmpty());
  EXPECT_THAT(DominatorsOf(Failed(4), front, Study()), IsEmpty());
}

TEST(ReportTest, PageOfAFailedTrialSaysWhyWithoutControlCharacters) {
  const std::string page = TrialPage(Failed(1), Study(), {});
  EXPECT_THAT(page, HasSubstr("Failed (diverged): the loss was[2J not finite"));
  EXPECT_THAT(page, Not(HasSubstr("\x1b")));
}

TEST(ReportTest, PlotPutsTheBestLeftAndUp) {
  const std::vector<Trial> trials = {Complete(0, 0.9, 1.0),
                                     Complete(1, 0.5, 3.0),
                                     Complete(2, 0.7, 2.0), Failed(3)};
  std::istringstream plot(FrontPlot(trials, {trials[0]}, Study().objectives));
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
  EXPECT_EQ(FrontPlot({Complete(0, 1, 1)}, {}, Study().objectives), "");
  EXPECT_EQ(FrontPlot({Complete(0, 1, 1), Complete(1, 1, 1)}, {},
                      {Study().objectives[0]}),
            "");
}

TEST(ProgressTest, PlainLinesAreFewAndWhole) {
  std::ostringstream out;
  {
    ProgressReporter progress(out, false);
    for (int i = 0; i <= 500; ++i) progress.OnTrials(i, 500);
  }
  const std::string text = out.str();
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 12);
  EXPECT_THAT(text, HasSubstr("hone: 0 of 500 trials\n"));
  EXPECT_THAT(text, HasSubstr("hone: 500 of 500 trials\n"));
  EXPECT_THAT(text, Not(HasSubstr("\r")));
}

TEST(ProgressTest, TerminalLineIsClearedAtTheEnd) {
  std::ostringstream out;
  {
    ProgressReporter progress(out, true);
    progress.OnTrials(3, 10);
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
