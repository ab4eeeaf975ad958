"""What does it cost, where is it cheapest, and how do newer prices come in? `weyr prices`, with providers' lists served
here in the form that they publish: the real ones are not asked."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cli_shell import Shell

TODAY = datetime.now(UTC).date().isoformat()
COLUMNS = (
    "SKU,TermType,Unit,PricePerUnit,Currency,LeaseContractLength,PurchaseOption,OfferingClass,Product Family,"
    "Instance Type,vCPU,Memory,Tenancy,Operating System,CapacityStatus,Pre Installed S/W,GPU,Region Code"
)
PLAIN = "Shared,Linux,Used,NA,8,eu-west-1"
AWS_LIST = f"""\
"FormatVersion","v1.0"
"Publication Date","{TODAY}T18:02:11Z"
"OfferCode","AmazonEC2"
{COLUMNS}
A,OnDemand,Hrs,24.01,USD,,,,Compute Instance,p4d.24xlarge,96,1152 GiB,{PLAIN}
A,Reserved,Hrs,15.5,USD,1yr,No Upfront,standard,Compute Instance,p4d.24xlarge,96,1152 GiB,{PLAIN}
B,OnDemand,Hrs,700.0,USD,,,,Compute Instance,p5.48xlarge,192,2048 GiB,{PLAIN}
"""
RDS_LIST = f"""\
"FormatVersion","v1.0"
"Publication Date","{TODAY}T18:02:11Z"
"OfferCode","AmazonRDS"
SKU,TermType,StartingRange,EndingRange,Unit,PricePerUnit,Currency,Product Family,Instance Type,Database Engine,\
Deployment Option,usageType,Region Code
A,OnDemand,0,Inf,Hrs,0.186,USD,Database Instance,db.m5.large,MySQL,Single-AZ,EU-InstanceUsage:db.m5.large,eu-west-1
B,OnDemand,0,Inf,GB-Mo,0.1270000000,USD,Database Storage,,Any,Single-AZ,EU-RDS:GP3-Storage,eu-west-1
"""
SKYPILOT_COLUMNS = (
    "InstanceType,vCPUs,MemoryGiB,AcceleratorName,AcceleratorCount,GpuInfo,Region,AvailabilityZone,Price,SpotPrice"
)


class Lists(BaseHTTPRequestHandler):
    """AWS's bulk file and two pages of Azure's API."""

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if asked.path == "/offers/v1.0/aws/AmazonEC2/current/eu-west-1/index.csv":
            self._answer(AWS_LIST.encode())
        elif asked.path == "/offers/v1.0/aws/AmazonRDS/current/eu-west-1/index.csv":
            self._answer(RDS_LIST.encode())
        elif asked.path == "/api/retail/prices":
            self._answer(json.dumps(self._page(parse_qs(asked.query))).encode())
        else:
            self.send_error(404)

    def _page(self, query: dict[str, list[str]]) -> dict[str, object]:
        if "'Storage'" in query["$filter"][0]:
            return {"Items": self._blobs(query["$filter"][0]), "NextPageLink": None, "Count": 2}
        is_second = "$skip" in query
        address = f"http://{self.headers['Host']}/api/retail/prices"
        beside = {} if is_second else {"skuName": "NC24ads A100 v4 Spot", "retailPrice": 0.9}
        item = {
            "currencyCode": "USD", "retailPrice": 4.775, "armRegionName": "westeurope", "unitOfMeasure": "1 Hour",
            "productName": "Virtual Machines NCadsA100v4 Series", "skuName": "NC24ads A100 v4", "type": "Consumption",
            "armSkuName": "Standard_NC24ads_A100_v4", **beside,
        }  # fmt: skip
        more = f"{address}?$filter=x&$skip=100"
        return {"Items": [item], "NextPageLink": None if is_second else more, "Count": 1}

    def _blobs(self, asked: str) -> list[dict[str, object]]:
        """A meter of two tiers, of the product that is asked for."""
        meter = {
            "currencyCode": "USD", "armRegionName": "germanywestcentral", "unitOfMeasure": "1 GB/Month",
            "skuName": "Hot LRS", "meterName": "Hot LRS Data Stored", "meterId": "x", "type": "Consumption",
            "productName": asked.rpartition(" eq ")[2].strip("'"),
        }  # fmt: skip
        tiers = ((0, 0.02), (51200, 0.0192))
        return [meter | {"tierMinimumUnits": start, "retailPrice": amount} for start, amount in tiers]

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def lists() -> Iterator[str]:
    """The address of a server with both providers' lists."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Lists)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_cheapest_gpu_on_spot_in_europe_is_one_line_away(shell: Shell) -> None:
    """The newcomer's question, without a server or an account: each row with its place, its price and its day."""
    said = shell.weyr("prices", "A100", "--spot", "--region", "eu", "--json")
    offers = json.loads(said.out)["offers"]
    each = [float(offer["usd_per_accelerator_hour"]) for offer in offers]

    assert said.status == 0
    assert each == pytest.approx(sorted(each), abs=1e-4)
    assert {offer["accelerator"] for offer in offers} == {"A100", "A100-80GB"}
    assert {offer["purchase"] for offer in offers} == {"spot"}
    assert all(offer["region"].startswith("eu") and offer["source"] and offer["dated"] for offer in offers)
    assert {offer["provider"] for offer in offers} == {"aws", "gcp"}


