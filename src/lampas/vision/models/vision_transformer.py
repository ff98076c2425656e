"""Vision Transformer: patches of an image as words. Source: A. Dosovitskiy et al. (2020)."""

import math
from collections import OrderedDict
from functools import partial

import lampas
from lampas import nn
from lampas.vision.models.builder import builder
from lampas.vision.models.weights import imagenet
from lampas.vision.ops.blocks import MLP


def _weights(name, num_params, file, **image):
    return imagenet(f"{name}_Weights", num_params, {"IMAGENET1K_V1": file}, **image)


ViT_B_16_Weights = _weights("ViT_B_16", 86567656, "vit_b_16-c867db91.pth")
ViT_B_32_Weights = _weights("ViT_B_32", 88224232, "vit_b_32-d86f8d99.pth")
ViT_L_16_Weights = _weights("ViT_L_16", 304326632, "vit_l_16-852ce7e3.pth", resize_size=242)
ViT_L_32_Weights = _weights("ViT_L_32", 306535400, "vit_l_32-c7638314.pth")


class MLPBlock(MLP):
    """Two linear layers with a GELU between them."""

    def __init__(self, in_dim, mlp_dim, dropout):
        super().__init__(
            in_dim, [mlp_dim, in_dim], activation_layer=nn.GELU, inplace=None, dropout=dropout
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.normal_(module.bias, std=1e-6)


class EncoderBlock(nn.Module):
    """Self-attention and an `MLPBlock`, each after a normalization and added: (B, S, D) to same."""

    def __init__(self, num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer):
        super().__init__()
        self.num_heads = num_heads
        self.ln_1 = norm_layer(hidden_dim)
        self.self_attention = nn.MultiheadAttention(
            hidden_dim, num_heads, dropout=attention_dropout, batch_first=True
        )
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = norm_layer(hidden_dim)
        self.mlp = MLPBlock(hidden_dim, mlp_dim, dropout)

    def forward(self, input):
        x = self.ln_1(input)
        x, _ = self.self_attention(x, x, x, need_weights=False)
        x = self.dropout(x) + input
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """Learned places added, `num_layers` blocks, a normalization: (B, S, D) to same."""

    def __init__(
        self,
        seq_length,
        num_layers,
        num_heads,
        hidden_dim,
        mlp_dim,
        dropout,
        attention_dropout,
        norm_layer,
    ):
        super().__init__()
        places = lampas.empty(1, seq_length, hidden_dim).normal_(std=0.02)
        self.pos_embedding = nn.Parameter(places)
        self.dropout = nn.Dropout(dropout)
        shape = (num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer)
        self.layers = nn.Sequential(
            OrderedDict((f"encoder_layer_{i}", EncoderBlock(*shape)) for i in range(num_layers))
        )
        self.ln = norm_layer(hidden_dim)

    def forward(self, input):
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


class VisionTransformer(nn.Module):
    """(B, 3, image_size, image_size) to scores (B, num_classes)."""

    def __init__(
        self,
        image_size,
        patch_size,
        num_layers,
        num_heads,
        hidden_dim,
        mlp_dim,
        dropout=0.0,
        attention_dropout=0.0,
        num_classes=1000,
        representation_size=None,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
    ):
        super().__init__()
        if image_size % patch_size:
            raise ValueError("Input shape indivisible by patch size!")
        self.image_size = image_size
        self.patch_size = patch_size
        self.hidden_dim = hidden_dim
        self.num_classes = num_classes
        self.conv_proj = nn.Conv2d(3, hidden_dim, kernel_size=patch_size, stride=patch_size)
        self.class_token = nn.Parameter(lampas.zeros(1, 1, hidden_dim))
        self.seq_length = (image_size // patch_size) ** 2 + 1
        self.encoder = Encoder(
            self.seq_length,
            num_layers,
            num_heads,
            hidden_dim,
            mlp_dim,
            dropout,
            attention_dropout,
            norm_layer,
        )
        self.heads = nn.Sequential(_heads(hidden_dim, representation_size, num_classes))
        self._initialize()

    def _initialize(self):
        conv, heads = self.conv_proj, self.heads
        fan_in = conv.in_channels * conv.kernel_size[0] * conv.kernel_size[1]
        nn.init.trunc_normal_(conv.weight, std=math.sqrt(1 / fan_in))
        nn.init.zeros_(conv.bias)
        if hasattr(heads, "pre_logits"):
            fan_in = heads.pre_logits.in_features
            nn.init.trunc_normal_(heads.pre_logits.weight, std=math.sqrt(1 / fan_in))
            nn.init.zeros_(heads.pre_logits.bias)
        nn.init.zeros_(heads.head.weight)
        nn.init.zeros_(heads.head.bias)

    def _process_input(self, x):
        """Patches as a sequence (B, S, D)."""
        for name, side in (("height", x.shape[-2]), ("width", x.shape[-1])):
            if side != self.image_size:
                raise AssertionError(
                    f"Wrong image {name}! Expected {self.image_size} but got {side}!"
                )
        return self.conv_proj(x).flatten(2).permute(0, 2, 1)

    def forward(self, x):
        x = self._process_input(x)
        token = self.class_token.expand(x.shape[0], -1, -1)
        x = self.encoder(lampas.cat([token, x], dim=1))
        return self.heads(x[:, 0])


def _heads(hidden_dim, representation_size, num_classes):
    if representation_size is None:
        return OrderedDict(head=nn.Linear(hidden_dim, num_classes))
    return OrderedDict(
        pre_logits=nn.Linear(hidden_dim, representation_size),
        act=nn.Tanh(),
        head=nn.Linear(representation_size, num_classes),
    )


def _transformer(patch_size, num_layers, num_heads, hidden_dim, kwargs):
    shape = {"image_size": 224, **kwargs}
    return VisionTransformer(
        patch_size=patch_size,
        num_layers=num_layers,
        num_heads=num_heads,
        hidden_dim=hidden_dim,
        mlp_dim=4 * hidden_dim,
        **shape,
    )


@builder(ViT_B_16_Weights)
def vit_b_16(**kwargs):
    """The base model with patches of 16. `kwargs` go to `VisionTransformer`."""
    return _transformer(16, 12, 12, 768, kwargs)


@builder(ViT_B_32_Weights)
def vit_b_32(**kwargs):
    """The base model with patches of 32."""
    return _transformer(32, 12, 12, 768, kwargs)


@builder(ViT_L_16_Weights)
def vit_l_16(**kwargs):
    """The large model with patches of 16."""
    return _transformer(16, 24, 16, 1024, kwargs)


@builder(ViT_L_32_Weights)
def vit_l_32(**kwargs):
    """The large model with patches of 32."""
    return _transformer(32, 24, 16, 1024, kwargs)
