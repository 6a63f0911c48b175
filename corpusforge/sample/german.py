"""The German phrase bank. Nouns carry their gender (m, f, n) before a colon; endings follow from it."""

from __future__ import annotations

from collections.abc import Callable

from corpusforge.sample.text import Language, phrases

_PEOPLE = phrases("""
m:Bäcker / f:Bibliothekarin / m:Fährmann / f:Lehrerin / m:Gärtner / f:Ärztin / m:Bürgermeister / f:Malerin
m:Uhrmacher / f:Biologin / f:Nachbarin / m:Kapitän / f:Musikerin / m:Mechaniker / f:Historikerin / m:Müller
f:Schülerin / m:Schreiner / f:Reporterin / m:Lehrling / f:Großmutter / m:Imker / f:Richterin / m:Wanderer
""")
_THINGS = phrases("""
f:Brücke / m:Hafen / m:Garten / m:Brief / f:Landkarte / f:Küche / f:Laterne / n:Museum / f:Bücherei
f:Werkstatt
m:Fahrplan / f:Geige / n:Notizbuch / n:Fernrohr / m:Marktplatz / f:Mühle / f:Treppe / n:Dach / m:Brunnen
f:Schule / n:Fenster / m:Schornstein / n:Rezept / n:Gemälde / f:Zeitung / n:Fahrrad / f:Maschine / f:Sammlung
n:Archiv / m:Fußweg / n:Gewächshaus / f:Mauer / f:Glocke / n:Boot / f:Scheune / m:Bericht / n:Theater
m:Weinberg / n:Wörterbuch / m:Bahnhof / m:Versuch / n:Lied / m:Teppich / m:Kompass / m:Turm / m:Keller
""")
_ADJECTIVES = phrases("""
alt / still / berühmt / klein / geduldig / schmal / vergessen / fröhlich / ungewöhnlich / klug / bescheiden
fleißig / großzügig / neugierig / einsam / beliebt / schwer / sanft / einfach / bunt / zuverlässig / jung
feucht / sonnig / praktisch / ernst / winzig / riesig / freundlich / hübsch / gewöhnlich / kostbar / schlicht
""")
_VERBS = phrases("""
reparierte / beschrieb / entdeckte / besuchte / bemalte / untersuchte / bewunderte / verkaufte / öffnete
vermaß
verließ / schützte / erbte / erforschte / verbesserte / fotografierte / verteidigte / ersetzte / erwähnte
reinigte / schmückte / mietete / empfahl / vollendete / entwarf / bezahlte / bemerkte / betrachtete / suchte
""")
_PLACES = phrases("""
in der Nähe des Flusses / hinter der Kirche / mitten in der Stadt / am Rand des Waldes / an der Küste
neben dem Kanal / unter den Bögen der Eisenbahn / oberhalb des Tals / in einer engen Gasse
jenseits der Grenze
auf einem windigen Hügel / gleich neben der Post / in der Altstadt / vor den Toren der Stadt
am Fuß des Berges
auf dem Weg zum Bahnhof / zwischen zwei Seen / im Schatten der Kastanien / auf der Insel
gegenüber dem Rathaus
im oberen Dorf / unten am Ufer / am Ende der langen Straße / auf der anderen Seite der Wiese
""")
_TIMES = phrases("""
im letzten Sommer / am frühen Morgen / nach dem Krieg / während des Winters / an einem regnerischen Nachmittag
vor hundert Jahren / vor dem ersten Schnee / am Ende der Saison / im Frühling {year} / kurz vor Mitternacht
im Laufe der Jahre / in den letzten Monaten / zur Erntezeit / innerhalb weniger Tage
zu Beginn des Jahres {year}
einmal im Monat / in jenen Tagen / bald nach der Eröffnung / in den folgenden Wochen / am ersten Schultag
""")
_REASONS = phrases("""
niemand sonst es machen wollte / das Geld ausgegangen war / das Wetter umschlug / noch genug Zeit blieb
es billiger war als ein neues / die Gemeinde darum gebeten hatte / man es immer so gemacht hatte
die Straßen gesperrt waren / die alten Unterlagen unvollständig waren / ein Freund darauf bestand
das Wasser wieder gestiegen war / jede Einzelheit wichtig war / die Pläne nicht mehr zu finden waren
""")
_RESULTS = phrases("""
die ganze Straße sah dabei zu / nichts war danach wie zuvor / die Arbeit dauerte viel länger als erwartet
die Nachbarn halfen gerne mit / der Preis stieg innerhalb eines Jahres / nur wenige haben es bemerkt
ein zweiter Versuch war nötig / die Geschichte stand später in der Zeitung / die Frage bleibt weiterhin offen
die meisten Familien sind geblieben / auch die Kritiker waren zufrieden
viele andere Orte folgten dem Beispiel
""")
_QUOTES = phrases("""
Irgendwo mussten wir ja anfangen / Aus einem Fehler lernt man mehr als aus einem Buch
Das würde ich wieder tun
Bei dieser Arbeit gibt es keine Eile / Das war unser bestes Jahr / Am Anfang hat uns niemand geglaubt
Man muss zuerst zuhören / Gutes Werkzeug ist die halbe Arbeit / Es sieht leichter aus, als es ist
""")
_OPINIONS = phrases("""
es ist bekannt / viele Besucher finden / die Akten zeigen / man sollte nicht vergessen / ältere Leute erzählen
der Bericht legt nahe / jeder konnte sehen / es stellte sich heraus / einige Fachleute glauben
""")
_PATTERNS = tuple(
    line.strip()
    for line in """
    {time} {verb} {subject} {object} {place}.
    {subject} {verb} {object}, weil {reason}.
    {subject} {verb} {object} und {verb} {indefinite} {place}.
    {opinion}, dass {subject} {time} {object} {verb}.
    {time} {verb} {subject} {indefinite}, und {result}.
    als {subject} {object} {verb}, sagte man: {result}.
    obwohl {reason}, {verb} {subject} {object} {place}.
    {place} gibt es {indefinite}, und {result}.
    „{quote}“, sagte {subject} und {verb} {object}.
    ungefähr {number} Menschen wohnen {place}, und viele von ihnen kennen {object}.
    {opinion}, dass {reason}, aber {subject} {verb} trotzdem {object}.
    mit Hilfe der Nachbarn {verb} {subject} {time} {object}.
    {subject} wollte nicht nur {indefinite}, sondern auch {indefinite} {place}.
    wer {number} Minuten geht, findet {place} {object}.
    der Bau dauerte {number} Wochen, denn {state}.
    {state}, deshalb {verb} {subject} {indefinite} {place}.
    niemand weiß genau, warum {subject} {time} {object} {verb}, doch {result}.
    {subject} schrieb {number} Seiten über diese Zeit und {verb} dann {object}.
    im Jahr {year} sollte sich {subject} um die Zukunft kümmern, und {result}.
    nach mehr als {number} Jahren {verb} {subject} noch einmal {object}.
    kann so etwas eine Stadt verändern? {subject} glaubt es, weil {reason}.
    „{quote}“, erklärte {subject} {time}.
    weder {subject} noch {subject} hatte so etwas vorher gesehen, aber {state}.
""".strip().splitlines()
)
_HEADINGS = phrases("""
Ein Besuch {place} / Wie {subject} {object} {verb} / {subject} erzählt / Das Leben {place}
Warum {subject} {object} {verb} / Zehn Fragen an den Verein / Ein Blick zurück / Was {time} geschah
""")
_NOMINATIVE = {"m": "der", "f": "die", "n": "das"}
_ACCUSATIVE = {"m": "den", "f": "die", "n": "das"}
_INDEFINITE = {"m": "einen", "f": "eine", "n": "ein"}


