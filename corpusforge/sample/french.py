"""The French phrase bank. Nouns carry their gender (m, f) before a colon, adjectives both forms (m|f)."""

from __future__ import annotations

from collections.abc import Callable

from corpusforge.sample.text import Language, phrases

_PEOPLE = phrases("""
m:boulanger / f:bibliothécaire / m:passeur / f:institutrice / m:jardinier / f:infirmière / m:maire / f:voisine
m:horloger / f:musicienne / m:mécanicien / f:historienne / m:meunier / f:étudiante / m:menuisier
f:journaliste
m:apprenti / f:couturière / m:berger / f:photographe / m:capitaine / f:traductrice / m:facteur / m:voyageur
""")
_THINGS = phrases("""
m:pont / m:port / m:verger / f:lettre / f:carte / f:cuisine / m:jardin / f:lanterne / m:musée / f:bibliothèque
m:atelier / m:violon / m:carnet / m:télescope / m:marché / m:moulin / m:escalier / m:toit / m:puits / f:école
f:fenêtre / f:cheminée / f:recette / m:tableau / m:journal / f:machine / f:collection / m:sentier / f:serre
f:cloche / m:bateau / f:grange / m:rapport / m:théâtre / f:vigne / m:dictionnaire / f:gare / f:chanson
f:cave
m:tapis / f:boussole / f:fontaine / f:tour / f:cour / m:projet
""")
_ADJECTIVES = phrases("""
ancien|ancienne / tranquille|tranquille / célèbre|célèbre / patient|patiente / étroit|étroite / oublié|oubliée
joyeux|joyeuse / étrange|étrange / modeste|modeste / généreux|généreuse / curieux|curieuse
solitaire|solitaire
populaire|populaire / lourd|lourde / simple|simple / coloré|colorée / fidèle|fidèle / lointain|lointaine
élégant|élégante / humide|humide / pratique|pratique / sérieux|sérieuse / minuscule|minuscule
immense|immense
précieux|précieuse / discret|discrète / fragile|fragile / charmant|charmante / prudent|prudente
""")
_VERBS = phrases("""
répara / décrivit / découvrit / visita / peignit / étudia / admira / vendit / ouvrit / mesura / abandonna
protégea / explora / photographia / défendit / remplaça / nettoya / décora / loua / recommanda
acheva / dessina / remarqua / préféra / observa / trouva / chercha / garda
""")
_PLACES = phrases("""
près de la rivière / derrière l'église / au milieu de la ville / à la lisière de la forêt / sur la côte
au bord du canal / sous les arches du chemin de fer / au-dessus de la vallée / dans une ruelle étroite
non loin de la frontière / sur une colline venteuse / à côté de la poste / dans la vieille ville
le long du rivage / sur le chemin de la gare / au pied de la montagne / entre deux lacs / sur l'île
à l'ombre des châtaigniers / en face de la mairie / à l'embouchure du fleuve / de l'autre côté du pré
""")
_TIMES = phrases("""
l'été dernier / au petit matin / après la guerre / pendant l'hiver / un après-midi de pluie / il y a un siècle
avant les premières neiges / à la fin de la saison / au printemps {year} / peu avant minuit
au fil des années
ces derniers mois / au temps des vendanges / en quelques jours / au début de l'année {year}
une fois par mois
à cette époque / peu après l'ouverture / dans les semaines suivantes / le premier jour de l'école
""")
_REASONS = phrases("""
personne d'autre ne voulait le faire / l'argent manquait / le temps allait changer
il restait encore du temps
c'était moins cher que du neuf / la commune l'avait demandé / on avait toujours fait ainsi
les routes étaient fermées / les vieux registres étaient incomplets / un ami avait insisté
l'eau avait encore monté / chaque détail avait son importance / les plans restaient introuvables
""")
_RESULTS = phrases("""
toute la rue est venue regarder / rien ne fut plus jamais comme avant
le travail dura plus longtemps que prévu
les voisins se mirent à aider / on s'en sert encore aujourd'hui / le prix doubla en un an
peu de gens s'en aperçurent / il fallut une seconde tentative / la question reste ouverte
la plupart des familles sont restées / même les critiques furent contents
d'autres villes suivirent l'exemple
""")
_QUOTES = phrases("""
Il fallait bien commencer quelque part / On apprend plus d'une erreur que d'un livre / Je le referais demain
Rien ne presse dans ce métier / Ce fut notre meilleure année / Au début, personne ne nous croyait
Il faut d'abord écouter / Un bon outil fait la moitié du travail / C'est moins facile qu'il n'y paraît
""")
_OPINIONS = phrases("""
on sait bien / la plupart des visiteurs pensent / les archives montrent / il ne faut pas oublier
les anciens racontent / le rapport suggère / chacun pouvait voir / quelques experts croient / on raconte
""")
_PATTERNS = tuple(
    line.strip()
    for line in """
    {time}, {subject} {verb} {object} {place}.
    {subject} {verb} {object}, parce que {reason}.
    {subject} {verb} {object} et {verb} {indefinite} {place}.
    {opinion} que {subject} {verb} {object} {time}.
    {time}, {subject} {verb} {indefinite}, et {result}.
    quand {subject} {verb} {object}, {result}.
    comme {reason}, {subject} {verb} {object} {place}.
    {place}, il y a {indefinite} que {subject} {verb} {time}.
    « {quote} », dit {subject}, qui {verb} {object}.
    environ {number} personnes vivent {place}, et beaucoup ont vu {object}.
    {opinion} que {reason}, mais {subject} {verb} quand même {object}.
    avec l'aide des voisins, {subject} {verb} {object} {time}.
    ce que {subject} voulait, ce n'était pas {indefinite} mais {indefinite} {place}.
    en marchant {number} minutes, on trouve {object} {place}.
    il a fallu {number} semaines pour construire {object}, et {result}.
    {state}, alors {subject} {verb} {indefinite} {place}.
    {state}, et pourtant {result}.
    personne ne sait pourquoi {subject} {verb} {object} {time}, mais {result}.
    {subject} écrivit {number} pages sur cette époque avant que les autres ne partent.
    en {year}, on demanda de l'aide {place}, et {subject} {verb} {object}.
    plus de {number} ans après, {subject} {verb} encore {object}.
    {indefinite} peut-il changer une ville ? Pour nous, c'est oui, parce que {reason}.
    « {quote} », expliqua {subject} {time}.
""".strip().splitlines()
)
_HEADINGS = phrases("""
Une visite {place} / Comment {subject} {verb} {object} / {subject} raconte / La vie {place}
Pourquoi {subject} {verb} {object} / Dix questions sur le projet / Un regard en arrière / L'histoire continue
""")


