"""Which operators take their arguments in another precision under CPU autocast, as PyTorch's lists say.

The names are those of the core; composites follow from what they call.
"""

from lampas import _core

_LOWER = """
conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d bmm mm baddbmm addmm addbmm
linear matmul prelu scaled_dot_product_attention lstm gru rnn_tanh rnn_relu lstm_cell gru_cell
rnn_tanh_cell rnn_relu_cell
"""
_FLOAT32 = """
avg_pool3d binary_cross_entropy grid_sampler polar prod cdist view_as_complex adaptive_avg_pool3d
mse_loss l1_loss nll_loss cross_entropy smooth_l1_loss huber_loss soft_margin_loss ctc_loss kl_div
binary_cross_entropy_with_logits
"""
_WIDEST = "stack cat concat concatenate index_copy"


def install():
    """Tells the core; names that are composites here are left to what they call."""
    for names, precision in ((_LOWER, "lower"), (_FLOAT32, "float32"), (_WIDEST, "widest")):
        for name in names.split():
            _core._set_precision(name, precision)
