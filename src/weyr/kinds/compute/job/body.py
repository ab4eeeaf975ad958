"""What does an attempt of a job look like to an engine? Pure."""

from collections.abc import Mapping
from dataclasses import replace

from weyr.core import task_spec
from weyr.core.capability import CheckpointBody, TaskBody
from weyr.core.decision import Need
from weyr.core.ref import Ref
from weyr.core.schema import Reference
from weyr.kinds.compute.job.spec import JobSpec
from weyr.kinds.compute.job.version import program_of


def task_body(ref: Ref, spec: JobSpec, needs: Mapping[Ref, Need], base_folder: str) -> TaskBody:
    """Takes needs that are all ready: their outputs name the real buckets and models."""
    checkpoint = None
    if spec.checkpoint:
        bucket = _output(ref, needs, spec.checkpoint.bucket, "name")
        # Another program's checkpoints are not this one's progress: it would end at once with the old result.
        prefix = f"checkpoints/{ref.name}/{program_of(spec)}"
        checkpoint = CheckpointBody(bucket, prefix, spec.checkpoint.every, spec.checkpoint.keep)
    artifacts = spec.artifacts or (spec.checkpoint.bucket if spec.checkpoint else None)
    return replace(
        task_spec.task_body(ref, spec, needs, base_folder, task_spec.command_of(spec.run)),
        grants=_grants(ref, spec, needs),
        time_limit_s=spec.time_limit,
        is_spot=spec.spot,
        checkpoint=checkpoint,
        experiment=f"{ref.stack}/{ref.name}",
        model=_output(ref, needs, spec.produces, "name") if spec.produces else "",
        artifact_bucket=_output(ref, needs, artifacts, "name") if artifacts else "",
    )


def _grants(ref: Ref, spec: JobSpec, needs: Mapping[Ref, Need]) -> tuple[str, ...]:
    """The least that the spec asks for: its own checkpoints, the buckets it names, tracking."""
    grants = ["tracking:read:*", "tracking:write:*", *task_spec.bucket_grants(ref, spec, needs)]
    if spec.checkpoint:
        own = f"{_output(ref, needs, spec.checkpoint.bucket, 'name')}/checkpoints/{ref.name}/*"
        grants += [f"s3:read:{own}", f"s3:write:{own}", f"s3:list:{own}"]
    return tuple(dict.fromkeys(grants))


def _output(ref: Ref, needs: Mapping[Ref, Need], to: Reference, name: str) -> str:
    return str(needs[to.ref(ref.stack)].outputs[name])
