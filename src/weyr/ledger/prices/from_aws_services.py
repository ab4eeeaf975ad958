"""Reads AWS's Price List bulk file of a service, as CSV: its rates, by the names that AWS gives to usage.

Each service has a file a region, in the form of EC2's and as free of credentials:
https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/AmazonS3/current/REGION/index.csv. A rate is a SKU; its rows are
its tiers. What stands there for nothing at the beginning of a month is what an account has free. Pure.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from weyr.core.diagnostic import Diagnostic, UserError
from weyr.ledger.prices.from_aws import heading, published
from weyr.ledger.prices.rates import Rate, price_of
from weyr.ledger.prices.read_lists import PriceList

Row = Mapping[str, str]
PREFIX = re.compile(r"^(?:EU|[A-Z]{3}\d)-")
"""Of a region, before the usage: `EU-` is Ireland's, `USW2-` Oregon's; Virginia's mostly has none."""
OFFERS = {
    "cloudwatch": "AmazonCloudWatch", "dynamodb": "AmazonDynamoDB", "eks": "AmazonEKS",
    "elasticache": "AmazonElastiCache", "elb": "AWSELB", "fargate": "AmazonECS", "kms": "awskms",
    "lambda": "AWSLambda", "rds": "AmazonRDS", "s3": "AmazonS3", "sagemaker": "AmazonSageMaker",
    "secretsmanager": "AWSSecretsManager", "sqs": "AWSQueueService", "vpc": "AmazonVPC",
}  # fmt: skip
"""What AWS calls the lists of our services."""


@dataclass(frozen=True, slots=True)
class Named:
    """What we call a usage, and what is counted of it."""

    name: str
    unit: str


def _named(table: str) -> dict[str, Named]:
    """`USAGE = name, unit` a line."""
    lines = (line.partition(" = ") for line in table.strip().splitlines())
    return {usage.strip(): Named(*(part.strip() for part in to.split(","))) for usage, _, to in lines}


