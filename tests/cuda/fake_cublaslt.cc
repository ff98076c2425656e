// A cuBLASLt for tests: products computed on the host from the descriptions that it was given,
// which are checked as the documentation demands. LT_REFUSES=1: no kernel for anything.
#include <cstring>
#include <map>
#include <vector>

#include "fake_library.h"

namespace {

int calls = 0, choices = 0;

struct Attributes {
  std::map<int, std::vector<char>> values;
  template <class T>
  T get(int which, T otherwise) const {
    auto found = values.find(which);
    if (found == values.end()) return otherwise;
    REQUIRE(found->second.size() == sizeof(T));
    T x;
    std::memcpy(&x, found->second.data(), sizeof x);
    return x;
  }
  int set(int which, const void* p, size_t n, std::initializer_list<std::pair<int, size_t>> known) {
    for (auto [attribute, bytes] : known)
      if (attribute == which) {
        REQUIRE(bytes == n && p);
        values[which].assign(static_cast<const char*>(p), static_cast<const char*>(p) + n);
        return 0;
      }
    REQUIRE(!"an attribute that this fake knows");
    return 7;
  }
};
struct Description : Attributes {
  int compute, scale;
};
struct Layout : Attributes {
  int type;
  int64_t rows, cols, ld;
  int64_t batch() const { return get<int32_t>(5, 1); }
  int64_t step() const { return get<int64_t>(6, 0); }
};
struct Algorithm {
  uint64_t magic, alignment[4], bias, m, n;
};
struct Choice {
  Algorithm algorithm;
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};
static_assert(sizeof(Algorithm) == 64 && sizeof(Choice) == 96);
constexpr size_t kWorkspace = 4096;
constexpr uint64_t kMagic = 0x1a3a5;

size_t bytes_of(int type) {
  switch (type) {
    case 0:
      return 4;
    case 1:
    case 4:
      return 8;
    case 5:
      return 16;
    case 2:
    case 14:
      return 2;
  }
  REQUIRE(!"a type that this fake knows");
  return 0;
}

struct Problem {
  int64_t m, n, k, batch;
  bool turn_a, turn_b, bias;
};

Problem check(const Description& d, const Layout& a, const Layout& b, const Layout& c) {
  int type = a.type;
  REQUIRE(b.type == type && c.type == type);
  bool wide = type == 1 || type == 5;
  REQUIRE(wide ? d.compute == 70
               : d.compute == 68 || (d.compute == 77 && (type == 0 || type == 4)));
  REQUIRE(d.scale == (type == 2 || type == 14 ? 0 : type));
  for (const Layout* x : {&a, &b, &c}) {
    REQUIRE(x->rows > 0 && x->cols > 0 && x->ld >= x->rows && x->batch() == c.batch());
  }
  Problem p{};
  int ta = d.get<int32_t>(3, 0), tb = d.get<int32_t>(4, 0);
  REQUIRE(ta >= 0 && ta <= 1 && tb >= 0 && tb <= 1);
  p.turn_a = ta, p.turn_b = tb;
  p.m = ta ? a.cols : a.rows, p.k = ta ? a.rows : a.cols, p.n = tb ? b.rows : b.cols;
  REQUIRE((tb ? b.cols : b.rows) == p.k && c.rows == p.m && c.cols == p.n);
  p.batch = c.batch();
  uint32_t epilogue = d.get<uint32_t>(7, 1);
  REQUIRE(epilogue == 1 || epilogue == 4);
  p.bias = epilogue == 4;
  if (p.bias) REQUIRE(type == 0 || type == 2 || type == 14);
  return p;
}

bool aligned(const void* p, uint64_t n) { return reinterpret_cast<uintptr_t>(p) % n == 0; }

template <class T, class Wide>
void multiply(const Problem& p, Wide alpha, const T* a, const Layout& la, const T* b,
              const Layout& lb, Wide beta, T* c, const Layout& lc, const T* bias) {
  for (int64_t i = 0; i < p.batch; ++i)
    for (int64_t col = 0; col < p.n; ++col)
      for (int64_t row = 0; row < p.m; ++row) {
        Wide sum{};
        for (int64_t q = 0; q < p.k; ++q) {
          int64_t at_a = p.turn_a ? q + row * la.ld : row + q * la.ld;
          int64_t at_b = p.turn_b ? col + q * lb.ld : q + col * lb.ld;
          sum += Wide(a[i * la.step() + at_a]) * Wide(b[i * lb.step() + at_b]);
        }
        T& to = c[i * lc.step() + row + col * lc.ld];
        Wide y = alpha * sum;
        if (beta != Wide(0)) y += beta * Wide(to);
        if (bias) y += Wide(bias[row]);
        to = T(y);
      }
}

// The last address of a matrix of the batch must be memory of the device too.
void check_memory(const void* p, const Layout& x) {
  size_t last = size_t((x.batch() - 1) * x.step() + (x.cols - 1) * x.ld + x.rows);
  REQUIRE(is_device_memory(p, last * bytes_of(x.type)));
}

}  // namespace

