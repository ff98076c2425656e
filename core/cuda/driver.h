// NVIDIA's driver and run-time compiler, opened when first needed: tables of their functions and
// what becomes of their error codes. Nothing of CUDA is there when Lampas is built, so the stable C
// interfaces are declared here, as far as they are used.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace lampas::cuda {

using Result = int;  // 0: success
using DeviceHandle = int;
using Context = struct ContextHandle*;
using Module = struct ModuleHandle*;
using Function = struct FunctionHandle*;
using StreamHandle = struct StreamTag*;
using EventHandle = struct EventTag*;
using GraphHandle = struct GraphTag*;
using GraphExecHandle = struct GraphExecTag*;
using Address = unsigned long long;

inline constexpr Result kOutOfMemory = 2, kNotReady = 600, kNoDevice = 100, kPeerAccessOn = 704,
                        kCaptureUnsupported = 900;

// row(C name, parameters)
#define LAMPAS_DRIVER(row)                                                                         \
  row(cuInit, (unsigned flags)) row(cuDriverGetVersion, (int* version)) row(                       \
      cuGetErrorName, (Result, const char**)) row(cuGetErrorString, (Result, const char**))        \
      row(cuDeviceGetCount, (int* count)) row(cuDeviceGet, (DeviceHandle*, int ordinal)) row(      \
          cuDeviceGetName,                                                                         \
          (char* name, int length, DeviceHandle)) row(cuDeviceGetAttribute,                        \
                                                      (int* value, int attribute, DeviceHandle))   \
          row(cuDeviceTotalMem_v2, (size_t*, DeviceHandle)) row(                                   \
              cuDevicePrimaryCtxRetain, (Context*, DeviceHandle)) row(cuCtxSetCurrent, (Context))  \
              row(cuCtxSynchronize, ()) row(cuMemGetInfo_v2, (size_t* free, size_t* total)) row(   \
                  cuMemAlloc_v2, (Address*, size_t)) row(cuMemFree_v2, (Address))                  \
                  row(cuMemcpyHtoDAsync_v2, (Address, const void*, size_t, StreamHandle)) row(     \
                      cuMemcpyDtoHAsync_v2, (void*, Address, size_t, StreamHandle))                \
                      row(cuMemcpyDtoDAsync_v2, (Address, Address, size_t, StreamHandle)) row(     \
                          cuMemcpyPeerAsync,                                                       \
                          (Address, Context, Address, Context, size_t, StreamHandle))              \
                          row(cuMemsetD8Async, (Address, unsigned char, size_t, StreamHandle))     \
                              row(cuStreamCreateWithPriority,                                      \
                                  (StreamHandle*, unsigned flags,                                  \
                                   int priority)) row(cuStreamSynchronize, (StreamHandle))         \
                                  row(cuStreamQuery, (StreamHandle)) row(                          \
                                      cuStreamWaitEvent,                                           \
                                      (StreamHandle, EventHandle, unsigned flags))                 \
                                      row(cuEventCreate, (EventHandle*, unsigned flags)) row(      \
                                          cuEventDestroy_v2, (EventHandle))                        \
                                          row(cuEventRecord, (EventHandle, StreamHandle)) row(     \
                                              cuEventQuery, (EventHandle))                         \
                                              row(cuEventSynchronize, (EventHandle)) row(          \
                                                  cuEventElapsedTime,                              \
                                                  (float* milliseconds, EventHandle, EventHandle)) \
                                                  row(cuModuleLoadData,                            \
                                                      (Module*, const void* image))                \
                                                      row(cuModuleGetFunction,                     \
                                                          (Function*, Module, const char* name))   \
                                                          row(cuLaunchKernel,                      \
                                                              (Function, unsigned gx, unsigned gy, \
                                                               unsigned gz, unsigned bx,           \
                                                               unsigned by, unsigned bz,           \
                                                               unsigned shared, StreamHandle,      \
                                                               void** params, void** extra))

