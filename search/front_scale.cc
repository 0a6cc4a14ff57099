#include "search/front_scale.h"

namespace hone {
namespace {

// Of an objective in which the front's points are all equal.
constexpr double kNoRange = 1;

}  // namespace

// A volume as a share of the box does not depend on the units, so points need
// not be scaled: the reference alone is.
FrontScale::FrontScale(const std::vector<Point>& front)
    : best_(BestPoint(front)), reference_(WorstPoint(front)) {
  for (std::size_t i = 0; i < reference_.size(); ++i) {
    const double range = reference_[i] - best_[i];
    reference_[i] += kMargin * (range > 0 ? range : kNoRange);
  }
}

double FrontScale::Hypervolume(const std::vector<Point>& points) const {
  return hone::Hypervolume(points, reference_) / Box();
}

std::vector<double> FrontScale::HypervolumeCurve(
    const std::vector<Point>& points) const {
  std::vector<double> curve = hone::HypervolumeCurve(points, reference_);
  for (double& volume : curve) volume /= Box();
  return curve;
}

double FrontScale::Box() const {
  return hone::Hypervolume({best_}, reference_);
}

}  // namespace hone
