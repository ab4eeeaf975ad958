"""What do things cost that are rented ready-made, by their size? Directories, certificates, file systems, workflows.

Source: each service's page under aws.amazon.com; the keys of use are those of Infracost's usage file.
"""

from decimal import Decimal

from weyr.ledger.terraform.desk import HOURS, MILLION, Desk, Pricer, unpriced
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.tiers import by_tier
from weyr.ledger.terraform.usage import Amounts

NOTHING = Decimal(0)
IOPS_OF_A_GB = 3
"""Of FSx for OpenZFS, included."""
STORAGE_OF_A_KPU_GB = 50
WORKERS = {"standard": Decimal(1), "g.1x": Decimal(1), "g.2x": Decimal(2), "g.4x": Decimal(4), "g.8x": Decimal(8),
           "g.025x": Decimal("0.25")}  # fmt: skip
"""DPUs of a Glue worker."""
DIRECTORIES = {"MicrosoftAD": ("Microsoft AD", "microsoft_ad"), "SimpleAD": ("Simple AD", "simple_ad"),
               "ADConnector": ("AD Connector", "ad_connector")}  # fmt: skip
MANAGERS_MAX = 1000
"""On-premises servers that Systems Manager takes without its advanced tier."""


def certificate_authority(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """By the month, and for each certificate; one that lives for a week costs less of both."""
    region, asked = resource.region, usage.number("monthly_requests")
    if resource.text("usage_mode") == "SHORT_LIVED_CERTIFICATE":
        title = "Private certificate authority (short-lived certificate mode)"
        issued = desk.line("Certificates (short-lived)", "requests", asked, "acmpca/certificate.short", region,
                           is_usage=True)  # fmt: skip
        return Part(resource.address, (desk.line(title, "months", 1, "acmpca/authority.short", region), issued))
    issued = desk.line("Certificates", "requests", asked, "acmpca/certificate", region, is_usage=True)
    own = desk.line("Private certificate authority", "months", 1, "acmpca/authority", region)
    return Part(resource.address, (own, *by_tier(issued, ("first 1K", "next 9K", "over 10K"))))


def certificate(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """Free, unless an authority of one's own issues it."""
    if resource.values.get("certificate_authority_arn") in (None, ""):
        return None
    return Part(
        resource.address,
        (desk.line("Certificate", "requests", 1, "acmpca/certificate", resource.region, is_usage=True),),
    )


def directory(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Two domain controllers, and more where its usage says so; accounts that it is shared with pay a part."""
    title, name = DIRECTORIES.get(resource.text("type", "SimpleAD"), DIRECTORIES["SimpleAD"])
    is_microsoft = name == "microsoft_ad"
    size = resource.text("edition", "Enterprise") if is_microsoft else resource.text("size", "Small")
    rate = f"directoryservice/{name}.{size.lower()}"

    def hours(line: str, unit: str, count: Decimal, rate: str, *, is_usage: bool = True) -> Line:
        return desk.line(line, unit, count * HOURS, rate, resource.region, per=HOURS, is_usage=is_usage)

    lines = [hours(f"Directory service ({title}, {size})", "controllers", Decimal(2), rate, is_usage=False)]
    if more := usage.number("additional_domain_controllers"):
        lines.append(hours("Additional domain controllers", "controllers", more, rate))
    shared = usage.number("shared_accounts")
    if shared and is_microsoft:
        lines.append(hours("Directory sharing", "accounts", shared, f"directoryservice/shared.{size.lower()}"))
    return Part(resource.address, tuple(lines))


def windows_files(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    zone = "multi" if "MULTI_AZ" in resource.text("deployment_type").upper() else "single"
    disk = "HDD" if resource.text("storage_type").upper() == "HDD" else "SSD"
    lines = _files(desk, resource, f"windows.{zone}")
    kept = desk.line(f"{disk} storage", "GB", _stored(resource), f"fsx/windows.{zone}.{disk.lower()}", resource.region)
    return Part(resource.address, (lines, kept, _backup(desk, resource, usage, f"windows.{zone}")))


def zfs_files(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """What compression saves is not stored; three operations a second come with each GB."""
    zone = "multi" if "MULTI_AZ" in resource.text("deployment_type").upper() else "single"
    name, region, stored = f"openzfs.{zone}", resource.region, _stored(resource)
    lines = [_files(desk, resource, name)]
    speed = resource.block("disk_iops_configuration")
    if speed.text("mode").upper() == "USER_PROVISIONED":
        paid = max(NOTHING, (speed.number("iops") or NOTHING) - IOPS_OF_A_GB * stored)
        lines.append(desk.line("Provisioned IOPS", "IOPS", paid, f"fsx/{name}.iops", region))
    way, label = resource.block("root_volume_configuration").text("data_compression_type", "NONE"), ""
    if way.upper() != "NONE":
        saved = usage.number("compression_savings_percent")
        saved = Decimal(50) if saved is None else saved
        stored, label = stored * (100 - saved) / 100, f" ({way} compression, {saved:f}%)"
    lines.append(desk.line(f"SSD storage{label}", "GB", stored, f"fsx/{name}.ssd", region))
    return Part(resource.address, (*lines, _backup(desk, resource, usage, name)))


def _files(desk: Desk, resource: Resource, name: str) -> Line:
    through = resource.number("throughput_capacity", 0)
    return desk.line("Throughput capacity", "MBps", through, f"fsx/{name}.throughput", resource.region)


def _stored(resource: Resource) -> Decimal:
    return resource.number("storage_capacity", 0) or NOTHING


def _backup(desk: Desk, resource: Resource, usage: Amounts, name: str) -> Line:
    kept = usage.number("backup_storage_gb")
    return desk.line("Backup storage", "GB", kept, f"fsx/{name}.backup", resource.region, is_usage=True)


def workflows(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Airflow: the environment, and what is added to it while it is busy."""
    size = resource.text("environment_class", "mw1.small").lower().removeprefix("mw1.")
    label, region = size.capitalize(), resource.region
    lines = [desk.hours(f"Environment ({label})", f"mwaa/environment.{size}", region)]
    for what, key in (("Worker", "additional_workers"), ("Scheduler", "additional_schedulers")):
        count, rate = usage.number(key), f"mwaa/{what.lower()}.{size}"
        lines.append(desk.line(f"{what} ({label})", "hours", None if count is None else count * HOURS, rate, region))
    kept = usage.number("meta_database_gb")
    lines.append(desk.line("Meta database", "GB", kept, "mwaa/database", region, is_usage=True))
    return Part(resource.address, tuple(lines))


def migration(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    """50 GB come with a T instance, 100 GB with a larger one."""
    named = resource.text("replication_instance_class").split(".")
    if len(named) != 3:
        return unpriced(resource, "its replication_instance_class is not known")
    instance, zone = ".".join(named[1:]), "multi" if resource.flag("multi_az") else "single"
    lines = [desk.hours(f"Instance ({instance})", f"dms/{zone}.{instance}", resource.region)]
    included = 50 if named[1].startswith("t") else 100
    above = (resource.number("allocated_storage", 0) or NOTHING) - included
    if above > 0:
        title = "Storage (general purpose SSD, gp2)"
        lines.append(desk.line(title, "GB", above, f"dms/{zone}.storage", resource.region))
    return Part(resource.address, tuple(lines))


def virtual_server(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Lightsail: a bundle such as `small_win_2_0`, by its size and system; its generation costs the same."""
    bundle = resource.text("bundle_id").lower()
    system, label = ("windows", "Windows") if "_win_" in bundle else ("linux", "Linux/UNIX")
    rate = f"lightsail/{system}.{bundle.split('_')[0]}"
    return Part(resource.address, (desk.hours(f"Virtual server ({label})", rate, resource.region),))


def resolver(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """By the hour for each address that it has in a subnet, and by what it is asked."""
    region, count = resource.region, max(1, len(resource.blocks("ip_address")))
    asked = desk.line("DNS queries", "1M queries", usage.number("monthly_queries"), "route53/resolver.query", region,
                      per=MILLION, is_usage=True)  # fmt: skip
    hours = desk.hours("Resolver endpoints", "route53/resolver.hour", region, count)
    return Part(resource.address, (hours, *by_tier(asked, ("first 1B", "over 1B"))))


def stream_analysis(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """By the unit of processing; Flink has one more that directs the others, and each has storage."""
    region, units = resource.region, usage.number("kinesis_processing_units")

    def processing(name: str, count: Decimal | None, *, is_usage: bool) -> Line:
        hours = None if count is None else count * HOURS
        return desk.line(name, "KPU", hours, "kinesisanalytics/kpu", region, per=HOURS, is_usage=is_usage)

    lines = [processing("Processing (stream)", units, is_usage=True)]
    kept = usage.number("durable_application_backup_gb")
    if resource.text("runtime_environment").upper().startswith("FLINK"):
        stored = None if units is None else units * STORAGE_OF_A_KPU_GB
        lines += [
            processing("Processing (orchestration)", Decimal(1), is_usage=False),
            desk.line("Running storage", "GB", stored, "kinesisanalytics/storage", region, is_usage=True),
            desk.line("Backup", "GB", kept, "kinesisanalytics/backup", region, is_usage=True),
        ]
    return Part(resource.address, tuple(lines))


def dashboards(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    region, editors = resource.region, usage.number("editors_administrator_licenses")
    viewers = usage.number("viewer_licenses")
    edited = desk.line("Editor/administrator licenses", "users", 1 if editors is None else editors, "grafana/editor",
                       region)  # fmt: skip
    viewed = desk.line("Viewer licenses", "users", viewers, "grafana/viewer", region, is_usage=True)
    return Part(resource.address, (edited, viewed))


def data_job(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """By the hour of a DPU: as many as it asks for, or as its workers have."""
    each = WORKERS.get(resource.text("worker_type", "standard").lower(), Decimal(1))
    workers = resource.number("number_of_workers")
    units = resource.number("max_capacity", 1) or Decimal(1)
    units = units if workers is None else workers * each
    hours = usage.number("monthly_hours")
    label = f"hours ({units.normalize():f} DPU{'' if units == 1 else 's'})"
    spent = None if hours is None else hours * units
    line = desk.line("Duration", label, spent, "glue/dpu_hour", resource.region, per=units, is_usage=True)
    return Part(resource.address, (line,))


def stack_of_others(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """CloudFormation asks nothing for AWS's own types, and by the operation for those of others."""
    template = resource.text("template_body").lower()
    if any(owner in template for owner in ("aws::", "alexa::", "custom::")):
        return None
    region, lasted = resource.region, usage.number("monthly_duration_secs")
    lines = [desk.line("Handler operations", "operations", usage.number("monthly_handler_operations"),
                       "cloudformation/operation", region, is_usage=True)]  # fmt: skip
    if lasted != 0:
        lines.append(desk.line("Durations above 30s", "seconds", lasted, "cloudformation/second", region,
                               is_usage=True))  # fmt: skip
    return Part(resource.address, tuple(lines))


def servers_elsewhere(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """Systems Manager for servers outside of AWS: a thousand of an account are free, the advanced tier is not."""
    many = (resource.number("registration_limit", 0) or NOTHING) > MANAGERS_MAX
    tier = usage.text("instance_tier") or ("advanced" if many else "standard")
    if tier.lower() != "advanced":
        return None
    count = usage.number("instances")
    hours = None if count is None else count * HOURS
    title = "On-prem managed instances (advanced)"
    return Part(
        resource.address, (desk.line(title, "hours", hours, "ssm/server.advanced", resource.region, is_usage=True),)
    )


PRICERS: dict[str, Pricer] = {
    "aws_acm_certificate": certificate,
    "aws_acmpca_certificate_authority": certificate_authority,
    "aws_cloudformation_stack": stack_of_others,
    "aws_cloudformation_stack_set": stack_of_others,
    "aws_directory_service_directory": directory,
    "aws_dms_replication_instance": migration,
    "aws_fsx_openzfs_file_system": zfs_files,
    "aws_fsx_windows_file_system": windows_files,
    "aws_glue_job": data_job,
    "aws_grafana_workspace": dashboards,
    "aws_kinesisanalyticsv2_application": stream_analysis,
    "aws_lightsail_instance": virtual_server,
    "aws_mwaa_environment": workflows,
    "aws_route53_resolver_endpoint": resolver,
    "aws_ssm_activation": servers_elsewhere,
}
