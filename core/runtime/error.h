// Exceptions of the core, each naming the Python exception it becomes. Text follows PyTorch's.
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>

namespace lampas {

enum class ErrorKind {
  Runtime,
  Type,
  Value,
  Index,
  NotImplemented,
  OutOfMemory,
  Overflow,
  Attribute,
  Buffer,
  DeviceMemory,  // torch.OutOfMemoryError
  Accelerator    // torch.AcceleratorError
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, std::string text) : std::runtime_error(std::move(text)), kind(kind) {}
  ErrorKind kind;
};

// Thrown when a Python exception is already set in this thread; the binding lets it through.
struct PythonError : std::exception {};

template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

template <class... Parts>
[[noreturn, gnu::cold]] void fail(ErrorKind kind, const Parts&... parts) {
  throw Error(kind, concat(parts...));
}
template <class... Parts>
[[noreturn, gnu::cold]] void fail(const Parts&... parts) {
  throw Error(ErrorKind::Runtime, concat(parts...));
}

// CHECK(condition, text parts...) raises RuntimeError; CHECK_KIND lets another exception be named.
#define CHECK(condition, ...)                                           \
  do {                                                                  \
    if (__builtin_expect(!(condition), 0)) ::lampas::fail(__VA_ARGS__); \
  } while (0)
#define CHECK_KIND(condition, kind, ...)                                                           \
  do {                                                                                             \
    if (__builtin_expect(!(condition), 0)) ::lampas::fail(::lampas::ErrorKind::kind, __VA_ARGS__); \
  } while (0)

}  // namespace lampas
