// Products that leave one element out, by a running product from each side.
#include "cpu/products.h"

#include <vector>

#include "runtime/parallel.h"

namespace lampas::cpu {

void product_of_others(const Tensor& y, const Tensor& x, int64_t n) {
  if (x.numel() == 0) return;
  dispatch<FloatsAndComplex>(x.dtype(), "prod_backward", [&](auto tag) {
    using T = decltype(tag);
    using C = compute_t<T>;
    const T* from = x.data<T>();
    T* to = y.data<T>();
    parallel_for(x.numel() / n, std::max<int64_t>(65536 / n, 1), [&](int64_t begin, int64_t end) {
      std::vector<C> before(n);
      for (int64_t line = begin; line < end; ++line) {
        const T* a = from + line * n;
        C running(1);
        for (int64_t i = 0; i < n; ++i) {
          before[i] = running;
          running *= convert<C>(a[i]);
        }
        running = C(1);
        for (int64_t i = n; i-- > 0;) {
          to[line * n + i] = convert<T>(before[i] * running);
          running *= convert<C>(a[i]);
        }
      }
    });
  });
}

void fill_diagonal_mask(const Tensor& mask) {
  int64_t n = mask.size(0);
  bool* m = mask.data<bool>();
  std::fill(m, m + n * n, false);
  for (int64_t i = 0; i < n; ++i) m[i * n + i] = true;
}

}  // namespace lampas::cpu
