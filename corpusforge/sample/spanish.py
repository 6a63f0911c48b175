"""The Spanish phrase bank. Nouns carry their gender (m, f) before a colon, adjectives both forms (m|f)."""

from __future__ import annotations

from collections.abc import Callable

from corpusforge.sample.text import Language, phrases

_PEOPLE = phrases("""
m:panadero / f:bibliotecaria / m:barquero / f:maestra / m:jardinero / f:enfermera / m:alcalde / f:vecina
m:relojero / f:periodista / m:mecánico / f:historiadora / m:molinero / f:estudiante / m:carpintero / f:pintora
m:aprendiz / f:costurera / m:pastor / f:fotógrafa / m:capitán / f:traductora / m:cartero / m:viajero
""")
_THINGS = phrases("""
m:puente / m:puerto / m:huerto / f:carta / m:mapa / f:cocina / m:jardín / f:linterna / m:museo / f:biblioteca
m:taller / m:violín / m:cuaderno / m:telescopio / m:mercado / m:molino / f:escalera / m:tejado / m:pozo
f:escuela / f:ventana / f:chimenea / f:receta / m:cuadro / m:periódico / f:bicicleta / f:colección / m:archivo
m:sendero / f:muralla / f:campana / m:barco / m:granero / m:informe / m:teatro / m:viñedo / m:diccionario
f:estación / f:canción / f:brújula / f:fuente / f:torre / m:patio / f:bodega / m:proyecto
""")
_ADJECTIVES = phrases("""
antiguo|antigua / tranquilo|tranquila / famoso|famosa / pequeño|pequeña / paciente|paciente
estrecho|estrecha
olvidado|olvidada / alegre|alegre / extraño|extraña / modesto|modesta / generoso|generosa / curioso|curiosa
solitario|solitaria / popular|popular / pesado|pesada / sencillo|sencilla / colorido|colorida / lejano|lejana
elegante|elegante / húmedo|húmeda / práctico|práctica / serio|seria / diminuto|diminuta / enorme|enorme
valioso|valiosa / discreto|discreta / frágil|frágil / amable|amable / prudente|prudente
""")
_VERBS = phrases("""
reparó / describió / descubrió / visitó / pintó / estudió / admiró / vendió / abrió / midió / abandonó
protegió / heredó / exploró / mejoró / fotografió / defendió / sustituyó / limpió / decoró / alquiló
recomendó / terminó / diseñó / observó / prefirió / encontró / buscó / guardó
""")
_PLACES = phrases("""
cerca del río / detrás de la iglesia / en el centro de la ciudad / al borde del bosque / en la costa
junto al canal / bajo los arcos del ferrocarril / encima del valle / en una calle estrecha / en la isla
no lejos de la frontera / sobre una colina / al lado de correos / en el barrio viejo / a lo largo de la orilla
fuera de las murallas / de camino a la estación / al pie de la montaña / entre dos lagos
frente al ayuntamiento
a la sombra de los castaños / en la desembocadura del río / al otro lado del prado / al final de la calle
""")
_TIMES = phrases("""
el verano pasado / de madrugada / después de la guerra / durante el invierno / una tarde de lluvia
hace un siglo
antes de las primeras nieves / al final de la temporada / en la primavera de {year} / poco antes de medianoche
con el paso de los años / en los últimos meses / en tiempo de cosecha / en pocos días / a principios de {year}
una vez al mes / en aquellos días / poco después de la apertura / en las semanas siguientes
el primer día de clase
""")
_REASONS = phrases("""
nadie más quería hacerlo / se había acabado el dinero / el tiempo iba a cambiar / todavía quedaba tiempo
era más barato que uno nuevo / el ayuntamiento lo había pedido / siempre se había hecho así
las carreteras estaban cortadas / los registros estaban incompletos / un amigo había insistido
el agua había vuelto a subir / cada detalle era importante / los planos no aparecían por ninguna parte
""")
_RESULTS = phrases("""
toda la calle salió a mirar / nada volvió a ser como antes / el trabajo duró mucho más de lo previsto
los vecinos empezaron a ayudar / todavía hoy se usa / el precio se dobló en un año / pocos se dieron cuenta
hizo falta un segundo intento / la pregunta sigue abierta / la mayoría de las familias se quedaron
hasta los críticos estaban contentos / otros pueblos siguieron el ejemplo / la noticia salió en la prensa
""")
_QUOTES = phrases("""
Había que empezar por algún lado / Se aprende más de un error que de un libro / Mañana lo haría otra vez
En este oficio no hay prisa / Fue nuestro mejor año / Al principio nadie nos creía
Primero hay que escuchar / Una buena herramienta es la mitad del trabajo / Es más difícil de lo que parece
""")
_OPINIONS = phrases("""
ya se sabe / muchos visitantes creen / los archivos muestran / no hay que olvidar / los mayores cuentan
el informe sugiere / todos podían ver / resultó / algunos expertos piensan / se dice
""")
_PATTERNS = tuple(
    line.strip()
    for line in """
    {time}, {subject} {verb} {object} {place}.
    {subject} {verb} {object}, porque {reason}.
    {subject} {verb} {object} y {verb} {indefinite} {place}.
    {opinion} que {subject} {verb} {object} {time}.
    {time}, {subject} {verb} {indefinite}, y {result}.
    cuando {subject} {verb} {object}, {result}.
    aunque {reason}, {subject} {verb} {object} {place}.
    {place} hay {indefinite} que {subject} {verb} {time}.
    «{quote}», dijo {subject}, que {verb} {object}.
    unas {number} personas viven {place}, y muchas de ellas han visto {object}.
    {opinion} que {reason}, pero {subject} {verb} {object} de todos modos.
    con la ayuda de los vecinos, {subject} {verb} {object} {time}.
    lo que {subject} quería no era {indefinite} sino {indefinite} {place}.
    si se camina {number} minutos, se encuentra {object} {place}.
    hicieron falta {number} semanas para construir {object}, y {result}.
    {state}, así que {subject} {verb} {indefinite} {place}.
    {state}, y sin embargo {result}.
    nadie sabe por qué {subject} {verb} {object} {time}, pero {result}.
    {subject} escribió {number} páginas sobre aquella época, y {result}.
    en {year}, pidieron ayuda {place}, y {subject} {verb} {object}.
    más de {number} años después, {subject} {verb} otra vez {object}.
    ¿puede {indefinite} cambiar un pueblo? Nosotros creemos que sí, porque {reason}.
    «{quote}», explicó {subject} {time}.
""".strip().splitlines()
)
_HEADINGS = phrases("""
Una visita {place} / Cómo {subject} {verb} {object} / {subject} cuenta su historia / La vida {place}
Por qué {subject} {verb} {object} / Diez preguntas sobre el proyecto / Una mirada atrás / La historia sigue
""")


