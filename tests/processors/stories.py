"""Invented articles, and what desks make of them: whole texts for the stories about near copies."""

from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

from pipeline import cleaning
from pipeline.records import Coordinates, Decision, Signature
from processors import fingerprint
from processors.signature_index import SignatureIndex
from tests.pipeline.samples import raw_article
from tests.processors.deliveries import HOUR_MS, MORNING, RAW_ID, index, timedelta

RULES: Final = cleaning.load_rules()


class Told(NamedTuple):
    """One delivery: who tells it, and in which words. Without an address it is an article of its own."""

    source: str
    body: str
    title: str = ""
    url: str | None = None
    byline: str | None = None
    after_hours: float = 1


def signature(number: int, told: Told) -> Signature:
    """The `number`-th record of articles.raw, fingerprinted as the stage does it."""
    article = raw_article(
        delivery_id=UUID(int=1000 + number),
        observed_at=MORNING + timedelta(hours=number),
        source=told.source,
        url=told.url or f"https://{told.source}.example/{number}",
        title=told.title,
        byline=told.byline,
        body=told.body,
    )
    raw = Coordinates(topic_id=RAW_ID, partition=0, offset=number)
    return fingerprint.prepare(article, raw, RULES).signature


def tell(*story: Told, to: SignatureIndex | None = None) -> list[Decision]:
    """What these deliveries are, one after the other."""
    known, now, decisions = to or index(rules_version=RULES.version), 0.0, []
    for number, told in enumerate(story):
        now += told.after_hours * HOUR_MS
        decisions.append(known.apply(signature(number, told), number, int(now)).decision)
    return decisions


def paragraphs(text: str) -> list[str]:
    return text.split("\n\n")


def joined(pieces: Sequence[str]) -> str:
    return "\n\n".join(pieces)


LIGHTHOUSE: Final = """\
The lighthouse at Skarvoy will go dark on Sunday after 164 years, because the reef it warned of was blown up last \
spring to make room for larger ships, the coastal authority said.

The tower, 38 metres high, was built in 1862 by the engineer Petter Almaas, whose great-granddaughter lives in the \
keeper's house and has rented rooms to 1,200 guests a year.

"We looked for any reason to keep the lamp burning and found none that a court would accept," said Ragna Lie, who \
heads the authority's office in Tromvik. She added that the fog horn had already been sold to a museum in Aberdeen.

Fishermen in the sound collected 4,300 signatures against the plan. Their spokesman, Odd Brekke, said that satellite \
receivers fail when ice covers the antenna, which happened to seven boats in the past winter alone.

The municipality wants to take over the building for one krone and open a café in the lamp room. A decision is \
expected in September, when the council meets for the first time after the summer."""

#: The same event, told by somebody else.
LIGHTHOUSE_IN_OTHER_WORDS: Final = """\
Ships passing Skarvoy will have to find their way without its famous light from Monday on. Norway's coastal service is \
switching off the lamp that Petter Almaas put up in 1862, since there is nothing left to warn of: the rocks below were \
removed with dynamite in April.

Nobody is more upset than the men who fish there. Odd Brekke carried a petition with 4,300 names to Tromvik, where \
Ragna Lie received him politely and sent him home. According to her, lawyers had examined every objection.

What about electronic navigation? Brekke laughs. Seven skippers lost their signal in January since their aerials had \
frozen over, he says, and each of them steered by the beam.

For tourists little changes. The granddaughter of the builder's son goes on letting beds in the old house, and the \
town hall dreams of coffee and waffles high above the waves, provided that the tower changes hands for a symbolic \
price. Councillors take this up after their holidays."""

#: On another matter altogether; long enough to hold a smaller text.
HARVEST: Final = """\
Growers in the Ardel valley expect the smallest cherry harvest in three decades after two nights of frost in April \
killed most of the blossom, and several of them have begun to pull out their oldest trees.

Marta Olin, who farms 22 hectares near Sundre, counted nine cherries on a branch that carried two hundred last year. \
She has let all but one of her pickers go. Insurance covers hail, she said, but nobody in the valley was ever offered \
a policy against cold at a price that a family could pay.

Research stations have bred varieties that bloom ten days later. They are firm, dark and sweet, and the trade does not \
want them, since they split in the rain and keep for less than a week in the store. The station at Lomma has been \
asked to cross them again with a wild kind from the Caucasus, which takes at least twelve years.

Meanwhile the cooperative has bought four wind machines that stir the air above the orchards at night. They cost as \
much as a house and can be heard as far away as the church of Sundre, whose vicar has complained twice. Still the \
members voted for six more of them, with only two against.

The state has promised loans at low interest to anybody who replants. Most of those who heard the minister speak in \
the village hall are over sixty, and none of them raised a hand when he asked who would begin."""


