"""What do secrets, keys, logs and metrics cost? Source: aws.amazon.com/{secrets-manager,kms,cloudwatch}/pricing."""

from decimal import Decimal

from weyr.ledger.terraform.desk import Desk, Pricer
from weyr.ledger.terraform.lines import Line, Part
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

TEN_THOUSAND = Decimal(10_000)
SYMMETRIC = ("", "SYMMETRIC_DEFAULT", "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512")


def secret(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """A secret, once more for each region that it is replicated to."""
    requests = usage.number("monthly_requests")
    line = desk.line
    copies = tuple(
        Part(
            f"Replica ({each.text('region')})",
            (line("Secret", "months", 1, "secretsmanager/secret", each.text("region")),),
        )
        for each in resource.blocks("replica")
    )
    return Part(
        resource.address,
        (
            line("Secret", "months", 1, "secretsmanager/secret", resource.region),
            line(
                "API requests", "10k requests", requests, "secretsmanager/requests", resource.region,
                per=TEN_THOUSAND, is_usage=True,
            ),
        ),
        copies,
    )  # fmt: skip


def kms_key(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    spec = resource.text("customer_master_key_spec")
    if spec == "RSA_2048":
        kinds = [("Requests (RSA 2048)", "requests.rsa_2048")]
    elif spec not in SYMMETRIC:
        kinds = [("Requests (asymmetric)", "requests.asymmetric")]
    else:
        kinds = [
            ("Requests", "requests"),
            ("ECC GenerateDataKeyPair requests", "requests.pair_ecc"),
            ("RSA GenerateDataKeyPair requests", "requests.pair_rsa"),
        ]
    requests = tuple(
        desk.line(
            name, "10k requests", usage.number("monthly_requests") if at == 0 else None, f"kms/{rate}",
            resource.region, per=TEN_THOUSAND, is_usage=True,
        )
        for at, (name, rate) in enumerate(kinds)
    )  # fmt: skip
    return Part(resource.address, (_key(desk, resource), *requests))


def _key(desk: Desk, resource: Resource) -> Line:
    return desk.line("Customer master key", "months", 1, "kms/key", resource.region)


def external_key(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    return Part(resource.address, (_key(desk, resource),))


def log_group(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    infrequent = ".infrequent" if resource.text("log_group_class") == "INFREQUENT_ACCESS" else ""
    kinds = (
        ("Data ingested", "monthly_data_ingested_gb", f"logs.ingested{infrequent}"),
        ("Archival Storage", "storage_gb", "logs.stored"),
        ("Insights queries data scanned", "monthly_data_scanned_gb", "logs.scanned"),
    )
    return Part(
        resource.address,
        tuple(
            desk.line(name, "GB", usage.number(key), f"cloudwatch/{rate}", resource.region, is_usage=True)
            for name, key, rate in kinds
        ),
    )


PRICERS: dict[str, Pricer] = {
    "aws_secretsmanager_secret": secret,
    "aws_kms_key": kms_key,
    "aws_kms_external_key": external_key,
    "aws_cloudwatch_log_group": log_group,
}
