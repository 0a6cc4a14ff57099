#include "experiments/plot.h"

#include <algorithm>
#include <sstream>

#include "experiments/report.h"

namespace hone {
namespace {

constexpr int kColumns = 60;
constexpr int kRows = 14;

using Point = TextPlot::Point;

struct Axis {
  double low;
  double high;
  // The cell of a value among `cells`.
  int Cell(double value, int cells) const {
    if (high <= low) return 0;
    const double share = (value - low) / (high - low);
    return std::min(cells - 1, static_cast<int>(share * cells));
  }
};

template <typename Member>
Axis AxisOf(const std::vector<Point>& points, Member member) {
  Axis axis{points[0].*member, points[0].*member};
  for (const Point& point : points) {
    axis.low = std::min(axis.low, point.*member);
    axis.high = std::max(axis.high, point.*member);
  }
  return axis;
}

}  // namespace

std::string ToText(const TextPlot& plot) {
  std::vector<Point> all;
  for (const TextPlot::Layer& layer : plot.layers) {
    all.insert(all.end(), layer.points.begin(), layer.points.end());
  }
  if (all.size() < 2) return {};
  const Axis x = AxisOf(all, &Point::x);
  const Axis y = AxisOf(all, &Point::y);
  std::vector<std::string> grid(kRows, std::string(kColumns, ' '));
  for (const TextPlot::Layer& layer : plot.layers) {
    for (const Point& point : layer.points) {
      grid[static_cast<std::size_t>(kRows - 1 - y.Cell(point.y, kRows))]
          [static_cast<std::size_t>(x.Cell(point.x, kColumns))] = layer.mark;
    }
  }
  std::ostringstream out;
  out << plot.title << "\n";
  for (int row = 0; row < kRows; ++row) {
    std::string label = row == 0           ? NumberText(y.high)
                        : row == kRows - 1 ? NumberText(y.low)
                                           : "";
    label.insert(0, label.size() < 10 ? 10 - label.size() : 0, ' ');
    std::string line = grid[static_cast<std::size_t>(row)];
    line.erase(line.find_last_not_of(' ') + 1);
    out << label << " |" << line << "\n";
  }
  const std::string low = NumberText(x.low);
  const std::string high = NumberText(x.high);
  out << std::string(11, ' ') << '+' << std::string(kColumns, '-') << "\n"
      << std::string(12, ' ') << low
      << std::string(kColumns - std::min<std::size_t>(kColumns,
                                                      low.size() + high.size()),
                     ' ')
      << high << "\n"
      << std::string(12, ' ') << plot.x_title << "\n";
  return out.str();
}

}  // namespace hone
