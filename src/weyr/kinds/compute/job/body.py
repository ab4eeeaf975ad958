"""What does an attempt of a job look like to an engine? Pure."""

from collections.abc import Mapping
from dataclasses import replace

from weyr.core import task_spec
from weyr.core.capability import CheckpointBody, Gang, Staged, TaskBody
from weyr.core.decision import Need
from weyr.core.parts import Part
from weyr.core.ref import Ref
from weyr.core.schema import Reference
from weyr.kinds.compute.job.array import index_env
from weyr.kinds.compute.job.spec import Folder, JobSpec
from weyr.kinds.compute.job.version import program_of


def attempt_bodies(
    ref: Ref, spec: JobSpec, needs: Mapping[Ref, Need], base_folder: str, part: Part, memory_bytes: int | None, run: str
) -> dict[Part, TaskBody]:
    """The tasks of one attempt, by name: one, or one for each replica.

    Takes needs that are all ready: their outputs name the real buckets and models. `run` tells one run of the same
    program from another, "" where there is only one.
    """
    body = replace(_body(ref, spec, needs, base_folder, part.index, run), memory_bytes=memory_bytes)
    if spec.replicas == 1:
        return {part: body}
    return {
        replace(part, rank=rank): replace(
            body, gang=Gang(part.gang, spec.replicas, rank), outputs=_apart(body.outputs, f"replica-{rank}", rank > 0)
        )
        for rank in range(spec.replicas)
    }


def _apart(outputs: tuple[Staged, ...], name: str, is_apart: bool) -> tuple[Staged, ...]:
    """Outputs in a folder of their own: what two tasks both call `model.pt` must not be one's over the other's."""
    return tuple(replace(each, prefix=f"{each.prefix}/{name}".lstrip("/")) for each in outputs) if is_apart else outputs


def _body(
    ref: Ref, spec: JobSpec, needs: Mapping[Ref, Need], base_folder: str, index: int | None, run: str
) -> TaskBody:
    checkpoint = None
    if spec.checkpoint:
        bucket = _output(ref, needs, spec.checkpoint.bucket, "name")
        # Another program's checkpoints are not this one's progress: it would end at once with the old result.
        words = [program_of(spec), run, "" if index is None else str(index)]
        prefix = "/".join(["checkpoints", ref.name, *filter(None, words)])
        checkpoint = CheckpointBody(bucket, prefix, spec.checkpoint.every, spec.checkpoint.keep)
    artifacts = spec.artifacts or (spec.checkpoint.bucket if spec.checkpoint else None)
    body = task_spec.task_body(ref, spec, needs, base_folder, task_spec.command_of(spec.run))
    return replace(
        body,
        env={**body.env, **index_env(spec, index, ref.name)},
        grants=_grants(ref, spec, needs),
        time_limit_s=spec.time_limit,
        is_spot=spec.spot,
        checkpoint=checkpoint,
        experiment=f"{ref.stack}/{ref.name}",
        model=_output(ref, needs, spec.produces, "name") if spec.produces else "",
        artifact_bucket=_output(ref, needs, artifacts, "name") if artifacts else "",
        expected_s=spec.expected_duration,
        inputs=_staged(ref, needs, spec.inputs),
        outputs=_apart(_staged(ref, needs, spec.outputs), f"{index}", index is not None),
    )


def _staged(ref: Ref, needs: Mapping[Ref, Need], folders: Mapping[str, Folder]) -> tuple[Staged, ...]:
    return tuple(
        Staged(name, _output(ref, needs, each.bucket, "name"), each.path.strip("/")) for name, each in folders.items()
    )


def _grants(ref: Ref, spec: JobSpec, needs: Mapping[Ref, Need]) -> tuple[str, ...]:
    """The least that the spec asks for: its own checkpoints, the buckets it names, tracking."""
    grants = ["tracking:read:*", "tracking:write:*", *task_spec.bucket_grants(ref, spec, needs)]
    if spec.checkpoint:
        own = f"{_output(ref, needs, spec.checkpoint.bucket, 'name')}/checkpoints/{ref.name}/*"
        grants += [f"s3:read:{own}", f"s3:write:{own}", f"s3:list:{own}"]
    for verbs, folders in ((("read", "list"), spec.inputs), (("write",), spec.outputs)):
        places = [f"{each.bucket}/{each.prefix}".rstrip("/") for each in _staged(ref, needs, folders)]
        grants += [f"s3:{verb}:{place}/*" for place in places for verb in verbs]
    return tuple(dict.fromkeys(grants))


def _output(ref: Ref, needs: Mapping[Ref, Need], to: Reference, name: str) -> str:
    return str(needs[to.ref(ref.stack)].outputs[name])
