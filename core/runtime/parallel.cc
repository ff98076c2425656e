// A pool of threads that take chunks from a shared counter. Rebuilt in a child after fork.
#include "runtime/parallel.h"

#include <pthread.h>

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

}  // namespace lampas
