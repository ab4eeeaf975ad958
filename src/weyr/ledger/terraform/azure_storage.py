"""What do Azure's storage accounts and the shares, queues and tables in them cost?

By the account's kind, its tier and how many copies it keeps; the keys of use are those of Infracost's usage file.
"""

from dataclasses import dataclass

from weyr.ledger.terraform.azure import PROVIDER, line, part, region_of, tiered
from weyr.ledger.terraform.desk import Desk, Pricer, unpriced
from weyr.ledger.terraform.lines import Line, Part, Unpriced
from weyr.ledger.terraform.resources import Resource
from weyr.ledger.terraform.usage import Amounts

TEN_THOUSAND = 10_000
OPERATIONS = "10k operations"
GB = "GB"
KINDS = {"storage": "v1", "storagev2": "v2", "blobstorage": "blob", "blockblobstorage": "block", "filestorage": "file"}
COPIES = {
    "v1": ("lrs", "zrs", "grs", "ragrs"), "v2": ("lrs", "zrs", "grs", "ragrs", "gzrs", "ragzrs"),
    "blob": ("lrs", "grs", "ragrs"), "block": ("lrs", "grs", "ragrs"), "file": ("lrs", "zrs", "grs"),
    "premium": ("lrs", "zrs"),
}  # fmt: skip
"""How many copies each kind can keep; a premium one of whichever kind keeps them in one region."""
CAPACITY = ("first 50TB", "next 450TB", "over 500TB")
SHARE_TIERS = {"hot": "hot", "cool": "cool", "transactionoptimized": "standard", "premium": "premium"}
TABLE_OPERATIONS = ("batch write", "write", "read", "scan", "list", "delete")
ACCOUNT = ("azurerm_storage_account",)


@dataclass(frozen=True, slots=True)
class Account:
    """What decides a storage account's prices. `tier`: hot, cool, standard of a first version's, or premium."""

    kind: str
    tier: str
    copies: str
    has_folders: bool = False

    @property
    def is_file(self) -> bool:
        return self.kind == "file"

    @property
    def is_supported(self) -> bool:
        return self.copies in COPIES["premium" if self.tier == "premium" else self.kind]

    def rate(self, name: str) -> str:
        """Files of an account and shares have the same prices; a hot account of one region costs what blobs do."""
        if self.is_file:
            return f"files/{self.tier}.{self.copies}.{name}"
        kind = f"{self.kind}{'.folders' if self.has_folders else ''}"
        return f"storage/{kind}.{self.tier}.{self.copies}.{name}"


def account_of(resource: Resource) -> Account:
    kind = KINDS.get(resource.text("account_kind", "StorageV2").lower(), "v2")
    copies = resource.text("account_replication_type", "LRS").lower().replace("-", "")
    tier = resource.text("access_tier", "Hot").lower()
    if kind == "v1":
        tier = "standard"
    if resource.text("account_tier").lower() == "premium":
        tier = "premium"
    return Account(kind, tier, copies, kind == "v2" and resource.flag("nfsv3_enabled"))


