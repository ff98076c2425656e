// Tensors to and from other libraries without a copy: the DLPack protocol, whose C structures
// (https://dmlc.github.io/dlpack, version 1.0) are declared here. The Python side is in
// lampas/utils/dlpack.py.
#include <cstdint>

#include "cuda/driver.h"
#include "python/convert.h"
#include "python/exchange.h"
#include "python/operator.h"
#include "python/recording.h"
#include "runtime/dtype.h"

namespace lampas::python {

namespace {

struct DLDevice {
  int32_t type;  // kCpu, ...
  int32_t id;
};
struct DLDataType {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t* shape;
  int64_t* strides;  // in elements; null: row-major
  uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor tensor;
  void* context;
  void (*deleter)(DLManagedTensor*);
};
struct DLManagedTensorVersioned {
  struct {
    uint32_t major, minor;
  } version;
  void* context;
  void (*deleter)(DLManagedTensorVersioned*);
  uint64_t flags;  // 1: read only, 2: a copy
  DLTensor tensor;
};

constexpr int32_t kCpu = 1, kCuda = 2, kCudaHost = 3;  // the last: page-locked memory of the host
constexpr int kOrdinal = 9;  // the driver's attribute of an address: which device has it
constexpr uint64_t kCopied = 2;
enum Code : uint8_t { kInt = 0, kUInt = 1, kFloat = 2, kBFloat = 4, kComplex = 5, kBool = 6 };
template <class M>
constexpr const char* kName = nullptr;
template <>
constexpr const char* kName<DLManagedTensor> = "dltensor";
template <>
constexpr const char* kName<DLManagedTensorVersioned> = "dltensor_versioned";
template <class M>
constexpr const char* kUsedName = nullptr;
template <>
constexpr const char* kUsedName<DLManagedTensor> = "used_dltensor";
template <>
constexpr const char* kUsedName<DLManagedTensorVersioned> = "used_dltensor_versioned";

DLDataType type_of(DType d) {
  auto bits = static_cast<uint8_t>(item_size(d) * 8);
  switch (d) {
    case DType::Bool:
      return {kBool, 8, 1};
    case DType::BFloat16:
      return {kBFloat, 16, 1};
    case DType::UInt8:
    case DType::UInt16:
    case DType::UInt32:
    case DType::UInt64:
      return {kUInt, bits, 1};
    default:
      return {is_complex(d) ? kComplex : is_floating(d) ? kFloat : kInt, bits, 1};
  }
}

DType type_from(DLDataType t) {
  CHECK(t.lanes == 1, "ATen does not support lanes != 1");
  constexpr DType all[] = {DType::Bool,   DType::UInt8,        DType::Int8,         DType::Int16,
                           DType::Int32,  DType::Int64,        DType::UInt16,       DType::UInt32,
                           DType::UInt64, DType::Half,         DType::BFloat16,     DType::Float,
                           DType::Double, DType::ComplexFloat, DType::ComplexDouble};
  for (DType d : all) {
    DLDataType known = type_of(d);
    if (known.code == t.code && known.bits == t.bits) return d;
  }
  fail(ErrorKind::Buffer, "Unsupported DLPack type: code ", int{t.code}, ", ", int{t.bits},
       " bits");
}

DLDevice device_from(Device d) {
  return d.is_cuda() ? DLDevice{kCuda, d.index} : DLDevice{kCpu, 0};
}
Device device_of(DLDevice d) {
  if (d.type == kCpu || d.type == kCudaHost) return {};
  CHECK_KIND(d.type == kCuda, Buffer,
             "from_dlpack: only memory of the CPU or of CUDA can be taken, got device ", d.type);
  return device_memory.resolve({DeviceType::CUDA, static_cast<int8_t>(d.id)});
}

// What an exported tensor keeps alive; consumers may let go on any thread.
struct Exported {
  Pinned memory;
  Dims shape, strides;
};

template <class M>
void let_go(M* managed) {
  PyGILState_STATE gil = PyGILState_Ensure();
  delete static_cast<Exported*>(managed->context);
  delete managed;
  PyGILState_Release(gil);
}

// A capsule that nobody consumed.
template <class M>
void drop_capsule(PyObject* capsule) {
  if (!PyCapsule_IsValid(capsule, kName<M>)) return;
  auto* managed = static_cast<M*>(PyCapsule_GetPointer(capsule, kName<M>));
  if (managed->deleter) managed->deleter(managed);
}

template <class M>
PyObject* exported(const Tensor& x, bool copied) {
  auto* kept = new Exported{Pinned(x.storage()), x.sizes(), x.strides()};
  auto* managed = new M{};
  managed->context = kept;
  managed->deleter = let_go<M>;
  if constexpr (std::is_same_v<M, DLManagedTensorVersioned>) {
    managed->version = {1, 0};
    managed->flags = copied ? kCopied : 0;
  }
  managed->tensor = {x.numel() ? x.raw() : nullptr,
                     device_from(x.device()),
                     static_cast<int32_t>(x.dim()),
                     type_of(x.dtype()),
                     kept->shape.data(),
                     kept->strides.data(),
                     0};
  PyObject* capsule = PyCapsule_New(managed, kName<M>, drop_capsule<M>);
  if (!capsule) let_go(managed);
  return checked(capsule);
}

// (tensor, versioned, copied)
PyObject* to_dlpack(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject* object;
    recording_meets("DLPack gives memory to Python");
    int versioned, copied;
    if (!PyArg_ParseTuple(args, "Opp", &object, &versioned, &copied)) throw PythonError();
    CHECK_KIND(is_tensor(object), Type, "expected a Tensor, got ", type_name(object));
    const Tensor& x = unwrap(object);
    CHECK_KIND(!x->requires_grad, Buffer,
               "Can't export tensors that require gradient, use tensor.detach()");
    CHECK_KIND(x.device().is_cpu() || x.device().is_cuda(), Buffer, "Cannot pack tensors on ",
               to_string(x.device()));
    return versioned ? exported<DLManagedTensorVersioned>(x, copied)
                     : exported<DLManagedTensor>(x, copied);
  });
}

