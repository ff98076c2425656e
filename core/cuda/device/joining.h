// cat, triangles, and repeat_interleave's index.
#pragma once
#include "cuda/device/failures.h"
#include "cuda/device/walk.h"

namespace lampas::device {

// Contiguous parts side by side in the rows of y. A block's second coordinate names the part.
constexpr int kParts = 96;
struct Part {
  const void* x;
  int64_t words, start;  // of one row
};
struct JoinArguments {
  void* y;
  int64_t rows, row_words;
  Part parts[kParts];
};
template <class Word, class Index>
inline void join(const JoinArguments& a) {
  const Part& part = a.parts[blockIdx.y];
  Word* y = static_cast<Word*>(a.y) + part.start;
  const Word* x = static_cast<const Word*>(part.x);
  int64_t n = a.rows * part.words, step = step_of_grid();
  Index words = static_cast<Index>(part.words);
  auto target = [&](int64_t i) {
    Index r = static_cast<Index>(i) / words;
    return static_cast<int64_t>(r) * a.row_words +
           static_cast<int64_t>(static_cast<Index>(i) - r * words);
  };
  int64_t i = first_of_grid();
  for (; i + 3 * step < n; i += 4 * step) {  // four loads under way at once
    Word w[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) w[k] = x[i + k * step];
#pragma unroll
    for (int k = 0; k < 4; ++k) y[target(i + k * step)] = w[k];
  }
  for (; i < n; i += step) y[target(i)] = x[i];
}

struct TriangleArguments {
  void* y;
  const void* x;
  int64_t n, rows, columns, k, upper;
  Walk<1> walk;  // of x
};
template <class Word, class Index>
inline void triangle(const TriangleArguments& a) {
  for (int64_t i = first_of_grid(); i < a.n; i += step_of_grid()) {
    Index columns = static_cast<Index>(a.columns), line = static_cast<Index>(i) / columns;
    auto column = static_cast<int64_t>(static_cast<Index>(i) - line * columns);
    auto row = static_cast<int64_t>(line % static_cast<Index>(a.rows));
    bool kept = a.upper ? column >= row + a.k : column <= row + a.k;
    int64_t at[1];
    Word v{};
    if (kept) {
      place<Index>(a.walk, static_cast<Index>(i), at);
      v = static_cast<const Word*>(a.x)[at[0]];
    }
    static_cast<Word*>(a.y)[i] = v;
  }
}

// ends[i]: where the repetitions of i begin; ends[n]: where all end.
struct RepeatArguments {
  int64_t* y;
  int64_t* ends;
  const void* repeats;
  int64_t n, step, length;  // of repeats; of y
  Report report;
};
template <class T>
inline void read_repeats(const RepeatArguments& a) {
  for (int64_t i = first_of_grid(); i < a.n; i += step_of_grid()) {
    auto count = static_cast<int64_t>(static_cast<const T*>(a.repeats)[i * a.step]);
    if (count < 0) report(a.report, count);
    a.ends[i] = count < 0 ? 0 : count;
  }
}
inline void repeat_index(const RepeatArguments& a) {
  if (first_of_grid() == 0 && a.ends[a.n] != a.length) report(a.report, a.ends[a.n]);
  for (int64_t p = first_of_grid(); p < a.length; p += step_of_grid()) {
    int64_t low = 0, high = a.n;  // the last i whose repetitions begin at p or before
    while (high - low > 1) {
      int64_t middle = (low + high) / 2;
      if (a.ends[middle] <= p)
        low = middle;
      else
        high = middle;
    }
    a.y[p] = low;
  }
}

}  // namespace lampas::device
