#include "space/gaussian_process.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include "space/base/error.h"

namespace hone {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::RowVectorXd;
using Eigen::VectorXd;

// What the covariance's shape depends on.
struct Shape {
  double linear = 0.5;
  double length = 2;
  double noise = 0.01;
  double minor = 1;  // what minor columns are multiplied by
};
constexpr double kLinear[] = {0, 0.2, 0.5, 0.8, 0.95, 0.99};
constexpr double kLengths[] = {0.35, 0.7, 1.4, 2.8, 5.6};
constexpr double kNoises[] = {1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3};
constexpr double kMinors[] = {1, 0.5, 0.25, 0.1};
constexpr int kSweeps = 2;
constexpr Index kMostToFit = 96;

// One row for each input.
MatrixXd ToMatrix(const GaussianProcess::Inputs& inputs) {
  const auto rows = static_cast<Index>(inputs.size());
  const auto columns = static_cast<Index>(inputs.front().size());
  MatrixXd matrix(rows, columns);
  for (Index i = 0; i < rows; ++i) {
    const std::vector<double>& input = inputs[static_cast<std::size_t>(i)];
    HONE_CHECK_EQ(input.size(), inputs.front().size());
    matrix.row(i) = Eigen::Map<const RowVectorXd>(input.data(), columns);
  }
  return matrix;
}

VectorXd ToVector(const std::vector<double>& values) {
  return Eigen::Map<const VectorXd>(values.data(),
                                    static_cast<Index>(values.size()));
}

// Columns to mean 0 and, over all of them, rows of squared length 1 on average;
// those that do not vary to 0.
struct Scaling {
  explicit Scaling(const MatrixXd& x) : mean(x.colwise().mean()) {
    factor = ((x.rowwise() - mean).array().square().colwise().mean()).sqrt();
    const double smallest = 1e-9;
    const auto varying =
        static_cast<double>((factor.array() > smallest).count());
    for (double& one : factor) {
      one = one > smallest ? 1 / (one * std::sqrt(varying)) : 0;
    }
  }
  MatrixXd operator()(const MatrixXd& x) const {
    return (x.rowwise() - mean) * factor.asDiagonal();
  }
  RowVectorXd mean;
  RowVectorXd factor;
};

// Rows, the minor columns apart.
struct Rows {
  Rows(const MatrixXd& x, const std::vector<bool>& is_minor)
      : major(x), minor(x) {
    for (Index j = 0; j < x.cols(); ++j) {
      const auto column = static_cast<std::size_t>(j);
      const bool apart = !is_minor.empty() && is_minor[column];
      (apart ? major : minor).col(j).setZero();
    }
  }
  Rows(MatrixXd of_major, MatrixXd of_minor)
      : major(std::move(of_major)), minor(std::move(of_minor)) {}

  template <typename Places>
  Rows Some(const Places& places) const {
    return {major(places, Eigen::all), minor(places, Eigen::all)};
  }
  void Append(const Rows& one) {
    for (auto [own, more] :
         {std::pair(&major, &one.major), std::pair(&minor, &one.minor)}) {
      own->conservativeResize(own->rows() + 1, Eigen::NoChange);
      own->bottomRows(1) = *more;
    }
  }
  MatrixXd major;
  MatrixXd minor;
};

MatrixXd SquaredDistances(const MatrixXd& a, const MatrixXd& b,
                          const MatrixXd& dots) {
  return (((-2 * dots).colwise() + a.rowwise().squaredNorm()).rowwise() +
          b.rowwise().squaredNorm().transpose())
      .cwiseMax(0);
}

// Of each row of `a` with each of `b`.
struct Products {
  Products(const Rows& a, const Rows& b)
      : dots(a.major * b.major.transpose()),
        squares(SquaredDistances(a.major, b.major, dots)),
        minor_dots(a.minor * b.minor.transpose()),
        minor_squares(SquaredDistances(a.minor, b.minor, minor_dots)) {}
  MatrixXd dots;
  MatrixXd squares;
  MatrixXd minor_dots;
  MatrixXd minor_squares;
};

// Without the noise, in units of s^2.
MatrixXd Covariance(const Products& products, const Shape& shape) {
  const double factor = shape.minor * shape.minor;
  const Eigen::ArrayXXd r =
      (products.squares + factor * products.minor_squares).array().sqrt() *
      (std::sqrt(5.0) / shape.length);
  return shape.linear *
             (1 + (products.dots + factor * products.minor_dots).array()) +
         (1 - shape.linear) * (1 + r + r.square() / 3) * (-r).exp();
}

Eigen::LLT<MatrixXd> Factored(MatrixXd covariance, const VectorXd& noise) {
  covariance.diagonal() += noise;
  return Eigen::LLT<MatrixXd>(covariance);
}

// The log likelihood of standardised values under the best s, but for a
// constant.
double LogLikelihood(const Products& products, const VectorXd& values,
                     const VectorXd& variances, const Shape& shape) {
  const auto factor =
      Factored(Covariance(products, shape), shape.noise * variances);
  if (factor.info() != Eigen::Success) {
    return -std::numeric_limits<double>::infinity();
  }
  const auto count = static_cast<double>(values.size());
  const double variance = factor.matrixL().solve(values).squaredNorm() / count;
  return -0.5 * count * std::log(std::max(variance, 1e-12)) -
         factor.matrixLLT().diagonal().array().log().sum();
}

// Along one axis of the grid after the other.
Shape LikeliestShape(const Rows& x, const VectorXd& values,
                     const VectorXd& variances) {
  const Products products(x, x);
  Shape best;
  double highest = LogLikelihood(products, values, variances, best);
  const auto along = [&](double Shape::*axis, const auto& choices) {
    Shape shape = best;
    for (const double choice : choices) {
      if (choice == best.*axis) continue;
      shape.*axis = choice;
      const double likelihood =
          LogLikelihood(products, values, variances, shape);
      if (likelihood > highest) {
        highest = likelihood;
        best = shape;
      }
    }
  };
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    along(&Shape::noise, kNoises);
    along(&Shape::length, kLengths);
    along(&Shape::linear, kLinear);
    if (!x.minor.isZero(0)) along(&Shape::minor, kMinors);
  }
  return best;
}

}  // namespace

