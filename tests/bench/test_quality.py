import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args
from uuid import UUID

import pytest

from bench.quality import facts, generate, noise, report, rivals, texts, wikinews
from bench.quality.generate import Case, Delivery
from bench.quality.report import Answer
from pipeline import cleaning, identity
from pipeline.records import RawArticle, Signature

needs_texts = pytest.mark.skipif(
    not wikinews.DEFAULT.is_file(), reason="the Wikinews texts of the data folder are not there"
)
#: Least and greatest containment of what is made of an original, or beside it, as the class means it.
MEANT: Mapping[Case, tuple[float, float]] = {
    "syndicated": (0.5, 1),
    "shortened": (0.5, 1),
    "expanded": (0.7, 1),
    "excerpt": (0.5, 1),
    "corrected": (0.75, 1),
    "swallowed": (0.75, 1),
    "revised": (0.7, 1),
    "unchanged": (1, 1),
    "template-copy": (0.55, 1),
    "template-few-names": (0.3, 1),
    "same-event": (0.05, 0.42),
    "press-quote": (0.1, 0.45),
    "short": (1, 1),
    "wall": (1, 1),
}


@pytest.fixture(scope="module")
def deliveries() -> list[Delivery]:
    return generate.stream(1, wikinews.load())


@pytest.fixture(scope="module")
def pairs(deliveries: list[Delivery]) -> list[facts.Pair]:
    return facts.pairs(deliveries)


@pytest.fixture(scope="module")
def own_deliveries() -> list[Delivery]:
    """A stream of hand-written texts alone."""
    return generate.stream(1, ())


def of_case(deliveries: Iterable[Delivery], *cases: Case) -> list[Delivery]:
    return [delivery for delivery in deliveries if delivery.label.case in cases]


def cleaned(delivery: Delivery) -> str:
    return cleaning.clean(delivery.article.body, cleaning.load_rules()).text


def originals(deliveries: Iterable[Delivery]) -> list[Delivery]:
    return [delivery for delivery in deliveries if delivery.label.root is None]


def by_id(deliveries: Iterable[Delivery]) -> dict[UUID | None, Delivery]:
    found: dict[UUID | None, Delivery] = {}
    for delivery in deliveries:
        found.setdefault(delivery.article.delivery_id, delivery)
    return found


def test_the_same_seed_gives_the_same_stream_and_another_seed_another() -> None:
    first, again, other = (list(map(generate.as_json, generate.stream(seed, ()))) for seed in (1, 1, 2))

    assert first == again
    assert set(first).isdisjoint(other)


@needs_texts
def test_the_same_seed_gives_the_same_stream_of_real_texts(deliveries: list[Delivery]) -> None:
    assert generate.stream(1, wikinews.load()) == deliveries


def test_a_line_holds_the_delivery_as_producers_send_it(own_deliveries: list[Delivery]) -> None:
    line = json.loads(generate.as_json(own_deliveries[0]))

    assert RawArticle.model_validate(line["article"]) == own_deliveries[0].article
    assert line["label"]["case"] == own_deliveries[0].label.case


def test_without_the_data_folder_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(wikinews.NoTexts, match=r"There is no gone\.json .* --texts"):
        wikinews.load(tmp_path / "gone.json")


@needs_texts
def test_every_class_has_deliveries(deliveries: list[Delivery]) -> None:
    assert {delivery.label.case for delivery in deliveries} == set(get_args(Case))


@needs_texts
def test_what_is_made_of_an_original_comes_after_it(deliveries: list[Delivery]) -> None:
    seen: set[UUID] = set()
    for delivery in deliveries:
        assert delivery.label.root is None or delivery.label.root in seen
        seen.add(delivery.article.delivery_id)


@needs_texts
@pytest.mark.parametrize("case", MEANT)
def test_a_class_shares_as_much_as_it_says(case: Case, pairs: list[facts.Pair]) -> None:
    least, greatest = MEANT[case]

    found = [pair.containment for pair in pairs if pair.case == case]

    assert found
    assert least <= min(found)
    assert max(found) <= greatest


@needs_texts
def test_no_family_has_much_of_another(deliveries: list[Delivery]) -> None:
    sets = [(d.label.group, wikinews.shingles(cleaned(d))) for d in originals(deliveries) if d.label.case != "short"]

    overlaps = [
        wikinews.containment(one, two)
        for (group, one), (other_group, two) in itertools.combinations(sets, 2)
        if group != other_group
    ]

    assert max(overlaps) < 0.3


