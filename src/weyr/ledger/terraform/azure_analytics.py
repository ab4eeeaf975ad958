"""What do Azure's Synapse, HDInsight and Data Factory cost?"""

import re
from decimal import Decimal

from weyr.ledger.terraform.azure import line, lines, part
from weyr.ledger.terraform.desk import HOURS, THOUSAND, Desk, Pricer
from weyr.ledger.terraform.lines import Line, Part
from weyr.ledger.terraform.metered import Item
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

PIPELINE = "monthly_datapipeline_{key}_"
PIPELINES = (
    Item("Data pipeline {name} integration runtime", "hours", "synapse/{kind}.pipeline",
         "monthly_datapipeline_{key}_integration_runtime_hours"),
    Item("Data pipeline {name} external integration runtime", "hours", "synapse/{kind}.external",
         "monthly_datapipeline_{key}_external_integration_runtime_hours"),
)  # fmt: skip
SPARK_CORES = {"small": 4, "medium": 8, "large": 16, "xlarge": 32, "xxlarge": 64}
HEADS, KEEPERS = 2, 3
"""How many nodes of each kind a cluster has, whatever it is for."""
OLD_D, V4 = re.compile(r"d(1[1-4]|[1-5])(?:_v2)?", re.IGNORECASE), re.compile(r"(\w+?_\w+?)_(v4)", re.IGNORECASE)
DISKS = {"standard": "s30", "premium": "p30"}
FACTORY = (
    Item("Read/Write operations", "50k entities", "datafactory/entity", "monthly_read_write_operation_entities",
         per=50_000),
    Item("Monitoring operations", "50k entities", "datafactory/monitored", "monthly_monitoring_operation_entities",
         per=50_000),
)  # fmt: skip
RUNTIME = (
    Item("Orchestration", "1k runs", "datafactory/{kind}.run", "monthly_orchestration_runs", per=THOUSAND),
    Item("Data movement activity", "hours", "datafactory/{kind}.movement", fixed=HOURS),
    Item("Pipeline activity", "hours", "datafactory/{kind}.pipeline", fixed=HOURS),
    Item("External pipeline activity", "hours", "datafactory/{kind}.external", fixed=HOURS),
)
FLOWS = {"general": "General Purpose", "computeoptimized": "Compute Optimized", "memoryoptimized": "Memory Optimized"}


