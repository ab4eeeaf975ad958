"""Price lists that others write are read as they mean them, and what is left out is counted with its reason."""

from datetime import date
from decimal import Decimal

import pytest

from weyr.core.diagnostic import UserError
from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.prices.from_aws import read_aws
from weyr.ledger.prices.from_azure import read_azure
from weyr.ledger.prices.from_karpenter import read_karpenter
from weyr.ledger.prices.from_skypilot import read_skypilot
from weyr.ledger.prices.merge import REFUSED, merged
from weyr.ledger.prices.offers import Machine, Offer, Purchase
from weyr.ledger.prices.rates import Rate, price_of
from weyr.ledger.prices.read_lists import PriceList

TODAY = date(2026, 11, 26)
SHIPPED = Catalogue.shipped()
SKYPILOT_AWS = """\
InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone,Arch
p4d.24xlarge,A100,8.0,96.0,1152.0,"{'Gpus': [{'Name': 'A100'}]}",23.71569,6.165700,eu-north-1,eun1-az3,x86_64
p5e.48xlarge,H200,8.0,192.0,2048.0,,,19.425400,ap-southeast-3,apse3-az1,x86_64
p5e.48xlarge,H200,8.0,192.0,2048.0,,,,eu-north-1,eun1-az1,x86_64
"""
SKYPILOT_GCP = """\
InstanceType,vCPUs,MemoryGiB,AcceleratorName,AcceleratorCount,GpuInfo,Region,AvailabilityZone,Price,SpotPrice
a2-highgpu-1g,12.0,85.0,,,,europe-west4,europe-west4-a,0.81406,0.31824
a2-highgpu-1g,12.0,85.0,,,,me-west1,me-west1-a,0.81342,0.33516
a2-highgpu-1g,12.0,85.0,,,,us-central1,us-central1-a,0.73948,0.36975
c4-standard-4,4.0,15.0,,,,europe-west4,europe-west4-a,0.20755,0.08302
,,,A100,1.0,A100,europe-west4,europe-west4-a,2.93391,1.12763
,,,A100,1.0,A100,us-central1,us-central1-a,2.93391,700.0
,,,tpu-v6e-1,1,tpu-v6e-1,asia-east1,asia-east1-c,700.0,700.0
"""
KARPENTER_AWS = """\
// generated at 2026-07-20T13:44:30Z for us-east-1
var InitialOnDemandPricesAWS = map[string]map[ec2types.InstanceType]float64{
	// us-east-1
	"us-east-1": {
		// m5 family
		"m5.large": 0.096000, "m5.xlarge": 0.192000, "zz9.large": 9.0,
	},
}
"""
KARPENTER_AZURE = """\
// generated at 2026-06-18T03:43:41Z
func init() {
	// eastus
	initialOnDemandPrices["eastus"] = map[string]float64{
		"Standard_D4s_v5":               0.192000,
	}
	// westeurope
	initialOnDemandPrices["westeurope"] = map[string]float64{
		"Standard_D4s_v5":               0.230000,
	}
}
"""
AWS_HEAD = (
    "SKU,TermType,Unit,PricePerUnit,Currency,LeaseContractLength,PurchaseOption,OfferingClass,Product Family,"
    "Instance Type,vCPU,Memory,Tenancy,Operating System,CapacityStatus,Pre Installed S/W,GPU,Region Code,operation"
)
M5 = "Compute Instance,m5.large,2,8 GiB"
LINUX, IN_USE = "Shared,Linux", "Used,NA,,eu-west-1,RunInstances"
AWS_BULK = f"""\
"FormatVersion","v1.0"
"Disclaimer","This pricing list is for informational purposes only."
"Publication Date","2026-11-20T18:02:11Z"
"Version","20261120180211"
"OfferCode","AmazonEC2"
{AWS_HEAD}
A,OnDemand,Hrs,0.1070000000,USD,,,,{M5},{LINUX},{IN_USE}
A,Reserved,Hrs,0.0670000000,USD,1yr,No Upfront,standard,{M5},{LINUX},{IN_USE}
A,Reserved,Hrs,0.0770000000,USD,1yr,No Upfront,convertible,{M5},{LINUX},{IN_USE}
A,Reserved,Quantity,550,USD,1yr,All Upfront,standard,{M5},{LINUX},{IN_USE}
A,Reserved,Hrs,0.0460000000,USD,3yr,No Upfront,standard,{M5},{LINUX},{IN_USE}
B,OnDemand,Hrs,0.1990000000,USD,,,,{M5},Shared,Windows,{IN_USE}
C,OnDemand,Hrs,0.1177000000,USD,,,,{M5},Dedicated,Linux,{IN_USE}
D,OnDemand,Hrs,0.0000000000,USD,,,,{M5},{LINUX},AllocatedCapacityReservation,NA,,eu-west-1,RunInstances
D,OnDemand,Hrs,0.0000000000,USD,,,,{M5},{LINUX},Used,NA,,eu-west-1,RunInstances:CB
E,OnDemand,Hrs,0.5000000000,USD,,,,Compute Instance,m99.xlarge,4,"1,024 GiB",{LINUX},{IN_USE}
F,OnDemand,Hrs,99,USD,,,,Compute Instance,p99.48xlarge,192,"2,048 GiB",{LINUX},Used,NA,8,eu-west-1,RunInstances
G,OnDemand,GB,0.09,USD,,,,Data Transfer,,,,,,,,,eu-west-1,
"""


