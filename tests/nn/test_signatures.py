"""Modules, optimizers and schedulers without their arguments: the message names the class."""

import importlib
import inspect

import pytest
from agreement import agree

SPACES = ("nn", "optim", "optim.lr_scheduler", "utils.data")


def classes():
    """(namespace, name) of the public classes that both have; datapipes are not offered here."""
    for space in SPACES:
        theirs = vars(importlib.import_module(f"torch.{space}"))
        ours = importlib.import_module(f"lampas.{space}")
        for name, value in theirs.items():
            public = inspect.isclass(value) and not name.startswith("_") and hasattr(ours, name)
            if public and "datapipes" not in value.__module__:
                yield space, name


@pytest.mark.parametrize("space, name", list(classes()))
def test_missing_arguments(space, name):
    def make(module):
        getattr(importlib.import_module(f"{module.__name__}.{space}"), name)()

    agree(make)


def test_users_subclass_names_the_class_it_derives_from():
    def make(t):
        class Own(t.nn.Conv2d):
            pass

        Own(1)

    agree(make)


def test_functions_are_not_instantiated():
    class_of = {}

    def make(t):
        class Own(t.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x

        class_of[t.__name__] = Own
        return type(Own()).__name__

    def call(t):
        class_of[t.__name__]()(t.ones(1))

    agree(make)
    agree(call)
