"""What travels: a job as a request, and the answer to it."""

import copy
import json

from charms.reactive.patterns.request_response import BaseRequest, BaseResponse, Field


class JobResponse(BaseResponse):
    success = Field("Whether the job was accepted.")
    reason = Field("Why not, or null.")


class JobRequest(BaseRequest):
    RESPONSE_CLASS = JobResponse

    job_name = Field("Name of the job, to which the id of the request is added.")
    job_data = Field("The rest of an item of `scrape_configs`.")
    ca_cert = Field("PEM text of the authority that signed the certificates of the targets.")
    client_cert = Field("PEM text of the certificate to show to the targets.")
    client_key = Field("PEM text of the key to it.")

    def to_json(self, ca_file=None, cert_file=None, key_file=None):
        """The item of `scrape_configs`, as one line of JSON with sorted keys.

        Paths replace the placeholders in the job. That of the certificate and that of its key count only together.
        Data that cannot be a job raises TypeError or AttributeError, depending on where it is wrong.
        """
        job = copy.deepcopy(self.job_data)
        job["job_name"] = f"{self.job_name}-{self.request_id}"

        paths = {}
        if ca_file:
            paths["ca_file"] = str(ca_file)
        if cert_file and key_file:
            paths["cert_file"] = str(cert_file)
            paths["key_file"] = str(key_file)
        if paths:
            fill_in_job(job, paths)
        return json.dumps(job, sort_keys=True)

    def respond(self, success, reason=None):
        """Answers the request. Both fields are always written."""
        super().respond(success=success, reason=reason)


def fill_in_job(job, paths):
    """Puts the paths into the job's own TLS settings and into those of its service discoveries."""
    if "tls_config" in job:
        for field, path in paths.items():
            job["tls_config"][field] = path
    for key, discoveries in job.items():
        if key.endswith("_sd_configs"):
            for discovery in discoveries:
                fill_in_discovery(discovery.get("tls_config") or {}, paths)


def fill_in_discovery(tls_config, paths):
    """Replaces placeholders only: unlike in the job itself, nothing is added where there was none.

    Charms in the field ask for `client_file` where `cert_file` is meant, so a placeholder `cert_file` stays
    what it was. Whoever talks to them meets this, and so must whoever talks to us.
    """
    if "ca_file" in paths and "ca_file" in tls_config:
        tls_config["ca_file"] = paths["ca_file"]
    if "cert_file" in paths:
        if "client_file" in tls_config:
            tls_config["cert_file"] = paths["cert_file"]
        elif "key_file" in tls_config:
            tls_config["key_file"] = paths["key_file"]
