// See lapack.h. Every routine is looked up once per call, asked for its workspace once, and run for
// every matrix of the batch; the batch is shared among threads when the matrices are many.
#include "cpu/lapack.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cpu/blas.h"
#include "runtime/parallel.h"

namespace lampas::cpu {
namespace {

using LapackTypes = Types<float, double, ComplexFloat, ComplexDouble>;

template <class T>
struct Real {
  using type = T;
};
template <class T>
struct Real<std::complex<T>> {
  using type = T;
};
template <class T>
using real_t = typename Real<T>::type;

template <class T>
constexpr char letter = 'd';
template <>
constexpr char letter<float> = 's';
template <>
constexpr char letter<ComplexFloat> = 'c';
template <>
constexpr char letter<ComplexDouble> = 'z';

// A Fortran routine: all arguments are addresses, then come the lengths of the character arguments.
struct Routine {
  void* address;
  template <class... Args>
  void operator()(Args... args) const {
    reinterpret_cast<void (*)(Args...)>(address)(args...);
  }
};
constexpr size_t kOne = 1;  // length of a character argument

template <class T>
Routine routine(const std::string& name) {
  return {blas::symbol((letter<T> + name + "_").c_str())};
}

struct Shape {
  int m, n;
  int64_t count;  // matrices in the stack

  explicit Shape(const Tensor& stack) {
    int64_t d = stack.dim(), rows = stack.size(d - 1), cols = stack.size(d - 2);
    CHECK(rows < INT32_MAX && cols < INT32_MAX,
          "linalg: matrices of 2**31 rows or columns are not supported");
    m = static_cast<int>(rows);
    n = static_cast<int>(cols);
    count = 1;
    for (int64_t i = 0; i + 2 < d; ++i) count *= stack.size(i);
  }
  int64_t size() const { return int64_t{m} * n; }
  int least() const { return std::min(m, n); }
};

int leading(int rows) { return std::max(rows, 1); }

template <class T>
T* item(const Tensor& x, int64_t i, int64_t step) {
  return x.data<T>() + i * step;
}
int& verdict(const Tensor& info, int64_t i) { return info.data<int32_t>()[i]; }
template <class T>
int length(T query) {
  return std::max(static_cast<int>(std::real(query)), 1);
}

// body(i) for every matrix; large ones one after the other, small ones shared among threads.
template <class F>
void each(const Shape& s, F&& body) {
  int64_t flops = int64_t{s.m} * s.n * std::max(s.least(), 1);
  parallel_for(s.count, std::max<int64_t>(int64_t{1 << 18} / std::max<int64_t>(flops, 1), 1),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) body(i);
               });
}

// LAPACK's iterations may never end on infinities or NaN: such a matrix fails at once, with `info`
// negative. Rows `from(j)` to `to(j)` of column j are looked at.
template <class T, class From, class To>
bool unfit(const T* x, const Shape& s, int& info, From from, To to) {
  for (int64_t j = 0; j < s.n; ++j)
    for (int64_t i = from(j); i < to(j); ++i) {
      T v = x[j * s.m + i];
      if (std::isfinite(std::real(v)) && std::isfinite(std::imag(v))) continue;
      info = -4;  // LAPACK's verdict on an argument with NaN
      return true;
    }
  return false;
}
template <class T>
bool unfit(const T* x, const Shape& s, int& info) {
  return unfit(
      x, s, info, [](int64_t) { return int64_t{0}; }, [&](int64_t) { return int64_t{s.m}; });
}
template <class T>
void fill_nan(T* x, int64_t n) {
  std::fill_n(x, n, T(std::numeric_limits<real_t<T>>::quiet_NaN()));
}

template <class F>
void for_type(const Tensor& x, const char* name, F&& f) {
  dispatch<LapackTypes>(x.dtype(), name, std::forward<F>(f));
}

}  // namespace

void cholesky(const Tensor& a, const Tensor& info, bool upper) {
  for_type(a, "cholesky", [&](auto tag) {
    using T = decltype(tag);
    Shape s(a);
    Routine potrf = routine<T>("potrf");
    each(s, [&](int64_t i) {
      int n = s.n, ld = leading(n);
      T* x = item<T>(a, i, s.size());
      potrf(upper ? "U" : "L", &n, x, &ld, &verdict(info, i), kOne);
      for (int64_t c = 0; c < n; ++c)
        for (int64_t r = upper ? c + 1 : 0; r < (upper ? n : c); ++r) x[c * n + r] = T(0);
    });
  });
}