API int fake_lt_calls() { return calls; }
API int fake_lt_choices() { return choices; }

API int cublasLtCreate(void** handle) {
  *handle = &calls;
  return 0;
}
API int cublasLtMatmulDescCreate(Description** d, int compute, int scale) {
  *d = new Description{{}, compute, scale};
  return 0;
}
API int cublasLtMatmulDescDestroy(Description* d) {
  delete d;
  return 0;
}
API int cublasLtMatmulDescSetAttribute(Description* d, int which, const void* p, size_t n) {
  return d->set(which, p, n, {{3, 4}, {4, 4}, {7, 4}, {8, sizeof(void*)}});
}
API int cublasLtMatrixLayoutCreate(Layout** x, int type, uint64_t rows, uint64_t cols, int64_t ld) {
  bytes_of(type);
  *x = new Layout{{}, type, int64_t(rows), int64_t(cols), ld};
  return 0;
}
API int cublasLtMatrixLayoutDestroy(Layout* x) {
  delete x;
  return 0;
}
API int cublasLtMatrixLayoutSetAttribute(Layout* x, int which, const void* p, size_t n) {
  return x->set(which, p, n, {{5, 4}, {6, 8}});
}
API int cublasLtMatmulPreferenceCreate(Attributes** p) {
  *p = new Attributes;
  return 0;
}
API int cublasLtMatmulPreferenceDestroy(Attributes* p) {
  delete p;
  return 0;
}
API int cublasLtMatmulPreferenceSetAttribute(Attributes* x, int which, const void* p, size_t n) {
  return x->set(which, p, n, {{1, 8}, {5, 4}, {6, 4}, {7, 4}, {8, 4}});
}
API int cublasLtMatmulAlgoGetHeuristic(void* handle, Description* d, Layout* a, Layout* b,
                                       Layout* c, Layout* to, Attributes* preference, int wanted,
                                       Choice* choice, int* found) {
  REQUIRE(handle == &calls && wanted == 1 && c == to);
  ++choices;
  Problem p = check(*d, *a, *b, *c);
  REQUIRE(preference->get<uint64_t>(1, 0) >= kWorkspace);
  *found = std::getenv("LT_REFUSES") ? 0 : 1;
  *choice = {};
  choice->algorithm.magic = kMagic;
  for (int i = 0; i < 4; ++i)
    choice->algorithm.alignment[i] = preference->get<uint32_t>(5 + i, 256);
  choice->algorithm.m = uint64_t(p.m), choice->algorithm.n = uint64_t(p.n);
  if (p.bias) {
    auto address = reinterpret_cast<uintptr_t>(d->get<void*>(8, nullptr));
    REQUIRE(address);
    choice->algorithm.bias = address & -address;
  }
  choice->workspace = p.k % 2 ? kWorkspace : 0;
  return *found ? 0 : 15;
}
API int cublasLtMatmul(void* handle, Description* d, const void* alpha, const void* a, Layout* la,
                       const void* b, Layout* lb, const void* beta, const void* c, Layout* lc,
                       void* to, Layout* lto, const Algorithm* algorithm, void* workspace,
                       size_t bytes, void*) {
  REQUIRE(handle == &calls && c == to && lc == lto && algorithm->magic == kMagic);
  ++calls;
  Problem p = check(*d, *la, *lb, *lc);
  REQUIRE(algorithm->m == uint64_t(p.m) && algorithm->n == uint64_t(p.n));
  const void* pointers[] = {a, b, c, to};
  for (int i = 0; i < 4; ++i) REQUIRE(aligned(pointers[i], algorithm->alignment[i]));
  if (p.k % 2) REQUIRE(bytes >= kWorkspace && is_device_memory(workspace, bytes));
  check_memory(a, *la), check_memory(b, *lb), check_memory(c, *lc);
  const void* bias = p.bias ? d->get<const void*>(8, nullptr) : nullptr;
  if (p.bias)
    REQUIRE(is_device_memory(bias, size_t(p.m) * bytes_of(lc->type)) &&
            aligned(bias, algorithm->bias));
  Reach reach;
  auto run = [&](auto tag, auto wide, auto factor) {
    using T = decltype(tag);
    using Wide = decltype(wide);
    using Factor = decltype(factor);
    multiply<T, Wide>(p, Wide(*static_cast<const Factor*>(alpha)), static_cast<const T*>(a), *la,
                      static_cast<const T*>(b), *lb, Wide(*static_cast<const Factor*>(beta)),
                      static_cast<T*>(to), *lc, static_cast<const T*>(bias));
  };
  using CF = std::complex<float>;
  using CD = std::complex<double>;
  switch (lc->type) {
    case 0:
      run(float(), double(), float());
      break;
    case 1:
      run(double(), double(), double());
      break;
    case 2:
      run(_Float16(), double(), float());
      break;
    case 14:
      run(Bf16(), float(), float());
      break;
    case 4:
      run(CF(), CF(), CF());
      break;
    case 5:
      run(CD(), CD(), CD());
      break;
  }
  return 0;
}
