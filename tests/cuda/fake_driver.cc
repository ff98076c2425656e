// A CUDA driver for tests, and its compiler: kernels compiled by the host's compiler (see
// emulated_grid.h) and run when they are launched. One library serves as libcuda.so.1
// and as libnvrtc. Devices' memory can be read and written during calls of the driver only: whoever
// follows such an address on the host crashes, as with a real device.
//
// Streams run in order and at once, except that work after `fake_hold(stream)` counts as unfinished
// until `fake_proceed()`: events recorded there are not ready. FAKE_CUDA_* in the environment say
// how many devices there are, how much memory each has, the driver's version, the compiler's
// command.
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#define API extern "C" __attribute__((visibility("default")))

namespace {

int number(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text ? std::atoi(text) : otherwise;
}
size_t memory() { return size_t(number("FAKE_CUDA_MEMORY_MB", 256)) << 20; }
int devices() { return number("FAKE_CUDA_DEVICES", 2); }

struct Context {
  int device = 0;
  size_t used = 0;
  char* arena = nullptr;  // all the memory of the device
};
struct Stream {
  Context* context;
  bool held = false;
};
struct Event {
  bool recorded = false, held = false;
  float time = 0;
};
std::mutex guard;
Context contexts[8];
Stream default_streams[8];
thread_local Context* current = nullptr;
std::map<unsigned long long, std::pair<size_t, Context*>> blocks;
std::set<Event*> events;
std::set<Stream*> held;
float clock_ = 0;
int fail_next = 0, launches = 0, copies = 0;

// While one exists, memory of devices can be reached.
struct Reach {
  Reach() { set(PROT_READ | PROT_WRITE); }
  ~Reach() { set(PROT_NONE); }
  static void set(int how) {
    for (Context& c : contexts)
      if (c.arena) mprotect(c.arena, memory(), how);
  }
};

// The first gap that is long enough; null when there is none.
char* place(Context* c, size_t n) {
  char* at = c->arena;
  for (auto& [start, block] : blocks) {
    if (block.second != c) continue;
    char* begin = reinterpret_cast<char*>(start);
    if (begin - at >= ptrdiff_t(n)) break;
    at = begin + (block.first + 511) / 512 * 512;
  }
  return at + n <= c->arena + memory() ? at : nullptr;
}

Stream* stream_of(void* handle) {
  if (handle) return static_cast<Stream*>(handle);
  return current ? &default_streams[current->device] : nullptr;
}
}  // namespace

// --- what tests steer and read ---
API void fake_fail_next_launch(int code) { fail_next = code; }
API int fake_launches() { return launches; }
API int fake_copies() { return copies; }
API void fake_hold(void* stream) {
  Stream* s = stream_of(stream);
  s->held = true;
  held.insert(s);
}
API void fake_proceed() {
  for (Stream* s : held) s->held = false;
  held.clear();
  for (Event* e : events) e->held = false;
}
API int fake_blocks() { return int(blocks.size()); }
// For libraries that play kernels of their own (fake_cublaslt.cc, fake_cudnn.cc).
API void fake_reach(int on) { Reach::set(on ? PROT_READ | PROT_WRITE : PROT_NONE); }
API int fake_holds(unsigned long long p, size_t n) {
  auto after = blocks.upper_bound(p);
  if (after == blocks.begin()) return 0;
  auto [start, block] = *--after;
  return p + n <= start + block.first;
}

