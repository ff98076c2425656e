"""PyTorch's texts around the reason why a file was refused."""

UNSAFE_MESSAGE = (
    "In PyTorch 2.6, we changed the default value of the `weights_only` argument in `torch.load` "
    "from `False` to `True`. Re-running `torch.load` with `weights_only` set to `False` will "
    "likely succeed, but it can result in arbitrary code execution. Do it only if you got the "
    "file from a trusted source."
)
_MORE = (
    "\n\nCheck the documentation of torch.load to learn more about types accepted by default with "
    "weights_only https://pytorch.org/docs/stable/generated/torch.load.html."
)


def refused(reason):
    """The message of the error that `load` raises with `weights_only=True`."""
    if "whose module" in reason:
        return f"Weights only load failed. {UNSAFE_MESSAGE}\n\n\n{reason}{_MORE}"
    if reason.startswith("Unsupported global"):
        return (
            "Weights only load failed. This file can still be loaded, to do so you have two "
            "options, \033[1mdo those steps only if you trust the source of the checkpoint\033[0m. "
            f"\n\t(1) {UNSAFE_MESSAGE}\n\t(2) Alternatively, to load with `weights_only=True` "
            "please check the recommended steps in the following error message.\n\t"
            f"WeightsUnpickler error: {reason}{_MORE}"
        )
    return (
        f"Weights only load failed. {UNSAFE_MESSAGE}\nPlease file an issue with the following so "
        "that we can make `weights_only=True` compatible with your use case: WeightsUnpickler "
        f"error: \n\n{reason}{_MORE}"
    )