def _elided(gender: str, noun: str) -> str:
    if noun[0] in "aeiouéèêh":
        return f"l'{noun}"
    return f"{'le' if gender == 'm' else 'la'} {noun}"


def _agreeing(deal: Callable[[str], str], gender: str) -> str:
    masculine, feminine = deal("adjectives").split("|")
    return masculine if gender == "m" else feminine


def _definite(deal: Callable[[str], str], bank: str) -> str:
    gender, noun = deal(bank).split(":")
    return f"{_elided(gender, noun)} {_agreeing(deal, gender)}"


def _indefinite(deal: Callable[[str], str]) -> str:
    gender, noun = deal("things").split(":")
    return f"{'un' if gender == 'm' else 'une'} {noun} {_agreeing(deal, gender)}"


def _state(deal: Callable[[str], str]) -> str:
    gender, noun = deal("things").split(":")
    return f"{_elided(gender, noun)} était {_agreeing(deal, gender)}"


FRENCH = Language(
    code="fr",
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
        "subject": lambda deal: _definite(deal, "people"),
        "object": lambda deal: _definite(deal, "things"),
        "indefinite": _indefinite,
        "state": _state,
        "time": lambda deal: deal("times").replace("{year}", deal("year")),
    },
    contractions=((" que un", " qu'un"), (" que on ", " qu'on "), (" que il ", " qu'il ")),
    labels={
        "home": "Accueil",
        "news": "Actualités",
        "about": "À propos",
        "contact": "Contact",
        "login": "Connexion",
        "search": "Rechercher",
        "related": "À lire aussi",
        "cookies": "Nous utilisons des cookies. Tout accepter",
        "rights": "Tous droits réservés.",
        "privacy": "Confidentialité",
        "share": "Partager",
        "comments": "0 commentaire",
        "subscribe": "S'abonner à la lettre",
    },
)
