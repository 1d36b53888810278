"""The story of an article, of its copy and of two sources, in all records that tell of them."""

from pipeline.records import Record
from tests.sinks.samples import article, at, decided, decision, delivery, enriched, enrichment, source_state, version

NEW = decision("new", place=0, text=1, observed=0)
REVISION = decision("revision", place=1, text=2, observed=10)
UNCHANGED = decision(
    "unchanged", place=2, text=3, observed=20, of_version=version(2), of_delivery=delivery(1), of=article(1)
)
REDELIVERY = decision("redelivery", place=3, text=3, observed=25)
RETURN = decision("revision", place=4, text=1, observed=30)
BACKFILL = decision("revision", place=5, text=5, observed=-60)
COPY = decision(
    "copy",
    place=6,
    of_article=2,
    text=6,
    observed=5,
    of=article(1),
    of_version=version(2),
    of_delivery=delivery(1),
    method="near",
    score=0.9,
    threshold=0.45,
    source="site",
)
COPY_REVISED = decision("revision", place=7, of_article=2, text=7, observed=50, same_text_as=article(1), source="site")

STORY: tuple[Record, ...] = (
    decided(NEW, 1),
    enriched(NEW, 1, enrichment("Ada", "Bob")),
    decided(REVISION, 2),
    enriched(REVISION, 2, enrichment("Ada", "Cleo")),
    decided(UNCHANGED, 3),
    decided(REDELIVERY, 3),
    decided(RETURN, 1),
    enriched(RETURN, 1, enrichment("Ada", "Bob", made=201)),
    decided(BACKFILL, 5),
    enriched(BACKFILL, 5, enrichment("Dora")),
    decided(COPY, 6, with_body=True),
    decided(COPY_REVISED, 7),
    enriched(COPY_REVISED, 7, enrichment("Eve")),
    enriched(REVISION, 2, enrichment("Finn", generation=1, made=300)),
    enriched(REVISION, 2, enrichment("Gus", generation=2, made=400)),
    enriched(REVISION, 2, enrichment("Late", generation=1, made=500)),
    source_state("wire", 10, failures=2, state="failing", reason="It does not answer."),
    source_state("wire", 30, alarm="quiet", alarm_since=at(-900)),
    source_state("wire", 20),
    source_state("never", 5),
)
