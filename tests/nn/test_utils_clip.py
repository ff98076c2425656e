"""nn.utils: gradient clipping and parameters as vectors."""

import pytest

pytest.importorskip("torch", reason="PyTorch, the oracle, is not installed")
from agreement import agree

TEXTS = """
U.clip_grad_norm_(ps(A, A, None), 1.0)
U.clip_grad_norm_(ps(A)[0], 1.0) | U.clip_grad_norm_(ps(), 1.0)
U.clip_grad_norm_(ps(None), 1.0) | U.clip_grad_norm_(ps(A, B), 1.0)
U.clip_grad_norm_(ps(A, B), 1.0, error_if_nonfinite=True)
U.clip_grad_norm_(ps(C), 1.0, 3, error_if_nonfinite=True) | U.clip_grad_norm_(ps(A, A), 1.0, "inf")
U.clip_grad_norm_(ps(A, A), 1.0, 0)
U.clip_grad_norm_(ps(A, A), 1.0, 1) | U.clip_grad_norm_(ps(A, A), 50)
U.clip_grad_norm_(ps(A, A), 1.0, foreach=True) | U.clip_grad_norm_(iter(ps(A, A)), 1.0)
U.clip_grad_norm(ps(A, A), 1.0)
U.clip_grad_value_(ps(A, None), 2) | U.clip_grad_value_(ps(A)[0], 2)
U.get_total_norm([T(A), T(A)]) | U.get_total_norm(T(A)) | U.get_total_norm([])
U.clip_grad_norm_((p for p in []), 1.0) | U.clip_grad_norm_(5, 1.0)
U.clip_grads_with_norm_(ps(A), 1.0, T(5.0)) | U.parameters_to_vector(ps(A, A))
U.vector_to_parameters([1], ps(A)) | U.vector_to_parameters(T([0.0, 1, 2, 3]), ps(A, A))
U.vector_to_parameters(T([0.0, 1, 2]), ps(A, A)) | U.parameters_to_vector([])
"""


@pytest.mark.parametrize(
    "text", [t.strip() for line in TEXTS.strip().splitlines() for t in line.split(" | ")]
)
def test_agreement(text):
    def run(module):
        made = []

        def ps(*grads):
            for grad in grads:
                param = module.zeros(2).requires_grad_()
                param.grad = None if grad is None else module.tensor(grad)
                made.append(param)
            return made

        names = {"U": module.nn.utils, "T": module.tensor, "ps": ps}
        names.update(A=[3.0, -4.0], B=[1.0, float("nan")], C=[float("inf"), 1.0])
        return eval(text, names), made, [param.grad for param in made]

    agree(run)
