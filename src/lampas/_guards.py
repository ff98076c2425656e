"""`torch._guards`: whether a trace is under way. None is."""


def detect_fake_mode(inputs=None):
    """None: nothing is traced."""


class TracingContext:
    """A trace under way, of which there is none."""

    @staticmethod
    def try_get():
        """None."""