USAGES: Mapping[str, Mapping[str, Named]] = {
    "s3": _named("""
        TimedStorage-ByteHrs = standard.storage, GB-month
        TimedStorage-SIA-ByteHrs = standard_infrequent_access.storage, GB-month
        TimedStorage-ZIA-ByteHrs = one_zone_infrequent_access.storage, GB-month
        TimedStorage-GIR-ByteHrs = glacier_instant_retrieval.storage, GB-month
        TimedStorage-GlacierByteHrs = glacier_flexible_retrieval.storage, GB-month
        TimedStorage-GDA-ByteHrs = glacier_deep_archive.storage, GB-month
        TimedStorage-INT-FA-ByteHrs = intelligent_tiering.storage.frequent, GB-month
        TimedStorage-INT-IA-ByteHrs = intelligent_tiering.storage.infrequent, GB-month
        Monitoring-Automation-INT = intelligent_tiering.monitoring, object-month
        Requests-Tier1 = standard.put, request
        Requests-Tier2 = standard.get, request
        Requests-SIA-Tier1 = standard_infrequent_access.put, request
        Requests-SIA-Tier2 = standard_infrequent_access.get, request
        Requests-ZIA-Tier1 = one_zone_infrequent_access.put, request
        Requests-ZIA-Tier2 = one_zone_infrequent_access.get, request
        Retrieval-SIA = standard_infrequent_access.retrieval, GB
        Retrieval-ZIA = one_zone_infrequent_access.retrieval, GB
        Inventory-ObjectsListed = inventory, object
        StorageAnalytics-ObjCount = analytics, object-month
        TagStorage-TagHrs = tags, tag-month
    """),
    "lambda": _named("""
        Lambda-GB-Second = duration, GB-second
        Lambda-GB-Second-ARM = duration.arm, GB-second
        Lambda-Provisioned-GB-Second = duration.provisioned, GB-second
        Lambda-Provisioned-GB-Second-ARM = duration.provisioned.arm, GB-second
        Lambda-Provisioned-Concurrency = provisioned, GB-second
        Lambda-Provisioned-Concurrency-ARM = provisioned.arm, GB-second
        Request = requests, request
        Request-ARM = requests.arm, request
    """),
    "dynamodb": _named("""
        TimedStorage-ByteHrs = storage, GB-month
        TimedPITRStorage-ByteHrs = backup.continuous, GB-month
        TimedBackupStorage-ByteHrs = backup.on_demand, GB-month
        RestoreDataSize-Bytes = restored, GB
        ReadCapacityUnit-Hrs = read.capacity, RCU-hour
        WriteCapacityUnit-Hrs = write.capacity, WCU-hour
        ReplWriteCapacityUnit-Hrs = write.capacity.replicated, rWCU-hour
        ReadRequestUnits = read.request, RRU
        WriteRequestUnits = write.request, WRU
        ReplWriteRequestUnits = write.request.replicated, rWRU
        Streams-Requests = read.stream, sRRU
    """),
    "sqs": _named("Requests-Tier1 = requests.standard, request\nRequests-FIFO-Tier1 = requests.fifo, request"),
    "kms": _named("KMS-Keys = key, key-month\nKMS-Requests = requests, request"),
    "secretsmanager": _named("""
        AWSSecretsManager-Secrets = secret, secret-month
        AWSSecretsManagerAPIRequest = requests, request
    """),
    "cloudwatch": _named("""
        DataProcessing-Bytes = logs.ingested, GB
        TimedStorage-ByteHrs = logs.stored, GB-month
        DataScanned-Bytes = logs.scanned, GB
        CW:AlarmMonitorUsage = alarm, alarm metric-month
        CW:HighResAlarmMonitorUsage = alarm.high, alarm metric-month
        CW:MetricMonitorUsage = metric, metric-month
    """),
    "eks": _named("AmazonEKS-Hours:perCluster = cluster, hour"),
    "fargate": _named("Fargate-vCPU-Hours:perCPU = cpu, vCPU-hour\nFargate-GB-Hours = memory, GB-hour"),
    "vpc": _named("PublicIPv4:InUseAddress = ipv4.hour, hour"),
    "rds": _named("""
        RDS:GP2-Storage = storage.gp2.single, GB-month
        RDS:Multi-AZ-GP2-Storage = storage.gp2.multi, GB-month
        RDS:GP3-Storage = storage.gp3.single, GB-month
        RDS:Multi-AZ-GP3-Storage = storage.gp3.multi, GB-month
        RDS:PIOPS-Storage = storage.io1.single, GB-month
        RDS:Multi-AZ-PIOPS-Storage = storage.io1.multi, GB-month
        RDS:StorageUsage = storage.standard.single, GB-month
        RDS:Multi-AZ-StorageUsage = storage.standard.multi, GB-month
        RDS:PIOPS = iops.io1.single, IOPS-month
        RDS:Multi-AZ-PIOPS = iops.io1.multi, IOPS-month
        RDS:GP3-PIOPS = iops.gp3.single, IOPS-month
        RDS:Multi-AZ-GP3-PIOPS = iops.gp3.multi, IOPS-month
        RDS:StorageIOUsage = requests.standard, request
        RDS:ChargedBackupUsage = backup, GB-month
        Aurora:StorageUsage = aurora.storage, GB-month
        Aurora:IO-OptimizedStorageUsage = aurora.storage.optimized, GB-month
        Aurora:StorageIOUsage = aurora.requests, request
        Aurora:BackupUsage = backup.aurora, GB-month
        Aurora:BacktrackUsage = aurora.backtrack, change record
        Aurora:SnapshotExportToS3 = aurora.export, GB
        Aurora:ServerlessUsage = aurora.serverless, ACU-hour
        Aurora:ServerlessV2Usage = aurora.serverless_v2, ACU-hour
        Aurora:ServerlessV2IOOptimizedUsage = aurora.serverless_v2.optimized, ACU-hour
    """),
}
_BALANCERS = {
    "Load Balancer-Application": "application", "Load Balancer-Network": "network",
    "Load Balancer-Gateway": "gateway", "Load Balancer": "classic",
}  # fmt: skip
_BALANCED = {
    "LoadBalancerUsage": ("hour", "hour"),
    "LCUUsage": ("unit", "LCU-hour"),
    "DataProcessing-Bytes": ("processed", "GB"),
}
_ENGINES = {
    "MySQL": "mysql", "PostgreSQL": "postgres", "MariaDB": "mariadb", "Aurora MySQL": "aurora-mysql",
    "Aurora PostgreSQL": "aurora-postgresql",
}  # fmt: skip
_ZONES = {"Single-AZ": "single", "Multi-AZ": "multi"}


