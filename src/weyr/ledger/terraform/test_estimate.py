"""Are the figures right? Each is computed by hand from the published price that it names."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.terraform.estimate import PRICERS, estimate, is_free
from weyr.ledger.terraform.lines import Estimate, Line
from weyr.ledger.terraform.plain import plain
from weyr.ledger.terraform.resources import Resource, Resources, Unknown
from weyr.ledger.terraform.usage import Usage

REGION = "us-east-1"
DAY = date(2025, 6, 1)
NO_USAGE = Usage()
RATES = """\
provider,service,region,name,unit,tiers,free,source,dated
aws,ec2,us-east-1,instance.t3.medium.linux,hour,0.0416,,test,2025-01-01
aws,ec2,us-east-1,instance.t3.medium.linux.spot,hour,0.0125,,test,2025-01-01
aws,ec2,us-east-1,credits.t3,vCPU-hour,0.05,,test,2025-01-01
aws,ebs,us-east-1,storage.gp2,GB-month,0.10,,test,2025-01-01
aws,ebs,us-east-1,storage.gp3,GB-month,0.08,,test,2025-01-01
aws,ebs,us-east-1,iops.gp3,IOPS-month,0.005,,test,2025-01-01
aws,ebs,us-east-1,throughput.gp3,MBps-month,0.04,,test,2025-01-01
aws,cloudwatch,us-east-1,metric,metric-month,0.30 to 10000; 0.10,,test,2025-01-01
aws,eks,,cluster,hour,0.10,,test,2025-01-01
aws,eks,,cluster.extended,hour,0.60,,test,2025-01-01
aws,elb,us-east-1,application.hour,hour,0.0225,,test,2025-01-01
aws,elb,us-east-1,application.unit,LCU-hour,0.008,,test,2025-01-01
aws,lambda,us-east-1,requests,request,0.0000002,1000000,test,2025-01-01
aws,lambda,us-east-1,storage,GB-second,0.0000000309,,test,2025-01-01
aws,lambda,us-east-1,duration,GB-s,0.00002 to 6E9; 0.00001 to 15E9; 0.000005,,test,2025-01-01
aws,sqs,us-east-1,requests.standard,request,0.0000004,,test,2025-01-01
aws,rds,us-east-1,instance.db.t3.large.postgres.multi,hour,0.29,,test,2025-01-01
aws,rds,us-east-1,storage.gp3.multi,GB-month,0.23,,test,2025-01-01
aws,rds,us-east-1,iops.gp3.multi,IOPS-month,0.04,,test,2025-01-01
aws,rds,us-east-1,extended_support.year_1,vCPU-hour,0.10,,test,2025-01-01
aws,rds,us-east-1,extended_support.year_3,vCPU-hour,0.20,,test,2025-01-01
aws,dynamodb,us-east-1,write.capacity,WCU-hour,0.00065,,test,2025-01-01
aws,dynamodb,us-east-1,read.capacity,RCU-hour,0.00013,,test,2025-01-01
aws,s3,us-east-1,standard.storage,GB-month,0.023 to 51200; 0.022 to 512000; 0.021,,test,2025-01-01
aws,s3,us-east-1,glacier_deep_archive.storage,GB-month,0.00099,,test,2025-01-01
aws,s3,us-east-1,standard_infrequent_access.storage,GB-month,0.0125,,test,2025-01-01
"""
"""The public list prices of us-east-1, in round figures where tiers are meant to show."""
CATALOGUE = Catalogue({}, {"rates.csv": RATES})


def priced(*resources: Resource, usage: Usage = NO_USAGE, day: date = DAY, with_free: bool = False) -> Estimate:
    return estimate(Resources(tuple(resources)), usage, CATALOGUE, day, with_free=with_free)


def made(address: str, **values: Any) -> Resource:
    return Resource(address, address.split(".")[0], values, REGION)


def used(address: str, **values: Any) -> Usage:
    return Usage({address: values})


def lines(result: Estimate) -> Mapping[str, Line]:
    return {line.name: line for _, part in result.priced for line in part.all_lines()}


def test_a_machine_costs_its_hours_and_its_disk() -> None:
    """730 h at 0.0416 and 8 GB at 0.10: what an instance without any word on its disk costs."""
    result = priced(made("aws_instance.a", instance_type="t3.medium"))
    assert result.total == Decimal("730") * Decimal("0.0416") + Decimal("0.80")


def test_a_group_costs_as_many_machines_as_it_starts_with_and_the_spot_part_less() -> None:
    """5 machines: 2 on demand, and of the other 3 a third, rounded up: 3 on demand, 2 on spot."""
    template = made("aws_launch_template.t", instance_type="t3.medium")
    split = {"on_demand_base_capacity": 2, "on_demand_percentage_above_base_capacity": 33}
    specification = {"launch_template_specification": [{"launch_template_id": Unknown(("aws_launch_template.t",))}]}
    group = made(
        "aws_autoscaling_group.g",
        desired_capacity=5,
        mixed_instances_policy=[{"instances_distribution": [split], "launch_template": [specification]}],
    )
    found = lines(priced(template, group))
    assert found["Instance usage (Linux/UNIX, on-demand, t3.medium)"].quantity == 3 * 730
    assert found["Instance usage (Linux/UNIX, spot, t3.medium)"].quantity == 2 * 730
    assert found["Instance usage (Linux/UNIX, spot, t3.medium)"].cost == 2 * 730 * Decimal("0.0125")


def test_a_volume_that_was_attached_later_is_paid_for_once() -> None:
    """A plan of what stands shows it in the instance and by itself: 128 GB at 0.10, not twice."""
    volume = made("aws_ebs_volume.v", id="vol-1", type="gp2", size=128)
    attached = [{"volume_id": "vol-1", "volume_size": 128}]
    machine = made("aws_instance.a", instance_type="t3.medium", ebs_block_device=attached)
    assert priced(volume, machine).total == Decimal("12.80") + 730 * Decimal("0.0416") + Decimal("0.80")


def test_gp3_charges_only_what_is_above_its_baseline() -> None:
    """4,000 IOPS and 130 MB/s: 1,000 at 0.005 and 5 at 0.04, beside 40 GB at 0.08."""
    result = priced(made("aws_ebs_volume.v", type="gp3", size=40, iops=4000, throughput=130))
    assert result.total == Decimal("3.20") + Decimal("5.00") + Decimal("0.20")


def test_each_tier_of_a_functions_time_has_its_own_line() -> None:
    """20 billion GB-seconds: 6 at 0.00002, 9 at 0.00001, 5 at 0.000005 dollars."""
    result = priced(
        made("aws_lambda_function.f", memory_size=1024),
        usage=used("aws_lambda_function.f", monthly_requests=20_000_000_000, request_duration_ms=1000),
    )
    found = lines(result)
    assert found["Duration (first 6B)"].cost == 120_000
    assert found["Duration (next 9B)"].cost == 90_000
    assert found["Duration (over 15B)"].cost == 25_000


def test_an_allowance_is_given_once_to_the_whole_account() -> None:
    """Two functions with a million requests each: one million is free, not two."""
    functions = [made("aws_lambda_function.f"), made("aws_lambda_function.g")]
    usage = Usage(by_type={"aws_lambda_function": {"monthly_requests": 1_000_000}})
    costs = [
        line.cost
        for _, part in priced(*functions, usage=usage, with_free=True).priced
        for line in part.all_lines()
        if line.name == "Requests"
    ]
    assert costs == [0, Decimal("0.2")]


def test_a_message_counts_once_for_each_64_kb() -> None:
    """130 KB are three requests."""
    result = priced(made("aws_sqs_queue.q"), usage=used("aws_sqs_queue.q", monthly_requests=10, request_size_kb=130))
    assert lines(result)["Requests"].quantity == 30


def test_storage_is_charged_through_its_tiers() -> None:
    """60,000 GB: 51,200 at 0.023, the others at 0.022."""
    result = priced(made("aws_s3_bucket.b"), usage=used("aws_s3_bucket.b", standard={"storage_gb": 60_000}))
    assert lines(result)["Storage"].cost == 51_200 * Decimal("0.023") + 8_800 * Decimal("0.022")


def test_a_lifecycle_rule_in_another_resource_adds_its_class() -> None:
    """What moves to the archive is paid for there, so the archive's lines are shown."""
    bucket = made("aws_s3_bucket.b", bucket="b")
    rule = {"status": "Enabled", "transition": [{"storage_class": "DEEP_ARCHIVE"}]}
    moves = made("aws_s3_bucket_lifecycle_configuration.m", bucket=Unknown(("aws_s3_bucket.b",)), rule=[rule])
    ((_, part),) = priced(bucket, moves).priced
    assert [each.name for each in part.parts] == ["Standard", "Glacier deep archive"]