@needs_texts
def test_a_swallowed_text_is_less_than_half_and_the_rest_is_a_report_of_its_own(deliveries: list[Delivery]) -> None:
    known = by_id(deliveries)
    for delivery in of_case(deliveries, "swallowed"):
        original = wikinews.shingles(cleaned(known[delivery.label.root]))
        longer = wikinews.shingles(cleaned(delivery))

        assert len(longer - original) > 0.5 * len(longer)
        assert len(longer - original) > 150


@needs_texts
def test_an_expanded_text_is_mostly_the_original(deliveries: list[Delivery]) -> None:
    known = by_id(deliveries)
    for delivery in of_case(deliveries, "expanded"):
        original = wikinews.shingles(cleaned(known[delivery.label.root]))
        longer = wikinews.shingles(cleaned(delivery))

        assert len(longer & original) > 0.4 * len(longer)


@needs_texts
def test_copies_come_from_other_sources_under_other_urls_and_headlines(deliveries: list[Delivery]) -> None:
    known = by_id(deliveries)
    for delivery in deliveries:
        if delivery.label.kind == "copy":
            article, original = delivery.article, known[delivery.label.root].article

            assert article.source != original.source
            assert article.url != original.url
            assert article.title != original.title


@needs_texts
def test_unchanged_says_the_same_and_a_revision_something_else(deliveries: list[Delivery]) -> None:
    current: dict[str | None, str] = {}
    for delivery in deliveries:
        url, label = delivery.article.url, delivery.label
        content = identity.content_hash(delivery.article.title, cleaned(delivery))
        if label.kind == "unchanged":
            assert content == current[url]
        if label.kind == "revision":
            assert content != current[url]
        if label.kind != "redelivery":
            current[url] = content


@needs_texts
def test_a_redelivery_has_the_bytes_of_an_earlier_delivery(deliveries: list[Delivery]) -> None:
    seen: set[tuple[str | None, ...]] = set()
    for delivery in deliveries:
        article = delivery.article
        told = (article.url, article.title, article.body, article.byline)
        assert (told in seen) == (delivery.label.kind == "redelivery")
        seen.add(told)


@needs_texts
def test_articles_of_one_house_share_its_block_alone(deliveries: list[Delivery]) -> None:
    for house in texts.HOUSES:
        found = [d for d in of_case(deliveries, "house-boilerplate") if d.article.source == house.source]
        block = wikinews.shingles(house.text)
        bodies = [wikinews.shingles(d.article.body) - block for d in found]

        assert len(found) > 3
        assert max(wikinews.containment(a, b) for a, b in itertools.combinations(bodies, 2)) < 0.2


def test_no_two_instances_of_a_template_have_the_same_values(own_deliveries: list[Delivery]) -> None:
    values = []
    for delivery in of_case(own_deliveries, "template"):
        sets = facts.Sets.of(delivery.article.body)
        values.append((delivery.label.group, sets.numbers, sets.names))
    for (group, numbers, names), (other_group, other_numbers, other_names) in itertools.combinations(values, 2):
        differing = len(numbers ^ other_numbers) + len(names ^ other_names)
        assert group != other_group or differing >= 6


def test_a_copy_of_an_instance_has_its_values(own_deliveries: list[Delivery]) -> None:
    known = by_id(own_deliveries)
    for delivery in of_case(own_deliveries, "template-copy"):
        original = wikinews.shingles(known[delivery.label.root].article.body)

        # Its own lines and another spelling aside: far more than another instance would have.
        assert wikinews.containment(wikinews.shingles(delivery.article.body), original) > 0.55


def test_reports_of_one_event_share_a_quote_and_little_else() -> None:
    for event in texts.EVENTS:
        one, two = map(wikinews.shingles, event.reports)

        assert 20 <= wikinews.count_words(event.quote) <= 45
        assert all(event.quote in report for report in event.reports)
        assert wikinews.containment(one - wikinews.shingles(event.quote), two) < 0.15