void cholesky_inverse(const Tensor& a, const Tensor& info, bool upper) {
  for_type(a, "cholesky_inverse", [&](auto tag) {
    using T = decltype(tag);
    Shape s(a);
    Routine potri = routine<T>("potri");
    each(s, [&](int64_t i) {
      int n = s.n, ld = leading(n);
      T* x = item<T>(a, i, s.size());
      potri(upper ? "U" : "L", &n, x, &ld, &verdict(info, i), kOne);
      for (int64_t c = 0; c < n; ++c)
        for (int64_t r = 0; r < c; ++r) {
          T &above = x[c * n + r], &below = x[r * n + c];
          T& from = upper ? above : below;
          T value = from;
          if constexpr (is_complex_v<T>) value = std::conj(value);
          (upper ? below : above) = value;
        }
    });
  });
}

namespace {

template <class T>
void eliminate(T* x, int m, int n, int32_t* pivots, int& info) {
  info = 0;
  for (int k = 0; k < std::min(m, n); ++k) {
    pivots[k] = k + 1;
    T pivot = x[int64_t{k} * m + k];
    if (pivot == T(0) && info == 0) info = k + 1;
    for (int r = k + 1; r < m; ++r) x[int64_t{k} * m + r] /= pivot;
    for (int c = k + 1; c < n; ++c)
      for (int r = k + 1; r < m; ++r)
        x[int64_t{c} * m + r] -= x[int64_t{k} * m + r] * x[int64_t{c} * m + k];
  }
}

}  // namespace

void lu_factor(const Tensor& a, const Tensor& pivots, const Tensor& info, bool pivoted) {
  for_type(a, "lu", [&](auto tag) {
    using T = decltype(tag);
    Shape s(a);
    Routine getrf = routine<T>("getrf");
    each(s, [&](int64_t i) {
      int m = s.m, n = s.n, ld = leading(m);
      int32_t* p = item<int32_t>(pivots, i, s.least());
      if (s.least() == 0)
        verdict(info, i) = 0;
      else if (pivoted)
        getrf(&m, &n, item<T>(a, i, s.size()), &ld, p, &verdict(info, i));
      else
        eliminate(item<T>(a, i, s.size()), m, n, p, verdict(info, i));
    });
  });
}

void lu_solve(const Tensor& b, const Tensor& lu, const Tensor& pivots, char op) {
  for_type(b, "linalg.lu_solve", [&](auto tag) {
    using T = decltype(tag);
    Shape s(lu), right(b);
    Routine getrs = routine<T>("getrs");
    if (s.n == 0 || right.n == 0) return;
    for (int64_t i = 0; i < s.count; ++i)
      for (int k = 0; k < s.n; ++k) {
        int32_t p = item<int32_t>(pivots, i, s.n)[k];
        CHECK(p >= 1 && p <= s.n,
              "Pivots given to lu_solve must all be greater or equal to 1 and at most ", s.n);
      }
    each(s, [&](int64_t i) {
      int n = s.n, count = right.n, ld = leading(n), info = 0;
      getrs(&op, &n, &count, item<T>(lu, i, s.size()), &ld, item<int32_t>(pivots, i, n),
            item<T>(b, i, right.size()), &ld, &info, kOne);
    });
  });
}

void solve_triangular(const Tensor& b, const Tensor& a, bool upper, bool left, bool unit) {
  for_type(b, "triangular_solve", [&](auto tag) {
    using T = decltype(tag);
    Shape s(a), right(b);
    if (right.size() == 0) return;
    Routine trsm = routine<T>("trsm");
    T one = 1;
    each(s, [&](int64_t i) {
      int m = right.m, n = right.n, lda = leading(s.m), ldb = leading(m);
      trsm(left ? "L" : "R", upper ? "U" : "L", "N", unit ? "U" : "N", &m, &n, &one,
           item<T>(a, i, s.size()), &lda, item<T>(b, i, right.size()), &ldb, kOne, kOne, kOne,
           kOne);
    });
  });
}

