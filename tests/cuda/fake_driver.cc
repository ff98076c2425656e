// A CUDA driver for tests, and its compiler: kernels compiled by the host's compiler (see
// emulated_grid.h) and run when they are launched. One library serves as libcuda.so.1
// and as libnvrtc. Devices' memory can be read and written during calls of the driver only: whoever
// follows such an address on the host crashes, as with a real device.
//
// Streams run in order and at once, except that work after `fake_hold(stream)` counts as unfinished
// until `fake_proceed()`: events recorded there are not ready. Work given to a stream that is
// captured is noted, and done when the graph is launched; what a real driver forbids meanwhile is
// refused, and ends the capture. FAKE_CUDA_* in the environment say how many devices there are, how
// much memory each has, the driver's version, the compiler's command.
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
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
struct Graph {
  std::vector<std::function<int()>> nodes;
  struct Stream* origin = nullptr;
  std::set<struct Stream*> streams;  // that take part
  bool invalid = false;
};
struct Stream {
  Context* context = nullptr;
  bool held = false;
  int priority = 0;
  Graph* capture = nullptr;
  int work = 0, joined = 0;  // in a capture: what it was given, what the origin has waited for
};
struct Event {
  bool recorded = false, held = false;
  float time = 0;
  Stream* stream = nullptr;  // of a record in a capture
  int work = 0;
};
std::mutex guard;
Context contexts[8];
Stream default_streams[8];
thread_local Context* current = nullptr;
std::map<unsigned long long, std::pair<size_t, Context*>> blocks;
std::set<Event*> events;
std::set<Stream*> held;
float clock_ = 0;
int fail_next = 0, launches = 0, copies = 0, waits = 0, graph_launches = 0;
int captures = 0;           // underway, that forbid unsafe calls
thread_local int mode = 0;  // of this thread: 0 global, 1 its own, 2 relaxed
std::map<char*, size_t> pinned;
std::map<void*, size_t> argument_sizes;  // of kernels
constexpr int kUnsupported = 900, kInvalidated = 901, kUnjoined = 904;

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

std::set<Stream*>& all_streams() {
  static auto* all = new std::set<Stream*>;
  return *all;
}
// Calls that a capture forbids on this thread end it.
bool forbidden() {
  if (!captures || mode == 2) return false;
  for (Stream* s : all_streams())
    if (s->capture) s->capture->invalid = true;
  return true;
}
// Work for a stream: done at once, or noted for a graph.
int submit(void* handle, std::function<int()> work) {
  Stream* s = stream_of(handle);
  if (!s) return 201;
  if (!s->capture) return work();
  if (s->capture->invalid) return kInvalidated;
  ++s->work;
  s->capture->nodes.push_back(std::move(work));
  return 0;
}
}  // namespace

