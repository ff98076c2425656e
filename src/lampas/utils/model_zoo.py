"""`torch.utils.model_zoo`: the older name of `torch.hub`'s downloads."""

from lampas.hub import load_state_dict_from_url

load_url = load_state_dict_from_url