STAYS = {
    # what the rules say: (transitions, expiration, what is stated beside, GB-months billed after they have left)
    "half of the least time": ([("STANDARD_IA", 30)], 45, {}, "100"),
    "moved on too early": ([("STANDARD_IA", 30), ("GLACIER", 50)], 400, {}, "50"),
    "kept for long enough": ([("STANDARD_IA", 30)], 60, {}, None),
    "kept for good": ([("STANDARD_IA", 30)], None, {}, None),
    "kept as somebody states": ([("STANDARD_IA", 30)], 45, {"kept_days": 25}, "20"),
    "an amount that is stated": ([("STANDARD_IA", 30)], 45, {"early_delete_gb": 7}, "7"),
    "no rule, but a stated stay": ([], None, {"kept_days": 10}, "200"),
}


@pytest.mark.parametrize(("moves", "expires", "stated", "billed"), STAYS.values(), ids=STAYS.keys())
def test_what_leaves_a_class_too_early_is_billed_to_its_least_time(
    moves: list[tuple[str, int]], expires: int | None, stated: dict[str, int], billed: str | None
) -> None:
    """AWS bills Standard-IA for 30 days: a rule that ends it after 15 makes each stored GB cost twice."""
    rule = {"status": "Enabled", "transition": [{"storage_class": each, "days": days} for each, days in moves]}
    rule |= {"expiration": [{"days": expires}]} if expires else {}
    bucket = made("aws_s3_bucket.b", bucket="b")
    moved = made("aws_s3_bucket_lifecycle_configuration.m", bucket=Unknown(("aws_s3_bucket.b",)), rule=[rule])
    usage = used("aws_s3_bucket.b", standard_infrequent_access={"storage_gb": 100, **stated})
    found = [line for name, line in lines(priced(bucket, moved, usage=usage)).items() if "within 30 days" in name]

    assert [line.quantity for line in found] == ([Decimal(billed)] if billed else [])
    assert [line.cost for line in found] == ([Decimal(billed) * Decimal("0.0125")] if billed else [])


