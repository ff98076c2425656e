"""`torch.masked`: names only; tensors with a mask are not available."""

from lampas import unavailable

globals().update(
    unavailable.names(
        "torch.masked",
        "masked_tensor as_masked_tensor is_masked_tensor sum prod amax amin argmax argmin mean median "
        "norm var std softmax log_softmax softmin normalize cumsum cumprod logsumexp logaddexp",
        "MaskedTensor",
        "use torch.where or a product with the mask",
    )
)