struct GaussianProcess::State {
  State(const MatrixXd& inputs, const VectorXd& values,
        const VectorXd& variances, const Scaling& scaled,
        const std::vector<bool>& is_minor)
      : scaling(scaled),
        minor(is_minor),
        x(scaling(inputs), minor),
        mean(values.mean()) {
    y = values.array() - mean;
    unit = std::max(std::sqrt(y.squaredNorm() / static_cast<double>(y.size())),
                    1e-12);
    y /= unit;
    const Index step = (y.size() + kMostToFit - 1) / kMostToFit;
    const auto some = Eigen::seq(Index{0}, Eigen::last, step);
    shape = LikeliestShape(x.Some(some), y(some), variances(some));
    const auto factor =
        Factored(Covariance(Products(x, x), shape), shape.noise * variances);
    HONE_CHECK(factor.info() == Eigen::Success);
    lower = factor.matrixL();
    weights = factor.solve(y);
    variance = y.dot(weights) / static_cast<double>(y.size());
  }

  Scaling scaling;
  std::vector<bool> minor;
  Rows x;
  double mean;
  double unit = 1;
  VectorXd y;
  Shape shape;
  MatrixXd lower;
  VectorXd weights;
  double variance = 1;  // s^2, in squared units
};

GaussianProcess::GaussianProcess(const Inputs& inputs,
                                 const std::vector<double>& values,
                                 const std::vector<double>& variances,
                                 const Inputs& others,
                                 const std::vector<bool>& minor) {
  HONE_CHECK(!inputs.empty());
  HONE_CHECK_EQ(inputs.size(), values.size());
  HONE_CHECK(variances.empty() || variances.size() == values.size());
  Inputs all = inputs;
  all.insert(all.end(), others.begin(), others.end());
  state_ = std::make_unique<State>(
      ToMatrix(inputs), ToVector(values),
      variances.empty() ? VectorXd::Ones(static_cast<Index>(values.size()))
                        : ToVector(variances),
      Scaling(ToMatrix(all)), minor);
}

GaussianProcess::GaussianProcess(const GaussianProcess& other)
    : state_(std::make_unique<State>(*other.state_)) {}
GaussianProcess& GaussianProcess::operator=(const GaussianProcess& other) {
  *state_ = *other.state_;
  return *this;
}
GaussianProcess::GaussianProcess(GaussianProcess&&) noexcept = default;
GaussianProcess& GaussianProcess::operator=(GaussianProcess&&) noexcept =
    default;
GaussianProcess::~GaussianProcess() = default;

double GaussianProcess::noise() const {
  return state_->unit * std::sqrt(state_->variance * state_->shape.noise);
}

std::vector<Belief> GaussianProcess::Predict(const Inputs& inputs) const {
  std::vector<Belief> beliefs;
  if (inputs.empty()) return beliefs;
  const State& s = *state_;
  const Rows x(s.scaling(ToMatrix(inputs)), s.minor);
  const MatrixXd between = Covariance(Products(s.x, x), s.shape);
  const VectorXd means = between.transpose() * s.weights;
  const MatrixXd explained =
      s.lower.triangularView<Eigen::Lower>().solve(between);
  const double factor = s.shape.minor * s.shape.minor;
  for (Index i = 0; i < means.size(); ++i) {
    const double prior =
        1 + s.shape.linear * (x.major.row(i).squaredNorm() +
                              factor * x.minor.row(i).squaredNorm());
    const double left = prior - explained.col(i).squaredNorm();
    beliefs.push_back({s.mean + s.unit * means[i],
                       s.unit * std::sqrt(s.variance * std::max(left, 1e-12))});
  }
  return beliefs;
}

void GaussianProcess::Add(const std::vector<double>& input, double value,
                          double variance) {
  State& s = *state_;
  const Index count = s.y.size();
  const Rows x(s.scaling(ToMatrix({input})), s.minor);
  const MatrixXd before = Covariance(Products(s.x, x), s.shape);
  const VectorXd row = s.lower.triangularView<Eigen::Lower>().solve(before);
  const double own = Covariance(Products(x, x), s.shape)(0, 0) +
                     s.shape.noise * variance - row.squaredNorm();
  s.x.Append(x);
  s.y.conservativeResize(count + 1);
  s.y[count] = (value - s.mean) / s.unit;
  s.lower.conservativeResize(count + 1, count + 1);
  s.lower.col(count).setZero();
  s.lower.row(count).head(count) = row.transpose();
  s.lower(count, count) = std::sqrt(std::max(own, 1e-12));
  s.weights = s.lower.transpose().triangularView<Eigen::Upper>().solve(
      s.lower.triangularView<Eigen::Lower>().solve(s.y));
}

}  // namespace hone