def test_two_rules_that_differ_say_nothing_of_how_long() -> None:
    """Nobody knows which part of the bucket is under which: what cannot be worked out is not made up."""
    move = {"storage_class": "GLACIER_IR", "days": 1}
    rules = [{"status": "Enabled", "transition": [move], "expiration": [{"days": days}]} for days in (31, 61)]
    bucket = made("aws_s3_bucket.b", bucket="b")
    moved = made("aws_s3_bucket_lifecycle_configuration.m", bucket=Unknown(("aws_s3_bucket.b",)), rule=rules)
    usage = used("aws_s3_bucket.b", glacier_instant_retrieval={"storage_gb": 100})
    assert not [name for name in lines(priced(bucket, moved, usage=usage)) if name.startswith("Early")]


def test_small_objects_count_as_larger_where_it_is_said_how_many() -> None:
    """A million thumbnails of 10 KiB in Standard-IA are billed as 122 GB, and in the archive each has an index."""
    million = {"objects": 2**20, "storage_gb": 10}
    usage = used("aws_s3_bucket.b", standard_infrequent_access=million, glacier_deep_archive=million)
    found = lines(priced(made("aws_s3_bucket.b"), usage=usage))

    assert found["Storage of small objects (up to 128 KiB each)"].quantity == 118
    assert found["Index of objects (32 KiB each)"].cost == 32 * Decimal("0.00099")
    assert found["Names of objects (8 KiB each)"].cost == 8 * Decimal("0.023")
    assert not priced(made("aws_s3_bucket.b"), usage=usage).notes


def test_usage_that_nobody_stated_is_unknown_and_not_zero() -> None:
    """A load balancer without figures costs its hours; its capacity units are shown by price."""
    result = priced(made("aws_lb.l"))
    units = lines(result)["Load balancer capacity units"]
    assert (units.cost, units.shown_price) == (None, Decimal("5.84"))
    assert result.total == 730 * Decimal("0.0225")


@pytest.mark.parametrize(
    ("day", "title", "cost"),
    [
        (date(2024, 3, 1), "", 0),
        (date(2025, 6, 1), "Extended support (year 1)", 2 * 730 * Decimal("0.10")),
        (date(2026, 6, 1), "Extended support (year 3)", 2 * 730 * Decimal("0.20")),
    ],
)
def test_a_database_past_its_support_costs_extra_by_the_day(day: date, title: str, cost: Decimal) -> None:
    """PostgreSQL 11: from April 2024 0.10 per vCPU-hour, from April 2026 the double."""
    database = made(
        "aws_db_instance.d", engine="postgres", engine_version="11.22", instance_class="db.t3.large", multi_az=True,
        storage_type="gp3", allocated_storage=400, iops=14_000,
    )  # fmt: skip
    result = priced(database, day=day)
    base = 730 * Decimal("0.29") + 400 * Decimal("0.23") + 2000 * Decimal("0.04")
    assert result.total == base + cost
    assert (title in lines(result)) == bool(title)


def test_a_cluster_on_an_old_version_costs_six_times_as_much() -> None:
    """Kubernetes 1.28 left standard support on 2024-11-26."""
    cluster = made("aws_eks_cluster.c", version="1.28")
    assert priced(cluster, day=date(2024, 11, 26)).total == 73
    assert priced(cluster, day=date(2024, 11, 27)).total == 438


