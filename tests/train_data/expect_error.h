#pragma once

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/base/error.h"

namespace hone {

// Runs `action` and expects an Error of `code` whose message holds `fragment`.
template <typename Action>
void ExpectError(ErrorCode code, const std::string& fragment, Action&& action) {
  try {
    action();
    ADD_FAILURE() << "no error; expected one with: " << fragment;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_THAT(error.what(), ::testing::HasSubstr(fragment));
  }
}

}  // namespace hone
