"""What do Azure's registries, vaults, search, automation, directories, Databricks, Defender and backups cost?"""

import math
from collections.abc import Mapping
from decimal import Decimal

from weyr.core.units import HOUR_S
from weyr.ledger.terraform.azure import DAYS, line, lines, over, part, table, tiered
from weyr.ledger.terraform.azure_machines import size_of_machine
from weyr.ledger.terraform.desk import HOURS, MILLION, THOUSAND, Desk, Pricer, unpriced
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.metered import Item
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

TEN_THOUSAND = 10_000
ITEMS: Mapping[str, tuple[Item, ...]] = {
    "azurerm_key_vault_managed_hardware_security_module": (
        Item("HSM pools", "hours", "keyvault/hsm.pool", fixed=HOURS),
    ),
    "azurerm_automation_account": (
        Item("Job run time", "minutes", "automation/minute", "monthly_job_run_mins"),
        Item("Non-azure config nodes", "nodes", "automation/node", "non_azure_config_node_count"),
    ),
    "azurerm_automation_job_schedule": (Item("Job run time", "minutes", "automation/minute", "monthly_job_run_mins"),),
    **dict.fromkeys(
        ("azurerm_automation_dsc_configuration", "azurerm_automation_dsc_nodeconfiguration"),
        (Item("Non-azure config nodes", "nodes", "automation/node", "non_azure_config_node_count"),),
    ),
    "azurerm_automation_watcher": (Item("Watcher", "hours", "automation/watcher", fixed=HOURS),),
}  # fmt: skip
REGISTRY_GB = {"basic": 10, "standard": 100, "premium": 500}
IMAGES = ("first 1M", "next 4M", "over 5M")
KEYS = ("first 250", "next 1250", "next 2500", "over 4000")
USERS_INCLUDED = 50_000
DATABRICKS = (
    Item("All-purpose compute DBUs", "DBU-hours", "databricks/{tier}.all_purpose",
         "monthly_all_purpose_compute_dbu_hrs"),
    Item("Jobs compute DBUs", "DBU-hours", "databricks/{tier}.jobs", "monthly_jobs_compute_dbu_hrs"),
    Item("Jobs light compute DBUs", "DBU-hours", "databricks/{tier}.jobs_light", "monthly_jobs_light_compute_dbu_hrs"),
)  # fmt: skip


def _defended(name: str, unit: str, rate: str, key: str, per: Decimal | int = 1) -> Item:
    """`per` the hours of a month: what is guarded is counted, and paid for by the hour."""
    return Item(f"Defender for {name}", unit, f"defender/{rate}", key, per=per, times=per if per == HOURS else 1)


DEFENDER: Mapping[str, tuple[Item, ...]] = {
    "virtualmachines": (
        _defended("servers, plan 1", "server", "servers.1", "monthly_servers_plan_1_nodes", HOURS),
        _defended("servers, plan 2", "server", "servers.2", "monthly_servers_plan_2_nodes", HOURS),
    ),
    "opensourcerelationaldatabases": (
        _defended("MySQL", "instance", "mysql", "monthly_mysql_instances"),
        _defended("PostgreSQL", "instance", "postgresql", "monthly_postgresql_instances"),
        _defended("MariaDB", "instance", "mariadb", "monthly_mariadb_instances", HOURS),
    ),
    "appservices": (_defended("app service", "node", "appservice", "monthly_app_service_nodes", HOURS),),
    "storageaccounts": (_defended("storage", "storage account", "storage", "monthly_storage_accounts", HOURS),),
    "arm": (_defended("ARM", "subscription", "arm", "monthly_arm_subscriptions", HOURS),),
    "sqlservervirtualmachines": (
        _defended("SQL, Azure-connected", "instance", "sql", "monthly_sql_azure_connected_instances"),
    ),
    "sqlservers": (_defended("SQL, outside Azure", "vCore", "sql.outside", "monthly_sql_outside_azure_vcores", HOURS),),
    "kubernetesservice": (_defended("kubernetes", "core", "kubernetes", "monthly_kubernetes_cores", HOURS),),
    "containers": (_defended("containers", "vCore", "containers", "monthly_containers_vcores", HOURS),),
    "dns": (_defended("DNS", "1M queries", "dns", "monthly_dns_queries", MILLION),),
    "cosmosdbs": (
        Item("Defender for Cosmos DB", "RU/s x 100", "defender/cosmosdb", "cosmosdb_request_units", times=HOURS,
             per=HOURS * 100),
    ),
    "containerregistry": (
        _defended("container registries", "image", "registries", "monthly_container_registry_images"),
    ),
    "keyvaults": (_defended("Key Vault", "key vault", "keyvault", "monthly_key_vaults", HOURS),),
}  # fmt: skip


