"""A seed -> English articles as JSON Lines, always the same: load for tests that need many different ones.

    python -m tests.load 10000 --seed 7 --copies 0.05 --revisions 0.05 --redeliveries 0.02 --broken 0.01 > load.jsonl

Sentences are put together from short forms whose words are drawn, so that two articles share hardly any run of three
words: no two are near copies by accident. All of it is made up.
"""

import argparse
import json
import random
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Final

FIRST_NAMES: Final = (
    "Aino Amara Anders Beatriz Bilal Carmen Chidi Clara Dagny Daniel Edda Elias Emeka Esther Farah Felix Freya Gita "
    "Goran Hana Hugo Ines Ivan Jana Jonas Kavya Kemal Lena Liam Lucia Malik Marta Mateo Mira Nadia Nils Noor Olga "
    "Oscar Paula Petra Quentin Rafael Rania Rosa Samir Selma Silas Tariq Tove Ursula Viktor Wanda Yara Yusuf Zofia"
).split()
LAST_NAMES: Final = (
    "Abara Albrecht Ashdown Barros Bergstrom Blackwood Castell Dahlgren Demir Drummond Eklund Falk Fairbanks "
    "Ferreira Galloway Grieg Halloran Hartwell Ibarra Ivarsson Jakande Jansen Kaplan Kestrel Kowal Lindqvist "
    "Lockhart Lund Maddox Marchetti Mbeki Nakamura Novak Okafor Oyelaran Pemberton Petrov Quill Ramires Rossi "
    "Sandoval Sato Sutherland Tanaka Thorne Umarov Vance Varga Wexford Whitlock Xavier Yilmaz Zeller Ziegler"
).split()
PLACES: Final = (
    "Aarhus Accra Adelaide Antwerp Auckland Bergen Bilbao Bogota Bristol Calgary Cardiff Casablanca Chicago Cork "
    "Dakar Dublin Durban Ghent Glasgow Gothenburg Halifax Hamburg Helsinki Hobart Jakarta Kampala Kyoto Lagos Leeds "
    "Leipzig Lima Lisbon Lusaka Lyon Manila Marseille Melbourne Montreal Nagoya Nairobi Naples Osaka Oslo Ottawa "
    "Perth Porto Prague Quito Riga Rotterdam Salzburg Santiago Seville Tallinn Tampere Toronto Turin Utrecht "
    "Valencia Vilnius Warsaw Wellington Zagreb Zurich"
).split()
COMPANY_WORDS: Final = (
    "Alder Amber Apex Arctic Beacon Birch Cobalt Compass Copper Crescent Delta Ember Falcon Granite Harbour Horizon "
    "Juniper Lantern Larch Maple Meridian Northgate Onyx Orchard Pinnacle Quarry Redwood Sable Silverline Summit "
    "Tidal Union Verdant Westbrook"
).split()
COMPANY_KINDS: Final = (
    "Energy Foods Logistics Holdings Airlines Bank Motors Textiles Shipping Instruments Press".split()
)
ADJECTIVES: Final = (
    "abandoned affordable ageing ambitious annual awkward bitter brief broad busy careful cautious central cheap "
    "civic clumsy coastal costly crowded curious delayed digital distant early eastern electric emergency empty "
    "fragile generous gradual hasty hidden historic honest humid independent interim joint late lengthy local lonely "
    "loud marginal modest municipal narrow neglected nervous northern obscure ordinary outdated patient peculiar "
    "permanent pilot popular private quiet rapid rare regional reluctant remote rival rural seasonal secret shallow "
    "sober southern stubborn sudden temporary tense unusual urban vacant western wooden yearly"
).split()
NOUNS: Final = (
    "agreement airport archive auction audit bakery barrier bridge budget campaign canal centre charter choir circus "
    "clinic coalition committee concert contract council court crossing dam debate deposit dispute district dock "
    "drought election embankment engine estate exhibition factory farm ferry festival film fishery flood fund garden "
    "greenhouse harvest hospital hostel inquiry invoice island kitchen laboratory landlord lease library lighthouse "
    "loan lorry market marathon mill mine monument museum nursery observatory office orchestra parade park "
    "parliament patrol pension petition pier pipeline plant playground poll port post printer quarry railway reactor "
    "referendum report reservoir road roof route school seminar sewer shelter ship shop stadium station statue storm "
    "strike studio subsidy survey swamp tariff theatre ticket toll tournament tower tram treaty trial tunnel union "
    "vaccine valley vessel vineyard warehouse well wharf workshop zoo"
).split()
PLURALS: Final = (
    "animals apprentices bakers boats bricks buses cables carpenters chairs children coaches crates cyclists dancers "
    "dentists doctors drivers engineers families farmers fishermen flats gardeners grants guards guests homes hotels "
    "households inspectors islanders jobs judges kiosks lamps lawyers letters maps merchants migrants miners "
    "musicians neighbours nurses officers painters pages parents passengers patients permits pilots plumbers pupils "
    "puppets ramps records refugees residents sailors scholars sheep signatures singers stalls students teachers "
    "tenants tonnes tourists trees turbines vans villagers visitors volunteers voters wagons weavers welders windows "
    "workers"
).split()
PAST_VERBS: Final = (
    "abandoned accepted admired approved attacked backed blamed blocked borrowed bought built cancelled challenged "
    "checked cleaned closed counted criticised defended delayed delivered described designed doubled drained emptied "
    "examined expanded financed flooded followed founded guarded handed ignored improved inherited inspected invited "
    "joined judged launched lifted limited lost measured merged moved named noticed opened ordered overlooked "
    "painted planned praised preferred prepared protected published questioned raised rebuilt recalled refused "
    "rejected rented repaired replaced reported rescued restored returned reviewed saved scrapped secured shared "
    "shortened sold split studied supported suspended tested toured traded trusted unveiled visited watched welcomed"
).split()
ADVERBS: Final = (
    "again almost barely boldly briefly carefully cheaply clearly eagerly early finally firmly formally gently "
    "gladly hastily jointly largely lately merely narrowly nearly neatly never openly partly politely promptly "
    "publicly quickly quietly rarely reluctantly repeatedly secretly sharply silently slowly soon steadily suddenly "
    "twice unexpectedly usually warmly widely wisely"
).split()
DAYS: Final = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS: Final = "January February March April May June July August September October November December".split()

