"""Registers the jobs in the configuration and reports what became of them."""

import yaml
from charmhelpers.core import hookenv
from charms.reactive import data_changed, endpoint_from_name, when, when_not


def configured_jobs():
    """Name and data of each job."""
    jobs = yaml.safe_load(hookenv.config("jobs") or "") or []
    return [(job.pop("job_name"), job) for job in jobs]


@when("endpoint.prometheus.joined")
def register():
    prometheus = endpoint_from_name("prometheus")
    jobs = configured_jobs()
    certificates = {
        "ca_cert": hookenv.config("ca-cert") or None,
        "client_cert": hookenv.config("client-cert") or None,
        "client_key": hookenv.config("client-key") or None,
    }
    # Saying the same again would change nothing, but write every databag in every hook.
    wanted = [jobs, certificates, list(prometheus.relations.keys())]
    if not data_changed("python-provider.registered", wanted):
        return
    for name, data in jobs:
        prometheus.register_job(name, data, **certificates)


@when("endpoint.prometheus.joined")
def report():
    prometheus = endpoint_from_name("prometheus")
    jobs = configured_jobs()
    accepted = 0
    for name, _ in jobs:
        response = prometheus.response_by_job_name(name)
        if response is not None and not response.success:
            hookenv.status_set("blocked", f"job {name} refused: {response.reason}")
            return
        if response is not None:
            accepted += 1
    if accepted < len(jobs):
        hookenv.status_set("waiting", f"{accepted} of {len(jobs)} jobs accepted")
    else:
        hookenv.status_set("active", f"{accepted} jobs accepted")


@when_not("endpoint.prometheus.joined")
def report_alone():
    hookenv.status_set("waiting", "not related to prometheus")