template <class M>
void release_import(Storage* s) {
  auto* managed = static_cast<M*>(s->owner);
  if (managed->deleter) managed->deleter(managed);
}

template <class M>
Tensor imported(PyObject* capsule) {
  auto* managed = static_cast<M*>(PyCapsule_GetPointer(capsule, kName<M>));
  if constexpr (std::is_same_v<M, DLManagedTensorVersioned>)
    CHECK_KIND(managed->version.major == 1, Buffer, "unsupported DLPack version ",
               managed->version.major, ".", managed->version.minor);
  const DLTensor& t = managed->tensor;
  Device device = device_of(t.device);
  CHECK_KIND(t.ndim >= 0 && t.ndim <= 64, Buffer, "from_dlpack: ", t.ndim, " dimensions");
  DType dtype = type_from(t.dtype);
  Dims sizes, strides;
  for (int32_t d = 0; d < t.ndim; ++d) sizes.push_back(t.shape[d]);
  int64_t count = checked_numel(sizes);
  strides = contiguous_strides(sizes);
  for (int32_t d = 0; t.strides && d < t.ndim; ++d) {
    strides[d] = t.strides[d];
    CHECK_KIND(strides[d] >= 0 || count == 0, Buffer,
               "from_dlpack: negative strides are not supported; copy the array first");
  }
  char* data = static_cast<char*>(t.data) + t.byte_offset;
  size_t bytes = checked_bytes(sizes, strides, 0, item_size(dtype));
  auto address = reinterpret_cast<uintptr_t>(data);
  CHECK_KIND(count == 0 || address % static_cast<uintptr_t>(item_size(dtype)) == 0, Buffer,
             "from_dlpack: the memory is not aligned for its type");
  Ref<Storage> storage = Storage::borrow(data, bytes, device, release_import<M>, managed);
  PyCapsule_SetName(capsule, kUsedName<M>);  // from here on the storage owns it
  return from_storage(storage, dtype, sizes, strides, 0);
}

PyObject* from_dlpack(PyObject*, PyObject* capsule) {
  return guarded([&]() -> PyObject* {
    if (PyCapsule_IsValid(capsule, kName<DLManagedTensorVersioned>))
      return wrap(imported<DLManagedTensorVersioned>(capsule));
    CHECK(PyCapsule_IsValid(capsule, kName<DLManagedTensor>),
          "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed "
          "only once, so you might have already constructed a tensor from it once.");
    return wrap(imported<DLManagedTensor>(capsule));
  });
}

void release_object(Storage* s) {
  PyGILState_STATE gil = PyGILState_Ensure();
  Py_DECREF(static_cast<PyObject*>(s->owner));
  PyGILState_Release(gil);
}

// (owner, address, dtype, sizes, strides in bytes): memory of a GPU that `owner` keeps
PyObject* from_device_memory(PyObject*, PyObject* args) {
  return guarded([&]() -> PyObject* {
    PyObject *owner, *type, *shape, *steps;
    unsigned long long address;
    if (!PyArg_ParseTuple(args, "OKOOO", &owner, &address, &type, &shape, &steps))
      throw PythonError();
    DType dtype = to_dtype(type);
    Dims sizes = Arg<Dims>::get(shape), strides = Arg<Dims>::get(steps);
    CHECK_KIND(sizes.size() == strides.size(), Value, "as many strides as dimensions are needed");
    for (int64_t& s : strides) {
      CHECK_KIND(s >= 0 && s % item_size(dtype) == 0, Value,
                 "given strides are not a multiple of the element byte size, or negative");
      s /= item_size(dtype);
    }
    Device device = device_memory.resolve({DeviceType::CUDA, -1});
    int ordinal = 0;
    if (address) {
      cuda::check(cuda::driver().cuPointerGetAttribute(&ordinal, kOrdinal, address),
                  "__cuda_array_interface__");
      device.index = static_cast<int8_t>(ordinal);
    }
    size_t bytes = checked_bytes(sizes, strides, 0, item_size(dtype));
    auto* data = reinterpret_cast<void*>(address);
    Ref<Storage> storage = Storage::borrow(data, bytes, device, release_object, Py_NewRef(owner));
    return wrap(from_storage(storage, dtype, sizes, strides, 0));
  });
}

PyMethodDef functions[] = {{"_from_device_memory", from_device_memory, METH_VARARGS, nullptr},
                           {"_to_dlpack", to_dlpack, METH_VARARGS, nullptr},
                           {"_from_dlpack", from_dlpack, METH_O, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

}  // namespace

void add_dlpack(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError();
}

}  // namespace lampas::python
