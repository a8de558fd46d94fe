"""The two S3 clients of S12, behind the interface of step store."""

from aggregator.config import Config
from aggregator.store import Store


def open_store(config: Config) -> Store:
    """The client that ``S3_CLIENT`` names; the modules of the other one are not loaded."""
    if config.s3_client == "light":
        from aggregator.s3.light import LightStore

        return LightStore(config)
    from aggregator.s3.sdk import SdkStore

    return SdkStore(config)
