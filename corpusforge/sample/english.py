"""The English phrase bank."""

from __future__ import annotations

from collections.abc import Callable

from corpusforge.sample.text import Language, phrases

_PEOPLE = phrases("""
baker / carpenter / librarian / ferryman / teacher / gardener / nurse / engineer / mayor / painter / shepherd
clockmaker / journalist / biologist / neighbour / captain / musician / mechanic / historian / farmer / student
architect / postman / chemist / judge / translator / weaver / fisherman / geologist / conductor / apprentice
volunteer / grandmother / traveller / inspector / miller / photographer / astronomer / beekeeper / glassblower
""")
_THINGS = phrases("""
bridge / harbour / orchard / letter / map / kitchen / garden / engine / lantern / museum / library / workshop
timetable / violin / notebook / telescope / market / mill / river bank / staircase / roof / well / school
ferry / window / chimney / recipe / photograph / painting / newspaper / bicycle / machine / collection
archive
footpath / greenhouse / wall / clock / bell / boat / barn / report / catalogue / festival / tramway / theatre
reservoir / vineyard / dictionary / station / experiment / song / carpet / compass / railway / fountain
courtyard / tower / cellar / harvest / proposal / laboratory / village hall / wooden gate / weather station
""")
_ADJECTIVES = phrases("""
old / quiet / famous / small / patient / careful / ancient / modern / narrow / forgotten / bright / cheerful
unusual / local / retired / clever / modest / busy / wooden / broken / restored / generous / curious / lonely
northern / popular / heavy / gentle / remarkable / simple / colourful / reliable / distant / young / stubborn
humble / elegant / damp / sunny / practical / serious / tiny / enormous / independent / friendly / neglected
""")
_VERBS = phrases("""
repaired / described / discovered / visited / painted / studied / admired / sold / opened / measured
abandoned
protected / inherited / explored / improved / photographed / defended / replaced / rebuilt / mentioned
borrowed
examined / remembered / cleaned / decorated / rented / recommended / completed / designed / financed / noticed
preferred / questioned / catalogued / surveyed / restored / promised / carried / watched / organised
""")
_PLACES = phrases("""
near the river / behind the church / in the middle of the town / at the edge of the forest
on the south coast
beside the canal / under the railway arches / above the valley / in a narrow street / across the square
not far from the border / on a windy hill / next to the post office / in the old quarter / along the shore
outside the city walls / on the way to the station / at the foot of the mountain / in the upper village
between two lakes / within sight of the lighthouse / close to the market / in the shade of the chestnut trees
on the island / opposite the town hall / beyond the last houses / at the mouth of the river / in the suburbs
around the corner / down by the docks / inside the former barracks / on the far side of the meadow
""")
_TIMES = phrases("""
last summer / in the early morning / after the war / during the winter / on a rainy afternoon / a century ago
before the first snow / every other Sunday / at the end of the season / in the spring of {year}
shortly before midnight / over the years / in recent months / at harvest time / for almost a decade
towards the end of her life / within a few days / at the beginning of {year} / once a month / in those days
soon after the opening / between two storms / until the summer of {year} / in the following weeks
on the first day of school / since {year} / by the time the lamps were lit / long before the railway came
""")
_REASONS = phrases("""
nobody else wanted to do it / the money had run out / the weather was about to change / there was still time
it was cheaper than a new one / the council had asked for it / people had always done so
the roads were closed
the old records were incomplete / a friend had insisted / it seemed the right thing to do / they had no choice
the water had risen again / every detail mattered / the plans could not be found / the answer was uncertain
the children were so fond of it / there had been complaints / it made the work easier / the building was empty
""")
_RESULTS = phrases("""
the whole street came to watch / nothing was ever the same again / the work took far longer than expected
the neighbours began to help / it is still in use today / the price doubled within a year / few people noticed
a second attempt was needed / the story appeared in the newspaper / visitors now come from other countries
the results were better than anyone had hoped / the question remains open / most of the families stayed
the idea was copied in other towns / the project was finished ahead of time / even the critics were pleased
""")
_QUOTES = phrases("""
We simply had to begin somewhere / You learn more from a mistake than from a book
I would do it again tomorrow
There is no hurry in this kind of work / It was the best year that we ever had / Nobody believed us at first
The hardest part is to know when to stop / My father would not have understood it / You have to listen first
We were lucky with the weather / That is what this place has always been for / Good tools are half the work
It looks easier than it is / We kept what could be kept / In the end it was a matter of trust
""")
_OPINIONS = phrases("""
it is well known / most visitors agree / the records show / we should not forget / it is often said
older people remember / there is little doubt / the report suggests / everyone could see / it turned out
some experts believe / the diaries tell us / it came as a surprise / careful readers will notice
""")
_PATTERNS = tuple(
    line.strip()
    for line in """
    {time} {subject} {verb} {object} {place}.
    {subject} {verb} {object}, because {reason}.
    {subject} {verb} {object} and {verb} {indefinite} {place}.
    {opinion} that {subject} {verb} {object} {time}.
    {time}, {subject} {verb} {indefinite}, and {result}.
    when {subject} {verb} {object}, {result}.
    although {reason}, {subject} {verb} {object} {place}.
    {place} there is {indefinite} that {subject} {verb} {time}.
    "{quote}," said {subject}, who {verb} {object} with {indefinite}.
    {subject} has {number} good reasons to be proud of {object}.
    about {number} people live {place}, and many of them have seen {object}.
    {opinion} that {reason}, but {subject} {verb} {object} all the same.
    with the help of {person}, {subject} {verb} {object} {time}.
    what {subject} wanted was not {indefinite} but {indefinite} {place}.
    {subject} never {verb} {object}; instead, {person} {verb} {indefinite}.
    if you walk for {number} minutes, you will find {object} {place}.
    it took {number} weeks to build {object}, and {result}.
    {state}, so {subject} {verb} {indefinite} {place}.
    {state}, and yet {opinion} that {result}.
    nobody knows why {subject} {verb} {object} {time}, but {result}.
    of all the things that {subject} {verb}, {object} was the one that people remembered.
    {subject} wrote {number} pages about {object}, which {person} {verb} {time}.
    in {year}, {subject} was asked to look after {object} {place}.
    more than {number} years later, {person} {verb} {object} again.
    {person} and {subject} have different opinions about {object}.
    can {indefinite} change a town? {subject} thinks so, because {reason}.
    there are two ways to reach {object}: on foot, or with {person}.
    to the delight of {person}, {object} was opened to the public {time}.
    {subject} earned less than {number} pounds a month, but {result}.
    "{quote}," {person} explained {time}.
    {time} a letter arrived {place}, and {subject} {verb} it with care.
    neither {subject} nor {person} had ever {verb} {object} before.
    from then on {object} belonged to {person}, since {reason}.
""".strip().splitlines()
)
_HEADINGS = phrases("""
A visit to {object} / What became of {object} / How {subject} {verb} {object} / The story of {object}
Notes on {object} / Why {object} matters / {subject} and {object} / Ten questions about {object}
Life {place} / A short history of {object} / Looking back at {object} / The return of {subject}
""")


