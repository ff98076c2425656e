"""`torch.cuda.amp`: the older names of `lampas.amp` with device "cuda"."""

import lampas.amp

custom_fwd, custom_bwd = lampas.amp.custom_fwd, lampas.amp.custom_bwd


class autocast(lampas.amp.autocast):
    """lampas.amp.autocast("cuda", ...)."""

    def __init__(self, enabled=True, dtype=None, cache_enabled=True):
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(lampas.amp.GradScaler):
    """lampas.amp.GradScaler("cuda", ...)."""

    def __init__(
        self,
        init_scale=2.0**16,
        growth_factor=2.0,
        backoff_factor=0.5,
        growth_interval=2000,
        enabled=True,
    ):
        super().__init__(
            "cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled
        )
