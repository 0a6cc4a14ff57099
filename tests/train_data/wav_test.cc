#include "train/data/wav.h"

#include <algorithm>
#include <bit>
#include <fstream>
#include <limits>
#include <map>

#include <gtest/gtest.h>

#include "space/base/file.h"
#include "tests/train_data/expect_error.h"

namespace hone {
namespace {

using namespace std::string_literals;

std::string Little(std::uint64_t number, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) {
    text += static_cast<char>(number >> (8 * i) & 0xFF);
  }
  return text;
}

std::string Float(float value) {
  return Little(std::bit_cast<std::uint32_t>(value), 4);
}

std::string Chunk(const std::string& name, const std::string& data) {
  return name + Little(data.size(), 4) + data + std::string(data.size() % 2, 0);
}

std::string Riff(const std::string& chunks) {
  return "RIFF" + Little(chunks.size() + 4, 4) + "WAVE" + chunks;
}

// What a chunk "fmt " holds.
std::string Format(int encoding, int channels, int bits, int rate = 8000) {
  const int frame = channels * bits / 8;
  return Little(encoding, 2) + Little(channels, 2) + Little(rate, 4) +
         Little(rate * frame, 4) + Little(frame, 2) + Little(bits, 2);
}

// What follows it in an extensible file: 22 bytes, and the encoding's GUID.
std::string Extension(int encoding, int bits) {
  return Little(22, 2) + Little(bits, 2) + Little(0, 4) + Little(encoding, 2) +
         "\0\0\0\0\x10\0\x80\0\0\xAA\0\x38\x9B\x71"s;
}

std::string Wave(const std::string& format, const std::string& data) {
  return Riff(Chunk("fmt ", format) + Chunk("data", data));
}

Sound Read(const std::string& bytes) {
  const ScratchFolder folder;
  std::ofstream(folder / "a.wav", std::ios::binary) << bytes;
  return ReadWav(folder / "a.wav");
}

using Samples = std::vector<float>;

TEST(ReadWav, ReadsEveryWidth) {
  EXPECT_EQ(Read(Wave(Format(1, 1, 8), "\x80\xFF\x00\xC0"s)).samples,
            (Samples{0, 127.0f / 128, -1, 0.5f}));
  EXPECT_EQ(Read(Wave(Format(1, 1, 16), "\0\0\xFF\x7F\0\x80\0\x40"s)).samples,
            (Samples{0, 32767.0f / 32768, -1, 0.5f}));
  EXPECT_EQ(Read(Wave(Format(1, 1, 24), "\0\0\0\xFF\xFF\xFF\0\0\x80"s)).samples,
            (Samples{0, -1.0f / 8388608, -1}));
  EXPECT_EQ(
      Read(Wave(Format(1, 1, 32), "\0\0\0\xC0\0\0\0\x80\0\0\0\x40"s)).samples,
      (Samples{-0.5f, -1, 0.5f}));
  EXPECT_EQ(Read(Wave(Format(3, 1, 32), Float(0.25f) + Float(-3) + Float(1.5f)))
                .samples,
            (Samples{0.25f, -1, 1}));
}

TEST(ReadWav, AveragesChannels) {
  const Sound sound =
      Read(Wave(Format(1, 2, 16, 44100), "\0\x40\0\x20\0\x80\0\x40"s));
  EXPECT_EQ(sound.rate, 44100);
  EXPECT_EQ(sound.samples, (Samples{0.375f, -0.25f}));
}

TEST(ReadWav, ReadsExtensible) {
  EXPECT_EQ(
      Read(Wave(Format(0xFFFE, 1, 16) + Extension(1, 16), "\0\x40"s)).samples,
      Samples{0.5f});
  EXPECT_EQ(
      Read(Wave(Format(0xFFFE, 1, 32) + Extension(3, 32), Float(0.5f))).samples,
      Samples{0.5f});
}

TEST(ReadWav, SkipsOtherChunksAndPadding) {
  const std::string fmt = Chunk("fmt ", Format(1, 1, 8));
  const std::string data = Chunk("data", "\xC0\x80\xC0");
  const Samples expected = {0.5f, 0, 0.5f};
  EXPECT_EQ(Read(Riff(Chunk("LIST", "odd") + fmt + Chunk("fact", "even") +
                      data + Chunk("id3 ", "x")))
                .samples,
            expected);
  EXPECT_EQ(Read(Riff(data + fmt)).samples, expected);
  EXPECT_EQ(Read(Riff(fmt + data) + "what follows the RIFF chunk").samples,
            expected);
  const std::string unpadded = fmt + data.substr(0, data.size() - 1);
  EXPECT_EQ(Read(Riff(unpadded)).samples, expected);
  const std::string padded = Riff(fmt + data);
  EXPECT_EQ(Read(padded.substr(0, padded.size() - 1)).samples, expected);
}

struct BadFile {
  const char* name;
  std::string bytes;
  const char* message;
};

const std::string kFmt = Chunk("fmt ", Format(1, 1, 16));
const std::string kData = Chunk("data", "\0\0\0\0"s);
const std::string kGood = Riff(kFmt + kData);

std::string Replaced(std::string text, std::size_t at, const std::string& to) {
  return text.replace(at, to.size(), to);
}

const BadFile kBadFiles[] = {
    {"Empty", "", "a.wav: byte 0: no WAV file"},
    {"BigEndian", "RIFX" + kGood.substr(4), "a.wav: byte 0: no WAV file"},
    {"Avi", Replaced(kGood, 8, "AVI "), "a.wav: byte 0: no WAV file"},
    {"CutOff", kGood.substr(0, kGood.size() - 2),
     "a.wav: byte 4: the file is cut off: it has 46 of 48 bytes"},
    {"HugeRiff", Replaced(kGood, 4, "\xFF\xFF\xFF\xFF"),
     "a.wav: byte 4: the file is cut off"},
    {"HugeData", Replaced(kGood, 40, "\xFF\xFF\xFF\xFF"),
     "a.wav: byte 36: a chunk of 4294967295 bytes, and 4 are left"},
    {"CutHead", Riff(kFmt + kData + "LIST"),
     "a.wav: byte 48: the head of a chunk is cut off"},
    {"NoFormat", Riff(kData), "a.wav: byte 24: no chunk 'fmt '"},
    {"NoData", Riff(kFmt), "a.wav: byte 36: no chunk 'data'"},
    {"TwoFormats", Riff(kFmt + kFmt + kData),
     "a.wav: byte 36: a second chunk 'fmt '"},
    {"TwoData", Riff(kFmt + kData + kData),
     "a.wav: byte 48: a second chunk 'data'"},
    {"NoSamples", Riff(kFmt + Chunk("data", "")),
     "a.wav: byte 44: holds no samples"},
    {"HalfSample", Riff(kFmt + Chunk("data", "abc")),
     "a.wav: byte 44: 3 bytes of samples; no multiple of the 2 of one"},
    {"ShortFormat", Riff(Chunk("fmt ", "abcd") + kData),
     "a.wav: byte 20: a chunk 'fmt ' of less than 16 bytes"},
    {"MuLaw", Wave(Format(7, 1, 8), "ab"),
     "a.wav: byte 20: encoding 7 of 8 bits; PCM (1) of 8, 16, 24 or 32"},
    {"Bits", Wave(Format(1, 2, 12), "abc"),
     "a.wav: byte 20: encoding 1 of 12 bits"},
    {"Doubles", Wave(Format(3, 1, 64), "12345678"),
     "a.wav: byte 20: encoding 3 of 64 bits"},
    {"ShortExtensible", Wave(Format(0xFFFE, 1, 16), "ab"),
     "a.wav: byte 20: WAVE_FORMAT_EXTENSIBLE without an encoding"},
    {"OtherGuid",
     Wave(Replaced(Format(0xFFFE, 1, 16) + Extension(1, 16), 39, "x"), "ab"),
     "a.wav: byte 20: WAVE_FORMAT_EXTENSIBLE without an encoding"},
    {"ExtensibleMuLaw", Wave(Format(0xFFFE, 1, 8) + Extension(7, 8), "ab"),
     "a.wav: byte 20: encoding 7 of 8 bits"},
    {"NoChannels", Wave(Format(1, 0, 16), "ab"), "a.wav: byte 22: no channels"},
    {"NoRate", Wave(Format(1, 1, 16, 0), "ab"),
     "a.wav: byte 24: no samples in a second"},
    {"Frame", Wave(Replaced(Format(1, 1, 16), 12, "\x04"), "abcd"),
     "a.wav: byte 32: 4 bytes for a sample of 1 channels of 16 bits"},
    {"NotANumber",
     Wave(Format(3, 1, 32),
          Float(0) + Float(std::numeric_limits<float>::quiet_NaN())),
     "a.wav: byte 48: a sample that is no number"},
};

class RefuseBadWav : public ::testing::TestWithParam<BadFile> {};

TEST_P(RefuseBadWav, NamesFileAndByte) {
  ExpectError(ErrorCode::kUsage, GetParam().message,
              [] { Read(GetParam().bytes); });
}

INSTANTIATE_TEST_SUITE_P(All, RefuseBadWav, ::testing::ValuesIn(kBadFiles),
                         [](const auto& info) {
                           return std::string(info.param.name);
                         });

TEST(ReadWav, SurvivesDamagedFiles) {
  const ScratchFolder folder;
  const std::string good = Wave(Format(0xFFFE, 2, 32) + Extension(3, 32),
                                Float(0.5f) + Float(0.25f));
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const std::string& bytes :
         {good.substr(0, i), Replaced(good, i, "\xFF"),
          Replaced(good, i, "\0"s)}) {
      std::ofstream(folder / "a", std::ios::binary) << bytes;
      try {
        EXPECT_FALSE(ReadWav(folder / "a").samples.empty());
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kUsage) << error.what();
      }
    }
  }
}

