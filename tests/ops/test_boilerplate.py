"""What a source repeats becomes a proposal: the pure part by tables, the command on a database."""

import tomllib
from importlib import resources

import pytest

from ops import boilerplate
from pipeline import cleaning, identity
from pipeline.records import Body
from sinks import database, postgres, queries
from tests.running import Outcome, run_news
from tests.sinks.samples import Feed, at, decided, decision, enriched, enrichment

RULES = cleaning.load_rules()
SUBJECTS = ["tunnel", "ferry", "library", "bridge", "harbour", "railway", "market", "cinema"]


def texts(dressed: str, count: int = 8) -> list[str]:
    """Articles of their own, each dressed like the others; {} in the dress is another word each time."""
    return [
        dressed.format(
            f"The {subject} opened in the {subject} district.\n"
            f"Nobody had seen a {subject} there before.\n"
            f"The {subject} cost {number} million.\n"
            f"A second {subject} is planned.\n"
            f"The mayor cut a ribbon before the {subject}.\n"
            f"It rained on the {subject}.\n"
            f"Children sang about the {subject}.\n"
            f"The {subject} closes at {number}.\n"
            f"Every {subject} needs a keeper.\n"
            f"The {subject} has one.\n"
            f"Her name is {subject.title()}."
        )
        for number, subject in enumerate(SUBJECTS[:count], start=10)
    ]


@pytest.mark.parametrize(
    ("dressed", "found"),
    [
        ("{}", []),
        ("{}\nAll about Bergen every Friday", [("All about Bergen every Friday", "tail", 8)]),
        ("Harbour desk\n{}", [("Harbour desk", "head", 8)]),
        ("{0}\nWeather by Nordic Sky\n{0}", [("Weather by Nordic Sky", "anywhere", 8)]),
        ("{}\nThe Harbour Desk\n\u201cThe  harbour desk\u201d", [("The Harbour Desk", "tail", 8)]),
        ("{}\nLeave a Reply\nShare this article", []),
        ("{}\n***\n12", []),
        ("{}\n" + "A long line. " * 40, [("A long line.", "tail", 8)]),
    ],
    ids=["nothing", "tail", "head", "anywhere", "typography", "cut already", "no words", "longer than rules look"],
)
def test_lines_that_many_articles_repeat_are_found(dressed: str, found: list[tuple[str, str, int]]) -> None:
    repeated = boilerplate.repeated(texts(dressed), RULES)

    wanted = {text for text, _, _ in found}
    assert [(r.text, r.where, r.articles) for r in repeated if r.text in wanted] == found
    assert {identity.normalised(r.text).strip('"') for r in repeated} == {text.lower() for text in wanted}


def test_a_sentence_inside_longer_lines_is_found_as_a_part() -> None:
    dressed = [f"{text} Anna Lind reports for the Harbour Desk." for text in texts("{}")]

    (found,) = boilerplate.repeated(dressed, RULES)

    assert (found.text, found.is_line, found.articles) == ("Anna Lind reports for the Harbour Desk.", False, 8)
    (proposal,) = boilerplate.proposals([found])
    assert proposal.rule is None
    assert tomllib.loads(proposal.as_toml()) == {}


def test_a_sentence_is_not_told_beside_the_line_it_stands_in() -> None:
    found = boilerplate.repeated(texts("{}\nOur desk is open. Come in."), RULES)

    assert [r.text for r in found] == ["Our desk is open. Come in."]


@pytest.mark.parametrize(
    ("dressed_ones", "of", "min_articles", "is_found"), [(5, 8, 5, True), (4, 8, 5, False), (2, 8, 2, True)]
)
def test_a_line_counts_from_so_many_articles_on(dressed_ones: int, of: int, min_articles: int, is_found: bool) -> None:
    articles = [*texts("{}\nHarbour desk")[:dressed_ones], *texts("{}")[dressed_ones:of]]

    found = boilerplate.repeated(articles, RULES, min_articles=min_articles)

    assert [(r.articles, r.of) for r in found] == ([(dressed_ones, of)] if is_found else [])


def test_a_line_in_a_small_part_of_the_articles_is_their_subject() -> None:
    articles = [f"{number} ships came.\nNobody counted {number}." for number in range(195)]

    assert boilerplate.repeated([*articles, *["Harbour desk"] * 5], RULES, min_share=0.0)
    assert boilerplate.repeated([*articles, *["Harbour desk"] * 5], RULES) == []


def test_what_is_held_is_bounded_and_what_repeats_is_found_all_the_same() -> None:
    found = boilerplate.repeated(texts("{}\nHarbour desk"), RULES, max_pieces=16)

    assert [r.text for r in found] == ["Harbour desk"]


def test_a_line_twice_in_one_article_counts_once() -> None:
    (found,) = boilerplate.repeated(texts("Harbour desk\n{}\nHarbour desk"), RULES)

    assert (found.articles, found.at_tail, found.at_head, found.elsewhere) == (8, 8, 0, 0)