// --- the driver ---
API int cuInit(unsigned) { return devices() > 0 ? 0 : 100; }
API int cuDriverGetVersion(int* v) {
  *v = number("FAKE_CUDA_VERSION", 12080);
  return 0;
}
API int cuGetErrorName(int r, const char** name) {
  *name = r == 2     ? "CUDA_ERROR_OUT_OF_MEMORY"
          : r == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS"
          : r == 719 ? "CUDA_ERROR_LAUNCH_FAILED"
                     : "CUDA_ERROR_INVALID_VALUE";
  return 0;
}
API int cuGetErrorString(int r, const char** text) {
  *text = r == 2     ? "out of memory"
          : r == 700 ? "an illegal memory access was encountered"
          : r == 719 ? "unspecified launch failure"
                     : "invalid argument";
  return 0;
}
API int cuDeviceGetCount(int* n) {
  *n = devices();
  return 0;
}
API int cuDeviceGet(int* d, int ordinal) {
  *d = ordinal;
  return ordinal < devices() ? 0 : 101;
}
API int cuDeviceGetName(char* name, int length, int d) {
  std::snprintf(name, size_t(length), "Fake GPU %d", d);
  return 0;
}
API int cuDeviceGetAttribute(int* v, int which, int) {
  *v = which == 75 ? 9 : which == 76 ? 0 : which == 16 ? 4 : which == 10 ? 32 : 2048;
  return 0;
}
API int cuDeviceTotalMem_v2(size_t* n, int) {
  *n = memory();
  return 0;
}
API int cuDevicePrimaryCtxRetain(Context** c, int d) {
  contexts[d].device = d;
  default_streams[d].context = &contexts[d];
  *c = &contexts[d];
  if (!contexts[d].arena)
    contexts[d].arena = static_cast<char*>(
        mmap(nullptr, memory(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  return 0;
}
API int cuCtxSetCurrent(Context* c) {
  current = c;
  return 0;
}
API int cuCtxSynchronize() {
  fake_proceed();
  return current ? 0 : 201;
}
API int cuMemGetInfo_v2(size_t* free, size_t* total) {
  if (!current) return 201;
  *total = memory();
  *free = memory() - current->used;
  return 0;
}
API int cuMemAlloc_v2(unsigned long long* p, size_t n) {
  std::lock_guard<std::mutex> hold(guard);
  if (!current || n == 0) return current ? 1 : 201;
  if (current->used + n > memory()) return 2;
  char* made = place(current, n);
  if (!made) return 2;
  {
    Reach reach;
    std::memset(made, 0xcd, n);
  }
  *p = reinterpret_cast<unsigned long long>(made);
  blocks[*p] = {n, current};
  current->used += n;
  return 0;
}
API int cuMemHostAlloc(void** p, size_t n, unsigned) {
  *p = std::malloc(n);
  return 0;
}
API int cuMemFree_v2(unsigned long long p) {
  std::lock_guard<std::mutex> hold(guard);
  auto found = blocks.find(p);
  if (found == blocks.end()) return 1;
  found->second.second->used -= found->second.first;
  blocks.erase(found);
  return 0;
}
namespace {
bool inside(unsigned long long p, size_t n) {
  auto after = blocks.upper_bound(p);
  if (after == blocks.begin()) return false;
  auto [start, block] = *--after;
  return p + n <= start + block.first;
}
int move(void* to, const void* from, size_t n) {
  ++copies;
  Reach reach;
  std::memcpy(to, from, n);
  return 0;
}
}  // namespace
API int cuMemcpyHtoDAsync_v2(unsigned long long to, const void* from, size_t n, void*) {
  return current && inside(to, n) ? move(reinterpret_cast<void*>(to), from, n) : 1;
}
API int cuMemcpyDtoHAsync_v2(void* to, unsigned long long from, size_t n, void*) {
  return current && inside(from, n) ? move(to, reinterpret_cast<void*>(from), n) : 1;
}
API int cuMemcpyDtoDAsync_v2(unsigned long long to, unsigned long long from, size_t n, void*) {
  return inside(to, n) && inside(from, n)
             ? move(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), n)
             : 1;
}
API int cuMemcpyPeerAsync(unsigned long long to, Context* a, unsigned long long from, Context* b,
                          size_t n, void*) {
  return a != b ? cuMemcpyDtoDAsync_v2(to, from, n, nullptr) : 1;
}
API int cuMemsetD8Async(unsigned long long p, unsigned char v, size_t n, void*) {
  Reach reach;
  std::memset(reinterpret_cast<void*>(p), v, n);
  return 0;
}
API int cuStreamCreateWithPriority(Stream** s, unsigned, int) {
  *s = new Stream{current};
  return current ? 0 : 201;
}
API int cuStreamSynchronize(void* s) {
  if (stream_of(s)->held) fake_proceed();
  return 0;
}
API int cuStreamQuery(void* s) { return stream_of(s)->held ? 600 : 0; }
API int cuStreamWaitEvent(void* s, Event* e, unsigned) {
  if (e->held) fake_hold(s);
  return 0;
}
API int cuEventCreate(Event** e, unsigned) {
  events.insert(*e = new Event);
  return 0;
}
API int cuEventDestroy_v2(Event* e) {
  events.erase(e);
  delete e;
  return 0;
}
API int cuEventRecord(Event* e, void* s) {
  e->recorded = true;
  e->held = stream_of(s)->held;
  e->time = clock_ += 1;
  return 0;
}
API int cuEventQuery(Event* e) { return e->held ? 600 : 0; }
API int cuEventSynchronize(Event* e) {
  if (e->held) fake_proceed();
  return 0;
}
API int cuEventElapsedTime(float* ms, Event* a, Event* b) {
  *ms = b->time - a->time;
  return 0;
}

// --- kernels: a program's code is the path of a library ---
API int cuModuleLoadData(void** module, const void* image) {
  *module = dlopen(static_cast<const char*>(image), RTLD_NOW | RTLD_LOCAL);
  if (!*module) std::fprintf(stderr, "%s\n", dlerror());
  return *module ? 0 : 200;
}
API int cuModuleGetFunction(void** function, void* module, const char* name) {
  *function = dlsym(module, name);
  return *function ? 0 : 500;
}
struct Dim3 {
  unsigned x, y, z;
};
API int cuLaunchKernel(void* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                       unsigned bz, unsigned, void*, void** params, void**) {
  if (int code = fail_next) {
    fail_next = 0;
    return code;
  }
  if (!current || gx == 0 || bx * by * bz > 1024) return 1;
  ++launches;
  Reach reach;
  using Kernel = void (*)(void**, const Dim3&, const Dim3&);
  reinterpret_cast<Kernel>(f)(params, {gx, gy, gz}, {bx, by, bz});
  return 0;
}

// --- the compiler ---
struct Program {
  std::string text, folder, log, code;
  std::map<std::string, std::string> headers;
};
API int nvrtcVersion(int* major, int* minor) {
  *major = 0, *minor = 1;
  return 0;
}
API int nvrtcGetNumSupportedArchs(int* n) {
  *n = 2;
  return 0;
}
API int nvrtcGetSupportedArchs(int* archs) {
  archs[0] = 75, archs[1] = number("FAKE_NVRTC_NEWEST", 90);
  return 0;
}
API int nvrtcCreateProgram(Program** p, const char* text, const char*, int n,
                           const char* const* texts, const char* const* names) {
  *p = new Program{text, "", "", "", {}};
  for (int i = 0; i < n; ++i)
    if (*texts[i]) (*p)->headers[names[i]] = texts[i];
  return 0;
}
API int nvrtcDestroyProgram(Program** p) {
  delete *p;
  *p = nullptr;
  return 0;
}
API int nvrtcCompileProgram(Program* p, int, const char* const*) {
  static int count = 0;
  // A folder for each process: none reads headers that another is writing.
  std::string folder =
      std::string(std::getenv("FAKE_CUDA_FOLDER")) + "/" + std::to_string(getpid());
  std::string base = folder + "/" + std::to_string(count++);
  for (const char* sub : {"/ops", "/cpu", "/cuda", "/cuda/device"})
    if (std::system(("mkdir -p '" + folder + sub + "'").c_str())) return 1;
  for (auto& [name, text] : p->headers) std::ofstream(folder + "/" + name) << text;
  std::ofstream(base + ".cc") << p->text;
  const char* compiler = std::getenv("CXX");
  std::string command =
      std::string(compiler ? compiler : "c++") + " -std=c++20 -O0 -w -fPIC -shared -I'" + folder +
      "' -I'" TESTS_FOLDER "' " + base + ".cc -o " + base + ".so 2> " + base + ".log";
  int status = std::system(command.c_str());
  std::ifstream log(base + ".log");
  p->log.assign(std::istreambuf_iterator<char>(log), {});
  p->code = base + ".so";
  return status ? 6 : 0;
}
API int nvrtcGetProgramLogSize(Program* p, size_t* n) {
  *n = p->log.size() + 1;
  return 0;
}
API int nvrtcGetProgramLog(Program* p, char* to) {
  std::strcpy(to, p->log.c_str());
  return 0;
}
API int nvrtcGetCUBINSize(Program* p, size_t* n) {
  *n = p->code.size() + 1;
  return 0;
}
API int nvrtcGetCUBIN(Program* p, char* to) {
  std::strcpy(to, p->code.c_str());
  return 0;
}
API int nvrtcGetPTXSize(Program* p, size_t* n) { return nvrtcGetCUBINSize(p, n); }
API int nvrtcGetPTX(Program* p, char* to) { return nvrtcGetCUBIN(p, to); }
