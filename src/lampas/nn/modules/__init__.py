"""The layers, one file for each family."""

from lampas.nn.modules import (
    activation,
    batchnorm,
    container,
    conv,
    distance,
    dropout,
    flatten,
    fold,
    instancenorm,
    linear,
    loss,
    normalization,
    padding,
    pooling,
    rnn,
    sparse,
    transformer,
    upsampling,
)
from lampas.nn.modules.activation import *
from lampas.nn.modules.adaptive import AdaptiveLogSoftmaxWithLoss
from lampas.nn.modules.batchnorm import *
from lampas.nn.modules.channelshuffle import ChannelShuffle
from lampas.nn.modules.container import *
from lampas.nn.modules.conv import *
from lampas.nn.modules.distance import *
from lampas.nn.modules.dropout import *
from lampas.nn.modules.flatten import *
from lampas.nn.modules.fold import *
from lampas.nn.modules.instancenorm import *
from lampas.nn.modules.linear import Bilinear, Identity, LazyLinear, Linear
from lampas.nn.modules.linear_cross_entropy import (
    LinearCrossEntropyLoss,
    LinearCrossEntropyOptions,
)
from lampas.nn.modules.loss import *
from lampas.nn.modules.module import Module
from lampas.nn.modules.normalization import *
from lampas.nn.modules.padding import *
from lampas.nn.modules.pixelshuffle import PixelShuffle, PixelUnshuffle
from lampas.nn.modules.pooling import *
from lampas.nn.modules.rnn import *
from lampas.nn.modules.sparse import *
from lampas.nn.modules.transformer import *
from lampas.nn.modules.upsampling import *

__all__ = [
    "AdaptiveLogSoftmaxWithLoss", "Bilinear", "ChannelShuffle", "Identity", "LazyLinear",
    "Linear", "LinearCrossEntropyLoss", "LinearCrossEntropyOptions", "Module", "PixelShuffle",
    "PixelUnshuffle",
]  # fmt: skip
for _family in (
    activation, batchnorm, container, conv, distance, dropout, flatten, fold, instancenorm, loss,
    normalization, padding, pooling, rnn, sparse, transformer, upsampling,
):  # fmt: skip
    __all__ += _family.__all__
del _family, linear