void eigh(const Tensor& a, const Tensor& values, const Tensor& info, bool upper, bool vectors) {
  for_type(a, "linalg_eigh_cpu", [&](auto tag) {
    using T = decltype(tag);
    using R = real_t<T>;
    Shape s(a);
    if (s.n == 0) return;
    Routine evd = routine<T>(is_complex_v<T> ? "heevd" : "syevd");
    const char *job = vectors ? "V" : "N", *uplo = upper ? "U" : "L";
    auto call = [&](T* x, R* w, T* work, int lwork, R* rwork, int lrwork, int* iwork, int liwork,
                    int* verdict) {
      int n = s.n, ld = leading(n);
      if constexpr (is_complex_v<T>)
        evd(job, uplo, &n, x, &ld, w, work, &lwork, rwork, &lrwork, iwork, &liwork, verdict, kOne,
            kOne);
      else
        evd(job, uplo, &n, x, &ld, w, work, &lwork, iwork, &liwork, verdict, kOne, kOne);
    };
    T lwork;
    R lrwork = 1;
    int liwork, failed = 0;
    call(nullptr, nullptr, &lwork, -1, &lrwork, -1, &liwork, -1, &failed);
    each(s, [&](int64_t i) {
      auto first = [&](int64_t j) { return upper ? 0 : j; };
      auto end = [&](int64_t j) { return upper ? j + 1 : int64_t{s.n}; };
      if (unfit(item<T>(a, i, s.size()), s, verdict(info, i), first, end))
        return fill_nan(item<R>(values, i, s.n), s.n);
      std::vector<T> work(length(lwork));
      std::vector<R> rwork(length(lrwork));
      std::vector<int> iwork(std::max(liwork, 1));
      call(item<T>(a, i, s.size()), item<R>(values, i, s.n), work.data(), length(lwork),
           rwork.data(), length(lrwork), iwork.data(), static_cast<int>(iwork.size()),
           &verdict(info, i));
    });
  });
}

namespace {

// LAPACK gives the vectors of a conjugate pair of values as real and imaginary part.
template <class R>
void pair_up(int n, const R* re, const R* im, const R* packed, std::complex<R>* values,
             std::complex<R>* vectors) {
  for (int j = 0; j < n; ++j) values[j] = {re[j], im[j]};
  if (!vectors) return;
  for (int j = 0; j < n; ++j) {
    const R* column = packed + int64_t{j} * n;
    bool pair = im[j] != 0 && j + 1 < n;
    for (int r = 0; r < n; ++r) {
      vectors[int64_t{j} * n + r] =
          pair ? std::complex<R>(column[r], column[n + r]) : std::complex<R>(column[r], 0);
      if (pair) vectors[int64_t{j + 1} * n + r] = {column[r], -column[n + r]};
    }
    if (pair) ++j;
  }
}

}  // namespace

void eig(const Tensor& a, const Tensor& values, const Tensor& vectors, const Tensor& info) {
  for_type(a, "linalg_eig", [&](auto tag) {
    using T = decltype(tag);
    using R = real_t<T>;
    using Z = std::complex<R>;
    Shape s(a);
    if (s.n == 0) return;
    Routine geev = routine<T>("geev");
    bool wanted = vectors.defined();
    auto call = [&](T* x, R* re, R* im, Z* w, T* v, T* work, int lwork, R* rwork, int* verdict) {
      int n = s.n, ld = leading(n), one = 1;
      T none;
      const char* job = wanted ? "V" : "N";
      if constexpr (is_complex_v<T>)
        geev("N", job, &n, x, &ld, w, &none, &one, v, &ld, work, &lwork, rwork, verdict, kOne,
             kOne);
      else
        geev("N", job, &n, x, &ld, re, im, &none, &one, v, &ld, work, &lwork, verdict, kOne, kOne);
    };
    T lwork;
    int failed = 0;
    R none;
    call(nullptr, &none, &none, nullptr, nullptr, &lwork, -1, &none, &failed);
    each(s, [&](int64_t i) {
      if (unfit(item<T>(a, i, s.size()), s, verdict(info, i))) {
        if (wanted) fill_nan(item<Z>(vectors, i, s.size()), s.size());
        return fill_nan(item<Z>(values, i, s.n), s.n);
      }
      std::vector<T> work(length(lwork));
      std::vector<R> re(s.n), im(s.n), rwork(2 * static_cast<size_t>(s.n));
      Z* w = item<Z>(values, i, s.n);
      Z* v = wanted ? item<Z>(vectors, i, s.size()) : nullptr;
      if constexpr (is_complex_v<T>) {
        call(item<T>(a, i, s.size()), re.data(), im.data(), w, v, work.data(), length(lwork),
             rwork.data(), &verdict(info, i));
      } else {
        std::vector<T> packed(wanted ? s.size() : 1);
        call(item<T>(a, i, s.size()), re.data(), im.data(), w, packed.data(), work.data(),
             length(lwork), rwork.data(), &verdict(info, i));
        pair_up<R>(s.n, re.data(), im.data(), packed.data(), w, v);
      }
    });
  });
}