def _subject(deal: Callable[[str], str]) -> str:
    gender, noun = deal("people").split(":")
    return f"{_NOMINATIVE[gender]} {deal('adjectives')}e {noun}"


def _object(deal: Callable[[str], str]) -> str:
    gender, noun = deal("things").split(":")
    return f"{_ACCUSATIVE[gender]} {deal('adjectives')}{'en' if gender == 'm' else 'e'} {noun}"


def _indefinite(deal: Callable[[str], str]) -> str:
    gender, noun = deal("things").split(":")
    ending = {"m": "en", "f": "e", "n": "es"}[gender]
    return f"{_INDEFINITE[gender]} {deal('adjectives')}{ending} {noun}"


def _state(deal: Callable[[str], str]) -> str:
    gender, noun = deal("things").split(":")
    return f"{_NOMINATIVE[gender]} {noun} war {deal('adjectives')}"


GERMAN = Language(
    code="de",
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
        "subject": _subject,
        "object": _object,
        "indefinite": _indefinite,
        "state": _state,
        "time": lambda deal: deal("times").replace("{year}", deal("year")),
    },
    labels={
        "home": "Startseite",
        "news": "Nachrichten",
        "about": "Über uns",
        "contact": "Kontakt",
        "login": "Anmelden",
        "search": "Suche",
        "related": "Weitere Artikel",
        "cookies": "Wir verwenden Cookies. Alle Cookies akzeptieren",
        "rights": "Alle Rechte vorbehalten.",
        "privacy": "Datenschutz",
        "share": "Teilen",
        "comments": "0 Kommentare",
        "subscribe": "Newsletter bestellen",
    },
)
