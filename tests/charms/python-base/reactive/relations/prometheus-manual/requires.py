"""Prometheus' side: gets jobs and answers."""

from charms.reactive import toggle_flag
from charms.reactive.patterns.request_response import ResponderEndpoint

from .common import JobRequest


class PrometheusManualRequires(ResponderEndpoint):
    REQUEST_CLASS = JobRequest

    def manage_flags(self):
        super().manage_flags()
        toggle_flag(self.expand_name("has_jobs"), self.is_joined and self.jobs)
        toggle_flag(self.expand_name("new_jobs"), self.is_joined and self.new_jobs)

    @property
    def jobs(self):
        """All jobs asked for, in the order of their ids."""
        return self.all_requests

    @property
    def new_jobs(self):
        """Those without an answer. A job that changes after its answer is not new."""
        return self.new_requests