def storage_account(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    account = account_of(resource)
    if not account.is_supported:
        return unpriced(resource, f"{account.kind} {account.tier} keeps no copies as {account.copies}")
    return part(resource, *(_file_lines if account.is_file else _blob_lines)(desk, resource, usage, account))


BLOBS = {
    "stored": "storage", "write": "requests.write", "list": "requests.list", "read": "requests.read",
    "retrieval": "retrieval",
}  # fmt: skip
"""What a bucket of ours costs on Azure, by the names of a bucket's rates: an account that keeps one region's copies."""


def _rate(desk: Desk, resource: Resource, account: Account, name: str) -> str:
    """The account's own, or where that is not known in its region the same of a bucket."""
    own = account.rate(name)
    if account.copies != "lrs" or account.tier not in ("hot", "cool") or account.is_file or account.has_folders:
        return own
    service, _, what = own.partition("/")
    region = region_of(desk, resource)
    is_unmarked = account.tier == "hot" and name != "stored"
    bucket = f"{BLOBS.get(name, '')}{'' if is_unmarked else f'.{account.tier}'}"
    is_known = desk.rate(service, region, what, PROVIDER) or not desk.rate("blob", region, bucket, PROVIDER)
    return own if is_known else f"blob/{bucket}"


def _used(
    desk: Desk, resource: Resource, usage: Amounts, account: Account, rows: tuple[tuple[str, str, str, str], ...]
) -> list[Line]:
    """A line for each row: its name, its unit, its key of use, and its rate."""
    return [
        line(
            desk,
            resource,
            name,
            unit,
            usage.number(key),
            _rate(desk, resource, account, rate),
            _per(unit),
            is_usage=True,
        )
        for name, unit, key, rate in rows
    ]


def _per(unit: str) -> int:
    return {OPERATIONS: TEN_THOUSAND, "10k tags": TEN_THOUSAND, "100 operations": 100}.get(unit, 1)


WRITE = ("Write operations", OPERATIONS, "monthly_write_operations", "write")
READ = ("Read operations", OPERATIONS, "monthly_read_operations", "read")
OTHER = ("All other operations", OPERATIONS, "monthly_other_operations", "other")
LIST_KEY = "monthly_list_and_create_container_operations"
RETRIEVAL = ("Data retrieval", GB, "monthly_data_retrieval_gb", "retrieval")


def _blob_lines(desk: Desk, resource: Resource, usage: Amounts, account: Account) -> list[Line]:
    stored, is_cool, is_v2 = usage.number("storage_gb"), account.tier == "cool", account.kind == "v2"
    capacity = line(desk, resource, "Capacity", GB, stored, _rate(desk, resource, account, "stored"), is_usage=True)
    is_tiered = account.tier == "hot" and stored is not None
    found = tiered(capacity, CAPACITY) if is_tiered else [capacity]
    iterates = account.has_folders and account.tier != "premium"
    rows = [WRITE, READ, OTHER]
    if not account.has_folders:
        rows.insert(1, ("List and create container operations", OPERATIONS, LIST_KEY, "list"))
    if iterates:
        rows.insert(0, ("Iterative write operations", "100 operations", "monthly_iterative_write_operations",
                        "write.iterative"))  # fmt: skip
        rows.insert(2, ("Iterative read operations", OPERATIONS, "monthly_iterative_read_operations",
                        "read.iterative"))  # fmt: skip
    if is_cool:
        rows.append(RETRIEVAL)
        if account.kind == "block":
            rows.append(("Data write", GB, "monthly_data_write_gb", "written"))
    if account.tier != "premium" and account.kind != "v1" and not account.has_folders:
        rows.append(("Blob index", "10k tags", "blob_index_tags", "index"))
    if is_cool and is_v2:
        rows.append(("Early deletion", GB, "early_deletion_gb", "early"))
    return [*found, *_used(desk, resource, usage, account, tuple(rows))]


def _file_lines(desk: Desk, resource: Resource, usage: Amounts, account: Account) -> list[Line]:
    is_premium = account.tier == "premium"
    rows = [
        ("Data at rest", GB, "data_at_rest_storage_gb", "stored"),
        ("Snapshots", GB, "snapshots_storage_gb", "snapshots" if is_premium else "stored"),
    ]
    if not is_premium:
        rows += [("Metadata at rest", GB, "metadata_at_rest_storage_gb", "metadata"), WRITE,
                 ("List operations", OPERATIONS, LIST_KEY, "list"), READ, OTHER]  # fmt: skip
    if account.tier == "cool":
        rows += [RETRIEVAL, ("Early deletion", GB, "early_deletion_gb", "early")]
    return _used(desk, resource, usage, account, tuple(rows))


def _owner(desk: Desk, resource: Resource) -> Resource | None:
    """The account that it is in, by its name or, as newer providers write it, by its id."""
    at = resource.values.get("storage_account_name") or resource.values.get("storage_account_id")
    return desk.resources.behind(at, ACCOUNT, ("name", "id"))


def _copies_of(owner: Resource | None) -> str:
    return account_of(owner).copies if owner else "lrs"


def share(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    """A premium one is paid for as large as it may grow."""
    tier = SHARE_TIERS.get(resource.text("access_tier", "TransactionOptimized").lower(), "")
    if not tier:
        return unpriced(resource, f"no price is known for the tier {resource.text('access_tier')}")
    owner = _owner(desk, resource)
    if tier == "premium" and owner is not None and account_of(owner).kind != "file":
        return unpriced(resource, "a premium share is in an account of kind FileStorage only")
    account = Account("file", tier, _copies_of(owner))
    is_premium, is_plain = tier == "premium", tier == "standard"
    stored = usage.number("storage_gb") or (resource.number("quota") if is_premium else None)
    found = [line(desk, resource, "Data at rest", GB, stored, account.rate("stored"), is_usage=True)]
    rows = [("Snapshots", GB, "snapshots_storage_gb", "snapshots" if is_premium else "stored")]
    if not (is_premium or is_plain):
        rows.append(("Metadata at rest", GB, "metadata_at_rest_storage_gb", "metadata"))
    if not is_premium:
        rows += [READ, WRITE, ("List operations", OPERATIONS, "monthly_list_operations", "list"),
                 ("Other operations", OPERATIONS, "monthly_other_operations", "other")]  # fmt: skip
    if tier == "cool" and account.copies != "gzrs":
        rows.append(RETRIEVAL)
    return part(resource, *found, *_used(desk, resource, usage, account, tuple(rows)))


def queue(desk: Desk, resource: Resource, usage: Amounts) -> Part | Unpriced:
    owner = _owner(desk, resource)
    account = account_of(owner) if owner else Account("v2", "hot", "lrs")
    if account.kind not in ("v1", "v2") or account.tier == "premium" or not account.is_supported:
        return unpriced(resource, f"there are no queues in an account of {account.kind} {account.tier}")
    rate = f"queues/{account.kind}.{account.copies}"
    rows = [("Capacity", GB, "monthly_storage_gb", f"{rate}.stored")]
    if not account.copies.endswith("gzrs"):
        rows.append(("Class 1 operations", OPERATIONS, "monthly_class_1_operations", f"{rate}.class1"))
    rows.append(("Class 2 operations", OPERATIONS, "monthly_class_2_operations", f"{rate}.class2"))
    if account.copies not in ("lrs", "zrs"):
        key = "monthly_geo_replication_data_transfer_gb"
        rows.append(("Geo-replication data transfer", GB, key, "storage/replicated"))
    return part(
        resource,
        *(line(desk, resource, name, unit, usage.number(key), what, _per(unit), is_usage=True)
          for name, unit, key, what in rows),
    )  # fmt: skip


def storage_table(desk: Desk, resource: Resource, usage: Amounts) -> Part:
    """Dearer to use where the account is encrypted with a key of one's own."""
    owner = _owner(desk, resource)
    own_key = owner is not None and (owner.has("customer_managed_key") or _has_key(desk, owner))
    rate = f"tables/{'own_key.' if own_key else ''}{_copies_of(owner)}"
    found: list[Line] = [
        line(desk, resource, "Capacity", GB, usage.number("monthly_storage_gb"), f"{rate}.stored", is_usage=True)
    ]
    for operation in TABLE_OPERATIONS:
        name, key = f"{operation.title()} operations", f"monthly_{operation.replace(' ', '_')}_operations"
        what = f"{rate}.{operation.replace(' ', '_')}"
        done = usage.number(key)
        if own_key and operation == "delete":
            found.append(desk.covered(name, OPERATIONS, done, "the price of what is written"))
        else:
            found.append(line(desk, resource, name, OPERATIONS, done, what, TEN_THOUSAND, is_usage=True))
    return part(resource, *found)


def _has_key(desk: Desk, account: Resource) -> bool:
    return any(
        each.type == "azurerm_storage_account_customer_managed_key"
        and desk.resources.behind(each.values.get("storage_account_id"), ACCOUNT, ("id",)) is account
        for each in desk.resources
    )


PRICERS: dict[str, Pricer] = {
    "azurerm_storage_account": storage_account,
    "azurerm_storage_share": share,
    "azurerm_storage_queue": queue,
    "azurerm_storage_table": storage_table,
}
