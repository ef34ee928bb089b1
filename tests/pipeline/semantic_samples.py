"""Own texts: an original, a copy with few words changed, the same in other words, and another page of the same kind."""

SAMPLES = [
    (
        "eng",
        "The city library on Mill Street will close for three weeks in August while the roof is repaired. "
        "Books that are due in this time can be returned to the branch at the station, and no fees will be "
        "charged. The reading room for newspapers moves to the town hall and keeps its usual hours.",
        "The city library on Mill Street will be closed for three weeks in August while its roof is being "
        "repaired. Books due in this time can be returned to the branch at the station, and no fees are "
        "charged. The newspaper reading room moves to the town hall and keeps its usual hours.",
        "For three weeks this August the Mill Street library shuts its doors so that workers can mend the "
        "roof. Anyone with loans falling due then may hand them in at the station branch free of any fine. "
        "Newspapers can be read in the town hall instead, at the same times of day as before.",
        "The city library on Mill Street begins a series of readings in October. Every second Thursday an "
        "author of the region reads from a new novel and answers questions. Tickets cost four euros and are "
        "sold at the desk; members of the library come in free of charge and may bring a friend.",
    ),
    (
        "eng",
        "Wash the lentils and cook them in twice as much water with a bay leaf for twenty minutes. Fry "
        "onions, carrots and garlic in olive oil until they are soft, add cumin and tomatoes, and stir "
        "everything into the lentils. Let the soup stand for a while and serve it with lemon and bread.",
        "Wash the lentils and boil them in twice as much water with a bay leaf for twenty minutes. Fry "
        "onions, carrots and garlic in olive oil until soft, then add cumin and tomatoes, and stir it all "
        "into the lentils. Let the soup rest for a while and serve with lemon and bread.",
        "Rinse your lentils first; they simmer for about twenty minutes in double their volume of water "
        "together with a bay leaf. Meanwhile soften garlic, onion and carrot in some olive oil, season with "
        "cumin, tip in tomatoes and mix with the cooked pulses. Rest the soup briefly, then eat it with bread "
        "and a squeeze of lemon.",
        "Cut the pumpkin into cubes and roast it in the oven with oil and salt for half an hour. Bring stock "
        "and coconut milk to the boil, add ginger and chilli, and blend everything with the pumpkin until the "
        "soup is smooth. Serve it with roasted seeds, fresh coriander and a spoon of yoghurt.",
    ),
    (
        "eng",
        "Before you update the router, save its settings to a file. Open the page of the administrator, "
        "choose System and then Firmware, and select the file that you have downloaded. The device restarts "
        "by itself after about five minutes. Do not switch off the power during this time, or it may not "
        "start again.",
        "Before updating the router, save its settings to a file. Open the administrator's page, choose "
        "System, then Firmware, and select the file you have downloaded. The device restarts on its own after "
        "about five minutes. Do not switch off power during this time, or it may never start again.",
        "Make a backup of the configuration of your router first. In the administration interface you will "
        "find the firmware dialog under System; pick the downloaded image there. It takes roughly five "
        "minutes until the box reboots automatically, and cutting the power meanwhile can leave it unable to "
        "boot.",
        "If the router shows no light, check the power supply first. Hold the reset button at the back for "
        "ten seconds until all lamps blink, then wait until the name of the network appears again. All "
        "settings are lost by this, so the password printed on the label is valid from then on until you set "
        "a new one.",
    ),
    (
        "deu",
        "Der Wanderweg beginnt am Bahnhof und führt zunächst durch den Wald hinauf zur alten Burg. Von dort "
        "hat man bei gutem Wetter einen weiten Blick über das Tal bis zu den Alpen. Der Abstieg über die "
        "Weinberge dauert etwa zwei Stunden, und im Dorf fährt jede Stunde ein Bus zurück.",
        "Der Wanderweg beginnt am Bahnhof und führt zuerst durch den Wald hinauf zur alten Burg. Von dort hat "
        "man bei gutem Wetter einen weiten Blick über das Tal und bis zu den Alpen. Der Abstieg durch die "
        "Weinberge dauert rund zwei Stunden, und im Dorf fährt jede Stunde ein Bus zurück.",
        "Vom Bahnhof aus geht es zu Beginn der Tour bergauf durch Wald, bis die Burgruine erreicht ist. Wer "
        "klare Sicht hat, schaut von hier über das ganze Tal und erkennt die Alpen. Für den Rückweg bergab "
        "zwischen den Reben braucht man ungefähr zwei Stunden; stündlich bringt ein Bus die Wanderer aus dem "
        "Ort heim.",
        "Der Radweg folgt dem Fluss von der Quelle bis zur Mündung und ist fast überall asphaltiert. "
        "Unterwegs liegen Campingplätze, Gasthöfe und ein Museum über die Flößerei. Räder kann man an vier "
        "Stationen leihen und an jeder anderen wieder abgeben, im Sommer sollte man sie einige Tage vorher "
        "bestellen.",
    ),
    (
        "fra",
        "La mairie informe les habitants que le marché du samedi sera déplacé sur la place de la gare pendant "
        "les travaux de la rue principale. Les commerçants seront présents aux heures habituelles et le "
        "stationnement sera gratuit toute la matinée. Les travaux doivent se terminer à la fin du mois de "
        "juin.",
        "La mairie informe les habitants que le marché du samedi est déplacé sur la place de la gare pendant "
        "les travaux dans la rue principale. Les commerçants seront là aux heures habituelles et le "
        "stationnement sera gratuit toute la matinée. Les travaux devraient se terminer à la fin de juin.",
        "Tant que dure le chantier de la rue principale, c'est devant la gare que se tiendra le marché du "
        "samedi, annonce la municipalité. Horaires et vendeurs restent les mêmes, et l'on pourra se garer "
        "sans payer le matin. La fin du chantier est prévue pour les derniers jours de juin.",
        "La mairie informe les habitants que la collecte des déchets verts reprend au mois de mars. Les sacs "
        "doivent être déposés la veille au soir devant la maison et ne pas dépasser quinze kilos. Un "
        "calendrier avec les dates de chaque quartier est distribué dans les boîtes aux lettres.",
    ),
    (
        "spa",
        "El equipo local ganó el domingo por dos goles a uno y sigue primero en la tabla. El visitante marcó "
        "pronto tras un error del portero, pero el empate llegó antes del descanso. El gol decisivo lo hizo "
        "en el último minuto un jugador de diecinueve años que debutaba con el primer equipo.",
        "El equipo local ganó este domingo por dos goles a uno y sigue primero en la tabla. El visitante "
        "marcó pronto tras un fallo del portero, pero el empate llegó antes del descanso. El gol decisivo lo "
        "marcó en el último minuto un jugador de diecinueve años que debutaba en el primer equipo.",
        "Con un 2-1 en casa, los líderes conservan la primera plaza de la clasificación. Un despiste del "
        "guardameta dio ventaja temprana a los de fuera, aunque el marcador ya estaba igualado al final de la "
        "primera mitad. Un debutante de 19 años decidió el partido del domingo cuando el tiempo se acababa.",
        "El club ha presentado a su nueva entrenadora, que llega de la segunda división y firma por dos "
        "temporadas. En la rueda de prensa dijo que quiere un equipo valiente y que dará minutos a los "
        "jóvenes. El primer entrenamiento será el lunes, a puerta cerrada, y el primer amistoso se jugará a "
        "finales de julio.",
    ),
]

# The first original in German.
TRANSLATED = (
    "Die Stadtbibliothek in der Mühlstraße schließt im August für drei Wochen, weil das Dach repariert wird. Bücher, "
    "die in dieser Zeit fällig werden, können in der Zweigstelle am Bahnhof abgegeben werden, Gebühren fallen nicht "
    "an. Der Lesesaal für Zeitungen zieht ins Rathaus um und behält seine Öffnungszeiten."
)
