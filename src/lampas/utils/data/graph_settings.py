"""Settings of graphs of datapipes: not offered, see `lampas.utils.data.datapipes`."""

from lampas.utils.data.datapipes import not_offered

__all__ = ["apply_random_seed", "apply_sharding", "apply_shuffle_settings"]

apply_random_seed = not_offered("apply_random_seed")
apply_sharding = not_offered("apply_sharding")
apply_shuffle_settings = not_offered("apply_shuffle_settings")
