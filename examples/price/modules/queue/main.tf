variable "names" {
  type = list(string)
}

resource "aws_sqs_queue" "each" {
  for_each = toset(var.names)
  name     = each.value
}
