// See cudnn_graph.h.
#include "cuda/cudnn_graph.h"

#include <algorithm>

#include "cuda/stream.h"
#include "runtime/error.h"

namespace lampas::cuda::dnn {
namespace {

enum Attribute {
  kHeuristicMode = 200,
  kHeuristicGraph = 201,
  kHeuristicResults = 202,
  kConfigurationEngine = 300,
  kPlanHandle = 400,
  kPlanConfiguration = 401,
  kPlanWorkspace = 402,
  kGraphHandle = 800,
  kGraphOperations = 801,
  kTensorAlignment = 900,
  kTensorType = 901,
  kTensorSizes = 902,
  kTensorSteps = 903,
  kTensorId = 906,
  kTensorIsVirtual = 907,
  kPackIds = 1000,
  kPackData = 1001,
  kPackWorkspace = 1003,
  kEngineNotes = 1303
};
enum HeuristicMode { kFallback = 2, kModeA = 3 };
enum Note { kTensorCore = 0, kDownConverts = 1, kNondeterministic = 4 };

void require(Result result) {
  if (result != 0) throw Refused();
}

DnnHandle handle_of(int device) {
  static auto* handles = new std::unordered_map<int, DnnHandle>;
  DnnHandle& kept = (*handles)[device];
  if (!kept) {
    Result made = cudnn()->cudnnCreate(&kept);
    CHECK(made == 0, "CUDA error: cuDNN could not be started (status ", made, ")");
  }
  return kept;
}

bool has_note(const std::vector<int>& notes, Note note) {
  return std::find(notes.begin(), notes.end(), note) != notes.end();
}

std::vector<int> notes_of(const Descriptor& configuration) {
  const Cudnn& lib = *cudnn();
  Descriptor engine(Kind::engine);
  DnnDescriptor place = engine.raw();
  int64_t count = 0;
  require(lib.cudnnBackendGetAttribute(configuration.raw(), kConfigurationEngine,
                                       static_cast<int>(Type::descriptor), 1, &count, &place));
  int notes[32];
  count = 0;
  require(lib.cudnnBackendGetAttribute(engine.raw(), kEngineNotes,
                                       static_cast<int>(Type::numerical_note), 32, &count, notes));
  return {notes, notes + std::clamp<int64_t>(count, 0, 32)};
}

bool fulfils(const Descriptor& configuration, const Wishes& wishes) {
  if (!wishes.exact_float32 && !wishes.deterministic) return true;
  std::vector<int> notes = notes_of(configuration);
  if (wishes.exact_float32 && (has_note(notes, kTensorCore) || has_note(notes, kDownConverts)))
    return false;
  return !wishes.deterministic || !has_note(notes, kNondeterministic);
}

std::vector<Descriptor> configurations(const Descriptor& graph, HeuristicMode mode) {
  const Cudnn& lib = *cudnn();
  Descriptor heuristic(Kind::heuristic);
  heuristic.set(kHeuristicGraph, graph).set(kHeuristicMode, Type::heuristic_mode, mode).finish();
  constexpr int type = static_cast<int>(Type::descriptor);
  int64_t count = 0;
  require(
      lib.cudnnBackendGetAttribute(heuristic.raw(), kHeuristicResults, type, 0, &count, nullptr));
  std::vector<Descriptor> found;
  std::vector<DnnDescriptor> places;
  for (int64_t i = 0; i < count; ++i) {
    found.emplace_back(Kind::configuration);
    places.push_back(found.back().raw());
  }
  if (count)
    require(lib.cudnnBackendGetAttribute(heuristic.raw(), kHeuristicResults, type, count, &count,
                                         places.data()));
  found.erase(found.begin() + std::min<int64_t>(count, static_cast<int64_t>(found.size())),
              found.end());
  return found;
}

// False where the configuration does not build or asks for too much.
bool build(Plan& plan, const Descriptor& configuration, size_t most, DnnHandle handle) {
  Descriptor made(Kind::plan);
  int64_t bytes = 0, count = 0;
  try {
    made.set(kPlanHandle, Type::handle, 1, &handle).set(kPlanConfiguration, configuration).finish();
    require(cudnn()->cudnnBackendGetAttribute(made.raw(), kPlanWorkspace,
                                              static_cast<int>(Type::whole), 1, &count, &bytes));
  } catch (const Refused&) {
    return false;
  }
  if (bytes < 0 || static_cast<size_t>(bytes) > most) return false;
  plan.plan = std::make_unique<Descriptor>(std::move(made));
  plan.workspace = bytes;
  return true;
}

}  // namespace

Descriptor::Descriptor(Kind kind) {
  require(cudnn()->cudnnBackendCreateDescriptor(static_cast<int>(kind), &raw_));
}
Descriptor::~Descriptor() {
  if (raw_) cudnn()->cudnnBackendDestroyDescriptor(raw_);
}
Descriptor& Descriptor::set(int attribute, Type type, int64_t count, const void* values) {
  require(
      cudnn()->cudnnBackendSetAttribute(raw_, attribute, static_cast<int>(type), count, values));
  return *this;
}
Descriptor& Descriptor::finish() {
  require(cudnn()->cudnnBackendFinalize(raw_));
  return *this;
}

Descriptor describe(const TensorDescription& x) {
  Descriptor d(Kind::tensor);
  d.set(kTensorType, Type::data_type, x.type)
      .set(kTensorSizes, x.sizes)
      .set(kTensorSteps, x.steps)
      .set(kTensorId, std::vector<int64_t>{x.id})
      .set(kTensorAlignment, std::vector<int64_t>{x.alignment});
  if (x.is_virtual) {
    bool yes = true;
    d.set(kTensorIsVirtual, Type::boolean, 1, &yes);
  }
  d.finish();
  return d;
}

void choose(Plan& plan, const std::vector<DnnDescriptor>& operations, const Wishes& wishes,
            size_t most, int device) {
  bind(device);
  DnnHandle handle = handle_of(device);
  Descriptor graph(Kind::graph);
  graph.set(kGraphHandle, Type::handle, 1, &handle)
      .set(kGraphOperations, Type::descriptor, static_cast<int64_t>(operations.size()),
           operations.data())
      .finish();
  for (HeuristicMode mode : {kModeA, kFallback}) {
    std::vector<Descriptor> found;
    try {
      found = configurations(graph, mode);
    } catch (const Refused&) {
      continue;
    }
    for (Descriptor& configuration : found) {
      if (!fulfils(configuration, wishes) || !build(plan, configuration, most, handle)) continue;
      plan.parts.push_back(std::move(configuration));
      plan.parts.push_back(std::move(graph));
      return;
    }
  }
}

void run(const Plan& plan, const std::vector<int64_t>& ids, const std::vector<void*>& data,
         int device, const char* what) {
  const Cudnn& lib = *cudnn();
  bind(device);
  Tensor workspace;
  if (plan.workspace)
    workspace = empty(Dims{plan.workspace}, DType::UInt8,
                      Device{DeviceType::CUDA, static_cast<int8_t>(device)});
  void* room = workspace.defined() ? workspace.raw() : nullptr;
  DnnHandle handle = handle_of(device);
  Result done = lib.cudnnSetStream(handle, current_stream(device).handle);
  if (done == 0) try {
      Descriptor pack(Kind::variant_pack);
      pack.set(kPackIds, ids)
          .set(kPackData, Type::pointer, static_cast<int64_t>(data.size()), data.data())
          .set(kPackWorkspace, Type::pointer, 1, &room)
          .finish();
      done = lib.cudnnBackendExecute(handle, plan.plan->raw(), pack.raw());
    } catch (const Refused&) {
      done = -1;
    }
  CHECK(done == 0, "CUDA error: cuDNN failed with status ", done, "\nin ", what);
}

int data_type(DType dtype) {
  switch (dtype) {
    case DType::Float:
      return kFloat;
    case DType::Double:
      return kDouble;
    case DType::Half:
      return kHalf;
    case DType::BFloat16:
      return kBFloat16;
    default:
      return -1;
  }
}

int64_t alignment_of(std::initializer_list<const void*> data, int64_t item) {
  for (const void* p : data)
    if (reinterpret_cast<uintptr_t>(p) % 16) return item;
  return 16;
}

}  // namespace lampas::cuda::dnn
