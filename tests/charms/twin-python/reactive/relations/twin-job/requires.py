from charms.reactive import BaseRequest, BaseResponse, Field, ResponderEndpoint, when, when_not

import twin_kit


class TellResponse(BaseResponse):
    value = Field("What is answered")


class TellRequest(BaseRequest):
    RESPONSE_CLASS = TellResponse

    name = Field("What is asked for")
    data = Field("Whatever goes with it")


class TwinJobRequires(ResponderEndpoint):
    REQUEST_CLASS = TellRequest

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

    @when("endpoint.{endpoint_name}.has_requests")
    def asked(self):
        twin_kit.asked(self)

    @when("endpoint.{endpoint_name}.new_requests")
    def answer(self):
        twin_kit.answer(self)
