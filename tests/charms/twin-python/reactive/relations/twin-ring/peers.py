from charms.reactive import Endpoint, when, when_not

import twin_kit


class TwinRingPeers(Endpoint):
    @when("endpoint.{endpoint_name}.joined")
    def joined(self):
        twin_kit.joined(self)

    @when_not("endpoint.{endpoint_name}.joined")
    def alone(self):
        twin_kit.alone(self)

    @when("endpoint.{endpoint_name}.changed")
    def changed(self):
        twin_kit.changed(self)

    @when("endpoint.{endpoint_name}.departed")
    def departed(self):
        twin_kit.departed(self)
