"""Takes what the peers say."""

from charms.reactive import Endpoint


class UpgradedPeers(Endpoint):
    pass