// --- what tests steer and read ---
API void fake_fail_next_launch(int code) { fail_next = code; }
API int fake_launches() { return launches; }
API int fake_copies() { return copies; }
API int fake_waits() { return waits; }
API int fake_graph_launches() { return graph_launches; }
API int fake_pinned() { return int(pinned.size()); }
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
          : r == 900 ? "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"
          : r == 901 ? "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"
          : r == 904 ? "CUDA_ERROR_STREAM_CAPTURE_UNJOINED"
                     : "CUDA_ERROR_INVALID_VALUE";
  return 0;
}
API int cuGetErrorString(int r, const char** text) {
  *text = r == 2     ? "out of memory"
          : r == 700 ? "an illegal memory access was encountered"
          : r == 719 ? "unspecified launch failure"
          : r == 900 ? "operation not permitted when stream is capturing"
          : r == 901 ? "operation failed due to a previous error during capture"
          : r == 904 ? "capture was not ended because it has unjoined work"
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
  if (which == 88) *v = number("FAKE_CUDA_PAGEABLE", 0);
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
  if (forbidden()) return kUnsupported;
  ++waits;
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
  if (forbidden()) return kUnsupported;
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
API int cuMemFree_v2(unsigned long long p) {
  if (forbidden()) return kUnsupported;
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
API int cuMemcpyHtoDAsync_v2(unsigned long long to, const void* from, size_t n, void* s) {
  if (!current || !inside(to, n)) return 1;
  return submit(s, [=] { return move(reinterpret_cast<void*>(to), from, n); });
}
API int cuMemcpyDtoHAsync_v2(void* to, unsigned long long from, size_t n, void* s) {
  if (!current || !inside(from, n)) return 1;
  return submit(s, [=] { return move(to, reinterpret_cast<void*>(from), n); });
}
API int cuMemcpyDtoDAsync_v2(unsigned long long to, unsigned long long from, size_t n, void* s) {
  if (!inside(to, n) || !inside(from, n)) return 1;
  return submit(
      s, [=] { return move(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), n); });
}
API int cuMemcpyPeerAsync(unsigned long long to, Context* a, unsigned long long from, Context* b,
                          size_t n, void* s) {
  return a != b ? cuMemcpyDtoDAsync_v2(to, from, n, s) : 1;
}
API int cuMemsetD8Async(unsigned long long p, unsigned char v, size_t n, void* s) {
  return submit(s, [=] {
    Reach reach;
    std::memset(reinterpret_cast<void*>(p), v, n);
    return 0;
  });
}
API int cuMemHostAlloc(void** p, size_t n, unsigned) {
  if (forbidden()) return kUnsupported;
  if (!current) return 201;
  char* made = static_cast<char*>(std::aligned_alloc(4096, (n + 4095) / 4096 * 4096));
  std::memset(made, 0xcd, n);
  pinned[made] = n;
  *p = made;
  return 0;
}
API int cuMemFreeHost(void* p) {
  if (forbidden()) return kUnsupported;
  if (!pinned.erase(static_cast<char*>(p))) return 1;
  std::free(p);
  return 0;
}
API int cuPointerGetAttribute(void* value, int which, unsigned long long p) {
  auto* at = reinterpret_cast<char*>(p);
  bool host = false, device = inside(p, 1);
  for (auto& [start, n] : pinned) host |= at >= start && at < start + n;
  if ((which != 2 && which != 9) || (!host && !device)) return 1;
  if (which == 9) {
    *static_cast<int*>(value) =
        device ? std::prev(blocks.upper_bound(p))->second.second->device : 0;
    return 0;
  }
  *static_cast<unsigned*>(value) = host ? 1 : 2;
  return 0;
}
API int cuDeviceCanAccessPeer(int* can, int a, int b) {
  *can = a != b;
  return 0;
}
API int cuCtxEnablePeerAccess(Context* c, unsigned) { return c ? 0 : 1; }
API int cuProfilerStart() { return 0; }
API int cuProfilerStop() { return 0; }

// --- streams and events ---
API int cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  *least = 0;
  *greatest = -5;
  return 0;
}
API int cuStreamGetPriority(void* s, int* priority) {
  *priority = stream_of(s)->priority;
  return 0;
}
API int cuStreamCreateWithPriority(Stream** s, unsigned, int priority) {
  if (!current) return 201;
  *s = new Stream{current};
  (*s)->priority = priority;
  all_streams().insert(*s);
  return 0;
}
API int cuStreamSynchronize(void* s) {
  if (forbidden()) return kUnsupported;
  ++waits;
  if (stream_of(s)->held) fake_proceed();
  return 0;
}
API int cuStreamQuery(void* s) {
  if (forbidden()) return kUnsupported;
  return stream_of(s)->held ? 600 : 0;
}
API int cuStreamWaitEvent(void* handle, Event* e, unsigned) {
  Stream* s = stream_of(handle);
  if (e->stream) {  // of a capture: the stream joins it, or the capture's origin has waited
    Graph* graph = e->stream->capture;
    if (!graph || (s->capture && s->capture != graph)) return kUnsupported;
    if (s == graph->origin) e->stream->joined = e->work;
    s->capture = graph;
    graph->streams.insert(s);
    return 0;
  }
  if (s->capture) {  // what happened before the capture cannot be part of it
    s->capture->invalid = true;
    return 905;
  }
  if (e->held) fake_hold(handle);
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
API int cuEventRecord(Event* e, void* handle) {
  Stream* s = stream_of(handle);
  e->recorded = true;
  e->held = s->held;
  e->time = clock_ += 1;
  e->stream = s->capture ? s : nullptr;
  e->work = s->work;
  return 0;
}
API int cuEventQuery(Event* e) {
  if (forbidden()) return kUnsupported;
  return e->held ? 600 : 0;
}
API int cuEventSynchronize(Event* e) {
  if (forbidden()) return kUnsupported;
  ++waits;
  if (e->held) fake_proceed();
  return 0;
}
API int cuEventElapsedTime(float* ms, Event* a, Event* b) {
  *ms = b->time - a->time;
  return 0;
}

// --- graphs ---
API int cuThreadExchangeStreamCaptureMode(int* other) {
  std::swap(mode, *other);
  return 0;
}
API int cuStreamBeginCapture_v2(void* handle, int how) {
  if (!handle) return kUnsupported;
  Stream* s = stream_of(handle);
  if (s->capture) return 1;
  s->capture = new Graph;
  s->capture->origin = s;
  s->capture->streams.insert(s);
  captures += how != 2;
  return 0;
}
API int cuStreamIsCapturing(void* handle, int* status) {
  if (!handle && captures) return 906;
  Stream* s = stream_of(handle);
  *status = !s->capture ? 0 : s->capture->invalid ? 2 : 1;
  return 0;
}
API int cuStreamEndCapture(void* handle, Graph** made) {
  Stream* s = stream_of(handle);
  Graph* graph = s->capture;
  *made = nullptr;
  if (!graph || graph->origin != s) return 1;
  bool unjoined = false;
  for (Stream* each : graph->streams) {
    unjoined |= each != s && each->joined < each->work;
    each->capture = nullptr;
    each->work = each->joined = 0;
  }
  captures = captures > 0 ? captures - 1 : 0;
  if (graph->invalid) return kInvalidated;
  if (unjoined) return kUnjoined;
  *made = graph;
  return 0;
}
API int cuGraphGetNodes(Graph* graph, void**, size_t* count) {
  *count = graph->nodes.size();
  return 0;
}
API int cuGraphInstantiateWithFlags(Graph** made, Graph* graph, unsigned long long) {
  if (forbidden()) return kUnsupported;
  *made = new Graph{graph->nodes};
  return 0;
}
API int cuGraphLaunch(Graph* graph, void* s) {
  ++graph_launches;
  return submit(s, [graph] {
    for (auto& node : graph->nodes)
      if (int code = node()) return code;
    return 0;
  });
}
API int cuGraphDestroy(Graph* graph) {
  delete graph;
  return 0;
}
API int cuGraphExecDestroy(Graph* graph) { return cuGraphDestroy(graph); }
API int cuGraphDebugDotPrint(Graph* graph, const char* path, unsigned) {
  std::ofstream(path) << "digraph dot { // " << graph->nodes.size() << " nodes\n}\n";
  return 0;
}

// --- kernels: a program's code is the path of a library ---
API int cuModuleLoadData(void** module, const void* image) {
  if (forbidden()) return kUnsupported;
  *module = dlopen(static_cast<const char*>(image), RTLD_NOW | RTLD_LOCAL);
  if (!*module) std::fprintf(stderr, "%s\n", dlerror());
  return *module ? 0 : 200;
}
API int cuModuleGetFunction(void** function, void* module, const char* name) {
  *function = dlsym(module, name);
  auto size = reinterpret_cast<size_t (*)()>(dlsym(module, (std::string(name) + "_size").c_str()));
  if (*function && size) argument_sizes[*function] = size();
  return *function ? 0 : 500;
}
struct Dim3 {
  unsigned x, y, z;
};
API int cuLaunchKernel(void* f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                       unsigned bz, unsigned, void* s, void** params, void**) {
  if (int code = fail_next) {
    fail_next = 0;
    return code;
  }
  if (!current || gx == 0 || bx * by * bz > 1024) return 1;
  // The caller's arguments are read now; a graph's kernel sees them at each launch.
  auto* given = static_cast<char*>(params[0]);
  auto arguments = std::make_shared<std::vector<std::max_align_t>>(
      argument_sizes[f] / sizeof(std::max_align_t) + 1);
  std::memcpy(arguments->data(), given, argument_sizes[f]);
  return submit(s, [=] {
    ++launches;
    Reach reach;
    using Kernel = void (*)(void**, const Dim3&, const Dim3&);
    void* own[] = {arguments->data()};
    reinterpret_cast<Kernel>(f)(own, {gx, gy, gz}, {bx, by, bz});
    return 0;
  });
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
