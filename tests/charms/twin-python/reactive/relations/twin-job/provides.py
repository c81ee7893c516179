from charms.reactive import BaseRequest, BaseResponse, Field, RequesterEndpoint, when, when_not

import twin_kit


class AskResponse(BaseResponse):
    value = Field("What is answered")


class AskRequest(BaseRequest):
    RESPONSE_CLASS = AskResponse

    name = Field("What is asked for")
    data = Field("Whatever goes with it")


class TwinJobProvides(RequesterEndpoint):
    REQUEST_CLASS = AskRequest

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

    @when("endpoint.{endpoint_name}.has_responses")
    def answered(self):
        twin_kit.answered(self)

    @when("endpoint.{endpoint_name}.all_responses")
    def all_answered(self):
        twin_kit.all_answered(self)
