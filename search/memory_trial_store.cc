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
  void Append(const std::vector<Trial>& trials) override {
    auto next = static_cast<std::int64_t>(trials_.size());
    for (const Trial& trial : trials) HONE_CHECK_EQ(trial.number, next++);
    trials_.insert(trials_.end(), trials.begin(), trials.end());
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
