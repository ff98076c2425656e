// Results that no cache will keep, written past the caches: a normal store first reads the line
// it is about to fill, a third of the traffic of a + b.
#pragma once
#include <cstdint>

#include "cpu/isa.h"

namespace lampas::cpu {

// From this many bytes on a result is streamed. Last-level caches of one user's share are about
// that large, and what a virtual machine says of them is not to be trusted.
inline constexpr int64_t kStreamed = int64_t{16} << 20;
// Bytes of a row that a first-level cache holds beside the input; longer ones are not streamed.
inline constexpr int64_t kStreamedRow = 1 << 15;

}  // namespace lampas::cpu

namespace lampas {

// `stream` is a memcpy that does not read the lines it writes; after the last one of a thread's
// share `stream_end` makes them visible to other threads.
#define LAMPAS_STREAMING(isa)                             \
  namespace isa {                                         \
  void stream(void* to, const void* from, int64_t bytes); \
  void stream_end();                                      \
  }
LAMPAS_STREAMING(baseline)
LAMPAS_STREAMING(avx2)
LAMPAS_STREAMING(avx512)
#undef LAMPAS_STREAMING

namespace cpu {

// Rows of one result, made one after the other by one thread: those of a streamed result in a
// buffer first, or, by loops that stream on their own, where `past` tells them to.
class StreamedRows {
 public:
  StreamedRows(int64_t bytes, int64_t row)
      : row_(row), past_(bytes >= kStreamed && row <= kStreamedRow) {}
  ~StreamedRows() {
    if (past_) LAMPAS_BEST(stream_end());
  }
  StreamedRows(const StreamedRows&) = delete;

  bool past() const { return past_; }
  // fill(where to put the row)
  template <class F>
  void make(char* to, F&& fill) {
    if (!past_) return fill(to);
    fill(buffer_);
    LAMPAS_BEST(stream(to, buffer_, row_));
  }

 private:
  int64_t row_;
  bool past_;
  alignas(64) char buffer_[kStreamedRow];
};

}  // namespace cpu
}  // namespace lampas