SENTENCES: Final = (
    "The {adjective} {noun} in {place} {verb} {number} {plural} on {day}.",
    "{person} {verb} the {noun} {adverb}, {person} {verb} a {adjective} {noun}.",
    "{company} {adverb} {verb} its {adjective} {noun} near {place}.",
    "In {month} {number} {plural} {verb} the {noun} of {place}.",
    "“{adjective_} {plural} {adverb} {verb} our {noun},” {person} said in {place}.",
    "{plural_} from {place} {verb} {number} {plural}, a {adjective} {noun} {verb} them {adverb}.",
    "{person} of {company} {adverb} {verb} every {noun} between {place} and {place}.",
    "A {noun} that {person} {verb} in {month} {adverb} {verb} {number} {adjective} {plural}.",
    "{adverb_} {company} and {company} {verb} {adjective} {plural} in {place}.",
    "“No {noun} {verb} {plural} so {adverb},” said {person}, whose {noun} {verb} {number} {plural}.",
    "{number} {adjective} {plural} {verb} {place} when the {noun} {adverb} {verb} {company}.",
    "On {day} {person} {adverb} {verb} {adjective} {plural}; {person} {verb} the {noun}.",
    "Neither {person} nor the {adjective} {noun} of {place} {verb} {plural} in {month}.",
    "{place} {adverb} {verb} a {noun} for {number} {plural}, {adjective} {plural} {verb} another {noun}.",
    "Every {adjective} {noun} {verb} {plural}, {company} {adverb} {verb} {number} of them.",
    "{person} {verb} {plural} and {plural} at a {adjective} {noun} outside {place}.",
    "After {day} the {noun} {adverb} {verb} {company}, its {adjective} {plural} {verb} {place}.",
    "{company} {verb} {person} because {number} {plural} {adverb} {verb} a {noun}.",
    "Two {plural} {adverb} {verb} {person}’s {adjective} {noun}, {number} {plural} {verb} {place}.",
    "What {place} {verb} in {month}, {person} {adverb} {verb} with {adjective} {plural}.",
    "{adjective_} {plural} {verb} the {noun}; {number} {plural} {adverb} {verb} {company}.",
    "Since {month} a {adjective} {noun} {adverb} {verb} {plural} from {place} to {place}.",
    "{person} {adverb} {verb} {number} {plural}, {company} {verb} its {noun}.",
    "The {noun} {verb} {place}, the {adjective} {noun} {verb} {plural} {adverb}.",
)  # fmt: skip

_SLOT: Final = re.compile(r"\{(\w+)\}")
_BOILERPLATE: Final = "Leave a Reply\n\nYour email address will not be published. Required fields are marked *"
_EPOCH: Final = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)


