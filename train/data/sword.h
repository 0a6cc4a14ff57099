#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "train/data/line_pairs.h"

namespace hone {

// The verses of a SWORD module of type zText with OSIS markup, in the order of
// its records: ot.bzs, .bzv and .bzz in `folder`, then nt.*. Plain text: notes
// and titles are dropped with their content; other tags, the pilcrow, the left-
// over marker "\nd " and extra blanks are dropped too. Headings of books and
// chapters have records of their own, which come out empty.
//
// Format (little endian), after the source of libsword's zVerse: .bzs holds 12
// bytes for each block (u32 offset in .bzz, u32 size there, u32 size inflated),
// .bzv 10 bytes for each record (u32 block, u32 offset in the inflated block,
// u16 size). A block is one zlib stream, and zeros up to the size given.
// Throws: Error{kNotFound} naming the file and the Debian package;
// Error{kUsage} naming file and byte offset: an offset or a size that leads out
// of its file or block, a stream that is damaged or not as long as said, text
// that is not UTF-8 or in which a tag, note or title does not end.
std::vector<std::string> ReadSwordModule(const std::filesystem::path& folder);

// The verses that both modules have, record i of one with record i of the
// other: for modules of one versification, as the two below. `line` is the
// number of the record, from 1.
// Throws as ReadSwordModule; Error{kUsage} naming both numbers of records if
// they differ.
std::vector<TextPair> ReadSwordPairs(const std::filesystem::path& source,
                                     const std::filesystem::path& target);

// Where Debian keeps the module: "engKJV2006eb" (the package sword-text-kjv) or
// "spaRV1909eb" (sword-text-sparv).
// Throws: Error{kNotFound} naming the package, or the modules known.
std::filesystem::path SwordFolder(const std::string& module);

}  // namespace hone
