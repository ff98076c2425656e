"""Finding where NaNs and failed gradients come from."""

from lampas import _core


class set_detect_anomaly:
    """Turns anomaly detection on or off: nodes remember the call that made them, NaN gradients raise."""

    def __init__(self, mode, check_nan=True):
        self._before = _core.is_anomaly_enabled()
        _core._set_anomaly(mode, check_nan)

    def __enter__(self):
        pass

    def __exit__(self, *_):
        _core._set_anomaly(self._before, True)


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
        self._before = _core.is_anomaly_enabled()
        _core._set_anomaly(True, self.check_nan)

    def __exit__(self, *_):
        _core._set_anomaly(self._before, True)