def workspace(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    hosted = "network" if resource.flag("managed_virtual_network_enabled") else "hosted"
    found = [line(desk, resource, "Serverless SQL pool size", "TB", usage.number("serverless_sql_pool_size_tb"),
                  "synapse/serverless_sql", is_usage=True)]  # fmt: skip
    for tier in ("basic", "standard"):
        keys = (f"dataflow_{tier}_instances", f"dataflow_{tier}_vcores", f"monthly_dataflow_{tier}_hours")
        hours = _product(usage, *keys)
        found.append(line(desk, resource, f"Data flow ({tier})", "vCore-hours", hours, f"synapse/flow.{tier}",
                          is_usage=True))  # fmt: skip
    for kind, key in ((hosted, "azure_hosted"), ("own", "self_hosted")):
        found += _pipelines(desk, resource, usage, kind, key)
    return part(resource, *found)


def _pipelines(desk: Desk, resource: Resource, usage: Amounts, kind: str, key: str) -> list[Line]:
    name, prefix = key.replace("_", " "), PIPELINE.format(key=key)
    runs = usage.number(f"{prefix}activity_runs")
    if key == "azure_hosted":
        title, unit = f"Data pipeline {name} data integration units", "DIU-hours"
        moved = _product(usage, f"{prefix}data_integration_units", f"{prefix}data_integration_hours")
    else:
        title, unit, moved = (
            f"Data pipeline {name} data movement",
            "hours",
            usage.number(f"{prefix}data_movement_hours"),
        )
    runtimes = [
        Item(item.name.format(name=name), item.unit, item.rate.format(kind=kind), item.key.format(key=key))
        for item in PIPELINES
    ]
    return [
        line(desk, resource, f"Data pipeline {name} activity runs", "1k activity runs", runs, f"synapse/{kind}.run",
             is_usage=True),
        line(desk, resource, title, unit, moved, f"synapse/{kind}.movement", is_usage=True),
        *lines(desk, resource, usage, runtimes),
    ]  # fmt: skip


def _product(usage: Amounts, *keys: str) -> Decimal | None:
    """Of what is stated; None where any of it is not."""
    found = Decimal(1)
    for key in keys:
        amount = usage.number(key)
        if amount is None:
            return None
        found *= amount
    return found


def spark_pool(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    size = resource.text("node_size", "Small").lower()
    count = resource.number("node_count") or resource.block("auto_scale").number("min_node_count")
    hours, cores = usage.number("monthly_hours"), SPARK_CORES.get(size)
    used = None if hours is None or count is None or cores is None else cores * count * hours
    name = f"{size} ({'?' if count is None else f'{count:f}'} nodes)"
    return part(resource, line(desk, resource, name, "vCore-hours", used, "synapse/spark", is_usage=True))


def sql_pool(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """What it stores is kept in another place too, unless that is switched off."""
    sku, stored = resource.text("sku_name"), usage.number("storage_tb")
    found = [
        line(desk, resource, f"DWU blocks ({sku})", "hours", HOURS, f"synapse/dwu.{sku.lower()}"),
        line(desk, resource, "Storage", "TB", stored, "synapse/storage", is_usage=True),
    ]
    if usage.text("disaster_recovery_enabled").lower() != "false":
        name = "Geo-redundant disaster recovery"
        found.append(line(desk, resource, name, "TB", stored, "synapse/storage.grs", is_usage=True))
    return part(resource, *found)


def cluster(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Its nodes; of one for Kafka also the disks of its workers."""
    roles, is_hbase = resource.block("roles"), "hbase" in resource.type
    worker = roles.block("worker_node")
    count = worker.number("target_instance_count", 0) or Decimal(0)
    found = [
        _nodes(desk, resource, "Head", roles.block("head_node"), Decimal(HEADS)),
        _nodes(desk, resource, "Region" if is_hbase else "Worker", worker, count),
        _nodes(desk, resource, "Zookeeper", roles.block("zookeeper_node"), Decimal(KEEPERS)),
    ]
    if (edge := roles.block("edge_node")).values:
        number = edge.number("target_instance_count", 0) or Decimal(0)
        found.append(_nodes(desk, resource, "Edge", edge, number))
    if "kafka" in resource.type:
        disks = count * (worker.number("number_of_disks_per_node") or 0)
        kind, done = DISKS.get(resource.text("tier").lower(), "s30"), usage.number("monthly_os_disk_operations")
        done = None if done is None else done * disks
        found += [
            line(desk, resource, "Managed OS disks", "months", disks, f"hdinsight/disk.{kind}"),
            line(desk, resource, "Disk operations", "100K operations", done, f"hdinsight/disk.{kind}.operation",
                 100_000, is_usage=True),
        ]  # fmt: skip
    return part(resource, *found)


def _nodes(desk: Desk, resource: Resource, what: str, role: Resource, count: Decimal) -> Line:
    """A node costs its machine and what HDInsight asks for it. `A5` is Standard_A5."""
    kind = role.text("vm_size")
    kind = kind if "_" in kind else f"Standard_{kind}"
    name = V4.sub(r"\1 \2", kind)
    size = re.sub(r"_v2$", "", kind.lower()) if OLD_D.fullmatch(kind.partition("_")[2]) else kind.lower()
    return line(desk, resource, f"{what} node ({name})", "hours", count * HOURS, f"hdinsight/{size}")


def factory(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    return part(resource, *lines(desk, resource, usage, FACTORY))


def flow_runtime(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    cores = resource.number("core_count", 8) or Decimal(8)
    kind = resource.text("compute_type", "General").lower()
    name = f"Compute ({FLOWS.get(kind, kind)}, {cores:f} vCores)"
    compute = line(desk, resource, name, "hours", HOURS * cores, f"datafactory/flow.{kind}", cores)
    return part(resource, compute, *lines(desk, resource, usage, RUNTIME, kind="cloud"))


def _packages(desk: Desk, resource: Resource) -> Line:
    """A machine that runs packages of SQL Server Integration Services, with its licence or without."""
    count, size = resource.number("number_of_nodes", 1) or Decimal(1), resource.text("node_size")
    edition = resource.text("edition", "Standard").title()
    is_licensed = resource.text("license_type", "LicenseIncluded").lower() == "licenseincluded"
    name = size.removeprefix("Standard_").replace("_", " ")
    rate = f"datafactory/ssis.{edition.lower()}.{name.lower().replace(' ', '_')}{'.licensed' if is_licensed else ''}"
    title = f"Compute ({name}, {edition}{', license included' if is_licensed else ''})"
    return line(desk, resource, title, "hours", HOURS * count, rate)


def package_runtime(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    return part(resource, _packages(desk, resource))


def managed_runtime(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    return part(resource, _packages(desk, resource), *lines(desk, resource, usage, RUNTIME, kind="network"))


def own_runtime(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    return part(resource, *lines(desk, resource, usage, RUNTIME, kind="own"))


PRICERS: dict[str, Pricer] = {
    "azurerm_synapse_workspace": workspace,
    "azurerm_synapse_spark_pool": spark_pool,
    "azurerm_synapse_sql_pool": sql_pool,
    **{
        f"azurerm_hdinsight_{kind}_cluster": cluster
        for kind in ("hadoop", "hbase", "interactive_query", "kafka", "spark")
    },
    "azurerm_data_factory": factory,
    "azurerm_data_factory_integration_runtime_azure": flow_runtime,
    "azurerm_data_factory_integration_runtime_azure_ssis": package_runtime,
    "azurerm_data_factory_integration_runtime_managed": managed_runtime,
    "azurerm_data_factory_integration_runtime_self_hosted": own_runtime,
}
