#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>
#include <string>

#include "cached/base/bytes.h"

namespace varve {

// Bytes that do not compress; the same each time.
inline Bytes Random(std::size_t size) {
  std::mt19937_64 random(1);
  Bytes bytes(size);
  std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::byte>(random()); });
  return bytes;
}

// Words in random order: zstd -3 makes about a third of it, as of the files of an image.
inline Bytes Text(std::size_t size) {
  std::mt19937_64 random(1);
  std::string text;
  while (text.size() < size) text += "word" + std::to_string(random() % 3000) + (random() % 8 == 0 ? "\n" : " ");
  return ToBytes(text.substr(0, size));
}

inline void SetBytes(benchmark::State& state, std::size_t bytes_each) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes_each));
}

}  // namespace varve