def azure_item(sku: str, usd: str, **more: str) -> dict[str, object]:
    """An item as the Retail Prices API gives it."""
    item: dict[str, object] = {
        "currencyCode": "USD", "retailPrice": Decimal(usd), "armRegionName": "westeurope",
        "productName": "Virtual Machines Dsv5 Series", "skuName": "D4s v5", "serviceName": "Virtual Machines",
        "unitOfMeasure": "1 Hour", "type": "Consumption", "armSkuName": sku,
    }  # fmt: skip
    return item | more


def told(read: PriceList) -> list[tuple[str, str, str, str]]:
    return [(o.instance, o.zone or o.region, o.purchase.value, f"{o.usd_per_hour.normalize():f}") for o in read.offers]


def test_skypilots_list_of_aws_tells_both_prices_of_a_zone() -> None:
    """A price that is not given is not known; the machine is listed where either is."""
    read = read_skypilot(SKYPILOT_AWS.splitlines(), "aws", "2026-11-01", "vms.csv")

    assert told(read) == [
        ("p4d.24xlarge", "eu-north-1", "on_demand", "23.71569"),
        ("p4d.24xlarge", "eun1-az3", "spot", "6.1657"),
        ("p5e.48xlarge", "apse3-az1", "spot", "19.4254"),
    ]
    assert read.offers[0].machine == Machine("aws", "p4d.24xlarge", Decimal(96), Decimal(1152), "A100", Decimal(8))
    assert read.left_out == {"no price is given": 1}


def test_skypilots_list_of_gcp_is_added_up_from_machine_and_accelerators() -> None:
    """Taken as it stands, a machine with an A100 would cost what its cores cost: a quarter."""
    read = read_skypilot(SKYPILOT_GCP.splitlines(), "gcp", "2026-11-01", "vms.csv")

    assert told(read) == [
        ("a2-highgpu-1g", "europe-west4", "on_demand", "3.74797"),
        ("a2-highgpu-1g", "europe-west4-a", "spot", "1.44587"),
        ("a2-highgpu-1g", "us-central1", "on_demand", "3.67339"),
        ("c4-standard-4", "europe-west4", "on_demand", "0.20755"),
        ("c4-standard-4", "europe-west4-a", "spot", "0.08302"),
    ]
    assert read.left_out == {
        "its accelerators have no price in its zone": 1,
        "a TPU without the machine it is in": 1,
    }


def test_karpenters_lists_are_read_from_their_go() -> None:
    """Whoever runs Karpenter has these files; a machine of unknown size is left out, not guessed."""
    aws = read_karpenter(KARPENTER_AWS, SHIPPED.machines, "aws.go")
    azure = read_karpenter(KARPENTER_AZURE, SHIPPED.machines, "azure.go")

    assert told(aws) == [
        ("m5.large", "us-east-1", "on_demand", "0.096"), ("m5.xlarge", "us-east-1", "on_demand", "0.192"),
    ]  # fmt: skip
    assert aws.left_out == {"its size is not known": 1}
    assert {offer.dated for offer in aws.offers} == {"2026-07-20"}
    assert told(azure) == [
        ("Standard_D4s_v5", "eastus", "on_demand", "0.192"), ("Standard_D4s_v5", "westeurope", "on_demand", "0.23"),
    ]  # fmt: skip


def test_awss_bulk_file_gives_the_machine_alone() -> None:
    """Windows, dedicated hosts, idle reservations and payments upfront stand beside it in the same file."""
    read = read_aws(AWS_BULK.splitlines(), SHIPPED.machines, "index.csv")

    assert told(read) == [
        ("m5.large", "eu-west-1", "on_demand", "0.107"),
        ("m5.large", "eu-west-1", "reserved_1y", "0.067"),
        ("m5.large", "eu-west-1", "reserved_3y", "0.046"),
        ("m99.xlarge", "eu-west-1", "on_demand", "0.5"),
    ]
    assert read.offers[-1].machine.memory_gib == 1024
    assert {offer.dated for offer in read.offers} == {"2026-11-20"}
    assert read.left_out == {"it has accelerators of a kind that is not known": 1}


