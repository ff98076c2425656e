"""Functions on tensors that networks are made of. One namespace; each family has its file."""

from types import FunctionType as _FunctionType

from lampas import _core
from lampas.nn import _reduction
from lampas.nn._tuples import _list_with_default, _pair, _single, _triple
from lampas.nn.functional.activation import (
    _get_softmax_dim,
    celu,
    celu_,
    elu,
    elu_,
    gelu,
    glu,
    gumbel_softmax,
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    hardtanh_,
    leaky_relu,
    leaky_relu_,
    log_softmax,
    logsigmoid,
    mish,
    prelu,
    relu,
    relu6,
    relu_,
    rrelu,
    rrelu_,
    selu,
    selu_,
    sigmoid,
    silu,
    softmax,
    softmin,
    softplus,
    softshrink,
    softsign,
    tanh,
    tanhshrink,
    threshold,
    threshold_,
)  # fmt: skip
from lampas.nn.functional.arrangement import (
    channel_shuffle,
    native_channel_shuffle,
    one_hot,
    pixel_shuffle,
    pixel_unshuffle,
)  # fmt: skip
from lampas.nn.functional.attention import (
    _canonical_mask,
    _in_projection,
    _in_projection_packed,
    _mha_shape_check,
    _none_or_dtype,
    multi_head_attention_forward,
    scaled_dot_product_attention,
)  # fmt: skip
from lampas.nn.functional.distance import (
    cosine_similarity,
    pairwise_distance,
    pdist,
)  # fmt: skip
from lampas.nn.functional.dropping import (
    alpha_dropout,
    dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
)  # fmt: skip
from lampas.nn.functional.fractional_pooling import (
    fractional_max_pool2d,
    fractional_max_pool2d_with_indices,
    fractional_max_pool3d,
    fractional_max_pool3d_with_indices,
)  # fmt: skip
from lampas.nn.functional.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cosine_embedding_loss,
    cross_entropy,
    ctc_loss,
    gaussian_nll_loss,
    hinge_embedding_loss,
    huber_loss,
    kl_div,
    l1_loss,
    margin_ranking_loss,
    mse_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    nll_loss,
    poisson_nll_loss,
    smooth_l1_loss,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)  # fmt: skip
from lampas.nn.functional.normalization import (
    _verify_batch_size,
    _verify_spatial_size,
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
    normalize,
    rms_norm,
)  # fmt: skip
from lampas.nn.functional.overriding import (
    handle_torch_function,
    has_torch_function,
    has_torch_function_unary,
    has_torch_function_variadic,
)  # fmt: skip
from lampas.nn.functional.padding import pad
from lampas.nn.functional.pooling import (
    _unpool_output_size,
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d,
    adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d,
    adaptive_max_pool3d_with_indices,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    boolean_dispatch,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    max_pool1d,
    max_pool1d_with_indices,
    max_pool2d,
    max_pool2d_with_indices,
    max_pool3d,
    max_pool3d_with_indices,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
)  # fmt: skip
from lampas.nn.functional.products import (
    bilinear,
    conv1d,
    conv2d,
    conv3d,
    conv_tbc,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    grouped_mm,
    linear,
    linear_cross_entropy,
    scaled_grouped_mm,
    scaled_mm,
)  # fmt: skip
from lampas.nn.functional.resampling import (
    GRID_SAMPLE_INTERPOLATION_MODES,
    GRID_SAMPLE_PADDING_MODES,
    affine_grid,
    assert_int_or_pair,
    fold,
    grid_sample,
    interpolate,
    unfold,
    upsample,
    upsample_bilinear,
    upsample_nearest,
)  # fmt: skip
from lampas.nn.functional.sparse import embedding, embedding_bag

for _name, _value in list(globals().items()):
    # A function's public home is this namespace: pickles name it so.
    if getattr(_value, "__module__", "").startswith(__name__ + ".") and hasattr(
        _value, "__qualname__"
    ):
        _value.__module__ = __name__
        if isinstance(_value, _FunctionType) and "torch_function" not in _name:
            globals()[_name] = _core._python_operator(_value, __name__)
del _name, _value


def __getattr__(name):
    if name in ("ScalingType", "SwizzleType"):
        from lampas.nn.functional import scaling

        return getattr(scaling, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
