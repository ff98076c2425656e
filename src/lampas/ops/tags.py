"""`torch.Tag`: properties of operators that a program may state when it registers them."""

import enum

_TAGS = (
    "core cudagraph_unsafe data_dependent_output dynamic_output_shape flexible_layout generated inplace "
    "inplace_view maybe_aliasing_or_mutating needs_contiguous_strides needs_exact_strides "
    "needs_fixed_stride_order nondeterministic_bitwise nondeterministic_seeded out out_variant pointwise "
    "pt2_compliant_tag reduction view_copy"
).split()
Tag = enum.Enum("Tag", {name: i for i, name in enumerate(_TAGS)}, module="torch")
Tag.__doc__ = "Properties of operators that a program registers."
