#pragma once

#include <memory>
#include <vector>

namespace hone {

// What a model says of a value that it has not seen.
struct Belief {
  double mean = 0;
  double deviation = 0;
};

// A Gaussian process (Rasmussen & Williams 2006, 2.2 and 5.4.1) over vectors of
// numbers, for some hundreds of observations. Values are standardised, and
// inputs by what is observed and other inputs that will be asked for. The
// covariance of x and x', with d columns that vary, is
//
//   s^2 (w (1 + x.x' / d) + (1 - w) M(|x - x'| / (l sqrt(d))) + n v [x is x'])
//
// with M the Matern function of 5/2: a linear model with the share w, and a
// smooth one for what is left. v is the variance of an observation's noise
// beside that of the others. Minor columns are multiplied by a number up to 1.
// That number, w, l and n are those of a small grid that make the observations
// likeliest (at most 96 of them, evenly chosen); s follows
// from them in closed form. Deterministic. Copies are independent.
class GaussianProcess {
 public:
  using Inputs = std::vector<std::vector<double>>;

  // Requires: a value for each input, at least one; inputs of one length; as
  // many positive variances, or none where all are 1. With `others`, a column
  // that has not varied yet may matter. Columns that are `minor` count for as
  // much as the others or for less, whatever is likeliest.
  GaussianProcess(const Inputs& inputs, const std::vector<double>& values,
                  const std::vector<double>& variances = {},
                  const Inputs& others = {},
                  const std::vector<bool>& minor = {});
  GaussianProcess(const GaussianProcess& other);
  GaussianProcess& operator=(const GaussianProcess& other);
  GaussianProcess(GaussianProcess&&) noexcept;
  GaussianProcess& operator=(GaussianProcess&&) noexcept;
  ~GaussianProcess();

  // Deviations are of the value itself: an observation has noise() besides.
  std::vector<Belief> Predict(const Inputs& inputs) const;
  // The deviation of an observation of a known value, at variance 1.
  double noise() const;
  // Takes one more observation in; all that was fitted stays. O(n^2).
  void Add(const std::vector<double>& input, double value, double variance = 1);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hone
