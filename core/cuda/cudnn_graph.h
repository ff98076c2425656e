// Graphs of operations for cuDNN: descriptors of its backend interface as objects, plans chosen by
// its heuristics, and running them. What the graphs are is said elsewhere (cudnn_convolution.cc).
// Source: NVIDIA, "cuDNN Backend API".
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "cuda/libraries.h"
#include "runtime/tensor.h"

namespace lampas::cuda::dnn {

enum class Kind {
  pointwise = 0,
  convolution = 1,
  engine = 2,
  configuration = 3,
  heuristic = 4,
  plan = 5,
  forward = 10,
  backward_weight = 11,
  backward_input = 12,
  pointwise_operation = 13,
  graph = 15,
  variant_pack = 16,
  tensor = 17
};
enum class Type {
  handle = 0,
  data_type = 1,
  boolean = 2,
  whole = 3,
  float32 = 4,
  float64 = 5,
  pointer = 6,
  convolution_mode = 7,
  heuristic_mode = 8,
  numerical_note = 11,
  pointwise_mode = 14,
  descriptor = 15
};
enum DataType { kFloat = 0, kDouble = 1, kHalf = 2, kBFloat16 = 9 };

// What a step of building a graph threw: this graph is not for cuDNN.
struct Refused {};

class Descriptor {
 public:
  explicit Descriptor(Kind kind);
  ~Descriptor();
  Descriptor(Descriptor&& other) : raw_(std::exchange(other.raw_, nullptr)) {}
  Descriptor& operator=(Descriptor&& other) {
    std::swap(raw_, other.raw_);
    return *this;
  }

  Descriptor& set(int attribute, Type type, int64_t count, const void* values);
  Descriptor& set(int attribute, const std::vector<int64_t>& values) {
    return set(attribute, Type::whole, static_cast<int64_t>(values.size()), values.data());
  }
  Descriptor& set(int attribute, Type type, int value) { return set(attribute, type, 1, &value); }
  Descriptor& set(int attribute, const Descriptor& value) {
    return set(attribute, Type::descriptor, 1, &value.raw_);
  }
  Descriptor& finish();  // no attribute may be set afterwards
  DnnDescriptor raw() const { return raw_; }

 private:
  DnnDescriptor raw_ = nullptr;
};

struct TensorDescription {
  int64_t id;
  int type;
  std::vector<int64_t> sizes, steps;
  int64_t alignment = 16;
  bool is_virtual = false;  // between two operations, not in memory
};
Descriptor describe(const TensorDescription& x);

// A chosen way to compute a graph; keeps everything that it is made of.
struct Plan {
  std::vector<Descriptor> parts;
  std::unique_ptr<Descriptor> plan;
  int64_t workspace = 0;
  bool works() const { return plan != nullptr; }
};

struct Wishes {
  bool exact_float32 = false;  // no factors rounded to ten bits
  bool deterministic = false;
};
// The first engine that the heuristic names, fulfils the wishes, builds and needs no more than
// `most` bytes. `operations` are finished; `plan.parts` keeps what they refer to.
void choose(Plan& plan, const std::vector<DnnDescriptor>& operations, const Wishes& wishes,
            size_t most, int device);

// `what`: the operator, for errors.
void run(const Plan& plan, const std::vector<int64_t>& ids, const std::vector<void*>& data,
         int device, const char* what);

int data_type(DType dtype);  // -1: none
int64_t alignment_of(std::initializer_list<const void*> data, int64_t item);

// Plans by whatever tells problems apart.
using Key = std::vector<int64_t>;
struct KeyHash {
  size_t operator()(const Key& key) const {
    uint64_t h = key.size();
    for (int64_t w : key) h = ((h << 5 | h >> 59) ^ static_cast<uint64_t>(w)) * 0x9ddfea08eb382d69u;
    return h ^ (h >> 32);
  }
};
using Plans = std::unordered_map<Key, Plan, KeyHash>;

}  // namespace lampas::cuda::dnn