def lines(
    articles: int,
    *,
    seed: int,
    source: str = "load.example",
    copies: float = 0.0,
    revisions: float = 0.0,
    redeliveries: float = 0.0,
    broken: float = 0.0,
) -> list[bytes]:
    """So many articles as lines of JSON (with their line end), each with a URL and a title of its own.

    The shares are of `articles` and come on top: exact copies at another source, revisions of an article, lines that
    come again byte for byte, and lines that cannot become an article. None stands before the line that it belongs to.
    """
    draw = random.Random(seed)
    originals = [_article(draw, seed, source, number) for number in range(articles)]
    feed = list(originals)
    for share, change in ((revisions, _revised), (copies, _copied), (redeliveries, _again)):
        for number in sorted(draw.sample(range(articles), round(share * articles))):
            original = originals[number]
            after = feed.index(original) + 1
            feed.insert(draw.randint(after, len(feed)), change(draw, original))
    observed = _EPOCH
    seen: dict[int, str] = {}
    result = []
    for article in feed:
        observed += timedelta(seconds=1)
        # The same object is the same delivery come again: it was observed when it was observed first.
        article["observed_at"] = seen.setdefault(id(article), observed.isoformat())
        result.append(_line(article))
    for number in range(round(broken * articles)):
        result.insert(draw.randint(0, len(result)), _broken(draw, seed, source, number))
    return result


def _article(draw: random.Random, seed: int, source: str, number: int) -> dict[str, str]:
    day = _EPOCH.date() - timedelta(days=draw.randint(0, 300))
    return {
        "source": source,
        "url": f"https://{source}/{seed}/{day:%Y/%m/%d}/story-{number}",
        "title": _sentence(draw).rstrip(".").strip("“”"),
        "byline": _person(draw),
        "body": _body(draw),
        "published_at": f"{day}T{draw.randint(0, 23):02}:{draw.randint(0, 59):02}:00Z",
    }


def _body(draw: random.Random) -> str:
    sentences = [_sentence(draw) for _ in range(draw.randint(12, 30))]
    paragraphs = []
    while sentences:
        size = draw.randint(1, 4)
        paragraphs.append(" ".join(sentences[:size]))
        sentences = sentences[size:]
    return "\n\n".join(paragraphs)


def _revised(draw: random.Random, article: dict[str, str]) -> dict[str, str]:
    return {**article, "body": f"{article['body']}\n\n{_sentence(draw)} {_sentence(draw)}"}


def _copied(draw: random.Random, article: dict[str, str]) -> dict[str, str]:
    return {
        **article,
        "source": f"copy.{article['source']}",
        "url": article["url"].replace("https://", "https://copy.") + f"-copy-{draw.randint(0, 10**9)}",
        "byline": _person(draw),
    }


def _again(_: random.Random, article: dict[str, str]) -> dict[str, str]:
    return article


def _broken(draw: random.Random, seed: int, source: str, number: int) -> bytes:
    """What producers refuse, and what they let through for deduplicate to refuse."""
    article = _article(draw, seed, source, 1_000_000 + number)
    match number % 4:
        case 0:
            return _line(article)[: draw.randint(10, 200)] + b"\n"
        case 1:
            return _line({k: v for k, v in article.items() if k != "body"})
        case 2:
            return json.dumps([article["title"]]).encode() + b"\n"
        case _:
            return _line({**article, "body": _BOILERPLATE})


def _line(article: dict[str, str]) -> bytes:
    return json.dumps(article, ensure_ascii=False).encode() + b"\n"


def _sentence(draw: random.Random) -> str:
    return _SLOT.sub(lambda slot: _word(draw, slot[1]), draw.choice(SENTENCES))


def _word(draw: random.Random, slot: str) -> str:
    if slot.endswith("_"):
        return _word(draw, slot.removesuffix("_")).capitalize()
    if slot == "person":
        return _person(draw)
    if slot == "company":
        return f"{draw.choice(COMPANY_WORDS)} {draw.choice(COMPANY_KINDS)}"
    if slot == "number":
        return f"{draw.randint(2, 99_999):,}"
    return draw.choice(_WORDS[slot])


def _person(draw: random.Random) -> str:
    return f"{draw.choice(FIRST_NAMES)} {draw.choice(LAST_NAMES)}"


_WORDS: Final = {
    "adjective": ADJECTIVES,
    "adverb": ADVERBS,
    "day": DAYS,
    "month": MONTHS,
    "noun": NOUNS,
    "place": PLACES,
    "plural": PLURALS,
    "verb": PAST_VERBS,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Articles as JSON Lines on standard output.")
    parser.add_argument("articles", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--source", default="load.example")
    for share in ("copies", "revisions", "redeliveries", "broken"):
        parser.add_argument(f"--{share}", type=float, default=0.0)
    sys.stdout.buffer.writelines(lines(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
