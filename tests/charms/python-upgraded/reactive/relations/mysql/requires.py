"""Takes what the servers say."""

from charms.reactive import Endpoint


class MySQLRequires(Endpoint):
    pass
