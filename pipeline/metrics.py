"""Every metric, with its meaning. Labels are closed sets: stages, topics, kinds, reasons; never a URL or a title."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from pipeline.errors import SettingError

_SECONDS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)

records_received = Counter("news_records_received_total", "Records a stage took from a topic", ["stage"])
records_sent = Counter("news_records_sent_total", "Records the broker acknowledged", ["stage", "topic"])
dead_letters = Counter("news_dead_letters_total", "Records that can never succeed", ["stage", "reason"])
decisions = Counter("news_decisions_total", "Deliveries decided, replays not counted", ["kind"])
replays = Counter("news_replays_total", "Records seen again at the same raw coordinates, after a crash or rebalance")
forgets = Counter("news_forgets_total", "Erased articles that the deduplication index was told to forget")
rows_written = Counter("news_rows_written_total", "Rows written to PostgreSQL", ["table"])
rows_retired = Counter("news_rows_retired_total", "Rows that retention removed from PostgreSQL", ["rule", "table"])
retention_passes = Counter(
    "news_retention_passes_total", "Times a sink went through what is to go", ["outcome"]
)  # done, postponed, failed
retries = Counter("news_retries_total", "Times a stage waited for a service and tried the same work again", ["stage"])
batch_seconds = Histogram("news_batch_duration_seconds", "Time a stage spent on one batch", ["stage"], buckets=_SECONDS)
log_wait_seconds = Histogram(
    "news_signature_log_wait_seconds", "Append to the signature log until its replica has it", buckets=_SECONDS
)
index_entries = Gauge("news_signature_index_entries", "Deliveries the deduplication index knows")
index_bytes = Gauge("news_signature_index_bytes", "Room the deduplication index takes", ["where"])  # memory, files
spool_records = Gauge("news_spool_records", "Records in the spool that the broker has not acknowledged")
records_dropped = Counter("news_records_dropped_total", "Records left out on purpose", ["stage", "reason"])
pool_restarts = Counter("news_nlp_pool_restarts_total", "NLP processes that died, hung or failed and were replaced")
extraction_restarts = Counter(
    "news_extraction_restarts_total", "Extraction processes that died, hung or failed and were replaced"
)
fetches = Counter(
    "news_fetches_total", "Fetches of URLs, redirects not counted", ["accept", "result"]
)  # ok, unchanged, Why
fetch_seconds = Histogram("news_fetch_duration_seconds", "Time a fetch took, with its redirects", buckets=_SECONDS)
polls = Counter("news_source_polls_total", "Polls of feeds and sitemaps", ["outcome"])  # read, unchanged, a fetch.Why
polled_entries = Counter("news_source_entries_total", "Entries that polls found", ["seen"])  # new, known, changed
poll_gaps = Counter("news_source_gaps_total", "Polls that knew none of the entries: some may have been missed before")
pages = Counter(
    "news_source_pages_total", "Pages fetched for entries", ["outcome"]
)  # article, teaser, dead-letter, later
pages_waiting = Gauge("news_source_pages_waiting", "Pages of entries that are to be fetched")
sources = Gauge("news_sources", "Polled sources by state", ["state"])  # ok, failing, disabled, gone
source_alarms = Gauge("news_source_alarms", "Sources whose silence is an alarm", ["alarm"])  # quiet, empty, all-known
http_requests = Counter("news_http_requests_total", "Requests answered by the HTTP API", ["route", "status"])  # "2xx"
http_articles = Counter(
    "news_http_articles_total",
    "Articles that came by HTTP: accepted, refused, or in a request that came again",
    ["result"],
)


def serve(host: str, port: int | None) -> None:
    """Serve /metrics at this address and port; None: not at all. Raises SettingError where nothing can listen there."""
    if port is None:
        return
    try:
        start_http_server(port, addr=host)
    except OSError as error:
        raise SettingError(
            f"NEWS_METRICS__HOST, NEWS_METRICS__PORT: nothing can listen at {host}:{port}: {error.strerror}; "
            "choose another port, or end what listens there."
        ) from None
