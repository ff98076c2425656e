"""Optimizers and learning rate schedules, under the names of torch.optim."""

from lampas.optim import lr_scheduler as lr_scheduler
from lampas.optim import swa_utils as swa_utils
from lampas.optim._adafactor import Adafactor as Adafactor
from lampas.optim._muon import Muon as Muon
from lampas.optim.adadelta import Adadelta as Adadelta
from lampas.optim.adagrad import Adagrad as Adagrad
from lampas.optim.adam import Adam as Adam
from lampas.optim.adamax import Adamax as Adamax
from lampas.optim.adamw import AdamW as AdamW
from lampas.optim.asgd import ASGD as ASGD
from lampas.optim.lbfgs import LBFGS as LBFGS
from lampas.optim.nadam import NAdam as NAdam
from lampas.optim.optimizer import Optimizer as Optimizer
from lampas.optim.radam import RAdam as RAdam
from lampas.optim.rmsprop import RMSprop as RMSprop
from lampas.optim.rprop import Rprop as Rprop
from lampas.optim.sgd import SGD as SGD
from lampas.optim.sparse_adam import SparseAdam as SparseAdam
from lampas.optim.swap import (
    swap_in_optimizer_params_and_state as swap_in_optimizer_params_and_state,
)

Adafactor.__module__ = Muon.__module__ = "lampas.optim"