def test_azures_prices_tell_spot_and_reservations_apart() -> None:
    """A reservation is priced for its whole term, and a Windows machine has the licence in it."""
    items = [
        azure_item("Standard_D4s_v5", "0.230"),
        azure_item("Standard_D4s_v5", "0.414", productName="Virtual Machines Dsv5 Series Windows"),
        azure_item("Standard_D4s_v5", "0.046", skuName="D4s v5 Spot"),
        azure_item("Standard_D4s_v5", "0.05", skuName="D4s v5 Low Priority"),
        azure_item("Standard_D4s_v5", "1189.46", type="Reservation", reservationTerm="1 Year"),
        azure_item("Standard_D4s_v5", "2299.5", type="Reservation", reservationTerm="3 Years"),
        azure_item("Standard_D4s_v5", "0.2", type="DevTestConsumption"),
        azure_item("Standard_Z9", "1"),
    ]
    read = read_azure(items, SHIPPED.machines, "2026-11-26", "azure")

    assert told(read) == [
        ("Standard_D4s_v5", "westeurope", "on_demand", "0.23"),
        ("Standard_D4s_v5", "westeurope", "spot", "0.046"),
        ("Standard_D4s_v5", "westeurope", "reserved_1y", "0.135783"),
        ("Standard_D4s_v5", "westeurope", "reserved_3y", "0.0875"),
    ]
    assert sum(read.left_out.values()) == 4


@pytest.mark.parametrize(
    "read",
    [
        lambda: read_skypilot(["a,b", "1,2"], "aws", "2026-11-01", "x.csv"),
        lambda: read_karpenter("package pricing", {}, "x.go"),
        lambda: read_aws(["hello", "world"], {}, "x.csv"),
        lambda: read_aws(['"Publication Date","2026-11-20T00:00:00Z"'], {}, "x.csv"),
    ],
)
def test_a_file_of_another_form_is_refused(read: object) -> None:
    """Not an empty list: nothing would be said, and the old prices would look like the new ones."""
    assert callable(read)
    with pytest.raises(UserError, match="x"):
        read()


def seen(usd: str, dated: str, region: str = "eu-north-1", purchase: Purchase = Purchase.SPOT) -> Offer:
    zone = "eun1-az3" if purchase is Purchase.SPOT else ""
    machine = SHIPPED.machines["aws", "p4d.24xlarge"]
    return Offer(machine, region, purchase, Decimal(usd), "a list", dated, zone)


def test_what_was_seen_of_spot_becomes_a_range() -> None:
    """One look at a spot price says little; a few of them say how far it moves."""
    catalogue = SHIPPED
    for usd, day in (("7.5", "2026-11-01"), ("5", "2026-11-02"), ("9", "2026-11-03")):
        catalogue = Catalogue.of(merged(catalogue, PriceList("a list", [seen(usd, day)]), TODAY).texts)
    (spot,) = catalogue.offers(instance="p4d.24xlarge", region="eu-north-1", purchase=Purchase.SPOT)

    assert (spot.low, spot.usd_per_hour, spot.high) == (Decimal(5), Decimal("6.83285"), Decimal(9))
    assert spot.dated == "2026-11-03"


def test_a_list_takes_nothing_from_what_it_does_not_hold() -> None:
    """A refresh of one region leaves the others as they were, and an older list changes nothing."""
    new = seen("20", "2026-11-01", purchase=Purchase.ON_DEMAND)
    after = Catalogue.of(merged(SHIPPED, PriceList("a list", [new]), TODAY).texts)
    old = seen("31", "2025-01-01", purchase=Purchase.ON_DEMAND)
    later = Catalogue.of(merged(after, PriceList("a list", [old]), TODAY).texts)

    (offer,) = later.offers(instance="p4d.24xlarge", region="eu-north-1", purchase=Purchase.ON_DEMAND)
    assert offer.usd_per_hour == 20
    assert len(later.all_offers) == len(SHIPPED.all_offers)
    assert len({SHIPPED.version, after.version}) == 2


def test_what_is_refused_is_kept_for_the_reader() -> None:
    """With its rule and its reason, beside the prices: somebody has to tell whoever wrote the list."""
    result = merged(SHIPPED, PriceList("a list", [seen("99", "2026-11-01"), seen("6", "2026-11-01")]), TODAY)

    assert result.kept == 1
    assert [refusal.rule for refusal in result.refused] == ["spot above on demand"]
    assert "spot above on demand" in result.texts[REFUSED]


def test_what_is_free_stays_free_where_a_list_does_not_tell() -> None:
    """AWS writes an allowance beside some prices only: a refresh of Lambda must not make its first million cost."""
    known = SHIPPED.rate("lambda", "us-east-1", "requests")
    assert known is not None
    read = Rate("aws", "lambda", "us-east-1", "requests", "request", price_of("0.0000003"), "a list", "2026-11-01")
    after = Catalogue.of(merged(SHIPPED, PriceList("a list", rates=[read]), TODAY).texts)

    rate = after.rate("lambda", "us-east-1", "requests")
    assert rate is not None
    assert (rate.amount, rate.free) == (Decimal("0.0000003"), known.free)
