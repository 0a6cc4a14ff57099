#include "experiments/sensitivity_report.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/base/error.h"

namespace hone {
namespace {

using testing::HasSubstr;

Measurement Measured(const std::string& metric, double quality, double bytes) {
  Measurement measurement;
  measurement.metrics[metric] = {quality, "1", {}, {}};
  measurement.metrics["file_bytes"] = {bytes, "B", {}, {}};
  measurement.metrics["latency_ms"] = {0.25, "ms", 0.2, 0.3};
  measurement.environment["engine"] = "openvino";
  return measurement;
}

Sensitivity Example(const std::string& metric) {
  Sensitivity example{7, metric, Measured(metric, 0.5, 1000), {}};
  example.results = {
      {"w4", "encoder.0", Measured(metric, 0.25, 600)},
      {"w4", "encoder.1", Measured(metric, 0.5625, 601)},
      {"w4", "encoder.2", Measured(metric, 0.5, 602)},
      {"half the neurons", "encoder.0", Measured(metric, 0.375, 700)},
      {"half the neurons", "encoder.1",
       Failure{"refused",
               "it has a rank already, and this is a long sentence "
               "that a page has to wrap at eighty columns"}},
      {"half the neurons", "encoder.2", Measured(metric, 0.4375, 700)}};
  return example;
}

std::vector<std::string> Order(const Sensitivity& sensitivity) {
  std::vector<std::string> order;
  const Json json = ToJson(sensitivity);
  for (const Json& one : json.at("changes")) {
    order.push_back(one.at("change").get<std::string>() + " " +
                    one.at("block").get<std::string>());
  }
  return order;
}

TEST(SensitivityReport, MostHarmlessFirstOfEachKind) {
  EXPECT_EQ(Order(Example("accuracy")),
            (std::vector<std::string>{
                "w4 encoder.1", "w4 encoder.2", "w4 encoder.0",
                "half the neurons encoder.2", "half the neurons encoder.0",
                "half the neurons encoder.1"}));
  EXPECT_EQ(Order(Example("nats_per_token")),
            (std::vector<std::string>{
                "w4 encoder.0", "w4 encoder.2", "w4 encoder.1",
                "half the neurons encoder.0", "half the neurons encoder.2",
                "half the neurons encoder.1"}));
}

TEST(SensitivityReport, JsonHasDifferencesToTheBase) {
  const Json json = ToJson(Example("accuracy"));
  EXPECT_EQ(json.at("trial"), 7);
  EXPECT_EQ(json.at("engine"), "openvino");
  EXPECT_EQ(json.at("quality").at("better"), "larger");
  EXPECT_EQ(json.at("base").at("quality"), 0.5);
  const Json& first = json.at("changes").at(0);
  EXPECT_EQ(first.at("quality"), 0.5625);
  EXPECT_EQ(first.at("difference"), 0.0625);
  EXPECT_EQ(first.at("file_bytes"), 601);
  EXPECT_EQ(first.at("latency_ms").at("high"), 0.3);
  const Json& last = json.at("changes").at(5);
  EXPECT_FALSE(last.contains("quality"));
  EXPECT_EQ(last.at("failure").at("code"), "refused");
}

TEST(SensitivityReport, PageFitsEightyColumns) {
  Sensitivity example = Example("nats_per_character");
  example.results[0].change = "w4a8-kmeans:tensor";
  example.results[0].block = "encoder.10";
  const std::string page = SensitivityPage(example);
  EXPECT_THAT(page, HasSubstr("Trial 7 in f32"));
  EXPECT_THAT(page, HasSubstr("smaller is better"));
  EXPECT_THAT(page, HasSubstr("+0.0625"));
  EXPECT_THAT(page, HasSubstr("-0.25"));
  EXPECT_THAT(page, HasSubstr("it has a rank already"));
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 80U) << line;
  }
}

TEST(SensitivityReport, QualityIsTheStudysOwnOrWhatWasMeasured) {
  Measurement measurement = Measured("bleu", 3, 1);
  measurement.metrics["nats_per_token"] = {2, "1", {}, {}};
  EXPECT_EQ(QualityMetric({ParseObjective("minimize latency_ms"),
                           ParseObjective("minimize nats_per_token")},
                          measurement),
            "nats_per_token");
  EXPECT_EQ(QualityMetric({ParseObjective("minimize latency_ms")}, measurement),
            "bleu");
  EXPECT_THROW(QualityMetric({}, Measured("loss", 1, 1)), Error);
}

}  // namespace
}  // namespace hone