def test_hand_written_texts_have_the_length_that_their_class_needs() -> None:
    assert all(wikinews.count_words(short.text) < 40 for short in texts.SHORTS)
    assert all(cleaning.load_rules().is_wall(wall.text) for wall in texts.WALLS)
    assert all(wikinews.count_words(wall.text) >= 40 for wall in texts.WALLS)
    assert all(60 <= wikinews.count_words(house.text) <= 200 for house in texts.HOUSES)
    assert all(55 <= wikinews.count_words(quote.text) <= 70 for quote in texts.QUOTES)


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ("EADS N.V. ( EADS ) won , a Boeing 's rival said .", "EADS N.V. (EADS) won, a Boeing's rival said."),
        ("He said `` We hit a home run . '' It did n't help .", 'He said "We hit a home run." It didn\'t help.'),
        ("It costs US$ 49 or $ 5 , 60 % more .", "It costs US$49 or $5, 60% more."),
    ],
)
def test_detokenised_text_reads_as_printed(tokens: str, text: str) -> None:
    assert wikinews.detokenise(tokens) == text


def test_the_pipeline_answers_every_delivery_and_short_texts_and_walls_are_new(own_deliveries: list[Delivery]) -> None:
    answers, speed = report.run(own_deliveries, 0, 1)

    assert [answer.delivery for answer in answers] == own_deliveries
    assert speed.deliveries == len(own_deliveries)
    assert {answer.said for answer in answers if answer.delivery.label.case in ("short", "wall")} == {"new"}


def test_the_same_stream_is_decided_alike_among_others(own_deliveries: list[Delivery]) -> None:
    few = own_deliveries[:60]

    alone, _ = report.run(few, 0, 1)
    among_others, _ = report.run(few, 500, 1)

    assert [answer.said for answer in among_others] == [answer.said for answer in alone]


def test_signatures_of_noise_are_records_like_others() -> None:
    made = list(noise.signatures(20, 1, cleaning.load_rules().version))

    for signature in made:
        read = Signature.from_bytes(signature.to_bytes())
        assert read.shingles.tolist() == signature.shingles.tolist() == sorted(set(signature.shingles.tolist()))
        assert read.article_id == signature.article_id
    assert len({signature.article_id for signature in made}) == 20
    again = noise.signatures(20, 1, cleaning.load_rules().version)
    assert [s.shingles.tolist() for s in again] == [s.shingles.tolist() for s in made]


def answer(deliveries: list[Delivery], case: Case, said: str, *, right: bool) -> Answer:
    delivery = deliveries[0]
    return Answer(replace(delivery, label=replace(delivery.label, case=case)), said, right, "")


def test_precision_counts_what_was_called_a_copy_and_recall_what_should_have_been(
    own_deliveries: list[Delivery],
) -> None:
    answers = [
        answer(own_deliveries, "syndicated", "copy", right=True),
        answer(own_deliveries, "syndicated", "copy", right=False),  # of another family
        answer(own_deliveries, "syndicated", "new", right=False),
        answer(own_deliveries, "corrected", "copy", right=True),
        answer(own_deliveries, "template", "copy", right=False),
        answer(own_deliveries, "template", "new", right=True),
    ]

    found = report.rows(answers)

    assert found["syndicated"] == (3, 1, 2, 1)
    assert report.overall(found, report.COUNTED).precision == 2 / 4
    assert report.overall(found, report.COPIES).recall == 2 / 4
    assert report.overall(found, report.LOOKALIKES).called_copy == 1
    assert report.goals(found).count("MISSED") == 3


def test_an_error_is_shown_with_both_texts(own_deliveries: list[Delivery]) -> None:
    wrong = replace(answer(own_deliveries, "template", "copy", right=False), text="one side", against="the other")

    assert "one side" in report.side_by_side(wrong)
    assert "| the other" in report.side_by_side(wrong)
    assert "expected new, got copy" in report.side_by_side(wrong)


def test_a_rival_that_is_not_installed_says_how_to_get_it() -> None:
    assert rivals.missing("no_such_rival") == "no_such_rival not installed: pip install -r requirements/bench.txt"
    assert rivals.missing("numpy") is None


@pytest.mark.parametrize("name", rivals.RIVALS)
def test_a_rival_finds_the_same_text_and_not_another(name: str) -> None:
    package, made = rivals.RIVALS[name]
    if rivals.missing(package):
        pytest.skip(f"{package} is not installed")
    one, two = texts.EVENTS[0].reports
    rival = made()

    assert rival.match(1, one) is None
    assert rival.match(2, two) is None
    assert rival.match(3, f"{one} The end.") == 1
