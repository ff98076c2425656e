// A pool of threads that take chunks from a shared counter. Rebuilt in a child after fork.
#include "runtime/parallel.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/error.h"

namespace lampas {

LongWork long_work;

namespace {

thread_local bool inside = false;

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

int default_threads() {
  if (const char* text = std::getenv("OMP_NUM_THREADS")) {
    int n = std::atoi(text);
    if (n > 0) return n;
  }
  unsigned n = std::thread::hardware_concurrency();
  return n ? static_cast<int>(n) : 1;
}
int wanted = 0;

struct Job {
  void (*body)(void*, int64_t);
  void* context;
  int64_t chunks;
  std::atomic<int64_t> next{0};
  std::exception_ptr error;
  std::mutex error_lock;

  Job(void (*body)(void*, int64_t), void* context, int64_t chunks)
      : body(body), context(context), chunks(chunks) {}
  void work() {
    inside = true;
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < chunks;) {
      try {
        body(context, i);
      } catch (...) {
        std::lock_guard<std::mutex> hold(error_lock);
        if (!error) error = std::current_exception();
        next.store(chunks);
      }
    }
    inside = false;
  }
};

struct Pool {
  std::vector<std::thread> threads;
  std::atomic<uint32_t> ticket{0};  // changes with every job: what sleeping threads wait on
  std::atomic<bool> stop{false};
  std::mutex handing;  // guards `job` and joining it
  Job* job = nullptr;
  std::atomic<int> active{0};  // pool threads still inside the job; outlives it, so waking is safe

  explicit Pool(int helpers) {
    for (int i = 0; i < helpers; ++i) threads.emplace_back([this] { serve(); });
  }
  ~Pool() {
    stop = true;
    ++ticket;
    ticket.notify_all();
    for (auto& t : threads) t.join();
  }
  void serve() {
    uint32_t seen = 0;
    while (true) {
      // A short spin: the next loop of a network usually follows within microseconds.
      for (int spin = 0; spin < 2000 && ticket.load(std::memory_order_acquire) == seen; ++spin)
        relax();
      ticket.wait(seen, std::memory_order_acquire);
      seen = ticket.load(std::memory_order_acquire);
      if (stop) return;
      Job* mine;
      {
        std::lock_guard<std::mutex> hold(handing);
        mine = job;
        if (mine) ++active;
      }
      if (!mine) continue;
      mine->work();
      if (--active == 0) active.notify_all();
    }
  }
  void run(Job& work) {
    {
      std::lock_guard<std::mutex> hold(handing);
      job = &work;
    }
    ++ticket;
    ticket.notify_all();
    work.work();
    {
      std::lock_guard<std::mutex> hold(handing);
      job = nullptr;
    }
    for (int spin = 0; spin < 2000 && active.load() != 0; ++spin) relax();
    for (int n; (n = active.load()) != 0;) active.wait(n);
  }
};

// Steps that threads walk through together. A piece belongs to who takes it first; whoever is late
// finds it taken, so nobody waits for a thread that has not arrived.
class Walk {
 public:
  Walk(int64_t steps, int64_t pieces, void (*body)(void*, int64_t, int64_t), void* context)
      : steps_(steps), pieces_(pieces), body_(body), context_(context), next_(pieces) {}

  // The part of the thread that is number `rank` of `team`.
  void run(int64_t rank, int64_t team) {
    int64_t first = rank * pieces_ / team;
    for (int64_t step = 0; step < steps_; ++step) {
      for (int64_t i = 0; i < pieces_; ++i) {
        int64_t piece = first + i < pieces_ ? first + i : first + i - pieces_;
        if (take(step, piece)) work(step, piece);
      }
      if (!wait_for((step + 1) * pieces_)) return;
    }
  }

 private:
  struct alignas(64) Next {  // a cache line each: threads write their own all the time
    std::atomic<int64_t> step{0};
  };

  bool take(int64_t step, int64_t piece) {
    auto& next = next_[static_cast<size_t>(piece)].step;
    int64_t expected = step;
    return next.load(std::memory_order_relaxed) == step &&
           next.compare_exchange_strong(expected, step + 1, std::memory_order_relaxed);
  }
  void work(int64_t step, int64_t piece) {
    try {
      body_(context_, step, piece);
    } catch (...) {
      failed_.store(true, std::memory_order_release);
      throw;
    }
    done_.fetch_add(1, std::memory_order_acq_rel);
  }
  // Spins for some ten microseconds; then others may need the core more. False: a piece failed.
  bool wait_for(int64_t count) {
    for (int spin = 0; done_.load(std::memory_order_acquire) < count; ++spin) {
      if (failed_.load(std::memory_order_relaxed)) return false;
      spin < 1000 ? relax() : std::this_thread::yield();
    }
    return true;
  }

  int64_t steps_, pieces_;
  void (*body_)(void*, int64_t, int64_t);
  void* context_;
  std::vector<Next> next_;                    // of each piece: the step that nobody has taken yet
  alignas(64) std::atomic<int64_t> done_{0};  // pieces of all steps
  std::atomic<bool> failed_{false};
};

Pool* pool = nullptr;  // leaked at exit: joining threads while the process ends can hang
std::mutex one_at_a_time;

// Threads do not survive fork: the child forgets the pool and makes its own when needed.
[[maybe_unused]] const int at_fork = pthread_atfork(nullptr, nullptr, [] {
  pool = nullptr;
  new (&one_at_a_time) std::mutex;
});

}  // namespace

int num_threads() {
  if (wanted == 0) wanted = default_threads();
  return wanted;
}

void set_num_threads(int count) {
  CHECK(count > 0, "set_num_threads expects a positive integer");
  std::lock_guard<std::mutex> hold(one_at_a_time);
  wanted = count;
  delete pool;
  pool = nullptr;
}

bool in_parallel_region() { return inside; }

void detail::run_chunks(int64_t chunks, void (*body)(void*, int64_t), void* context) {
  if (inside || num_threads() == 1) {
    for (int64_t i = 0; i < chunks; ++i) body(context, i);
    return;
  }
  WithoutGil released;
  std::unique_lock<std::mutex> mine(one_at_a_time, std::try_to_lock);
  Job job(body, context, chunks);
  if (mine.owns_lock()) {
    if (!pool) pool = new Pool(num_threads() - 1);
    pool->run(job);
  } else {
    job.work();  // another Python thread has the pool: do it alone
  }
  if (job.error) std::rethrow_exception(job.error);
}

void detail::run_steps(int64_t steps, int64_t pieces, void (*body)(void*, int64_t, int64_t),
                       void* context) {
  // Threads that wait for each other must not outnumber the cores.
  static const int64_t cores = std::max(1u, std::thread::hardware_concurrency());
  int64_t team = std::min({pieces, cores, static_cast<int64_t>(num_threads())});
  if (inside || team <= 1) {
    for (int64_t step = 0; step < steps; ++step)
      for (int64_t piece = 0; piece < pieces; ++piece) body(context, step, piece);
    return;
  }
  Walk walk(steps, pieces, body, context);
  parallel_for(team, 1, [&](int64_t rank, int64_t) { walk.run(rank, team); });
}

}  // namespace lampas