void svd(const Tensor& a, const Tensor& u, const Tensor& sigma, const Tensor& vh,
         const Tensor& info, bool full) {
  for_type(a, "linalg_svd_cpu", [&](auto tag) {
    using T = decltype(tag);
    using R = real_t<T>;
    Shape s(a);
    if (s.least() == 0) return;
    Routine gesdd = routine<T>("gesdd");
    bool wanted = u.defined();
    const char* job = !wanted ? "N" : full ? "A" : "S";
    int k = s.least(), across = wanted && !full ? k : s.n, down = wanted && !full ? k : s.m;
    int64_t u_size = int64_t{s.m} * down, v_size = int64_t{s.n} * across;
    auto call = [&](T* x, R* w, T* left, T* right, T* work, int lwork, R* rwork, int* iwork,
                    int* verdict) {
      int m = s.m, n = s.n, ld = leading(m), ldu = leading(m), ldv = leading(across);
      if constexpr (is_complex_v<T>)
        gesdd(job, &m, &n, x, &ld, w, left, &ldu, right, &ldv, work, &lwork, rwork, iwork, verdict,
              kOne);
      else
        gesdd(job, &m, &n, x, &ld, w, left, &ldu, right, &ldv, work, &lwork, iwork, verdict, kOne);
    };
    T lwork;
    R none;
    int unused = 0, failed = 0;
    call(nullptr, &none, nullptr, nullptr, &lwork, -1, &none, &unused, &failed);
    size_t small = static_cast<size_t>(k), large = static_cast<size_t>(std::max(s.m, s.n));
    size_t reals = is_complex_v<T> ? std::max(5 * small * small + 5 * small,
                                              2 * large * small + 2 * small * small + small) +
                                         7 * small
                                   : 1;
    each(s, [&](int64_t i) {
      if (unfit(item<T>(a, i, s.size()), s, verdict(info, i))) {
        if (wanted) fill_nan(item<T>(u, i, u_size), u_size);
        if (wanted) fill_nan(item<T>(vh, i, v_size), v_size);
        return fill_nan(item<R>(sigma, i, k), k);
      }
      std::vector<T> work(length(lwork));
      std::vector<R> rwork(reals);
      std::vector<int> iwork(8 * small);
      call(item<T>(a, i, s.size()), item<R>(sigma, i, k), wanted ? item<T>(u, i, u_size) : nullptr,
           wanted ? item<T>(vh, i, v_size) : nullptr, work.data(), length(lwork), rwork.data(),
           iwork.data(), &verdict(info, i));
    });
  });
}

void geqrf(const Tensor& a, const Tensor& tau) {
  for_type(a, "geqrf_cpu", [&](auto tag) {
    using T = decltype(tag);
    Shape s(a);
    if (s.least() == 0) return;
    Routine run = routine<T>("geqrf");
    int m = s.m, n = s.n, ld = leading(m), query = -1, failed = 0;
    T lwork, none;
    run(&m, &n, &none, &ld, &none, &lwork, &query, &failed);
    each(s, [&](int64_t i) {
      std::vector<T> work(length(lwork));
      int size = length(lwork), info = 0;
      run(&m, &n, item<T>(a, i, s.size()), &ld, item<T>(tau, i, s.least()), work.data(), &size,
          &info);
    });
  });
}