def read_service(lines: Iterable[str], service: str, region: str, source: str) -> PriceList:
    """Takes: the lines of the service's `index.csv` of that region; `service` as in `OFFERS`.

    Raises: UserError, of another form. Where two SKUs of one name differ in price, neither is taken.
    """
    found, rest = PriceList(source), iter(lines)
    dated = published(rest, source)
    skus: dict[Named, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in csv.DictReader(rest, fieldnames=heading(rest, source)):
        if row.get("TermType") != "OnDemand" or row.get("Currency") != "USD" or row.get("Region Code") != region:
            continue
        named = name_of(service, row)
        if named is None:
            found.left_out["it has no name here"] += 1
        else:
            skus[named][row["SKU"]].append(row)
    for named, each in skus.items():
        prices = {_price(rows) for rows in each.values()}
        if len(prices) > 1:
            found.left_out["two prices have one name"] += 1
            continue
        (price,) = prices
        if price is None:
            found.left_out["it costs nothing, or its tiers have a gap"] += 1
            continue
        tiers, free = price
        of = price_of(tiers, free, tally=f"aws {service} {named.name}")
        found.rates.append(Rate("aws", service, region, named.name, named.unit, of, source, dated))
    return found


def name_of(service: str, row: Row) -> Named | None:
    """What the rate of this row is called here; None of what nothing is reckoned by."""
    usage = PREFIX.sub("", row.get("usageType", ""))
    instance = row.get("Instance Type", "")
    match service:
        case "rds" if row.get("Product Family") == "Database Instance":
            return _database(row, instance)
        case "elasticache" if row.get("Product Family") == "Cache Instance":
            engine = row.get("Cache Engine", "").lower()
            return Named(f"node.{instance}.{engine}", "hour") if usage.startswith("NodeUsage:") and engine else None
        case "sagemaker":
            # The same machine costs the same to serve, to train and for a notebook: the first stands for all.
            machine = usage.removeprefix("Host:")
            return Named(f"instance.{machine}", "hour") if machine != usage and machine.startswith("ml.") else None
        case "elb":
            kind, what = _BALANCERS.get(row.get("Product Family", "")), _BALANCED.get(usage)
            return Named(f"{kind}.{what[0]}", what[1]) if kind and what else None
    return USAGES.get(service, {}).get(usage)


def _database(row: Row, instance: str) -> Named | None:
    engine, zones = _ENGINES.get(row.get("Database Engine", "")), _ZONES.get(row.get("Deployment Option", ""))
    if engine is None or zones is None or not instance.startswith("db."):
        return None
    optimized = ".optimized" if "IOOptimized" in row.get("usageType", "") else ""
    return Named(f"instance.{instance}.{engine}.{zones}{optimized}", "hour")


def _price(rows: list[Row]) -> tuple[str, Decimal] | None:
    """The tiers as `price_of` reads them, and what is free before them; None where they leave something out."""
    parts = sorted(_parts(rows))
    begins = Decimal(0)
    for start, end, _ in parts:
        if start != begins:
            return None
        begins = end
    if not parts or begins.is_finite():
        return None
    free = Decimal(0)
    if not parts[0][2] and parts[0][1].is_finite():
        free, parts = parts[0][1], parts[1:]
    if not any(amount for _, _, amount in parts):
        return None
    written = [f"{amount:f}" + (f" to {end - free:f}" if end.is_finite() else "") for _, end, amount in parts]
    return "; ".join(written), free


def _parts(rows: list[Row]) -> Iterator[tuple[Decimal, Decimal, Decimal]]:
    """Where each tier starts and ends, and what a unit costs in it."""
    for row in rows:
        end = row.get("EndingRange") or "Inf"
        yield Decimal(row.get("StartingRange") or 0), Decimal(end), Decimal(row["PricePerUnit"])


def service_named(word: str) -> str:
    """Raises: UserError, with the services whose lists can be read."""
    if word not in OFFERS:
        detail = f'No list of "{word}" is read. Services: ec2, {", ".join(sorted(OFFERS))}.'
        raise UserError(Diagnostic("Unknown service", detail, suggestion="--service rds"))
    return word
