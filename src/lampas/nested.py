"""`torch.nested`: names only; tensors of ragged shape are not available."""

from lampas import unavailable

globals().update(
    unavailable.names(
        "torch.nested",
        "nested_tensor nested_tensor_from_jagged as_nested_tensor to_padded_tensor narrow masked_select",
        hint="use a padded tensor and a mask",
    )
)
