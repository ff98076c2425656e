// OpenBLAS, opened on first need. It runs single-threaded: the cutting into parallel pieces is
// ours.
#pragma once
#include <string>

namespace lampas::blas {

// The address of a symbol ("cblas_sgemm", "dgesv_") of the library; raises when it cannot be
// opened.
void* symbol(const char* name);

// Set by the Python layer: the path of the library, from the package that brings it.
extern std::string (*find_library)();

// FUNCTION(cblas_sgemm, signature): a typed pointer, looked up once.
template <class F>
F* function(const char* name) {
  return reinterpret_cast<F*>(symbol(name));
}

}  // namespace lampas::blas
