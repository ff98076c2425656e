"""Which operators take their arguments in another precision under autocast, by kind of device, as PyTorch's
documentation of mixed precision lists them.

The names are those of the core; composites follow from what they call.
"""

from lampas import _core

_PRODUCTS = """
conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d bmm mm baddbmm addmm addbmm
linear matmul prelu scaled_dot_product_attention lstm gru rnn_tanh rnn_relu lstm_cell gru_cell
rnn_tanh_cell rnn_relu_cell
"""
_POLICIES = {
    "cpu": {
        "lower": _PRODUCTS,
        "float32": """
avg_pool3d binary_cross_entropy grid_sampler polar prod cdist view_as_complex adaptive_avg_pool3d
mse_loss l1_loss nll_loss cross_entropy smooth_l1_loss huber_loss soft_margin_loss ctc_loss kl_div
binary_cross_entropy_with_logits
""",
        "widest": "stack cat concat concatenate index_copy",
    },
    "cuda": {
        "lower": _PRODUCTS + "mv addmv addr",
        "float32": """
pow acos asin binary_cross_entropy_with_logits cosh cdist cross_entropy cumprod cumsum dist erfinv exp
expm1 group_norm kl_div l1_loss layer_norm log log10 log_softmax log1p log2 mse_loss nll_loss prod
reciprocal renorm rsqrt sinh smooth_l1_loss huber_loss soft_margin_loss softmax softplus sum tan ctc_loss
linalg_vector_norm native_layer_norm native_group_norm
""",
        "widest": """
stack cat concat concatenate index_copy addcdiv addcmul atan2 dot vdot grid_sampler index_put scatter_add
""",
    },
}


def install():
    """Tells the core; names that are composites here are left to what they call."""
    for device, lists in _POLICIES.items():
        for precision, names in lists.items():
            for name in names.split():
                _core._set_precision(device, name, precision)
