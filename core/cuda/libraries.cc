// See libraries.h.
#include "cuda/libraries.h"

#include <dlfcn.h>

#include <cstdlib>
#include <mutex>
#include <set>

#include "ops/pointwise.h"
#include "runtime/error.h"

namespace lampas::cuda {

void* open_library(const char* variable, std::initializer_list<const char*> names,
                   const std::string& folders) {
  if (const char* path = std::getenv(variable)) return dlopen(path, RTLD_NOW | RTLD_LOCAL);
  for (size_t at = 0; at < folders.size();) {
    size_t end = std::min(folders.find(':', at), folders.size());
    for (const char* name : names)
      if (void* found =
              dlopen((folders.substr(at, end - at) + "/" + name).c_str(), RTLD_NOW | RTLD_LOCAL))
        return found;
    at = end + 1;
  }
  for (const char* name : names)
    if (void* found = dlopen(name, RTLD_NOW | RTLD_LOCAL)) return found;
  return nullptr;
}

const char* fill_table(void* library, const std::vector<LibraryEntry>& entries) {
  for (const LibraryEntry& e : entries)
    if (!(*e.place = dlsym(library, e.name))) return e.name;
  return nullptr;
}

namespace {

std::string wheels() { return find_wheels ? find_wheels() : ""; }

template <class Table>
struct Opened {
  Table table;
  std::string problem;
};

std::string problem_of(void* library, const char* lacking, const char* name, const char* wheel) {
  std::string hint = concat(" hint: pip install lampas[cuda] (or ", wheel, ")");
  if (!library) return concat(name, " was not found.", hint);
  return lacking ? concat(name, " on this system is too old: it has no ", lacking, ".", hint) : "";
}

#define ENTRY(name, parameters) {#name, reinterpret_cast<void**>(&o->table.name)},

const Opened<CublasLt>& opened_cublaslt() {
  static const Opened<CublasLt>* once = [] {
    auto* o = new Opened<CublasLt>;
    void* library =
        open_library("LAMPAS_CUBLASLT", {"libcublasLt.so.13", "libcublasLt.so.12"}, wheels());
    const char* lacking = library ? fill_table(library, {LAMPAS_CUBLASLT(ENTRY)}) : nullptr;
    o->problem = problem_of(library, lacking, "cuBLASLt", "nvidia-cublas-cu12");
    return o;
  }();
  return *once;
}

const Opened<Cudnn>& opened_cudnn() {
  static const Opened<Cudnn>* once = [] {
    auto* o = new Opened<Cudnn>;
    // It looks for these two by their names when it needs them: they must be there already.
    cublaslt();
    why_unavailable();
    void* library = open_library("LAMPAS_CUDNN", {"libcudnn.so.9"}, wheels());
    const char* lacking = library ? fill_table(library, {LAMPAS_CUDNN(ENTRY)}) : nullptr;
    o->problem = problem_of(library, lacking, "cuDNN", "nvidia-cudnn-cu12");
    size_t (*version)() = nullptr;
    if (library && !fill_table(library, {{"cudnnGetVersion", reinterpret_cast<void**>(&version)}}))
      o->table.version = version();
    return o;
  }();
  return *once;
}
#undef ENTRY

}  // namespace

const CublasLt* cublaslt() {
  const auto& o = opened_cublaslt();
  return o.problem.empty() ? &o.table : nullptr;
}

const Cudnn* cudnn() {
  const auto& o = opened_cudnn();
  return o.problem.empty() ? &o.table : nullptr;
}

std::string missing_library(const std::string& name) {
  return name == "cudnn" ? opened_cudnn().problem : opened_cublaslt().problem;
}

void warn_of_missing_library(const std::string& name) {
  static std::mutex guard;
  static auto* said = new std::set<std::string>;
  {
    std::lock_guard<std::mutex> hold(guard);
    if (missing_library(name).empty() || !said->insert(name).second) return;
  }
  std::string text =
      concat(missing_library(name), " Until then Lampas's own, slower kernels compute on the GPU.");
  if (ops::warn) ops::warn(text.c_str());
}

}  // namespace lampas::cuda
