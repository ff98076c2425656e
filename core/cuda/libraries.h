// Libraries of products, opened when first needed: tables of their functions. What has to be there
// (driver, NVRTC) is in driver.h; these may be missing, and kernels of our own take their place.
#pragma once
#include <initializer_list>
#include <string>
#include <vector>

#include "cuda/driver.h"

namespace lampas::cuda {

// The path in `variable` (environment), else one of `names` in `folders` (joined by ':'), else
// wherever the system's loader finds it; null where there is none.
void* open_library(const char* variable, std::initializer_list<const char*> names,
                   const std::string& folders = "");

struct LibraryEntry {
  const char* name;
  void** place;
};
// The name of a function that the library lacks, or null.
const char* fill_table(void* library, const std::vector<LibraryEntry>& entries);

using LtHandle = struct LtHandleTag*;
using LtDescription = struct LtDescriptionTag*;
using LtLayout = struct LtLayoutTag*;
using LtPreference = struct LtPreferenceTag*;
struct LtAlgorithm {
  uint64_t data[8];
};
struct LtChoice {  // what the heuristic answers
  LtAlgorithm algorithm;
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};

// row(C name, parameters); all return a status, 0: success
// clang-format off
#define LAMPAS_CUBLASLT(row)                                                                     \
  row(cublasLtCreate, (LtHandle*))                                                               \
  row(cublasLtMatmulDescCreate, (LtDescription*, int compute, int scale_type))                   \
  row(cublasLtMatmulDescDestroy, (LtDescription))                                                \
  row(cublasLtMatmulDescSetAttribute, (LtDescription, int attribute, const void*, size_t bytes)) \
  row(cublasLtMatrixLayoutCreate,                                                                \
      (LtLayout*, int type, uint64_t rows, uint64_t columns, int64_t ld))                        \
  row(cublasLtMatrixLayoutDestroy, (LtLayout))                                                   \
  row(cublasLtMatrixLayoutSetAttribute, (LtLayout, int attribute, const void*, size_t bytes))    \
  row(cublasLtMatmulPreferenceCreate, (LtPreference*))                                           \
  row(cublasLtMatmulPreferenceDestroy, (LtPreference))                                           \
  row(cublasLtMatmulPreferenceSetAttribute,                                                      \
      (LtPreference, int attribute, const void*, size_t bytes))                                  \
  row(cublasLtMatmulAlgoGetHeuristic,                                                            \
      (LtHandle, LtDescription, LtLayout a, LtLayout b, LtLayout c, LtLayout d, LtPreference,    \
       int wanted, LtChoice*, int* found))                                                       \
  row(cublasLtMatmul,                                                                            \
      (LtHandle, LtDescription, const void* alpha, const void* a, LtLayout, const void* b,       \
       LtLayout, const void* beta, const void* c, LtLayout, void* d, LtLayout,                   \
       const LtAlgorithm*, void* workspace, size_t workspace_bytes, StreamHandle))

using DnnHandle = struct DnnHandleTag*;
using DnnDescriptor = void*;
#define LAMPAS_CUDNN(row)                                                                     \
  row(cudnnCreate, (DnnHandle*))                                                              \
  row(cudnnSetStream, (DnnHandle, StreamHandle))                                              \
  row(cudnnBackendCreateDescriptor, (int type, DnnDescriptor*))                               \
  row(cudnnBackendDestroyDescriptor, (DnnDescriptor))                                         \
  row(cudnnBackendFinalize, (DnnDescriptor))                                                  \
  row(cudnnBackendSetAttribute,                                                               \
      (DnnDescriptor, int attribute, int type, int64_t count, const void*))                   \
  row(cudnnBackendGetAttribute,                                                               \
      (DnnDescriptor, int attribute, int type, int64_t wanted, int64_t* found, void*))        \
  row(cudnnBackendExecute, (DnnHandle, DnnDescriptor plan, DnnDescriptor pack))

// clang-format on
#define FIELD(name, parameters) Result(*name) parameters = nullptr;
struct CublasLt {
  LAMPAS_CUBLASLT(FIELD)
};
struct Cudnn {
  LAMPAS_CUDNN(FIELD)
  size_t version = 0;  // major * 10000 + minor * 100 + patch
};
#undef FIELD

// Null where there is none (or LAMPAS_CUBLASLT, LAMPAS_CUDNN name no library).
const CublasLt* cublaslt();
const Cudnn* cudnn();
// "cublasLt", "cudnn": empty where it is there, else what to install.
std::string missing_library(const std::string& name);

// Says once that our own kernels do what a missing library would do faster.
void warn_of_missing_library(const std::string& name);

}  // namespace lampas::cuda
