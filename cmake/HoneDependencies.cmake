# Imported targets for what find_package does not serve. LibTorch and OpenVINO
# come from explicit roots only: a distribution's own old LibTorch must never be
# picked up by accident.
# Each target below says where its libraries lie. CMake's own guess would warn
# that Debian's libtbb may be hidden by the one in the OpenVINO wheel: either
# serves both.
set(CMAKE_SKIP_RPATH ON)

set(HONE_TORCH_VERSION 2.13.0)
set(HONE_OPENVINO_VERSION 2026.4.1)
set(HONE_ONNXRUNTIME_VERSION 1.32.0)

# hone_root(VARIABLE DEFAULT DOC): the environment variable of that name if it is
# set, else what -D or an earlier configuration said, else DEFAULT.
function(hone_root variable default doc)
  set(${variable}
      "${default}"
      CACHE PATH "${doc}")
  if(NOT "$ENV{${variable}}" STREQUAL "")
    set(${variable}
        "$ENV{${variable}}"
        CACHE PATH "${doc}" FORCE)
  endif()
endfunction()

hone_root(HONE_TORCH_ROOT
          "${CMAKE_SOURCE_DIR}/.deps/torch-${HONE_TORCH_VERSION}/torch"
          "Folder of the torch wheel, with include/ and lib/")
hone_root(HONE_OPENVINO_ROOT
          "${CMAKE_SOURCE_DIR}/.deps/openvino-${HONE_OPENVINO_VERSION}/openvino"
          "Folder of the openvino wheel, with include/ and libs/")
# Looked for when it is used, and not needed to build.
hone_root(
  HONE_ONNXRUNTIME_ROOT
  "${CMAKE_SOURCE_DIR}/.deps/onnxruntime-${HONE_ONNXRUNTIME_VERSION}"
  "Folder of the Python packages onnxruntime and numpy")
set(HONE_TEST_PYTHON
    "${CMAKE_SOURCE_DIR}/.deps/test-python"
    CACHE PATH "Folder of the Python packages that tests use")

# Fails unless the numbers on the lines of FILE that match PATTERN, joined by
# dots, begin with VERSION.
function(hone_require_version name root file pattern version)
  if(NOT EXISTS "${root}/${file}")
    message(FATAL_ERROR "${name} not found: ${root}/${file} is missing. Run "
                        "scripts/setup, or set the root to an installation.")
  endif()
  file(STRINGS "${root}/${file}" lines REGEX "${pattern}")
  string(REGEX MATCHALL "[0-9]+" numbers "${lines}")
  string(REPLACE ";" "." found "${numbers}")
  if(NOT "${found}." MATCHES "^${version}\\.")
    message(
      FATAL_ERROR "${name} at ${root} is version ${found}; ${version} is needed")
  endif()
endfunction()

if(HONE_WITH_TORCH)
  hone_require_version(LibTorch "${HONE_TORCH_ROOT}" version.py "^__version__"
                       "${HONE_TORCH_VERSION}")
  add_library(hone_torch INTERFACE)
  target_include_directories(hone_torch SYSTEM
                             INTERFACE "${HONE_TORCH_ROOT}/include")
  target_link_directories(hone_torch INTERFACE "${HONE_TORCH_ROOT}/lib")
  target_link_libraries(hone_torch INTERFACE torch_cpu c10)
  target_link_options(hone_torch INTERFACE "-Wl,-rpath,${HONE_TORCH_ROOT}/lib")
endif()

hone_require_version(
  OpenVINO "${HONE_OPENVINO_ROOT}" cmake/OpenVINOConfig-version.cmake
  "^set.PACKAGE_VERSION_(MAJOR|MINOR|PATCH)" "${HONE_OPENVINO_VERSION}")
add_library(hone_openvino INTERFACE)
target_include_directories(hone_openvino SYSTEM
                           INTERFACE "${HONE_OPENVINO_ROOT}/include")
file(GLOB HONE_OPENVINO_LIBRARY "${HONE_OPENVINO_ROOT}/libs/libopenvino.so.*")
target_link_libraries(hone_openvino INTERFACE "${HONE_OPENVINO_LIBRARY}")
target_link_options(hone_openvino INTERFACE
                    "-Wl,-rpath,${HONE_OPENVINO_ROOT}/libs")

# Debian's SQLiteCpp, SentencePiece, utf8proc and toml++ ship no CMake target that serves.
add_library(hone_sqlite INTERFACE)
target_link_libraries(hone_sqlite INTERFACE SQLiteCpp sqlite3)
add_library(hone_sentencepiece INTERFACE)
target_link_libraries(hone_sentencepiece INTERFACE sentencepiece
                                                   sentencepiece_train)
add_library(hone_utf8proc INTERFACE)
target_link_libraries(hone_utf8proc INTERFACE utf8proc)
