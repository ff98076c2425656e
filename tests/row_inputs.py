"""What the inputs of a pointwise row are drawn from: the interval of each domain that pointwise.def names."""

RANGES = {
    "any": (-3, 3), "positive": (0.1, 4), "unit": (0.05, 0.95), "one": (-0.95, 0.95),
    "above_one": (1.05, 4), "nonzero": (0.3, 3), "small": (-2, 2), "bits": (0, 7),
}  # fmt: skip