def registry(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """A copy in another place costs what the first does."""
    sku = resource.text("sku", "Classic")
    tier, copies = sku.lower(), len(resource.blocks("georeplications"))
    included, found = REGISTRY_GB.get(tier, 10), list[Line]()
    if copies:
        name = f"Geo replication ({copies} location{'s' if copies > 1 else ''})"
        found.append(line(desk, resource, name, "days", DAYS * copies, f"acr/{tier}"))
    found.append(line(desk, resource, f"Registry usage ({sku})", "days", DAYS, f"acr/{tier}"))
    more, built = over(usage.number("storage_gb"), included), usage.number("monthly_build_vcpu_hrs")
    if more is None or more:
        found.append(line(desk, resource, f"Storage (over {included}GB)", "GB", more, "acr/storage", is_usage=True))
    built = None if built is None else built * HOUR_S
    return part(resource, *found, line(desk, resource, "Build vCPU", "seconds", built, "acr/build", is_usage=True))


def _vault_tier(desk: Desk, resource: Resource) -> str:
    vault = desk.resources.behind(resource.values.get("key_vault_id"), ("azurerm_key_vault",), ("id",))
    return vault.text("sku_name").lower() if vault else ""


def key(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    """One that hardware keeps costs by the month, in a premium vault alone; large and curved ones more to use."""
    tier = _vault_tier(desk, resource)
    if not tier:
        return unpriced(resource, "its vault was not found")
    kind, is_plain = resource.text("key_type").upper(), resource.text("key_size") == "2048"
    used, kept = usage.number("monthly_protected_keys_operations"), usage.number("hsm_protected_keys")
    unit = "10K transactions"
    found = [
        line(desk, resource, "Secrets operations", unit, usage.number("monthly_secrets_operations"),
             "keyvault/operation", TEN_THOUSAND, is_usage=True),
        line(desk, resource, "Storage key rotations", "renewals", usage.number("monthly_key_rotation_renewals"),
             "keyvault/renewal", is_usage=True),
    ]  # fmt: skip
    done = f"keyvault/operation{'' if kind == 'RSA' and is_plain else '.advanced'}"
    if not kind.endswith("HSM"):
        found.append(line(desk, resource, "Software-protected keys", unit, used, done, TEN_THOUSAND, is_usage=True))
    elif tier == "premium":
        name = "HSM-protected keys"
        rate = f"keyvault/hsm.{'rsa2048' if kind == 'RSA-HSM' and is_plain else 'advanced'}"
        months = line(desk, resource, name, "months", kept, rate, is_usage=True)
        found += tiered(months, KEYS) if rate.endswith("advanced") else [months]
        if used is not None:
            found.append(line(desk, resource, name, unit, used, done, TEN_THOUSAND, is_usage=True))
    return part(resource, *found)


def certificate(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    renewed, done = (usage.number(f"monthly_certificate_{key}") for key in ("renewal_requests", "other_operations"))
    return part(
        resource,
        line(desk, resource, "Certificate renewals", "requests", renewed, "keyvault/certificate", is_usage=True),
        line(desk, resource, "Certificate operations", "10K transactions", done, "keyvault/operation", TEN_THOUSAND,
             is_usage=True),
    )  # fmt: skip


def search(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """By its units, which are its replicas of each of its partitions."""
    sku = resource.text("sku").lower()
    if sku == "free":
        return None
    size = {"standard": "standard s1", "standard2": "standard s2", "standard3": "standard s3"}.get(sku, sku)
    units = (resource.number("partition_count") or Decimal(1)) * (resource.number("replica_count") or Decimal(1))
    name = f"Search usage ({size.replace('_', ' ').title()}, {units} unit{'s' if units > 1 else ''})"
    images = line(desk, resource, "Image extraction", "1000 images", usage.number("monthly_images_extracted"),
                  "search/image", THOUSAND, is_usage=True)  # fmt: skip
    used = line(desk, resource, name, "hours", units * HOURS, f"search/{sku}")
    return part(resource, used, *tiered(images, IMAGES))


def directory(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """A copy of it costs what it does."""
    source = resource
    if resource.type.endswith("_replica_set"):
        of = ("azurerm_active_directory_domain_service",)
        source = desk.resources.behind(resource.values.get("domain_service_id"), of, ("id",)) or resource
    sku = source.text("sku", "Standard")
    what = "Active directory domain service" + (" replica set" if source is not resource else "")
    return part(resource, line(desk, resource, f"{what} ({sku})", "hours", HOURS, f"domainservices/{sku.lower()}"))


def identities(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    found = []
    known = [tier for tier in ("p1", "p2") if usage.has(f"monthly_active_{tier}_users")]
    for tier in known or ("p1", "p2"):
        active = over(usage.number(f"monthly_active_{tier}_users"), USERS_INCLUDED)
        name = f"Active users ({tier.upper()})"
        found.append(line(desk, resource, name, "users", active, f"identity/user.{tier}", is_usage=True))
    return part(resource, *found)


def embedded_reports(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    sku = resource.text("sku_name")
    return part(resource, line(desk, resource, f"Node usage ({sku})", "hours", HOURS, f"powerbi/{sku.lower()}"))


def databricks(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    tier = resource.text("sku").lower()
    if tier == "trial":
        return None
    return part(resource, *lines(desk, resource, usage, DATABRICKS, tier=tier))


def defender(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced | None:
    if resource.text("tier", "Free").lower() == "free":
        return None
    what = resource.text("resource_type", "VirtualMachines")
    if what.lower() not in DEFENDER:
        return unpriced(resource, f"no price is known for Defender for {what}")
    return part(resource, *lines(desk, resource, usage, DEFENDER[what.lower()]))


COPIES = {"locallyredundant": "LRS", "zoneredundant": "ZRS"}
BACKED_UP = ("azurerm_virtual_machine", "azurerm_linux_virtual_machine", "azurerm_windows_virtual_machine")
SMALL_GB, LARGE_GB = 50, 500


def vault(desk: Desk, resource: Resource, usage: Amounts) -> Part | None:
    """What it keeps of each machine: a fee by the machine's size, and what is stored."""
    kept = COPIES.get(resource.text("storage_mode_type").lower(), "GRS")
    if kept == "GRS" and resource.flag("cross_region_restore_enabled"):
        kept = "RA-GRS"
    of = ("azurerm_recovery_services_vault",)
    parts = []
    for other in desk.resources:
        if other.type != "azurerm_backup_protected_vm":
            continue
        machine = desk.resources.behind(other.values.get("source_vm_id"), BACKED_UP, ("id",))
        if machine and desk.resources.behind(other.values.get("recovery_vault_name"), of, ("name",)) is resource:
            parts.append(_backup(desk, resource, other, machine, kept, _used_of(usage, other.address)))
    return part(resource, parts=sorted(parts, key=lambda each: each.name)) if parts else None


def _used_of(usage: Amounts, address: str) -> Amounts:
    exact = usage.within(address)
    every = address.partition("[")[0] + "[*]"
    return exact if exact.values or every == address else usage.within(every)


def _backup(desk: Desk, vault: Resource, backup: Resource, machine: Resource, copies: str, usage: Amounts) -> Part:
    stored = usage.number("disk_utilization_gb") or size_of_machine(machine)
    more = usage.number("additional_backup_retention_gb") or Decimal(0)
    times, band, rate = Decimal(1), f"under {SMALL_GB} GB", "small"
    if stored > SMALL_GB:
        band, rate = f"under {LARGE_GB} GB", "machine"
    if stored > LARGE_GB:
        band, times = f"over {LARGE_GB} GB", Decimal(math.floor(stored / LARGE_GB))
    return Part(
        backup.address,
        (
            line(desk, vault, f"Instance backup ({band})", "month", times, f"backup/{rate}", times, is_usage=True),
            line(desk, vault, f"{copies} data stored", "GB", math.floor(stored + more),
                 f"backup/stored.{copies.lower().replace('-', '')}", is_usage=True),
        ),
    )  # fmt: skip


def paid_by_its_vault(desk: Desk, resource: Resource, usage: Amounts) -> None:
    return None


PRICERS: dict[str, Pricer] = {
    **table(ITEMS),
    "azurerm_container_registry": registry,
    "azurerm_key_vault_key": key,
    "azurerm_key_vault_certificate": certificate,
    "azurerm_search_service": search,
    "azurerm_active_directory_domain_service": directory,
    "azurerm_active_directory_domain_service_replica_set": directory,
    "azurerm_federated_identity_credential": identities,
    "azurerm_powerbi_embedded": embedded_reports,
    "azurerm_databricks_workspace": databricks,
    "azurerm_security_center_subscription_pricing": defender,
    "azurerm_recovery_services_vault": vault,
    "azurerm_backup_protected_vm": paid_by_its_vault,
}