def test_clouds_are_compared_for_one_accelerator(shell: Shell) -> None:
    """A price that nobody knows is called unknown, and never shown as nothing."""
    said = shell.weyr("prices", "compare", "H100", "A100")
    lines = said.out.splitlines()

    assert [line.split()[:2] for line in lines[1:]] == [
        [what, on] for what in ("H100", "A100") for on in ("aws", "azure", "gcp")
    ]
    azure = next(line for line in lines if line.split()[:2] == ["A100", "azure"])
    assert "unknown" in azure
    assert " 0.00 " not in said.out


def test_what_is_mistyped_is_guessed(shell: Shell) -> None:
    """All that is wrong in the line is told at once."""
    said = shell.weyr("prices", "A1000", "--region", "eu-centrl-1")

    assert said.status != 0
    assert 'Did you mean "A100"?' in said.err
    assert 'Did you mean "eu-central-1"?' in said.err


def test_words_are_taken_as_people_write_them(shell: Shell) -> None:
    """Europe is an area, and memory has a unit; what is no place hears which there are."""
    written = shell.weyr("prices", "compare", "--vcpus", "4", "--memory", "16GiB", "--region", "Europe", "--json")
    short = shell.weyr("prices", "compare", "--vcpus", "4", "--memory", "16", "--region", "eu", "--json")
    nowhere = shell.weyr("prices", "A100", "--region", "mars")

    assert written.status == short.status == 0
    assert json.loads(written.out) == json.loads(short.out)
    assert "Areas: us (the United States), eu (Europe)" in nowhere.err


def test_newer_prices_come_in_from_the_providers_own_lists(shell: Shell, lists: str) -> None:
    """A sentinel in the list is refused with its reason, all else holds from then on, and the old prices come back."""
    aws = shell.weyr("prices", "refresh", "aws", "--region", "eu-west-1", "--address", lists)
    azure = shell.weyr("prices", "refresh", "azure", "--region", "westeurope", "--address", lists, "--json")
    committed = json.loads(shell.weyr("prices", "A100", "--reserved", "1", "--region", "eu-west-1", "--json").out)
    spot = json.loads(shell.weyr("prices", "Standard_NC24ads", "--spot", "--json").out)

    assert "2 prices were taken" in aws.out, aws.err
    assert "700" in aws.out
    assert "sentinel" in aws.out
    assert json.loads(azure.out)["kept"] == 2
    assert [offer["usd_per_hour"] for offer in committed["offers"]] == ["15.5"]
    assert [offer["usd_per_hour"] for offer in spot["offers"]] == ["0.9"]
    assert spot["version"] == json.loads(azure.out)["version"]
    assert spot["version"] in {folder.name for folder in (shell.home / "prices").iterdir()}

    shell.weyr("prices", "refresh", "--shipped")
    assert json.loads(shell.weyr("prices", "Standard_NC24ads", "--spot", "--json").out)["offers"] == []


