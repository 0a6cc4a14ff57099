# The project's own targets: warnings as errors on our code, includes from the
# root.
function(hone_configure target)
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
  target_compile_options(${target} PRIVATE -Wall -Wextra -Werror)
endfunction()

# hone_library(NAME SOURCES... [LINK libraries...])
function(hone_library target)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_library(${target} STATIC ${ARG_UNPARSED_ARGUMENTS})
  hone_configure(${target})
  target_link_libraries(${target} PUBLIC ${ARG_LINK})
endfunction()

# hone_test(NAME LABELS labels... SOURCES files... LINK libraries...)
# One program per folder and label set keeps linking and start-up cheap.
function(hone_test target)
  cmake_parse_arguments(ARG "" "" "LABELS;SOURCES;LINK" ${ARGN})
  add_executable(${target} ${ARG_SOURCES})
  hone_configure(${target})
  target_link_libraries(${target} PRIVATE ${ARG_LINK} GTest::gtest GTest::gmock
                                          GTest::gtest_main)
  include(GoogleTest)
  gtest_discover_tests(
    ${target}
    DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS "${ARG_LABELS}" ENVIRONMENT
               "HONE_SOURCE_DIR=${CMAKE_SOURCE_DIR}")
endfunction()