def result(home: str, away: str, score: str, crowd: str, scorers: Sequence[str], coach: str, points: int) -> str:
    """A football report as a form writes it."""
    first, second, third = scorers
    return f"""\
{home} and {away} met on Saturday in front of {crowd} spectators, and the match ended {score} after a lively second \
half.

The hosts took the lead through {first}, who headed a corner past the keeper from close range. Shortly before the \
break {second} hit the post from a free kick, and the visitors were lucky to go into the dressing room only one goal \
behind.

After the restart the pace dropped. A misplaced pass in midfield gave {third} the chance to run through on goal, and \
the shot into the far corner left the keeper no chance. Both benches made five changes in the last quarter of an \
hour.

The coach of the hosts, {coach}, said that the team had shown character and that nobody should look at the table this \
early in the season. {home} now have {points} points and travel to the league leaders next week."""


def earnings(company: str, boss: str, numbers: Sequence[str], town: str) -> str:
    """A quarterly report as a bot writes it."""
    revenue, growth, profit, margin, staff, outlook, share, dividend = numbers
    return f"""\
{company} said on Tuesday that revenue in the third quarter rose to {revenue} million euros, up {growth} percent from \
the same period of last year, helped by strong demand in all of its markets.

Net profit came to {profit} million euros, and the operating margin reached {margin} percent. The company, based in \
{town}, employs {staff} people and makes most of its sales abroad.

"We are well on track and confirm our goals for the year," said chief executive {boss} in a statement. For the full \
year the board expects revenue of about {outlook} million euros at constant exchange rates.

Shares in {company} closed at {share} euros on the day before the report. Analysts had on average expected a slightly \
lower result. The board will propose a dividend of {dividend} euros a share to the annual meeting in May."""


def weather(region: str, numbers: Sequence[str], towns: Sequence[str]) -> str:
    """A forecast as a service writes it every day."""
    high, low, wind, rain, coast, night, pollen = numbers
    one, two, three, four = towns
    return f"""\
The day in {region} begins with fog in the valleys, which clears by noon. Temperatures climb to {high} degrees in \
{one} and stay near {low} degrees in {two}. The wind blows from the west at up to {wind} kilometres an hour.

In the afternoon clouds move in from the coast and bring showers, with up to {rain} millimetres of rain expected \
around {three}. Bathers find water of {coast} degrees on the beaches near {four}.

During the night it clears up from the north, and temperatures fall to {night} degrees; ground frost is unlikely. The \
pollen count for grasses is {pollen} on the scale of the health service, which advises people with asthma to keep the \
windows shut in the early hours."""


def obituary(name: str, town: str, work: str, church: str, kin: Sequence[str], numbers: Sequence[str]) -> str:
    """A death notice as a funeral home writes it."""
    age, day, born, years, hour = numbers
    wife, son, daughter, sister, teacher = kin
    return f"""\
{name}, aged {age}, passed away peacefully at home in {town} on the {day} of this month, surrounded by family, after \
a long illness that was borne with patience and good humour.

Born in {born}, {name} worked for {years} years at {work} and was known to all as a person of few words and many \
kindnesses. The garden behind the house, with its roses and its old pear tree, was open to every child of the \
neighbourhood.

Left to mourn are {wife}, the children, {son} and {daughter}, a sister, {sister}, and a lifelong friend, {teacher}, \
besides many nephews and nieces who were always welcome at the table.

The funeral will take place at {hour} in {church}. The family asks that no flowers be sent and thanks the staff of the \
hospice for their tender care. All who knew the deceased are invited to the hall afterwards."""


def stocks(day: str, closes: Sequence[str], changes: Sequence[str]) -> str:
    """A closing table as an exchange writes it."""
    names = "Arvida Boreal Cordan Delmar Estrid Fennoscan Galtvik Hafslo Indre Jotun Kverna Lysaker".split()
    rows = "\n".join(
        f"Shares in {name} closed at {close} after a change of {change} percent"
        for name, close, change in zip(names, closes, changes, strict=True)
    )
    return f"These were the closing prices on the exchange on {day}, as reported by the clearing house.\n{rows}"


