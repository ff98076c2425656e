"""Finding where NaNs and failed gradients come from."""

from lampas import _core

_check_nan = True
is_anomaly_enabled = _core.is_anomaly_enabled


def set_anomaly_enabled(enabled, check_nan=True):
    """Turns anomaly detection on or off; check_nan: gradients that become NaN raise."""
    global _check_nan
    if not isinstance(enabled, bool):
        raise TypeError(
            "set_anomaly_enabled(): argument 'enabled' (position 1) must be bool, not "
            f"{type(enabled).__name__}"
        )
    _core._set_anomaly(enabled, check_nan)
    _check_nan = check_nan


def is_anomaly_check_nan_enabled():
    """Whether NaN gradients would raise in anomaly detection."""
    return _check_nan


class set_detect_anomaly:
    """Turns anomaly detection on or off: nodes remember the call that made them, NaN gradients raise."""

    def __init__(self, mode, check_nan=True):
        self._before = is_anomaly_enabled(), _check_nan
        set_anomaly_enabled(mode, check_nan)

    def __enter__(self):
        pass

    def __exit__(self, *_):
        set_anomaly_enabled(*self._before)


class detect_anomaly:
    """Context in which anomaly detection is on. It costs time: for debugging only."""

    def __init__(self, check_nan=True):
        import warnings

        self.check_nan = check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled "
            "for debugging.",
            stacklevel=2,
        )

    def __enter__(self):
        self._before = is_anomaly_enabled(), _check_nan
        set_anomaly_enabled(True, self.check_nan)

    def __exit__(self, *_):
        set_anomaly_enabled(*self._before)