def _definite(deal: Callable[[str], str], noun: str) -> str:
    return f"the {deal('adjectives')} {noun}"


def _indefinite(deal: Callable[[str], str]) -> str:
    adjective = deal("adjectives")
    return f"{'an' if adjective[0] in 'aeiou' else 'a'} {adjective} {deal('things')}"


def _time(deal: Callable[[str], str]) -> str:
    return deal("times").replace("{year}", deal("year"))


ENGLISH = Language(
    code="en",
    banks={
        "people": _PEOPLE,
        "things": _THINGS,
        "adjectives": _ADJECTIVES,
        "verb": _VERBS,
        "place": _PLACES,
        "times": _TIMES,
        "reason": _REASONS,
        "result": _RESULTS,
        "quote": _QUOTES,
        "opinion": _OPINIONS,
    },
    patterns=_PATTERNS,
    headings=_HEADINGS,
    builders={
        "subject": lambda deal: _definite(deal, deal("people")),
        "person": lambda deal: f"the {deal('people')}",
        "object": lambda deal: _definite(deal, deal("things")),
        "indefinite": _indefinite,
        "state": lambda deal: f"the {deal('things')} was {deal('adjectives')}",
        "time": _time,
    },
    labels={
        "home": "Home",
        "news": "News",
        "about": "About us",
        "contact": "Contact",
        "login": "Log in",
        "search": "Search",
        "related": "Related articles",
        "cookies": "We use cookies to improve your experience. Accept all cookies",
        "rights": "All rights reserved.",
        "privacy": "Privacy policy",
        "share": "Share this",
        "comments": "0 comments",
        "subscribe": "Subscribe to our newsletter",
    },
)
