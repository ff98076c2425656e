// A file of the cache holds a line of its key, the length and a checksum of the code, then the
// code. What does not fit its own description is compiled again.
#include "cuda/program.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "cuda/driver.h"
#include "runtime/error.h"

namespace lampas::cuda {
namespace {

// Headers of the C++ library that the shared texts include; their contents are in standard.h.
constexpr const char* kStandard[] = {"bit", "cmath", "cstdint", "limits", "type_traits"};

constexpr uint64_t kSeeds[2] = {0xcbf29ce484222325u, 0x9e3779b97f4a7c15u};
uint64_t hash(const std::string& text, uint64_t h) {  // FNV-1a over words of a byte
  for (unsigned char c : text) h = (h ^ c) * 0x100000001b3u;
  return h ^ (h >> 29);
}
std::string fingerprint(const std::string& text) {
  char hex[33];
  std::snprintf(hex, sizeof hex, "%016llx%016llx",
                static_cast<unsigned long long>(hash(text, kSeeds[0])),
                static_cast<unsigned long long>(hash(text, kSeeds[1])));
  return hex;
}

const std::string& headers_fingerprint() {
  static const std::string once = [] {
    std::string all;
    for (int i = 0; i < kHeaderCount; ++i) all += std::string(kHeaders[i].name) + kHeaders[i].text;
    return fingerprint(all);
  }();
  return once;
}

std::string compiler_version() {
  int major = 0, minor = 0;
  nvrtc().nvrtcVersion(&major, &minor);
  return concat(major, ".", minor);
}

bool make_folders(const std::string& path) {
  for (size_t at = 1; at != std::string::npos;) {
    at = path.find('/', at + 1);
    if (mkdir(path.substr(0, at).c_str(), 0700) != 0 && errno != EEXIST) return false;
  }
  return true;
}

std::string read_file(const std::string& path) {
  std::string text;
  FILE* file = std::fopen(path.c_str(), "rb");
  if (!file) return text;
  char buffer[1 << 16];
  while (size_t n = std::fread(buffer, 1, sizeof buffer, file)) text.append(buffer, n);
  std::fclose(file);
  return text;
}

std::string title(const std::string& key, const std::string& code) {
  return concat("lampas ", key, " ", code.size(), " ", fingerprint(code), "\n");
}

std::string load(const std::string& path, const std::string& key) {
  std::string text = read_file(path);
  size_t end = text.find('\n');
  if (end == std::string::npos) return "";
  std::string code = text.substr(end + 1);
  return text.substr(0, end + 1) == title(key, code) ? code : "";
}

// Written beside its place and moved there, so that no reader sees half a file. Failing to keep a
// file is no error: it will be compiled again.
void store(const std::string& path, const std::string& key, const std::string& code) {
  std::string beside = path + ".XXXXXX", text = title(key, code) + code;
  int file = mkstemp(beside.data());
  if (file < 0) return;
  bool whole = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  whole = close(file) == 0 && whole;
  if (!whole || std::rename(beside.c_str(), path.c_str()) != 0) unlink(beside.c_str());
}

struct Session {
  NvrtcProgram* program = nullptr;
  ~Session() {
    if (program) nvrtc().nvrtcDestroyProgram(&program);
  }
};

std::string log_of(NvrtcProgram* program) {
  size_t length = 0;
  nvrtc().nvrtcGetProgramLogSize(program, &length);
  std::string log(length, '\0');
  if (length) nvrtc().nvrtcGetProgramLog(program, log.data());
  return log.c_str();
}

std::string translate(const std::string& text, const std::string& architecture, const char* what) {
  const Nvrtc& rtc = nvrtc();
  std::vector<const char*> names, texts;
  for (int i = 0; i < kHeaderCount; ++i) {
    names.push_back(kHeaders[i].name);
    texts.push_back(kHeaders[i].text);
  }
  for (const char* name : kStandard) {
    names.push_back(name);
    texts.push_back("");
  }
  Session s;
  Result made =
      rtc.nvrtcCreateProgram(&s.program, text.c_str(), (std::string(what) + ".cu").c_str(),
                             static_cast<int>(names.size()), texts.data(), names.data());
  CHECK(made == 0, "NVRTC could not begin the program of ", what, " (error ", made, ")");
  std::string target = "--gpu-architecture=" + architecture;
  const char* options[] = {"--std=c++20", "--device-as-default-execution-space", target.c_str()};
  Result done = rtc.nvrtcCompileProgram(s.program, 3, options);
  CHECK(done == 0, "The kernel of ", what, " does not compile for ", architecture, ":\n",
        log_of(s.program));
  bool machine = architecture.starts_with("sm_");
  size_t length = 0;
  (machine ? rtc.nvrtcGetCUBINSize : rtc.nvrtcGetPTXSize)(s.program, &length);
  std::string code(length, '\0');
  (machine ? rtc.nvrtcGetCUBIN : rtc.nvrtcGetPTX)(s.program, code.data());
  return code;
}

}  // namespace

std::string cache_folder() {
  const char* off = std::getenv("LAMPAS_CUDA_CACHE");
  if (off && std::strcmp(off, "0") == 0) return "";
  if (const char* own = std::getenv("LAMPAS_CACHE_DIR"); own && *own)
    return std::string(own) + "/cuda";
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg && *xdg)
    return std::string(xdg) + "/lampas/cuda";
  const char* home = std::getenv("HOME");
  return home && *home ? std::string(home) + "/.cache/lampas/cuda" : "";
}

std::string architecture_for(int major, int minor) {
  const Nvrtc& rtc = nvrtc();
  int count = 0, own = major * 10 + minor, newest = 0;
  rtc.nvrtcGetNumSupportedArchs(&count);
  std::vector<int> known(static_cast<size_t>(count));
  if (count) rtc.nvrtcGetSupportedArchs(known.data());
  for (int arch : known) {
    if (arch == own) return concat("sm_", own);
    if (arch < own && arch > newest) newest = arch;
  }
  CHECK(newest, "NVRTC ", compiler_version(), " has no code for this GPU (compute capability ",
        major, ".", minor, "). hint: pip install --upgrade lampas[cuda]");
  return concat("compute_", newest);
}

std::string compile(const std::string& text, const std::string& architecture, const char* what) {
  std::string folder = cache_folder();
  if (folder.empty()) return translate(text, architecture, what);
  std::string key = fingerprint(
      concat(text, '\n', headers_fingerprint(), '\n', architecture, '\n', compiler_version()));
  std::string path = concat(folder, "/", what, "-", architecture, "-", key.substr(0, 16));
  std::string code = load(path, key);
  if (!code.empty()) return code;
  code = translate(text, architecture, what);
  if (make_folders(folder)) store(path, key, code);
  return code;
}

}  // namespace lampas::cuda