#: What one outlet puts under everything; no rule knows it.
COURIER_FOOT: Final = """\
Dear readers, local journalism needs friends. For less than the price of a cup of coffee you help our reporters to sit \
through council meetings, to ring up the fire brigade at night and to ask the questions that nobody else in the valley \
asks. Members get our printed almanac in December and a seat at the summer debate in the old dairy. Whoever wants to \
give a subscription to a neighbour finds the form at every bakery between the two bridges."""

#: Short items of that outlet, on ten matters that have nothing to do with each other.
COURIER_ITEMS: Final = (
    "A moose walked through the centre of Sundre on Friday and spent an hour in the car park of the library. Ranger "
    "Ivar Holm led it back to the woods with a bag of apples. Nobody was hurt; 12 cars were locked in until it left.",
    "The swimming pool at Lomma stays shut until March. A pump from 1974 broke, and no spare part could be found, said "
    "Eva Strand of the sports board. School classes will take a bus to Tarn, where lessons begin 40 minutes later.",
    "Two brothers from Haldby have built a telescope out of scrap. With it Nils and Aron Berg, 15 and 17, photographed "
    "the rings of Saturn from the roof of their barn. The observatory in Kelda has invited them for a week in May.",
    "Voters rejected the new ring road by 1,812 to 1,344. Mayor Gudrun Falk called the outcome clear and said that the "
    "money would now go into cycle paths. Opponents celebrated in the Golden Lamb until the landlord ran out of beer.",
    "For the first time since 1998 storks are nesting on the chimney of the brick works. Retired teacher Olaf Wik "
    "watches them from his balcony and has seen three chicks. The owner will not light the kiln before September.",
    "The choir of Saint Birgitta looks for basses. Of the 46 singers only four can sing that low, complains conductor "
    "Henrike Voss, who plans a requiem for November. Rehearsals are on Wednesdays, and knowing notes is not required.",
    "A burglar who broke into the chemist's fell asleep behind the counter. Police officers woke the man, 31, at seven "
    "and took him to Port Ellis. He had swallowed 9 cough drops, and the pharmacist Anja Roth dropped the charges.",
    "The mill stream ran red on Tuesday. Samples sent to the laboratory at Marrow contained beetroot juice, nothing "
    "worse. A lorry of the cannery Delika had lost 800 litres in a bend, admitted its manager, Jens Palm.",
    "Grandmother Tilda Kvist has knitted her thousandth pair of socks. She began in 1951, when her fiancé went to sea, "
    "and never stopped. The pair is striped in green and goes to the museum of crafts in Strand, which begged for it.",
    "After the storm 230 households had no power for two days. Fitters worked through the night, among them the deputy "
    "head of the utility, Pal Rask, who had not climbed a pole in twenty years. The hospital ran on diesel.",
)

FERRY_IN_GERMAN: Final = """\
Die Fähre zwischen Harnmünde und der Insel Tarsay fährt seit Dienstag nicht mehr. Prüfer hatten im Rumpf der \
„Solveig“ mehrere Risse entdeckt, der längste misst 40 Zentimeter. Das Schiff aus dem Jahr 1979 sollte noch zwei \
Jahre lang fahren.

Geschäftsführerin Maren Holt sprach von einer bitteren, aber unvermeidlichen Entscheidung. Niemand könne verantworten, \
täglich 400 Menschen auf ein Boot zu lassen, dessen Spanten nachgeben.

Bis der Neubau aus Danzig fertig ist, verkehrt ein gemieteter Katamaran, der keine Lastwagen mitnimmt. Die Bauern der \
Insel fürchten um den Schafmarkt im Herbst und verlangen vom Ministerium 2,1 Millionen Euro für ein Frachtschiff.

Im vollbesetzten Schulsaal kam es am Abend zu erregten Wortwechseln; die Polizei musste nicht eingreifen."""

FERRY_IN_RUSSIAN: Final = """\
Паром между портом Харнмут и островом Тарсей не ходит со вторника. Инспекторы обнаружили в корпусе судна «Сольвейг» \
несколько трещин, самая длинная из которых достигает 40 сантиметров. Судно, построенное в 1979 году, должно было \
работать ещё два года.

Директор компании Марен Хольт назвала решение горьким, но неизбежным. По её словам, никто не вправе ежедневно сажать \
400 человек на корабль, у которого не держат шпангоуты.

Пока верфь в Гданьске строит замену, жителей возит арендованный катамаран, который не берёт грузовиков. Фермеры боятся \
за осеннюю ярмарку овец и просят у министерства 2,1 миллиона евро на грузовое судно.

Вечером в переполненном школьном зале дошло до громких споров, однако полиции вмешиваться не пришлось."""