LINES = [
    "All about Bergen every Friday",
    "C++ (and more): $5 a month* | see [here] ^ {now}?",
    "It's \"free\", isn't it \\ or not",
    "Caf\u00e9\u00a0Bergen \u2013 the \u2028 place".replace("\u2028", "\u202e"),
    "<agency> & <names>",
    "\u0441\u043b\u0443\u0436\u0431\u0430 \u043d\u043e\u0432\u043e\u0441\u0442\u0435\u0439",
    "A line of more than a hundred and sixty characters, as they stand below the articles of an outlet that wants to "
    "tell its readers everything about itself, its owners and its prizes",
]


@pytest.mark.parametrize("line", LINES)
def test_a_proposal_pasted_into_the_file_cuts_the_line(line: str) -> None:
    file = (resources.files("pipeline") / "cleaning-rules.toml").read_text(encoding="utf-8")
    (proposal,) = boilerplate.proposals([boilerplate.Repeated(line, True, 8, 10, 0, 8)])

    rules = cleaning.rules_of(f"{file}\n{proposal.as_toml()}")

    rule = rules.rules[-1]
    assert (rule.example, rule.where) == (line, "tail")
    assert rule in rules.match(line.replace("\u00a0", " "))
    assert cleaning.clean(f"The tunnel opened on Monday.\n{line}", rules).text == "The tunnel opened on Monday."
    assert all(c.isprintable() or c == "\n" for c in proposal.as_toml())


def test_names_of_proposals_are_free() -> None:
    found = [
        boilerplate.Repeated(text, True, 8, 10, 0, 8)
        for text in ("Share!", "Share?", "\u2192\u2192\u2192 \u0434\u0430\u0434")
    ]

    named = [p.rule.name for p in boilerplate.proposals(found, ["share"]) if p.rule]

    assert named == ["share-2", "share-3", "line"]


def test_a_proposal_says_in_how_many_articles_and_where() -> None:
    (proposal,) = boilerplate.proposals([boilerplate.Repeated("Harbour desk.", True, 8, 10, 1, 6)])

    assert proposal.as_toml() == (
        "# in 8 of 10 articles (80%): at the head 1, at the tail 6, elsewhere 1\n"
        "[[rule]]\n"
        'name = "harbour-desk"\n'
        'where = "anywhere"\n'
        "pattern = 'Harbour desk\\.'\n"
        'example = "Harbour desk."\n'
    )
    assert proposal.as_row() == {
        "articles": 8,
        "of": 10,
        "share": 0.8,
        "at_head": 1,
        "at_tail": 6,
        "elsewhere": 1,
        "text": "Harbour desk.",
        "name": "harbour-desk",
        "where": "anywhere",
        "pattern": "Harbour desk\\.",
        "longest": 160,
    }


@pytest.fixture
def stored(database_url: str) -> str:
    """Six articles of "wire" with a line of their outlet, one of another source, and a copy."""
    connection = database.connect(database_url, 30)
    feed, records = Feed(), []
    for n, text in enumerate(texts("{}\nHarbour desk", 6), start=1):
        made = decision("new", place=n, of_article=n, text=n, observed=n, decided_at=at(n))
        article = enriched(made, n, enrichment("Bob"))
        records += [decided(made, n), article.model_copy(update={"body": _body(text, n)})]
    other = decision("new", place=7, of_article=7, text=7, observed=7, source="island")
    records += [decided(other, 7), enriched(other, 7, enrichment("Bob"))]
    postgres.write_batch(connection, feed.incoming(*records))
    connection.close()
    return database_url


def _body(text: str, number: int) -> Body:
    return Body(raw=text, text=text, removed=(), content_hash=f"{number:064x}")


def suggest(url: str, *arguments: str) -> Outcome:
    return run_news("boilerplate", "suggest", *arguments, NEWS_DATABASE__URL=url)


@pytest.mark.services
def test_texts_of_a_source_come_newest_first_and_no_more_than_asked(stored: str) -> None:
    with database.connect(stored, 30) as connection:
        found = list(queries.texts_of_source(connection, "wire", None, 4))
        recent = list(queries.texts_of_source(connection, "wire", at(5), 100))

    assert [text.split()[1] for text in found] == ["railway", "harbour", "bridge", "library"]
    assert [text.split()[1] for text in recent] == ["railway", "harbour"]


@pytest.mark.services
def test_suggest_prints_rules_to_paste_and_json_for_programs(stored: str) -> None:
    told, rows = suggest(stored, "--source", "wire"), suggest(stored, "--source", "wire", "--json")

    assert (told.status, told.err) == (0, "")
    assert told.out.startswith("# in 6 of 6 articles (100%): at the head 0, at the tail 6, elsewhere 0\n")
    (rule,) = tomllib.loads(told.out)["rule"]
    assert (rule["example"], rule["where"]) == ("Harbour desk", "tail")
    (row,) = rows.rows()
    assert (row["text"], row["articles"], row["share"]) == ("Harbour desk", 6, 1.0)


@pytest.mark.services
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--source", "nobody"), 1, "There is no article of nobody"),
        (("--source", "wire", "--min-articles", "7"), 0, "Nothing repeats"),
        ((), 2, "--source"),
    ],
)
def test_suggest_says_what_it_did_not_find(stored: str, arguments: tuple[str, ...], status: int, said: str) -> None:
    done = suggest(stored, *arguments)

    assert (done.status, done.out) == (status, "")
    assert said in done.err