void householder_product(const Tensor& a, const Tensor& tau) {
  for_type(a, "householder_product_cpu", [&](auto tag) {
    using T = decltype(tag);
    Shape s(a);
    if (s.size() == 0) return;
    Routine run = routine<T>(is_complex_v<T> ? "ungqr" : "orgqr");
    int m = s.m, n = s.n, k = static_cast<int>(tau.size(tau.dim() - 1)), ld = leading(m),
        query = -1, failed = 0;
    T lwork, none;
    run(&m, &n, &k, &none, &ld, &none, &lwork, &query, &failed);
    each(s, [&](int64_t i) {
      std::vector<T> work(length(lwork));
      int size = length(lwork), info = 0;
      run(&m, &n, &k, item<T>(a, i, s.size()), &ld, item<T>(tau, i, k), work.data(), &size, &info);
    });
  });
}

void multiply_householder(const Tensor& b, const Tensor& a, const Tensor& tau, bool left,
                          bool conjugated) {
  for_type(b, "ormqr_cpu", [&](auto tag) {
    using T = decltype(tag);
    Shape s(a), other(b);
    if (other.size() == 0) return;
    Routine run = routine<T>(is_complex_v<T> ? "unmqr" : "ormqr");
    const char *side = left ? "L" : "R", *op = !conjugated ? "N" : is_complex_v<T> ? "C" : "T";
    int m = other.m, n = other.n, k = static_cast<int>(tau.size(tau.dim() - 1)), lda = leading(s.m),
        ldb = leading(m);
    auto call = [&](T* x, T* t, T* y, T* work, int lwork, int* info) {
      run(side, op, &m, &n, &k, x, &lda, t, y, &ldb, work, &lwork, info, kOne, kOne);
    };
    T lwork, none;
    int failed = 0;
    call(&none, &none, &none, &lwork, -1, &failed);
    each(other, [&](int64_t i) {
      std::vector<T> work(length(lwork));
      int info = 0;
      call(item<T>(a, i, s.size()), item<T>(tau, i, k), item<T>(b, i, other.size()), work.data(),
           length(lwork), &info);
    });
  });
}

namespace {

// One of LAPACK's four ways to a least-squares solution.
template <class T>
class Driver {
 public:
  using R = real_t<T>;

  Driver(const std::string& name, const Shape& a, const Shape& b, double rcond)
      : name_(name),
        run_(routine<T>(name)),
        m_(a.m),
        n_(a.n),
        count_(b.n),
        lda_(leading(a.m)),
        ldb_(leading(b.m)),
        rcond_(static_cast<R>(rcond)) {
    T none, work;
    R value;
    int pivots = 0, rank, info = 0;
    call(&none, &none, &value, &rank, &work, -1, &value, &pivots, &info);
    lwork_ = length(work);
    size_t small = static_cast<size_t>(a.least()), right = static_cast<size_t>(b.n);
    iwork_ = std::max<size_t>(pivots > 0 ? static_cast<size_t>(pivots) : 0,
                              64 * (small + 1) + static_cast<size_t>(a.n)) +
             32 * 11 * small;
    size_t levels = 40, inner = 25;
    rwork_ =
        10 * (small + static_cast<size_t>(a.n)) + 2 * small * inner + 8 * small * levels +
        3 * inner * right +
        std::max((inner + 1) * (inner + 1), static_cast<size_t>(a.n) * (1 + right) + 2 * right) +
        64;
    rwork_ = std::max(rwork_, static_cast<size_t>(
                                  std::max<R>(value, 0) < R(1 << 28) ? std::max<R>(value, 0) : 0));
  }

  void operator()(T* a, T* b, R* s, int* rank, int* info) const {
    std::vector<T> work(static_cast<size_t>(lwork_));
    std::vector<R> rwork(rwork_);
    std::vector<int> iwork(iwork_);
    call(a, b, s, rank, work.data(), lwork_, rwork.data(), iwork.data(), info);
  }