TEST(ReadSoundFolder, ReadsTheClasses) {
  const ScratchFolder folder;
  for (const char* name : {"b", "a"}) {
    std::filesystem::create_directories(folder / name);
  }
  std::ofstream(folder / "b/2.wav", std::ios::binary) << kGood;
  std::ofstream(folder / "b/1.WAV", std::ios::binary) << kGood;
  std::ofstream(folder / "a/1.wav", std::ios::binary)
      << Wave(Format(1, 1, 8, 16000), "\xC0");
  const auto sounds = ReadSoundFolder(folder.path());
  ASSERT_EQ(sounds.size(), 3u);
  EXPECT_EQ(sounds[0].label, "a");
  EXPECT_EQ(sounds[0].sound.rate, 16000);
  EXPECT_EQ(sounds[0].sound.samples, Samples{0.5f});
  EXPECT_EQ(sounds[1].file, (folder / "b/1.WAV").string());
  EXPECT_EQ(sounds[2].sound.samples, (Samples{0, 0}));
  std::ofstream(folder / "a/2.wav", std::ios::binary) << "text";
  ExpectError(ErrorCode::kUsage, "a/2.wav: byte 0: no WAV file",
              [&] { ReadSoundFolder(folder.path()); });
}

TEST(SpokenPrompts, ListsFoldersAndLinks) {
  const ScratchFolder folder;
  for (const char* name : {"en_US_f_Allison", "es_MX_f_Allison", "fr_CA_f_June",
                           "it_IT_m_Carlo", "ru_RU_f_IvrvoiceRU"}) {
    std::filesystem::create_directories(folder / name / "digits");
    std::ofstream(folder / name / "digits" / "1.wav") << kGood;
    std::ofstream(folder / name / "header.wav") << kGood.substr(0, 44);
    std::ofstream(folder / name / "readme.txt") << "x";
    std::filesystem::create_symlink("digits/1.wav", folder / name / "one.wav");
    std::filesystem::create_symlink("nowhere", folder / name / "two.wav");
  }
  const auto prompts = SpokenPrompts(folder.path());
  ASSERT_EQ(prompts.size(), 10u);
  EXPECT_EQ(prompts[0].path, folder / "en_US_f_Allison" / "digits" / "1.wav");
  EXPECT_EQ(prompts[1].path, folder / "en_US_f_Allison" / "one.wav");
  EXPECT_EQ(prompts[1].label, "en");
  EXPECT_EQ(prompts[9].label, "ru");
  std::filesystem::remove_all(folder / "fr_CA_f_June");
  std::filesystem::remove_all(folder / "it_IT_m_Carlo");
  ExpectError(ErrorCode::kNotFound,
              "install the Debian packages asterisk-core-sounds-fr-wav "
              "asterisk-core-sounds-it-wav",
              [&] { SpokenPrompts(folder.path()); });
}

// Counts of `find -size +44c` and of another program.
TEST(SpokenPrompts, ReadsTheInstalledPackages) {
  for (const char* name : {"en_US_f_Allison", "es_MX_f_Allison", "fr_CA_f_June",
                           "it_IT_m_Carlo", "ru_RU_f_IvrvoiceRU"}) {
    if (!std::filesystem::exists(SpokenPromptsFolder() / name)) {
      GTEST_SKIP() << "the Debian packages asterisk-core-sounds-{en,es,fr,it,"
                      "ru}-wav are not all installed";
    }
  }
  std::map<std::string, int> counts;
  std::size_t samples = 0;
  for (const LabelledFile& prompt : SpokenPrompts()) {
    const Sound sound = ReadWav(prompt.path);
    ASSERT_EQ(sound.rate, 8000) << prompt.path;
    samples += sound.samples.size();
    ++counts[prompt.label];
  }
  EXPECT_EQ(
      counts,
      (std::map<std::string, int>{
          {"en", 568}, {"es", 527}, {"fr", 561}, {"it", 599}, {"ru", 575}}));
  EXPECT_NEAR(static_cast<double>(samples) / 8000 / 60, 131.0278, 1e-4);
}

}  // namespace
}  // namespace hone