def _agreeing(deal: Callable[[str], str], gender: str) -> str:
    masculine, feminine = deal("adjectives").split("|")
    return masculine if gender == "m" else feminine


def _definite(deal: Callable[[str], str], bank: str) -> str:
    gender, noun = deal(bank).split(":")
    return f"{'el' if gender == 'm' else 'la'} {noun} {_agreeing(deal, gender)}"


def _indefinite(deal: Callable[[str], str]) -> str:
    gender, noun = deal("things").split(":")
    return f"{'un' if gender == 'm' else 'una'} {noun} {_agreeing(deal, gender)}"


def _state(deal: Callable[[str], str]) -> str:
    gender, noun = deal("things").split(":")
    return f"{'el' if gender == 'm' else 'la'} {noun} era {_agreeing(deal, gender)}"


SPANISH = Language(
    code="es",
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
    labels={
        "home": "Inicio",
        "news": "Noticias",
        "about": "Quiénes somos",
        "contact": "Contacto",
        "login": "Entrar",
        "search": "Buscar",
        "related": "Más artículos",
        "cookies": "Usamos cookies. Aceptar todas",
        "rights": "Todos los derechos reservados.",
        "privacy": "Privacidad",
        "share": "Compartir",
        "comments": "0 comentarios",
        "subscribe": "Suscríbase al boletín",
    },
)
