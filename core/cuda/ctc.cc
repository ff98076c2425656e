// See ctc.h.
#include "cuda/ctc.h"

#include <vector>

#include "cuda/failures.h"
#include "cuda/kernels.h"
#include "cuda/memory.h"
#include "cuda/walk.h"

namespace lampas::cuda {
namespace {

struct CtcArguments {  // of device/ctc.h
  const void* logs;
  const int64_t *targets, *lengths;
  void *alpha, *beta, *losses, *dx;
  const void* g;
  int64_t samples, steps, classes, states, blank, drop_infinite;
  Report report;
};

// The arguments, and the memory they point to.
struct Call {
  CtcArguments a{};
  Tensor lengths, alpha, beta;
  int device;

  Call(const Tensor& losses, const Tensor& logs, const Tensor& targets, const cpu::CtcBatch& batch)
      : device(logs.device().index) {
    a.steps = logs.size(0), a.samples = logs.size(1), a.classes = logs.size(2);
    a.blank = batch.blank;
    std::vector<int64_t> numbers;
    for (const int64_t* each : {batch.input_lengths, batch.target_lengths, batch.starts})
      numbers.insert(numbers.end(), each, each + a.samples);
    int64_t longest = 0;
    for (int64_t n = 0; n < a.samples; ++n) longest = std::max(longest, batch.target_lengths[n]);
    a.states = 2 * longest + 1;
    lengths = empty(Dims{3 * a.samples}, DType::Int64, logs.device());
    copy_bytes(lengths.raw(), logs.device(), numbers.data(), Device{},
               numbers.size() * sizeof(int64_t));
    alpha = empty(Dims{a.samples * a.steps * a.states}, logs.dtype(), logs.device());
    a.logs = logs.raw();
    a.targets = targets.data<int64_t>();
    a.lengths = lengths.data<int64_t>();
    a.alpha = alpha.raw();
    a.losses = losses.raw();
    a.report = report_of(
        device, "ctc_loss",
        [](int64_t label, int64_t, int64_t classes) {
          fail("ctc_loss: target ", label, " is out of range for ", classes, " classes");
        },
        0, a.classes);
  }
  void run(const char* kernel, DType dtype) {
    if (a.samples == 0) return;
    unsigned threads = a.states <= 64 ? 64 : a.states <= 256 ? 256 : 512;
    run_family({"ctc", "CtcArguments", concat(kernel, "<", device_type(dtype), ">")}, &a,
               {.x = blocks_for(a.samples, 1), .threads = threads}, device, "ctc_loss");
  }
};

}  // namespace

void ctc_losses(On, const Tensor& losses, const Tensor& logs, const Tensor& targets,
                const cpu::CtcBatch& batch) {
  Call call(losses, logs, targets, batch);
  call.run("ctc_losses", logs.dtype());
}

void ctc_gradient(On, const Tensor& dx, const Tensor& g, const Tensor& losses, const Tensor& logs,
                  const Tensor& targets, const cpu::CtcBatch& batch, bool drop_infinite) {
  Call call(losses, logs, targets, batch);
  call.beta = empty(Dims{call.a.samples * 2 * call.a.states}, logs.dtype(), logs.device());
  call.a.beta = call.beta.raw();
  call.a.dx = dx.raw();
  call.a.g = g.raw();
  call.a.drop_infinite = drop_infinite;
  fill(On{}, dx, 0);
  call.run("ctc_gradient", logs.dtype());
}

}  // namespace lampas::cuda
