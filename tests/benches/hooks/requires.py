"""The interface of the endpoint `db`: plain, or one that answers requests."""

import os

if os.environ["BENCH_DUTY"] == "requests":
    from charms.reactive.patterns.request_response import (
        BaseRequest,
        BaseResponse,
        Field,
        ResponderEndpoint,
    )

    class Response(BaseResponse):
        text = Field("what is answered")

    class Request(BaseRequest):
        RESPONSE_CLASS = Response
        text = Field("what is asked")

    class Answering(ResponderEndpoint):
        REQUEST_CLASS = Request

else:
    from charms.reactive import Endpoint

    class Plain(Endpoint):
        pass
