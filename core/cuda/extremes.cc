// See extremes.h.
#include "cuda/extremes.h"

#include "cuda/kernels.h"
#include "cuda/walk.h"

namespace lampas::cuda {
namespace {

struct ExtremeArguments {  // of device/extremes.h
  const void* x;
  void* values;
  int64_t* indices;
  const int64_t* candidates;
  int64_t outer, n, inner, parts;
};
constexpr int64_t kPart = 16384, kMostBlocks = 2048;

void of_rows(ExtremeArguments& a, int64_t lines, int64_t width, const std::string& types,
             int device, const char* what) {
  run_family({"extremes", "ExtremeArguments", concat("extremes_of_rows<", types, width, ">")}, &a,
             {.x = blocks_for(lines, kThreads / width), .threads = kThreads}, device, what);
}

}  // namespace

void extremes(On, const Tensor& indices, const Tensor& values, const Tensor& x, const Lines& lines,
              bool largest) {
  if (indices.numel() == 0) return;
  const char* what = largest ? "max" : "min";
  DType t = x.dtype();
  bool known = is_floating(t) || (is_integral(t, true) && t != DType::UInt16 &&
                                  t != DType::UInt32 && t != DType::UInt64);
  CHECK_KIND(known, NotImplemented, "\"", what, "\" not implemented for '", label(t), "'");
  std::string types =
      concat(t == DType::Bool ? "uint8_t" : device_type(t), ", ", largest ? "true" : "false");
  int device = x.device().index;
  ExtremeArguments a{x.raw(),
                     values.defined() ? values.raw() : nullptr,
                     indices.data<int64_t>(),
                     nullptr,
                     lines.outer,
                     lines.n,
                     lines.inner,
                     1};
  if (lines.inner > 1) {
    int64_t tiles = (lines.inner + 31) / 32;
    run_family({"extremes", "ExtremeArguments", concat("extremes_of_columns<", types, ">")}, &a,
               {.x = blocks_for(lines.outer * tiles, 1), .threads = kThreads}, device, what);
    return;
  }
  types += ", ";
  // Few long lines: their parts first, then the best of the parts.
  int64_t parts = std::min((lines.n + kPart - 1) / kPart, kMostBlocks / lines.outer);
  if (parts <= 1) return of_rows(a, lines.outer, lines.n <= 1024 ? 32 : 256, types, device, what);
  Tensor places = empty(Dims{lines.outer * parts}, DType::Int64, x.device());
  ExtremeArguments first = a;
  first.values = nullptr;
  first.indices = places.data<int64_t>();
  a.parts = first.parts = parts;
  of_rows(first, lines.outer * parts, 256, types, device, what);
  a.candidates = first.indices;
  of_rows(a, lines.outer, 256, types, device, what);
}

}  // namespace lampas::cuda
