"""How does AWS call what is used, in which of its lists does it stand, and how do we call it? Tables, and nothing else.

A usage is named as on AWS's bills, without its region; after an `@` stands the operation, where one usage has several
prices. Source: AWS's own tables of usage types of each service, such as "Understanding your AWS billing and usage
reports for Amazon S3", 2026.
"""

from collections.abc import Mapping
from dataclasses import dataclass

OFFERS: Mapping[str, tuple[str, ...]] = {
    "cloudwatch": ("AmazonCloudWatch",), "dynamodb": ("AmazonDynamoDB",), "eks": ("AmazonEKS",),
    "elasticache": ("AmazonElastiCache",), "elb": ("AWSELB",), "fargate": ("AmazonECS",), "kms": ("awskms",),
    "lambda": ("AWSLambda",), "rds": ("AmazonRDS",),
    "s3": ("AmazonS3", "AWSDataTransfer", "AmazonS3GlacierDeepArchive"),
    "sagemaker": ("AmazonSageMaker",), "secretsmanager": ("AWSSecretsManager",), "sqs": ("AWSQueueService",),
    "vpc": ("AmazonVPC",),
}  # fmt: skip
"""What AWS calls the lists of our services; a region need not have any but the first of them."""


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
    "AmazonS3": _named("""
        TimedStorage-ByteHrs = standard.storage, GB-month
        TimedStorage-SIA-ByteHrs = standard_infrequent_access.storage, GB-month
        TimedStorage-ZIA-ByteHrs = one_zone_infrequent_access.storage, GB-month
        TimedStorage-GIR-ByteHrs = glacier_instant_retrieval.storage, GB-month
        TimedStorage-GlacierByteHrs = glacier_flexible_retrieval.storage, GB-month
        TimedStorage-INT-FA-ByteHrs = intelligent_tiering.storage.frequent, GB-month
        TimedStorage-INT-IA-ByteHrs = intelligent_tiering.storage.infrequent, GB-month
        TimedStorage-INT-AA-ByteHrs = intelligent_tiering.storage.archive, GB-month
        TimedStorage-INT-DAA-ByteHrs = intelligent_tiering.storage.deep_archive, GB-month
        Monitoring-Automation-INT = intelligent_tiering.monitoring, object-month
        Requests-Tier1 = standard.put, request
        Requests-Tier2 = standard.get, request
        Requests-SIA-Tier1 = standard_infrequent_access.put, request
        Requests-SIA-Tier2 = standard_infrequent_access.get, request
        Requests-ZIA-Tier1 = one_zone_infrequent_access.put, request
        Requests-ZIA-Tier2 = one_zone_infrequent_access.get, request
        Requests-GIR-Tier1 = glacier_instant_retrieval.put, request
        Requests-GIR-Tier2 = glacier_instant_retrieval.get, request
        Requests-INT-Tier1 = intelligent_tiering.put, request
        Requests-INT-Tier2 = intelligent_tiering.get, request
        Requests-GLACIER-Tier1@PutObject = glacier_flexible_retrieval.put, request
        Requests-GLACIER-Tier2 = glacier_flexible_retrieval.get, request
        Requests-GDA-Tier2 = glacier_deep_archive.get, request
        Requests-Tier3@S3-GlacierTransition = glacier_flexible_retrieval.transition, request
        Requests-Tier3@S3-GDATransition = glacier_deep_archive.transition, request
        Requests-Tier3@RestoreObject = glacier_flexible_retrieval.retrieval.requests.standard, request
        Requests-Tier4@S3-SIATransition = standard_infrequent_access.transition, request
        Requests-Tier4@S3-ZIATransition = one_zone_infrequent_access.transition, request
        Requests-Tier4@S3-GIRTransition = glacier_instant_retrieval.transition, request
        Requests-Tier4@S3-INTTransition = intelligent_tiering.transition, request
        Requests-Tier6 = glacier_flexible_retrieval.retrieval.requests.expedited, request
        Retrieval-SIA = standard_infrequent_access.retrieval, GB
        Retrieval-ZIA = one_zone_infrequent_access.retrieval, GB
        Retrieval-GIR = glacier_instant_retrieval.retrieval, GB
        Standard-Retrieval-Bytes@RestoreObject = glacier_flexible_retrieval.retrieval.standard, GB
        Standard-Retrieval-Bytes@DeepArchiveRestoreObject = glacier_deep_archive.retrieval.standard, GB
        Bulk-Retrieval-Bytes@DeepArchiveRestoreObject = glacier_deep_archive.retrieval.bulk, GB
        Expedited-Retrieval-Bytes = glacier_flexible_retrieval.retrieval.expedited, GB
        Select-Scanned-Bytes = standard.select.scanned, GB
        Select-Returned-Bytes = standard.select.returned, GB
        Select-Scanned-SIA-Bytes = standard_infrequent_access.select.scanned, GB
        Select-Returned-SIA-Bytes = standard_infrequent_access.select.returned, GB
        Select-Scanned-ZIA-Bytes = one_zone_infrequent_access.select.scanned, GB
        Select-Returned-ZIA-Bytes = one_zone_infrequent_access.select.returned, GB
        EarlyDelete-ByteHrs = glacier_flexible_retrieval.early_delete, GB-month
        Inventory-ObjectsListed = inventory, object
        StorageAnalytics-ObjCount = analytics, object-month
        TagStorage-TagHrs = tags, tag-month
    """),
    # The list of S3 itself has what leaves at no price at all.
    "AWSDataTransfer": _named("DataTransfer-Out-Bytes = egress.internet, GB"),
    "AmazonS3GlacierDeepArchive": _named("""
        TimedStorage-GDA-ByteHrs = glacier_deep_archive.storage, GB-month
        Requests-GDA-Tier1@PostObject = glacier_deep_archive.put, request
        Requests-GDA-Tier3 = glacier_deep_archive.retrieval.requests.standard, request
        Requests-GDA-Tier5 = glacier_deep_archive.retrieval.requests.bulk, request
        Standard-Retrieval-Bytes = glacier_deep_archive.retrieval.standard, GB
        Bulk-Retrieval-Bytes = glacier_deep_archive.retrieval.bulk, GB
        EarlyDelete-GDA = glacier_deep_archive.early_delete, GB-month
    """),
    "AWSLambda": _named("""
        Lambda-GB-Second = duration, GB-second
        Lambda-GB-Second-ARM = duration.arm, GB-second
        Lambda-Provisioned-GB-Second = duration.provisioned, GB-second
        Lambda-Provisioned-GB-Second-ARM = duration.provisioned.arm, GB-second
        Lambda-Provisioned-Concurrency = provisioned, GB-second
        Lambda-Provisioned-Concurrency-ARM = provisioned.arm, GB-second
        Request = requests, request
        Request-ARM = requests.arm, request
    """),
    "AmazonDynamoDB": _named("""
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
    "AWSQueueService": _named("""
        Requests-Tier1 = requests.standard, request
        Requests-FIFO-Tier1 = requests.fifo, request
    """),
    "awskms": _named("KMS-Keys = key, key-month\nKMS-Requests = requests, request"),
    "AWSSecretsManager": _named("""
        AWSSecretsManager-Secrets = secret, secret-month
        AWSSecretsManagerAPIRequest = requests, request
    """),
    "AmazonCloudWatch": _named("""
        DataProcessing-Bytes = logs.ingested, GB
        TimedStorage-ByteHrs = logs.stored, GB-month
        DataScanned-Bytes = logs.scanned, GB
        CW:AlarmMonitorUsage = alarm, alarm metric-month
        CW:HighResAlarmMonitorUsage = alarm.high, alarm metric-month
        CW:MetricMonitorUsage = metric, metric-month
    """),
    "AmazonEKS": _named("AmazonEKS-Hours:perCluster = cluster, hour"),
    "AmazonECS": _named("Fargate-vCPU-Hours:perCPU = cpu, vCPU-hour\nFargate-GB-Hours = memory, GB-hour"),
    "AmazonVPC": _named("PublicIPv4:InUseAddress = ipv4.hour, hour"),
    "AmazonRDS": _named("""
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
ALLOWANCES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "AWSLambda": {
        "Request": ("Request", "Request-ARM"), "Lambda-GB-Second": ("Lambda-GB-Second", "Lambda-GB-Second-ARM"),
    },
    "AWSQueueService": {"Requests": ("Requests-Tier1", "Requests-FIFO-Tier1")},
    "AWSDataTransfer": {"DataTransfer-Out-Bytes": ("DataTransfer-Out-Bytes",)},
    "AmazonCloudWatch": {
        "DataProcessing-Bytes": ("DataProcessing-Bytes",), "TimedStorage-ByteHrs": ("TimedStorage-ByteHrs",),
    },
}  # fmt: skip
"""Of which usages a list states what is free of them in all regions together, as the usage `Global-...`. Only of those
that are free for ever: what is free in an account's first year is no part of a price."""
