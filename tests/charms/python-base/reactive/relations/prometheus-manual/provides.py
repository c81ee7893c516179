"""The side with metrics: asks for its jobs to be scraped."""

from charms.reactive import toggle_flag
from charms.reactive.patterns.request_response import RequesterEndpoint

from .common import JobRequest


class PrometheusManualProvides(RequesterEndpoint):
    REQUEST_CLASS = JobRequest

    def manage_flags(self):
        super().manage_flags()
        toggle_flag(self.expand_name("available"), self.is_joined and self.requests)

    def register_job(
        self, job_name, job_data, ca_cert=None, client_cert=None, client_key=None, relation=None
    ):
        """Asks for a job on one relation, or on all; a job of that name is changed and keeps its id.

        The search for a job of that name is charms.reactive's, and covers all relations whatever it is told. So with
        two relations only the first gets a job.
        """
        fields = {
            "job_name": job_name,
            "job_data": job_data,
            "ca_cert": ca_cert,
            "client_cert": client_cert,
            "client_key": client_key,
        }
        for target in self.relations if relation is None else [relation]:
            JobRequest.create_or_update(match_fields=["job_name"], relation=target, **fields)
