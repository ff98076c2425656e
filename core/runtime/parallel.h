// The thread pool. Work is cut by size alone, never by the number of threads, so results are
// bitwise equal whatever that number is.
#pragma once
#include <cstdint>
#include <type_traits>

namespace lampas {

int num_threads();
void set_num_threads(int count);
bool in_parallel_region();

namespace detail {
void run_chunks(int64_t chunks, void (*body)(void*, int64_t), void* context);
void run_steps(int64_t steps, int64_t pieces, void (*body)(void*, int64_t, int64_t), void* context);
}  // namespace detail

// Calls body(begin, end) over [0, n) in chunks of `grain` (the last may be shorter), on the calling
// thread when there is one chunk only. A hand-off costs tens of microseconds: choose `grain` so
// that a chunk takes at least as long. Exceptions of a chunk are rethrown in the caller. No owner
// counts, no Python inside. The GIL is released while more than one chunk runs.
template <class F>
void parallel_for(int64_t n, int64_t grain, F&& body) {
  if (n <= 0) return;
  if (grain < 1) grain = 1;
  if (n <= grain) {
    body(int64_t{0}, n);
    return;
  }
  struct Context {
    std::remove_reference_t<F>* body;
    int64_t n, grain;
  } context{&body, n, grain};
  detail::run_chunks((n + grain - 1) / grain,
                     [](void* c, int64_t chunk) {
                       auto& x = *static_cast<Context*>(c);
                       int64_t begin = chunk * x.grain,
                               end = begin + x.grain < x.n ? begin + x.grain : x.n;
                       (*x.body)(begin, end);
                     },
                     &context);
}

// Calls body(step, piece) for every piece of step 0, then of step 1, ... with one hand-off for all
// of them: a piece starts when the step before is done. Threads meet by spinning, so a piece may be
// as short as a few microseconds. Each thread takes the same pieces in every step where it can, so
// that what they read again stays in its caches. Otherwise as parallel_for.
template <class F>
void parallel_steps(int64_t steps, int64_t pieces, F&& body) {
  detail::run_steps(
      steps, pieces,
      [](void* f, int64_t step, int64_t piece) {
        (*static_cast<std::remove_reference_t<F>*>(f))(step, piece);
      },
      &body);
}

// Set by the Python layer; called around long work.
struct LongWork {
  void* (*enter)();
  void (*leave)(void*);
};
extern LongWork long_work;

// Releases the GIL while it lives (when held).
class WithoutGil {
 public:
  WithoutGil() : token_(long_work.enter ? long_work.enter() : nullptr) {}
  ~WithoutGil() {
    if (token_) long_work.leave(token_);
  }
  WithoutGil(const WithoutGil&) = delete;

 private:
  void* token_;
};

}  // namespace lampas
