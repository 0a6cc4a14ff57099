#include "experiments/commands/commands.h"
#include "experiments/search_spec.h"
#include "space/base/error.h"

namespace hone {
namespace {

int RunDocs(const Arguments& arguments, const CommandContext& context) {
  const std::string& document = arguments.positionals[0];
  if (document != "spec") {
    throw Error(ErrorCode::kUsage, "no document '" + document + "'" +
                                       DidYouMean(document, {"spec"}));
  }
  context.out << SpecReference();
  return kExitDone;
}

}  // namespace

Command DocsCommand() {
  return {{"docs",
           "print a document that is generated from the sources",
           "spec",
           1,
           1,
           {},
           "hone docs spec > docs/search_spec.md"},
          RunDocs};
}

}  // namespace hone
