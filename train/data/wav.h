#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "train/data/class_folders.h"

namespace hone {

struct Sound {
  std::int64_t rate = 0;       // samples in a second
  std::vector<float> samples;  // the mean of the channels, in [-1, 1]
};

struct LabelledSound {
  Sound sound;
  std::string label;
  std::string file;
};

// Reads a RIFF/WAVE file (IBM and Microsoft, "Multimedia Programming Interface
// and Data Specifications 1.0"): PCM of 8 (unsigned), 16, 24 or 32 bits divided
// by 2^(bits - 1), or floats of 32 bits cut to [-1, 1], plain or as
// WAVE_FORMAT_EXTENSIBLE. Chunks other than "fmt " and "data" are skipped, and
// so is what follows the RIFF chunk.
// Throws: Error{kUsage} naming file and byte offset: not such a file, cut off,
// another encoding, fields that contradict each other, a chunk missing or
// doubled, no samples, a float that is no number, a file above 1 GiB;
// Error{kNotFound} naming the file.
Sound ReadWav(const std::filesystem::path& path);

// Reads a folder with a folder of .wav files for each class, in the order of
// ListClassFolders (train/data/class_folders.h). The rates may differ.
// Throws: Error{kUsage}, Error{kNotFound}: what ListClassFolders or ReadWav
// refuse.
std::vector<LabelledSound> ReadSoundFolder(const std::filesystem::path& folder);

// Where the Debian packages asterisk-core-sounds-{en,es,fr,it,ru}-wav keep
// their spoken prompts: a folder for each language.
std::filesystem::path SpokenPromptsFolder();

// The .wav files of those five packages in `folder`, subfolders included:
// sorted by language, which is the label ("en", "es", ...), and then by path,
// as bytes. A file of 44 bytes or less, which is a header (there is one, of
// ru), is left out; the folder "silence" of each language, which says nothing,
// is not. Throws: Error{kNotFound} naming the packages that are missing.
std::vector<LabelledFile> SpokenPrompts(
    const std::filesystem::path& folder = SpokenPromptsFolder());

}  // namespace hone