def test_azures_blobs_are_priced_once_their_list_was_read(shell: Shell, lists: str) -> None:
    """Weyr ships what a gigabyte costs in five of Azure's regions: one line fills another, by both of its names."""
    asked = ("prices", "blob", "--region", "germanywestcentral", "--json")
    before = json.loads(shell.weyr(*asked).out)["rates"]
    line = ("prices", "refresh", "azure", "--service", "storage", "--region", "germanywestcentral", "--address", lists)
    read = shell.weyr(*line)
    after = json.loads(shell.weyr(*asked).out)["rates"]
    mistyped = shell.weyr("prices", "refresh", "azure", "--service", "stoarge", "--region", "germanywestcentral")

    assert "storage.hot" not in {rate["name"] for rate in before}
    assert "4 prices were taken" in read.out, read.err + read.out
    assert len(after) == len(before) + 1
    assert "storage.hot" in {rate["name"] for rate in after}
    assert 'Did you mean "storage"?' in mistyped.err


def test_a_service_of_a_region_is_priced_once_its_list_was_read(shell: Shell, lists: str, tmp_path: Path) -> None:
    """Of most regions Weyr ships no machines of databases: whoever deploys there reads that region's list once."""
    (tmp_path / "main.tf").write_text(
        'provider "aws" {\n  region = "eu-west-1"\n}\nresource "aws_db_instance" "db" {\n  engine = "mysql"\n'
        '  instance_class = "db.m5.large"\n  storage_type = "gp3"\n  allocated_storage = 100\n}\n'
    )
    before = json.loads(shell.weyr("price", "terraform", str(tmp_path), "--json").out)
    said = shell.weyr("prices", "refresh", "aws", "--region", "eu-west-1", "--service", "rds", "--address", lists)
    after = json.loads(shell.weyr("price", "terraform", str(tmp_path), "--json").out)
    unknown = shell.weyr("prices", "refresh", "aws", "--region", "eu-west-1", "--service", "rdss", "--address", lists)

    assert "2 prices were taken" in said.out, said.err
    assert float(before["totalMonthlyCost"]) == pytest.approx(100 * 0.127), "its disk is known, its machine is not"
    assert float(after["totalMonthlyCost"]) == pytest.approx(730 * 0.186 + 100 * 0.127)
    assert "rds, s3" in unknown.err


def test_a_list_that_cannot_be_had_changes_nothing(shell: Shell, lists: str) -> None:
    """What fails says what it asked, and the prices that held still do."""
    absent = shell.weyr("prices", "refresh", "aws", "--region", "nowhere-1", "--address", lists)
    google = shell.weyr("prices", "refresh", "gcp", "--region", "europe-west4")

    assert absent.status == 1
    assert "404" in absent.err
    assert "still hold" in absent.err
    assert "API key" in google.err
    assert "--from skypilot" in google.err
    assert not (shell.home / "prices").exists()


def test_a_list_of_skypilots_form_is_read_from_a_file(shell: Shell, tmp_path: Path) -> None:
    """GCP's prices without a key: the catalogue that SkyPilot publishes, once the linter has been over it."""
    folder = tmp_path / "v8" / "gcp"
    folder.mkdir(parents=True)
    rows = ("c4-standard-4,4,15,,,,europe-west4,europe-west4-a,0.21,0.08", "e9-x-4,4,15,,,,europe-west4,,0.1,0.2")
    (folder / "vms.csv").write_text("\n".join((SKYPILOT_COLUMNS, *rows)) + "\n")
    said = shell.weyr(
        "prices", "refresh", "--from", "skypilot", str(tmp_path / "v8"), "--dated", "2026-11-01", "--json"
    )
    told = json.loads(said.out)

    assert told["kept"] == 3
    assert [refusal["rule"] for refusal in told["refused"]] == ["spot above on demand"]