#define LAMPAS_NVRTC(row)                                                                       \
  row(nvrtcVersion, (int* major, int* minor)) row(nvrtcGetNumSupportedArchs, (int* count))      \
      row(nvrtcGetSupportedArchs, (int* archs))                                                 \
          row(nvrtcCreateProgram,                                                               \
              (struct NvrtcProgram**, const char* text, const char* name, int headers,          \
               const char* const* header_texts, const char* const* header_names))               \
              row(nvrtcDestroyProgram, (struct NvrtcProgram**)) row(                            \
                  nvrtcCompileProgram, (struct NvrtcProgram*, int options, const char* const*)) \
                  row(nvrtcGetProgramLogSize, (struct NvrtcProgram*, size_t*))                  \
                      row(nvrtcGetProgramLog, (struct NvrtcProgram*, char*))                    \
                          row(nvrtcGetCUBINSize, (struct NvrtcProgram*, size_t*))               \
                              row(nvrtcGetCUBIN, (struct NvrtcProgram*, char*))                 \
                                  row(nvrtcGetPTXSize, (struct NvrtcProgram*, size_t*))         \
                                      row(nvrtcGetPTX, (struct NvrtcProgram*, char*))

// What streams, memory and graphs need beyond launching kernels.
// clang-format off
#define LAMPAS_DRIVER_RUNTIME(row)                                                          \
  row(cuMemHostAlloc, (void** memory, size_t, unsigned flags))                              \
  row(cuMemFreeHost, (void*))                                                               \
  row(cuPointerGetAttribute, (void* value, int attribute, Address))                         \
  row(cuDeviceCanAccessPeer, (int* can, DeviceHandle, DeviceHandle peer))                   \
  row(cuCtxEnablePeerAccess, (Context peer, unsigned flags))                                \
  row(cuCtxGetStreamPriorityRange, (int* least, int* greatest))                             \
  row(cuStreamGetPriority, (StreamHandle, int*))                                            \
  row(cuProfilerStart, ())                                                                  \
  row(cuProfilerStop, ())                                                                   \
  row(cuStreamBeginCapture_v2, (StreamHandle, int mode))                                    \
  row(cuStreamEndCapture, (StreamHandle, GraphHandle*))                                     \
  row(cuStreamIsCapturing, (StreamHandle, int* status))                                     \
  row(cuThreadExchangeStreamCaptureMode, (int* mode))                                       \
  row(cuGraphGetNodes, (GraphHandle, void** nodes, size_t* count))                          \
  row(cuGraphInstantiateWithFlags, (GraphExecHandle*, GraphHandle, unsigned long long))     \
  row(cuGraphLaunch, (GraphExecHandle, StreamHandle))                                       \
  row(cuGraphDestroy, (GraphHandle))                                                        \
  row(cuGraphExecDestroy, (GraphExecHandle))                                                \
  row(cuGraphDebugDotPrint, (GraphHandle, const char* path, unsigned flags))
// clang-format on

struct NvrtcProgram;

#define FIELD(name, parameters) Result(*name) parameters = nullptr;
struct Driver {
  LAMPAS_DRIVER(FIELD)
  LAMPAS_DRIVER_RUNTIME(FIELD)
};
struct Nvrtc {
  LAMPAS_NVRTC(FIELD)
};
#undef FIELD

// Opened and initialised; raises, in PyTorch's words, where that is not possible.
const Driver& driver();
const Nvrtc& nvrtc();
// How many GPUs there are; 0 without a driver. Never raises.
int device_count();
// Why CUDA cannot be used: no driver, as PyTorch says it, or no compiler; empty where it can.
const std::string& why_unavailable();

// Raises RuntimeError "CUDA error: ..." unless the result is success; `what` names the operator or
// step that failed.
void check(Result result, const char* what);

// Folders of NVIDIA's wheels ("/.../nvidia/cuda_nvrtc/lib"), separated by ':'; set by the Python
// layer.
extern std::string (*find_wheels)();

}  // namespace lampas::cuda
