#pragma once

#include <string>
#include <vector>

namespace hone {

// A plot drawn with characters, 80 columns wide.
struct TextPlot {
  struct Point {
    double x = 0;
    double y = 0;
  };
  struct Layer {
    std::vector<Point> points;
    char mark = '.';
  };
  std::string title;  // above, of what goes upwards
  std::string x_title;
  std::vector<Layer> layers;  // later ones above earlier ones
};

// Both axes run from the least to the largest value. Empty when there are fewer
// than two points.
std::string ToText(const TextPlot& plot);

}  // namespace hone
