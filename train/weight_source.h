#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include "space/base/tensor_data.h"
#include "space/network/network_ops.h"
#include "train/compress/calibrate.h"
#include "train/compress/straight_through.h"
#include "train/optimizer.h"

namespace hone {

// A copy on the device. Throws: Error{kResource} on lack of memory.
at::Tensor ToTensor(const TensorData& data, at::Device device);
// A contiguous copy in host memory. Requires: f32, i64, i32, i8 or u8.
TensorData ToTensorData(const at::Tensor& tensor);
// A generator of its own, never the process's.
at::Generator MakeGenerator(at::Device device, std::uint64_t seed);

// What a weight is for: decides how it is initialised and whether it decays.
enum class WeightRole { kMatrix, kBias, kGain, kTable, kRandomFeatures };

// The rounding of a layer's input while its scale is trained.
struct LearnedInput {
  at::Tensor scale;
  LevelRange range;
};

struct LinearWeights {
  at::Tensor weight;  // [out,in]
  at::Tensor bias;    // [out]
  // Set where activations are quantized before the product.
  std::optional<ActivationQuantization> input;
  std::optional<LearnedInput> learned_input = std::nullopt;
};

// Answers the eager interpreter's question for a weight by its full dotted
// name. The network is the one list of names: a source learns them by being
// asked.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  virtual at::Tensor Get(const std::string& name, WeightRole role,
                         at::IntArrayRef shape) = 0;
  // NAME.weight and NAME.bias.
  virtual LinearWeights GetLinear(const std::string& name,
                                  const LinearSpec& spec);
  // NAME.weight [rows,dim].
  virtual at::Tensor GetTable(const std::string& name, const TableSpec& spec);
  // NAME.scale of what a product in a8 reads; empty before it was calibrated.
  virtual std::optional<float> OperandScale(const std::string&) { return {}; }
  // Rows of a table, for networks that use it in no other way. Shapes: [B,T] ->
  // [B,T,dim].
  virtual at::Tensor Lookup(const std::string& name,
                            const at::Tensor& tokens_BT, const TableSpec& spec);
};

// Fixed weights, for inference: f32, or quantized as QuantizeNetwork writes
// them; those are dequantized once, when first asked for. Not thread-safe.
class StoredWeights : public WeightSource {
 public:
  StoredWeights(const NamedTensors& tensors, at::Device device);
  // Throws: Error{kIntegrity} when the weight is missing or of another shape.
  at::Tensor Get(const std::string& name, WeightRole role,
                 at::IntArrayRef shape) override;
  LinearWeights GetLinear(const std::string& name,
                          const LinearSpec& spec) override;
  at::Tensor GetTable(const std::string& name, const TableSpec& spec) override;
  std::optional<float> OperandScale(const std::string& name) override;

 private:
  const at::Tensor& Find(const std::string& name) const;
  at::Tensor DequantizeMatrix(const std::string& name) const;
  LinearWeights Dequantize(const std::string& name) const;

  std::map<std::string, at::Tensor> tensors_;
  std::map<std::string, LinearWeights> dequantized_;
};

struct TrainableWeightsOptions {
  std::uint64_t seed = 0;
  at::TensorOptions tensors = {};  // dtype and device
  AdamWOptions adam = {};          // of the tables
  // Weights that start from these values instead of at random, by name.
  NamedTensors initial = {};
};

// A new weight, from a stream of its own labelled by its name, so that its
// start does not depend on what stands beside it:
//   matrices    uniform in +-sqrt(6 / (in + out))     (Glorot & Bengio 2010)
//   tables      normal, standard deviation kTableDeviation
//   gains, biases   1, 0
inline constexpr double kTableDeviation = 0.02;
at::Tensor NewWeight(const std::string& name, WeightRole role,
                     at::IntArrayRef shape, std::uint64_t seed,
                     const at::TensorOptions& tensors);
// Random features [rows,columns]: groups of orthogonal directions, as long as
// Gaussian vectors (Choromanski et al. 2021, 3.3), drawn anew for each `draw`.
at::Tensor NewFeatures(const std::string& name, std::int64_t rows,
                       std::int64_t columns, std::uint64_t seed,
                       std::int64_t draw, const at::TensorOptions& tensors);

// Weights that are being trained: made (NewWeight) when first asked for. A
// table behind Lookup is trained by rows (AdamTable), and random features are
// not trained at all. Not thread-safe.
class TrainableWeights : public WeightSource {
 public:
  explicit TrainableWeights(TrainableWeightsOptions options);
  at::Tensor Get(const std::string& name, WeightRole role,
                 at::IntArrayRef shape) override;
  at::Tensor Lookup(const std::string& name, const at::Tensor& tokens_BT,
                    const TableSpec& spec) override;

  // Draws random features anew, from streams labelled `draw`, but for those
  // that were given.
  void RedrawFeatures(std::int64_t draw);
  // Throws: Error{kUsage} when a given initial value was never asked for.
  void CheckInitialUsed() const;
  // Leaves of one kind, by name: with weight decay (matrices) or without.
  std::vector<at::Tensor> Leaves(bool decayed) const;
  // The tables behind Lookup, by the name of their weight.
  std::map<std::string, AdamTable>& tables() { return tables_; }
  // Copies of all weights, by name.
  NamedTensors Snapshot();

 private:
  struct Leaf {
    WeightRole role;
    at::Tensor value;
  };
  at::Tensor Initial(const std::string& name, WeightRole role,
                     at::IntArrayRef shape) const;
  at::Tensor Features(const std::string& name, at::IntArrayRef shape) const;

  TrainableWeightsOptions options_;
  std::map<std::string, Leaf> leaves_;
  std::map<std::string, at::Tensor> features_;
  std::map<std::string, AdamTable> tables_;
};

}  // namespace hone
