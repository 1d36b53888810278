"""Texts of one form with other values: what bots and desks write every day. Each instance is an article of its own.

A template draws its names, its numbers and its wording from three generators apart, so that two instances may share
one of them: the next day's table of the same market, or another town's report with the same figures.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple

FIRST: Final = (
    "Ada Alan Amir Anna Boris Carla Chloe Dario David Edith Elena Emil Fatima Felix Fiona Gavin Grace Hassan Helga Ian "
    "Imani Irene Jakob Jin Joan Karim Kofi Laila Leon Lucia Marek Mei Nadia Nils Olga Omar Paula Pedro Priya Quentin "
    "Rosa Ruben Sanna Tariq Tess Ulla Victor Wanda Yara Zoe"
).split()
LAST: Final = (
    "Abbott Adeyemi Almeida Bauer Blake Brandt Castillo Chen Cooper Dalton Diaz Drummond Eriksen Falk Ferreira Gallo "
    "Grant Haddad Hayes Holm Ibarra Ivanova Jansen Kaya Keller Kovacs Lambert Larsen Lindqvist Mancini Marsh Mbeki "
    "Moreau Nakamura Novak Okonkwo Olsen Park Pereira Quinn Rahman Reyes Rossi Sato Schmidt Silva Singh Sorensen "
    "Tanaka Thorne Ueda Vance Varga Walsh Weber Winters Yilmaz Young Zamora Ziegler"
).split()
TOWNS: Final = (
    "Abbotsleigh Aldgrove Ashcombe Barrowdale Bexmouth Brackenford Caldhurst Castlebrook Cleveden Dunholme Eastwick "
    "Elmsworth Fairhaven Farncliffe Glenmarch Greyport Halderby Hexwater Ivelstone Kelmscot Kingsferry Langmere "
    "Larkspur Maybridge Melcaster Netherfield Norwold Oakhampton Penrose Pinewater Quarley Ravenglass Redmoor "
    "Rosebank Saltmarsh Selbrook Silverdale Stonebeck Tarnside Thornbury Tidewell Underhill Vellacott Wainfleet "
    "Westerham Whitcombe Wolverley Wyndale Yarrowby Zelham"
).split()
STREETS: Final = (
    "Acacia Avenue,Bridge Street,Cedar Lane,Church Road,College Green,Dock Road,Elm Close,Foundry Lane,Garden Terrace,"
    "Hill View,Kings Parade,Lime Walk,Market Square,Mill Road,Orchard Way,Park Crescent,Priory Street,Queens Drive,"
    "Saddler Row,School Lane,Spring Gardens,Station Road,Victoria Street,Willow Court"
).split(",")
MASCOTS: Final = "Rovers United Athletic Wanderers City Rangers Albion Town Harriers Borough".split()
STEMS: Final = (
    "Alder Apex Beacon Bluefin Cobalt Corvus Delphin Ember Fjord Granite Helio Indigo Juniper Kestrel Lumen Mistral "
    "Nimbus Orchard Pinnacle Quantum Ridgeline Saffron Tundra Umbra Vector Willow Zephyr"
).split()
TRADES: Final = "Foods Logistics Systems Energy Pharma Retail Steel Networks Insurance Robotics Paper Marine".split()
WEEKDAYS: Final = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS: Final = "January February March April May June July August September October November December".split()


class Draw(NamedTuple):
    """Where the values of one instance come from."""

    names: Random
    numbers: Random
    wording: Random

    def person(self) -> str:
        return f"{self.names.choice(FIRST)} {self.names.choice(LAST)}"

    def surname(self) -> str:
        return self.names.choice(LAST)

    def town(self) -> str:
        return self.names.choice(TOWNS)

    def towns(self, count: int) -> list[str]:
        return self.names.sample(TOWNS, count)

    def street(self) -> str:
        return self.names.choice(STREETS)

    def company(self) -> str:
        return f"{self.names.choice(STEMS)} {self.names.choice(TRADES)}"

    def number(self, low: int, high: int) -> int:
        return self.numbers.randint(low, high)

    def ordinal(self, low: int, high: int) -> str:
        number = self.number(low, high)
        return f"{number}{'th' if 10 < number % 100 < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"

    def decimal(self, low: float, high: float, digits: int = 1) -> str:
        return f"{self.numbers.uniform(low, high):,.{digits}f}"

    def day(self) -> str:
        return self.numbers.choice(WEEKDAYS)

    def date(self) -> str:
        return f"{self.number(1, 28)} {self.numbers.choice(MONTHS)}"

    def say(self, *phrases: str) -> str:
        return self.wording.choice(phrases)


class Text(NamedTuple):
    """A headline and its paragraphs."""

    title: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Template:
    """One form. `serial`: an instance may keep another's names (the same market, the next day). `many_names`: it may
    keep the numbers instead, and is still about somebody else; with few names that would be a correction.
    """

    name: str
    write: Callable[[Draw], Text]
    serial: bool = True
    many_names: bool = True


def football(d: Draw) -> Text:
    one, two = d.towns(2)
    home, away = f"{one} {d.names.choice(MASCOTS)}", f"{two} {d.names.choice(MASCOTS)}"
    goals, against = d.number(1, 5), d.number(0, 4)
    scorer, second, keeper, coach = d.surname(), d.surname(), d.surname(), d.person()
    return Text(
        f"{home} {goals}-{against} {away}",
        (
            f"{home} {d.say('beat', 'saw off', 'faced')} {away} in a match that ended {goals}-{against} at "
            f"{one} Park on {d.day()} in front of {d.number(900, 9800):,} spectators.",
            f"{scorer} opened the scoring in the {d.ordinal(4, 30)} minute with a low shot from the edge of the area, "
            f"and {second} had the ball in the net again in the {d.ordinal(31, 80)} minute after a corner from the "
            f"left. Goalkeeper {keeper} made {d.number(2, 9)} saves for the visitors.",
            f"{home} are now {d.ordinal(1, 20)} in the table with {d.number(10, 60)} points from "
            f"{d.number(12, 30)} games. {away} stay {d.ordinal(1, 20)}. Head coach {coach} said that his team had "
            f"shown character and that the next game was always the most important one.",
            f"Booked: {d.surname()}, {d.surname()}. Referee: {d.person()}.",
        ),
    )


def athletics(d: Draw) -> Text:
    town = d.town()
    winners = [(d.person(), d.town()) for _ in range(9)]
    events = (
        "100 metres",
        "400 metres",
        "1,500 metres",
        "long jump",
        "shot put",
        "javelin",
        "high jump",
        "110 hurdles",
    )
    lines = []
    for event, (name, club) in zip(events, winners, strict=False):
        mark = d.decimal(1.6, 70, 2)
        lines.append(f"{event}: 1. {name} ({club} Harriers) {mark}, 2. {d.person()} {d.decimal(1.6, 70, 2)}.")
    return Text(
        f"Athletics: results from {town}",
        (
            f"Results of the regional athletics meeting in {town} on {d.date()}, attended by {d.number(120, 900)} "
            f"competitors from {d.number(9, 40)} clubs. Wind readings were within the limits throughout.",
            "Women: " + " ".join(lines[:4]),
            "Men: " + " ".join(lines[4:]),
            f"The next meeting takes place in {d.town()} on {d.date()}. Entries close {d.number(3, 14)} days earlier.",
        ),
    )


def earnings(d: Draw) -> Text:
    company, boss = d.company(), d.person()
    quarter = d.numbers.choice(("first", "second", "third", "fourth"))
    net, last = d.number(12, 900), d.number(12, 900)
    return Text(
        f"{company} reports {quarter}-quarter results",
        (
            f"{company} on {d.day()} reported {quarter}-quarter net income of ${net} million, compared with "
            f"${last} million in the same period a year earlier.",
            f"On a per-share basis, the {d.town()}-based company said it had net income of ${d.decimal(0.1, 6, 2)}. "
            f"Earnings, adjusted for one-time gains and costs, came to ${d.decimal(0.1, 6, 2)} per share. The results "
            f"{d.say('topped', 'missed', 'met')} Wall Street expectations. The average estimate of {d.number(3, 24)} "
            f"analysts surveyed was for earnings of ${d.decimal(0.1, 6, 2)} per share.",
            f"The company posted revenue of ${d.decimal(0.2, 9, 2)} billion in the period, against forecasts of "
            f"${d.decimal(0.2, 9, 2)} billion. For the full year it expects revenue in the range of "
            f"${d.decimal(1, 20, 1)} billion to ${d.decimal(20, 40, 1)} billion, chief executive {boss} said.",
            f"{company} shares have risen {d.number(1, 40)} percent since the beginning of the year. In the final "
            f"minutes of trading on {d.day()}, shares hit ${d.decimal(5, 400, 2)}, a change of {d.number(1, 60)} "
            f"percent in the last 12 months.",
        ),
    )


def weather(d: Draw) -> Text:
    region, one, two = d.towns(3)
    skies = ("dry and bright", "mostly cloudy", "wet and windy", "sunny with a light breeze", "foggy at first")
    sky = d.numbers.choice(skies)
    return Text(
        f"Weather for {region}",
        (
            f"The {region} area can expect {sky} conditions on {d.day()}, the meteorological office said. Temperatures "
            f"will reach {d.number(-2, 31)} degrees in {one} and {d.number(-2, 31)} degrees in {two} in the afternoon "
            f"and fall to {d.number(-9, 14)} degrees overnight.",
            f"The chance of rain is {d.number(0, 100)} percent before noon and {d.number(0, 100)} percent after it. "
            f"Winds from the {d.numbers.choice(('north', 'south', 'west', 'east'))} will average {d.number(4, 60)} "
            f"kilometres an hour with gusts of up to {d.number(60, 110)} on exposed hills. Sunrise is at "
            f"{d.number(4, 8)}.{d.number(10, 59)} and sunset at {d.number(16, 21)}.{d.number(10, 59)}.",
            f"The outlook: {d.numbers.choice(skies)} on {d.day()}, then {d.numbers.choice(skies)}. The pollen count is "
            f"{d.numbers.choice(('low', 'moderate', 'high'))} and the air quality index stands at {d.number(1, 9)}.",
        ),
    )


def market(d: Draw) -> Text:
    place = d.town()
    names = [d.company() for _ in range(6)]
    move = d.numbers.choice(("higher", "lower"))
    moves = [f"{name} {d.decimal(1, 400, 2)} ({d.decimal(-9, 9, 2)} percent)" for name in names]
    return Text(
        f"{place} shares close {move}",
        (
            f"Shares on the {place} exchange closed {move} on {d.day()}. The {place} 50 index "
            f"{d.numbers.choice(('gained', 'lost'))} {d.decimal(1, 300, 2)} points, or {d.decimal(0.1, 4, 2)} percent, "
            f"to end at {d.decimal(2000, 9000, 2)}. Volume was {d.decimal(0.4, 5, 2)} billion shares.",
            f"Advancing issues outnumbered decliners by {d.number(400, 2900):,} to {d.number(400, 2900):,} while "
            f"{d.number(20, 200)} were unchanged.",
            f"Most active: {'; '.join(moves)}.",
            f"In currencies, the dollar bought {d.decimal(0.7, 1.3, 4)} euros and {d.decimal(90, 160, 2)} yen. Gold "
            f"was at ${d.decimal(1500, 4200, 2)} an ounce and a barrel of crude oil cost ${d.decimal(50, 120, 2)}.",
        ),
    )


def obituary(d: Draw) -> Text:
    first, last, spouse, town = d.names.choice(FIRST), d.surname(), d.names.choice(FIRST), d.town()
    age, died = d.number(58, 101), d.number(2019, 2026)
    return Text(
        f"{first} {last}, {age}",
        (
            f"{first} {last}, {age}, of {town}, passed away peacefully on {d.date()} surrounded by family. Born on "
            f"{d.date()}, {died - age}, in {d.town()}, {last} was a child of {d.person()} and {d.person()}.",
            f"After school in {d.town()}, {last} worked for {d.company()} for {d.number(11, 44)} years and was known "
            f"to colleagues for patience, good humour and a love of {d.say('gardening', 'fishing', 'choir music')}. "
            f"{last} married {spouse} in {died - age + d.number(21, 35)}; they shared {d.number(20, 60)} years.",
            f"{last} is survived by {spouse}, by {d.number(1, 6)} children, {d.number(1, 12)} grandchildren and "
            f"{d.number(1, 9)} great-grandchildren, and by a sister, {d.person()} of {d.town()}.",
            f"Friends may call at the {d.surname()} Funeral Home, {d.number(1, 240)} {d.street()}, on {d.day()} from "
            f"{d.number(1, 4)} to {d.number(5, 9)} p.m. In lieu of flowers, the family asks for donations to the "
            f"{d.town()} Hospice.",
        ),
    )


def election(d: Draw) -> Text:
    county = d.town()
    lines = []
    for number in range(1, 7):
        winner, loser = d.person(), d.person()
        lines.append(
            f"District {number}: {winner} {d.number(5000, 19000):,} votes ({d.decimal(40, 69, 1)} percent), "
            f"{loser} {d.number(2000, 9000):,} ({d.decimal(20, 40, 1)} percent)."
        )
    return Text(
        f"Election results: {county}",
        (
            f"Results of the council election in {county} with {d.number(80, 100)} percent of the polling stations "
            f"counted, as published by the county clerk on {d.day()} night. Turnout was {d.decimal(31, 78, 1)} "
            f"percent, against {d.decimal(31, 78, 1)} percent four years ago.",
            " ".join(lines[:3]),
            " ".join(lines[3:]),
            f"The results are unofficial until they are certified on {d.date()}. Candidates may ask for a recount "
            f"where the margin is below half a percentage point.",
        ),
    )


def police(d: Draw) -> Text:
    town = d.town()
    entries = (
        f"A {d.number(18, 80)}-year-old {d.say('man', 'woman')} from {d.town()} was arrested on {d.street()} at "
        f"{d.number(1, 12)}:{d.number(10, 59)} p.m. on suspicion of driving under the influence.",
        f"Police were called to a collision of {d.number(2, 5)} vehicles at {d.street()} and {d.street()} at "
        f"{d.number(1, 12)}:{d.number(10, 59)} a.m.; {d.number(1, 6)} people were treated for minor injuries.",
        f"A theft of tools worth ${d.number(120, 9800):,} was reported from a garage in the {d.number(10, 2900)} block "
        f"of {d.street()}.",
        f"Officers responded to a noise complaint on {d.street()} at {d.number(1, 12)}:{d.number(10, 59)} a.m. and "
        f"issued a warning.",
        f"A bicycle valued at ${d.number(90, 4200):,} was taken from outside the library on {d.street()}.",
        f"A {d.number(18, 80)}-year-old driver was cited for going {d.number(45, 99)} in a zone of {d.number(20, 40)} "
        f"near {d.street()}.",
    )
    return Text(
        f"{town} police log",
        (
            f"The following was taken from the log of the {town} Police Department for the week to {d.date()}. All "
            f"persons are presumed innocent until proven guilty.",
            *entries,
            f"The department handled {d.number(90, 700)} calls during the week. Anyone with information may ring "
            f"Sergeant {d.surname()} at {d.number(200, 999)}-{d.number(1000, 9999)}.",
        ),
    )


def property_sales(d: Draw) -> Text:
    town = d.town()
    sales = [
        f"{d.number(1, 240)} {d.street()}, {d.number(2, 6)} bedrooms, {d.number(900, 4200):,} square feet: "
        f"{d.person()} to {d.person()}, ${d.number(140, 990)},{d.number(0, 9)}00."
        for _ in range(7)
    ]
    return Text(
        f"Property transfers in {town}",
        (
            f"These property transfers in {town} were recorded by the registry of deeds between {d.date()} and "
            f"{d.date()}. Transfers without a price and sales between members of a family are left out.",
            " ".join(sales[:4]),
            " ".join(sales[4:]),
            f"The median price in {town} over the last {d.number(3, 12)} months was ${d.number(200, 900)},000, a "
            f"change of {d.decimal(-9, 14, 1)} percent from the year before.",
        ),
    )


def earthquake(d: Draw) -> Text:
    place, near, far = d.towns(3)
    magnitude = d.decimal(3, 7, 1)
    return Text(
        f"Magnitude {magnitude} earthquake near {place}",
        (
            f"A {d.say('shallow', 'light', 'moderate')} magnitude {magnitude} earthquake was reported {d.day()} "
            f"{d.say('morning', 'evening')} {d.number(2, 60)} miles from {place}, according to the geological survey. "
            f"The temblor occurred at {d.number(1, 12)}:{d.number(10, 59)} at a depth of {d.decimal(1, 30, 1)} miles.",
            f"According to the survey, the epicenter was {d.number(5, 80)} miles from {near} and {d.number(40, 200)} "
            f"miles from {far}. In the last 10 days, there have been {d.number(0, 9)} earthquakes of magnitude 3.0 or "
            f"greater centered nearby. An average of {d.number(20, 300)} earthquakes with magnitudes between 3.0 and "
            f"4.0 occur each year in the region.",
            "Did you feel this earthquake? Consider reporting what you felt to the survey. Are you ready when the big "
            "one hits? Keep water for three days, a torch and a radio within reach. This post was created by an "
            "algorithm and reviewed by an editor before publication.",
        ),
    )


def lottery(d: Draw) -> Text:
    game, town, street = (
        d.names.choice(("Lucky Seven", "Golden Six", "Triple Draw", "State Lotto")),
        d.town(),
        d.street(),
    )
    balls = ", ".join(str(ball) for ball in sorted(d.numbers.sample(range(1, 50), 6)))
    return Text(
        f"{game} winning numbers",
        (
            f"The winning numbers in the {game} drawing of {d.day()}, {d.date()}, were {balls}. The bonus ball was "
            f"{d.number(1, 26)} and the multiplier was {d.number(2, 10)}.",
            f"No ticket matched all numbers, so the jackpot rises to an estimated ${d.number(2, 480)} million for the "
            f"next drawing. In all {d.number(9, 99)},{d.number(100, 999)} tickets won smaller prizes; "
            f"{d.number(1, 30)} of them matched five numbers and are worth ${d.number(10, 90)},000 each. One was sold "
            f"at a shop on {street} in {town}.",
            "Tickets are sold until one hour before the drawing. Winners have 180 days to come forward with their "
            "ticket, signed on the back. Players must be at least 18 years old. If gambling has become a problem for "
            "you or someone close to you, help is free and confidential around the clock.",
        ),
    )


def traffic(d: Draw) -> Text:
    road, one, two = d.number(1, 99), d.town(), d.town()
    return Text(
        f"Night closures on Route {road}",
        (
            f"Route {road} will be closed between {one} and {two} for {d.number(2, 14)} nights from {d.date()}, the "
            f"highways department said. Crews will resurface {d.decimal(0.8, 9, 1)} miles of road between "
            f"{d.number(7, 11)} p.m. and {d.number(4, 7)} a.m.",
            f"Traffic will be diverted by way of {d.town()} and {d.street()}, which adds about {d.number(5, 35)} "
            f"minutes to the journey. About {d.number(2, 60)},{d.number(0, 9)}00 vehicles use this stretch each day.",
            f"The work costs {d.decimal(0.3, 8, 1)} million dollars and is carried out by {d.company()}. Access for "
            f"residents and for emergency vehicles will be kept at all times. Work may be put off at short notice when "
            f"it rains; project manager {d.person()} asks drivers to look at the signs.",
        ),
    )


TEMPLATES: Final = (
    Template("football", football),
    Template("athletics", athletics),
    Template("earnings", earnings, many_names=False),
    Template("weather", weather, many_names=False),
    Template("market", market),
    Template("obituary", obituary, serial=False),
    Template("election", election),
    Template("police", police),
    Template("property", property_sales),
    Template("earthquake", earthquake, many_names=False),
    Template("lottery", lottery, many_names=False),
    Template("traffic", traffic, many_names=False),
)
