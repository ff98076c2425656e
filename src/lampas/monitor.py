"""`torch.monitor`: events of a program, handed to those who asked for them. Statistics are not kept."""

import dataclasses
import datetime
import enum

from lampas import unavailable

globals().update(
    unavailable.names("torch.monitor", types="Stat TensorboardEventHandler", hint="use log_event")
)
_handlers = []


class Aggregation(enum.Enum):
    """What a statistic would keep of its values."""

    VALUE, MEAN, COUNT, SUM, MAX, MIN = range(6)


@dataclasses.dataclass
class Event:
    """Something that happened: its name, when, and data (name -> str, int, float or bool)."""

    name: str
    timestamp: datetime.datetime
    data: dict


class EventHandlerHandle:
    """What `register_event_handler` gives, to end it with."""

    def __init__(self, callback):
        self.callback = callback


def log_event(event):
    """Calls every handler with the event."""
    for handle in list(_handlers):
        handle.callback(event)


def register_event_handler(callback):
    """Events go to `callback` from now on, until `unregister_event_handler` of what this returns."""
    _handlers.append(EventHandlerHandle(callback))
    return _handlers[-1]


def unregister_event_handler(handler):
    """Ends a handler."""
    if handler in _handlers:
        _handlers.remove(handler)