def test_a_tables_capacity_is_its_autoscaling_targets_least() -> None:
    """6 units written all month at 0.00065; the 20 that the table itself says are only where it begins."""
    table = made("aws_dynamodb_table.t", name="t", write_capacity=20, read_capacity=10)
    target = made(
        "aws_appautoscaling_target.w", resource_id="table/t", min_capacity=6,
        scalable_dimension="dynamodb:table:WriteCapacityUnits",
    )  # fmt: skip
    found = lines(priced(table, target))
    assert found["Write capacity unit (WCU, autoscaling)"].cost == 6 * 730 * Decimal("0.00065")
    assert found["Read capacity unit (RCU)"].shown_quantity == 10


def test_what_has_no_price_is_named_and_not_in_the_total() -> None:
    """A type nobody knows, and an instance whose price is not in the catalogue."""
    result = priced(
        made("aws_quantum_thing.q"), made("aws_db_instance.d", engine="mysql", instance_class="db.x9.large")
    )
    assert result.total == 0
    assert [each.address for each in result.unpriced] == ["aws_quantum_thing.q", "aws_db_instance.d"]
    assert "db.x9.large" in result.unpriced[1].why


def test_an_instance_type_that_is_not_known_is_not_any_instance_type() -> None:
    """A type out of a variable without a value: the line has no price, and only the disk is in the total."""
    catalogue = Catalogue.shipped()
    unknown = made("aws_instance.a", instance_type=Unknown())
    result = estimate(Resources((unknown,)), NO_USAGE, catalogue, DAY)
    assert result.total == Decimal("0.80")
    assert [line.name for _, line in result.without_price] == ["Instance usage (Linux/UNIX, on-demand, unknown)"]


def test_a_group_whose_machines_are_not_found_is_not_free() -> None:
    """Its template is in another configuration: it costs, and what is not known."""
    result = priced(made("aws_autoscaling_group.g", min_size=3))
    assert (result.free, [each.why for each in result.unpriced]) == (
        (),
        ["the launch template of its machines was not found"],
    )


def test_usage_of_a_resource_that_is_not_there_is_told() -> None:
    """A mistyped address must not make the bill smaller in silence."""
    (note,) = priced(made("aws_lb.l"), usage=used("aws_lb.typo", processed_bytes_gb=1)).notes
    assert "aws_lb.typo" in note


def test_usage_that_is_not_counted_is_told() -> None:
    """A mistyped key, also within a storage class, would be a smaller bill in silence."""
    bucket = made("aws_s3_bucket.b")
    usage = used("aws_s3_bucket.b", standard={"storage_gb": 1, "storag_gb": 2}, monthly_request=3)
    assert [note.split("`")[1] for note in priced(bucket, usage=usage).notes] == [
        "monthly_request",
        "standard.storag_gb",
    ]


def test_an_instance_of_many_is_meant_by_a_star() -> None:
    """Infracost's form: `name[*]` is every instance, and an exact address goes before it."""
    queues = [made(f"aws_sqs_queue.q[{at}]") for at in range(2)]
    usage = Usage({"aws_sqs_queue.q[*]": {"monthly_requests": 1}, "aws_sqs_queue.q[1]": {"monthly_requests": 5}})
    found = [line.quantity for _, part in priced(*queues, usage=usage).priced for line in part.all_lines()]
    assert found == [1, 5]


def test_the_json_has_the_lines_and_their_sources() -> None:
    """What compares line by line finds name, quantity, unit price and cost as text, exact."""
    document: Any = plain(priced(made("aws_eks_cluster.c")), "here", "v")
    (line,) = document["projects"][0]["breakdown"]["resources"][0]["costComponents"]
    assert line["name"] == "EKS cluster"
    assert (line["monthlyQuantity"], line["price"], line["monthlyCost"]) == ("730", "0.1", "73")
    assert (line["source"], document["totalMonthlyCost"]) == ("test", "73")


def test_what_makes_nothing_in_a_cloud_is_free() -> None:
    """Random names and files on one's own disk."""
    result = priced(made("random_id.r"), made("terraform_data.t"))
    assert [address for address, _ in result.free] == ["random_id.r", "terraform_data.t"]


def test_no_type_is_both_priced_and_free() -> None:
    """A type on both lists would be priced, and its entry among the free ones would be a lie."""
    assert not [kind for kind in PRICERS if is_free(kind)]


@pytest.mark.parametrize(("region", "usd"), [("us-west-2", "8"), ("eu-central-1", "9.52"), ("sa-east-1", "15.2")])
def test_a_volume_has_its_own_price_in_each_region(region: str, usd: str) -> None:
    """100 GB of gp3 are 8.00 in Virginia and Oregon, and more elsewhere."""
    volume = Resource("aws_ebs_volume.v", "aws_ebs_volume", {"type": "gp3", "size": 100}, region)
    assert estimate(Resources((volume,)), NO_USAGE, Catalogue.shipped(), DAY).total == Decimal(usd)
