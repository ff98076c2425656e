// What the machine can do at most: floats read from memory, floats copied past the caches, and
// multiply-adds in registers, by so many threads. Prints GB/s, GB/s, GFLOP/s.
//   cc -O3 -march=native limits.c -o limits -lpthread && ./limits THREADS
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__AVX__)
#include <immintrin.h>
#endif

#define COUNT (16L << 20)  // floats of each thread
#define REPEATS 20
#define CHAINS 12          // independent sums: latency times throughput of a multiply-add

#if defined(__AVX512F__)
#define WIDTH 16
#elif defined(__AVX__)
#define WIDTH 8
#else
#define WIDTH 4
#endif
typedef float vec __attribute__((vector_size(WIDTH * sizeof(float))));

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

typedef struct {
  pthread_barrier_t* barrier;
  vec *x, *y;
  double read, copy, arithmetic;  // seconds, the best of REPEATS
  float sink;
} Worker;

static double best(double a, double b) { return a < b ? a : b; }

static void read_all(Worker* w) {
  vec sums[8] = {0};
  for (long i = 0; i < COUNT / WIDTH; i += 8)
    for (int k = 0; k < 8; ++k) sums[k] += w->x[i + k];
  for (int k = 0; k < 8; ++k) w->sink += sums[k][0];
}

static void copy_all(Worker* w) {
#if defined(__AVX512F__)
  for (long i = 0; i < COUNT; i += 16)
    _mm512_stream_ps((float*)w->y + i, _mm512_load_ps((float*)w->x + i));
#elif defined(__AVX__)
  for (long i = 0; i < COUNT; i += 8)
    _mm256_stream_ps((float*)w->y + i, _mm256_load_ps((float*)w->x + i));
#else
  memcpy(w->y, w->x, COUNT * sizeof(float));
#endif
}

#define ROUNDS 2000000L
static void arithmetic(Worker* w) {
  vec sums[CHAINS], a = w->x[0] * 0.0f + 1.0f, b = w->x[1] * 0.0f;
  for (int k = 0; k < CHAINS; ++k) sums[k] = b + (float)k;
  for (long i = 0; i < ROUNDS; ++i)
    for (int k = 0; k < CHAINS; ++k) sums[k] = sums[k] * a + b;
  for (int k = 0; k < CHAINS; ++k) w->sink += sums[k][0];
}

static double timed(Worker* w, void (*work)(Worker*)) {
  pthread_barrier_wait(w->barrier);
  double start = now();
  work(w);
  pthread_barrier_wait(w->barrier);
  return now() - start;
}

static void* run(void* argument) {
  Worker* w = argument;
  w->x = aligned_alloc(64, COUNT * sizeof(float));
  w->y = aligned_alloc(64, COUNT * sizeof(float));
  memset(w->x, 0, COUNT * sizeof(float));
  memset(w->y, 0, COUNT * sizeof(float));
  w->read = w->copy = w->arithmetic = 1e9;
  for (int i = 0; i < REPEATS; ++i) {
    w->read = best(w->read, timed(w, read_all));
    w->copy = best(w->copy, timed(w, copy_all));
    if (i < 5) w->arithmetic = best(w->arithmetic, timed(w, arithmetic));
  }
  return NULL;
}

int main(int count, char** words) {
  int threads = count > 1 ? atoi(words[1]) : 1;
  if (threads < 1 || threads > 1024) return 1;
  pthread_barrier_t barrier;
  pthread_barrier_init(&barrier, NULL, threads);
  Worker* workers = calloc(threads, sizeof(Worker));
  pthread_t* handles = calloc(threads, sizeof(pthread_t));
  for (int i = 0; i < threads; ++i) {
    workers[i].barrier = &barrier;
    pthread_create(&handles[i], NULL, run, &workers[i]);
  }
  for (int i = 0; i < threads; ++i) pthread_join(handles[i], NULL);
  double bytes = 4.0 * COUNT * threads, flops = 2.0 * ROUNDS * CHAINS * WIDTH * threads;
  printf("%.1f %.1f %.1f\n", bytes / workers[0].read / 1e9, 2 * bytes / workers[0].copy / 1e9,
         flops / workers[0].arithmetic / 1e9);
  return workers[0].sink == 12345;
}
