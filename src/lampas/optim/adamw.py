"""AdamW: Adam whose weight decay is decoupled from the gradient."""

from lampas.optim.adam import Adam

__all__ = ["AdamW"]


class AdamW(Adam):
    """AdamW (Loshchilov and Hutter 2019): p shrinks by lr * weight_decay before Adam's step.

    Raises:
        ValueError: a negative `lr`, `eps` or `weight_decay`; betas outside [0, 1).
    """

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=1e-2,
        amsgrad=False,
        *,
        maximize=False,
        foreach=None,
        capturable=False,
        differentiable=False,
        fused=None,
    ):
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state):
        super().__setstate__(state)
        # Older files do not say it, and a class can only mean one thing.
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
