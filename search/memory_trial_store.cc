#include "search/trial_store.h"
#include "space/base/error.h"

namespace hone {
namespace {

class MemoryTrialStore : public TrialStore {
 public:
  void CreateStudy(const StudyInfo& info) override {
    HONE_CHECK(!info_.has_value());
    info_ = info;
  }
  std::optional<StudyInfo> LoadStudy() const override { return info_; }
  void UpdateSpec(const Json& spec) override {
    HONE_CHECK(info_.has_value());
    info_->spec = spec;
  }
  void Append(const Trial& trial) override {
    HONE_CHECK_EQ(trial.number, static_cast<std::int64_t>(trials_.size()));
    trials_.push_back(trial);
  }
  std::vector<Trial> LoadTrials() const override { return trials_; }

 private:
  std::optional<StudyInfo> info_;
  std::vector<Trial> trials_;
};

}  // namespace

std::unique_ptr<TrialStore> MakeMemoryTrialStore() {
  return std::make_unique<MemoryTrialStore>();
}

}  // namespace hone