 private:
  void call(T* a, T* b, R* s, int* rank, T* work, int lwork, R* rwork, int* iwork,
            int* info) const {
    int m = m_, n = n_, count = count_, lda = lda_, ldb = ldb_;
    R rcond = rcond_;
    if (name_ == "gels") {
      run_("N", &m, &n, &count, a, &lda, b, &ldb, work, &lwork, info, kOne);
    } else if (name_ == "gelsy") {
      if constexpr (is_complex_v<T>)
        run_(&m, &n, &count, a, &lda, b, &ldb, iwork, &rcond, rank, work, &lwork, rwork, info);
      else
        run_(&m, &n, &count, a, &lda, b, &ldb, iwork, &rcond, rank, work, &lwork, info);
    } else if (name_ == "gelsd") {
      if constexpr (is_complex_v<T>)
        run_(&m, &n, &count, a, &lda, b, &ldb, s, &rcond, rank, work, &lwork, rwork, iwork, info);
      else
        run_(&m, &n, &count, a, &lda, b, &ldb, s, &rcond, rank, work, &lwork, iwork, info);
    } else {
      if constexpr (is_complex_v<T>)
        run_(&m, &n, &count, a, &lda, b, &ldb, s, &rcond, rank, work, &lwork, rwork, info);
      else
        run_(&m, &n, &count, a, &lda, b, &ldb, s, &rcond, rank, work, &lwork, info);
    }
  }

  std::string name_;
  Routine run_;
  int m_, n_, count_, lda_, ldb_, lwork_ = 1;
  R rcond_;
  size_t iwork_, rwork_;
};

}  // namespace

void least_squares(const Tensor& b, const Tensor& a, const Tensor& rank, const Tensor& sigma,
                   const Tensor& info, double rcond, const std::string& name) {
  for_type(a, "linalg_lstsq_cpu", [&](auto tag) {
    using T = decltype(tag);
    using R = real_t<T>;
    Shape s(a), right(b);
    if (s.least() == 0 || right.n == 0) return;
    Driver<T> driver(name, s, right, rcond);
    each(s, [&](int64_t i) {
      std::vector<R> values(static_cast<size_t>(s.least()));
      int found = 0;
      if (unfit(item<T>(a, i, s.size()), s, verdict(info, i)))
        return fill_nan(item<T>(b, i, right.size()), right.size());
      driver(item<T>(a, i, s.size()), item<T>(b, i, right.size()), values.data(), &found,
             &verdict(info, i));
      if (rank.defined()) rank.data<int64_t>()[i] = found;
      if (sigma.defined()) std::copy(values.begin(), values.end(), item<R>(sigma, i, s.least()));
    });
  });
}

void ldl_factor(const Tensor& a, const Tensor& pivots, const Tensor& info, bool hermitian) {
  for_type(a, "ldl_factor_cpu", [&](auto tag) {
    using T = decltype(tag);
    Shape s(a);
    if (s.n == 0) return;
    Routine run = routine<T>(hermitian && is_complex_v<T> ? "hetrf" : "sytrf");
    int n = s.n, ld = leading(n), query = -1, failed = 0, unused = 0;
    T lwork, none;
    run("L", &n, &none, &ld, &unused, &lwork, &query, &failed, kOne);
    each(s, [&](int64_t i) {
      std::vector<T> work(length(lwork));
      int size = length(lwork);
      T* x = item<T>(a, i, s.size());
      run("L", &n, x, &ld, item<int32_t>(pivots, i, n), work.data(), &size, &verdict(info, i),
          kOne);
    });
  });
}

void ldl_solve(const Tensor& b, const Tensor& ld, const Tensor& pivots, bool hermitian) {
  for_type(b, "ldl_solve_cpu", [&](auto tag) {
    using T = decltype(tag);
    Shape s(ld), right(b);
    if (right.size() == 0) return;
    Routine run = routine<T>(hermitian && is_complex_v<T> ? "hetrs" : "sytrs");
    for (int64_t i = 0; i < s.count * s.n; ++i) {
      int32_t p = pivots.data<int32_t>()[i];
      CHECK(p != 0 && std::abs(p) <= s.n, "torch.linalg.ldl_solve: pivots out of range");
    }
    each(s, [&](int64_t i) {
      int n = s.n, count = right.n, lda = leading(n), ldb = leading(right.m), info = 0;
      run("L", &n, &count, item<T>(ld, i, s.size()), &lda, item<int32_t>(pivots, i, n),
          item<T>(b, i, right.size()), &ldb, &info, kOne);
    });
  });
}

}  // namespace lampas::cpu
