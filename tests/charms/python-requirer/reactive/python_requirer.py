"""Writes the jobs it is asked for to a file, as Prometheus' charm writes its configuration."""

import json
import os
from pathlib import Path
from urllib.parse import quote

from charmhelpers.core import hookenv
from charms.reactive import endpoint_from_name, when, when_not

CERTIFICATES = {"ca_file": "ca_cert", "cert_file": "client_cert", "key_file": "client_key"}


def refused(job):
    # Charms in the field leave fields out, the name too.
    return (job.job_name or "").startswith("refuse-")


# In every hook, because charms.reactive raises no `changed` for a request that disappears.
@when("endpoint.manual-jobs.joined")
def render():
    jobs = [job for job in endpoint_from_name("manual-jobs").jobs if not refused(job)]
    write_jobs([json.loads(job.to_json(**write_certificates(job))) for job in jobs])
    remove_other_certificates(jobs)


@when_not("endpoint.manual-jobs.joined")
def render_none():
    write_jobs([])
    remove_other_certificates([])


@when("endpoint.manual-jobs.new_jobs")
def answer():
    for job in endpoint_from_name("manual-jobs").new_jobs:
        if refused(job):
            job.respond(False, "refused by request")
        else:
            job.respond(True)


def write_jobs(rendered):
    write(charm_path("jobs.json"), json.dumps(rendered, indent=2, sort_keys=True) + "\n", 0o644)
    hookenv.status_set("active", f"{len(rendered)} jobs")


def certificate_path(job, field):
    # The other side chooses ids: a slash in one must not lead out of the folder.
    return charm_path("certs") / f"{quote(job.request_id, safe='')}.{field}.pem"


def write_certificates(job):
    """Writes what came with the job; the answer is what `to_json` wants to know."""
    paths = {}
    for argument, field in CERTIFICATES.items():
        text = getattr(job, field)
        if text:
            paths[argument] = certificate_path(job, field)
            write(paths[argument], text, 0o600)
    return paths


def remove_other_certificates(jobs):
    kept = {
        certificate_path(job, field) for job in jobs for field in CERTIFICATES.values() if getattr(job, field)
    }
    for path in charm_path("certs").glob("*.pem"):
        if path not in kept:
            path.unlink()


def charm_path(name):
    return Path(hookenv.charm_dir()) / name


def write(path, text, mode):
    """Replaces the file in one step, readable to nobody else before it has its final mode."""
    path.parent.mkdir(exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    new.chmod(mode)
    new.replace(path)
