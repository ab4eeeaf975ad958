"""What does an order say once it is known where the members of its gang run?"""

from collections.abc import Sequence

from weyr.attempt.task_folder import Order
from weyr.core.capability import Gang
from weyr.core.ranks import rank_env


def placed(order: Order, addresses: Sequence[str]) -> Order:
    """The order with its rank variables. Takes the members' addresses, by rank. What the user wrote goes over them."""
    ranks = order["ranks"]
    gang = Gang(ranks["name"], ranks["size"], ranks["rank"])
    env = rank_env(gang, addresses, ranks["port"], ranks["gpus"], rendezvous=ranks["name"])
    return {**order, "env": env | order["env"]}
