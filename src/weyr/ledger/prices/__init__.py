"""What does a thing cost? Price books, offers of machines, rates of services: data, each with its source and date."""

from weyr.ledger.prices.books import (
    CPU,
    CPU_SPOT,
    CURRENCY,
    DEFAULT_BOOK,
    EGRESS_FAR,
    EGRESS_LOCAL,
    MEMORY,
    MEMORY_SPOT,
    NODE_MONEY,
    REQUESTS_READ,
    REQUESTS_WRITE,
    STORAGE,
    PriceBook,
    own_book,
)
from weyr.ledger.prices.catalogue import Catalogue
from weyr.ledger.prices.offers import Machine, Offer, Purchase
from weyr.ledger.prices.rates import Rate, Step

__all__ = [
    "CPU",
    "CPU_SPOT",
    "CURRENCY",
    "DEFAULT_BOOK",
    "EGRESS_FAR",
    "EGRESS_LOCAL",
    "MEMORY",
    "MEMORY_SPOT",
    "NODE_MONEY",
    "REQUESTS_READ",
    "REQUESTS_WRITE",
    "STORAGE",
    "Catalogue",
    "Machine",
    "Offer",
    "PriceBook",
    "Purchase",
    "Rate",
    "Step",
    "own_book",
]
