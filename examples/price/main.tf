# A small service and its training machines, to be priced: weyr price terraform examples/price
variable "workers" {
  type    = number
  default = 2
}

locals {
  gpu_types = { train = "g4dn.xlarge" }
}

provider "aws" {
  region = "us-east-1"
}

resource "aws_instance" "worker" {
  count         = var.workers
  ami           = "ami-12345678"
  instance_type = "m5.xlarge"

  root_block_device {
    volume_type = "gp3"
    volume_size = 100
  }
}

resource "aws_instance" "gpu" {
  for_each      = local.gpu_types
  ami           = "ami-12345678"
  instance_type = each.value
}

resource "aws_s3_bucket" "data" {
  bucket = "training-data"
}

resource "aws_db_instance" "runs" {
  engine            = "postgres"
  instance_class    = "db.t3.large"
  allocated_storage = 50
}

resource "aws_nat_gateway" "out" {
  subnet_id = "subnet-12345678"
}

module "queue" {
  source = "./modules/queue"
  names  = ["requests", "answers"]
}

resource "aws_iam_role" "worker" {
  name               = "worker"
  assume_role_policy = "{}"
}
