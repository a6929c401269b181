"""Whether a reply declines to answer.

A refusal is the model declining, near the beginning of its reply, to do what it was asked. Sympathy ("I'm sorry to hear
that"), a person who cannot do something, and a reservation followed by an answer are not refusals.
"""

from __future__ import annotations

import re

from affectlm.line.thoughts import without_thoughts

_READ = 800  # characters that are searched
_NEAR = 400  # characters within which a refusal must begin

_EMPHASIS = re.compile(r"[*_`#>]")
_QUOTED = re.compile(r"\"[^\"]{0,200}\"")
_TYPOGRAPHY = str.maketrans("’‘“”«»", '\'\'""""')

_NOT_KNOWN = r"know(?= (?:how|what|which|whether|if|the|that|this|their|his|her|for)\b| ?[.,;!]|$)"
_JUDGEMENT = (
    r"(?:answers?|labels?|assumptions?|assessments?|judge?ments?|inferences?|determinations?|definiti\w+|descriptions?"
    r"|diagnos[ei]s|opinions?|conclusions?|predictions?|advice|one|it|that)"
)
_PICTURES = r"(?:images?|pictures?|photo\w*|faces?|videos?|emotions?|feelings|minds?|people|visual\w*)"
_DO = (  # what was asked for
    r"(?:assist|answer|respond|reply|determine|ascertain|identify|assess|recogni[sz]e|detect|analy[sz]e|interpret|infer"
    r"|judge|evaluate|speculate|guess|label|classify|categori[sz]e|choose|select|pick|provide|offer|comply|fulfil+"
    r"|discuss|complete|diagnose|predict|generate|comment|conclude|decide|estimate|perceive|gauge|deduce|discern|engage"
    r"|satisfy|describe|participate|continue|process|support|accommodate|name"
    r"|tell(?! (?:a lie|lies))|say(?! (?:enough|no|i|that i)\b)|do (?:so|this|that)\b(?! any)"
    r"|help(?! but\b)(?! (?!identify|determining|answer|interpret|analy|assess|classify)\w+ing\b)"
    rf"|(?:make|give)(?: \w+){{0,2}}? {_JUDGEMENT}|{_NOT_KNOWN}"
    rf"|(?:see|view|look at|open|access|read|observe)(?= (?:\w+ ){{0,2}}?{_PICTURES}\b))\b"
    # "How happy she looks", "a clearer example", "any sign of fear" describe the person.
    r"(?! (?:you )?how (?:much|very|(?!exactly|or|and)\w+ (?:he|she|they|the|this|that|her|his|their|i))\b)"
    r"(?! (?:an?|any) (?:better|more|\w+ier|\w+er (?:example|case|word))\b)(?! any (?:signs?|traces?|hints?|tension)\b)"
)
_WELL = r"(?: (?:just|also|therefore|\w+ly)){0,2}"
_WELL_DO = rf"{_WELL}(?: \w+ (?:or|and))? {_DO}"
_UNABLE = (
    r"(?:unable to|incapable of|not (?:\w+ly )?(?:able|allowed|permitted|programmed|designed|trained|equipped"
    r"|qualified|authori[sz]ed|going|willing|supposed|meant|capable|in a position) (?:to|of))"
)
_CANNOT = (
    rf"(?:cannot|can'?t|can not|could not|couldn't|won't|will not|shouldn't|should not|(?:am|'m){_WELL} {_UNABLE}"
    r"|(?:would not|wouldn't|will not|won't) be able to"
    r"|(?:lack|(?:do not|don't) have|have no)(?: the| any)?"
    r" (?:abilit(?:y|ies)|capabilit(?:y|ies)|capacity|means|way|authority) (?:to|of))"
)
_DECLINE = (
    r"(?:(?:(?:must|have to|need to|would like to|prefer to|will)(?: \w+ly)? )?(?:decline|refuse|abstain|refrain)\b"
    r"(?! to believe)|(?:would|'d) rather not|(?:would |'d )?prefer not to|(?:am|'m) not comfortable"
    r"|have no way of \w+ing|(?:do not|don't) (?:feel comfortable|provide|offer|engage|assist|speculate|do)\b"
    r"|(?:do not|don't) (?:have|possess) (?:\w+ )?(?:enough|sufficient|access to|information|context|feelings|emotions"
    rf"|eyes)\b|(?:do not|don't)(?: \w+ly)? {_NOT_KNOWN})"
)
_APOLOGY = (
    r"(?:(?:i'm |i am |my )?(?:very |so |truly )?(?:sorry|apologies|unfortunately)|i apologi[sz]e)[,.]? ?(?:but )?"
)
_REFUSED = (
    # The model itself.
    rf"(?<![\"'\w])(?:i|we){_WELL} ?(?:{_CANNOT}{_WELL_DO}|{_DECLINE}"
    r"|(?:cannot|can't|can not|won't)(?=(?:, sorry)? ?[.!]*$))",
    rf"\b(?:as|i'm|i am)(?: just| only)? an? (?:[\w-]+ ){{0,3}}?(?:ai|model|assistant|chatbot|machine)\b[^.!?]{{0,80}}?"
    rf"\b(?:cannot|can't|{_UNABLE}|(?:don't|do not) have the ability to){_WELL_DO}",
    rf"\A(?:{_APOLOGY})?(?:unable to|not able to|cannot|can't|won't) (?:help|assist|answer|comply|determine|identify"
    r"|assess|provide|process|classify|infer|detect|recogni[sz]e|tell|say|do)\b(?! any (?:signs?|traces?))",
    rf"\A{_APOLOGY}no(?=[.,!]|$)",
    r"(?:is|'s|isn't) (?:not )?something (?:that )?i (?:can|can't|cannot|won't|(?:am|'m) able to) (?:help|do|assist)\b",
    r"\b(?:against|violates?|outside|beyond)(?: of)? my (?:\w+ )?(?:guidelines?|polic(?:y|ies)|programming|capabilities"
    r"|abilities|scope|expertise|ethic\w*)",
    r"\bmy (?:\w+ )?(?:guidelines?|polic(?:y|ies)|programming|rules?)"
    r" (?:(?:do not|don't|does not|doesn't) (?:allow|permit)|prevents?|prohibits?|forbids?) me\b",
    # Nobody could.
    r"\bit(?: is|'s| would be)(?: \w+ly)? (?:not possible|impossible|inappropriate|not appropriate|unethical"
    rf"|not ethical) (?:for me )?to{_WELL_DO}",
    r"\b(?:cannot|can't|can not) be(?: \w+ly)? (?:determined|identified|assessed|inferred|known|classified|answered)\b",
    r"(?:\A|[.!?,] |\bis |\bbut )(?:there (?:is |isn't |'s ))?(?:not enough|insufficient|not sufficient|enough|no)"
    rf" (?:information|data|context|details?|evidence)(?: \w+){{0,2}}? to{_WELL_DO}",
    r"\b(?:please|kindly|(?:can|could) you)(?: please)? (?:provide|upload|share|attach|send|supply|show)\b[^.!?]{0,30}"
    r"\b(?:images?|pictures?|photo\w*|faces?|videos?)\b",
    r"\b(?:i (?:don't|do not) see (?:an?|any|the)|there is no|no) (?:image|picture|photo\w*)\b",
    # German, French, Spanish.
    r"\b(?:ich kann|kann ich|ich darf|darf ich|ich werde)\b[^.!?]{0,80}?\b(?:nicht|keine?[nmrs]?)\b[^.!?]{0,60}?"
    r"(?:helfen|antworten|bestimmen|feststellen|beurteilen|sagen|erkennen|geben|identifizieren|einschätzen|bewerten"
    r"|zuordnen)\b",
    r"\bich bin (?:leider )?nicht in der lage\b|\b(?:tut mir leid|leider)\b[^.!?]{0,40}\bkann ich nicht\b",
    r"\b(?:je ne (?:peux|puis) pas|je ne suis pas|je ne saurais|il m'est impossible|je refuse)\b"
    r"[^.!?]{0,40}?\b(?:aider|répondre|déterminer|identifier|dire|évaluer|fournir|analyser|reconnaître|faire|donner)\b",
    r"\b(?:no puedo(?! evitar)|no soy capaz de|no me es|no estoy en condiciones de)\b"
    r"[^.!?]{0,40}?\b(?:ayudar\w{0,2}|responder|determinar|identificar|decir|evaluar|proporcionar|analizar|reconocer"
    r"|hacer|dar)\b",
)
_REFUSAL = re.compile("|".join(_REFUSED))

_PERSON = (
    r"(?<!how )(?<!what )(?<!that )(?<!whether )(?<!if )(?:(?:the|this) (?:person|individual|man|woman|subject|child"
    r"|girl|boy|face|expression)|he|she|they|someone)(?: (?:still|\w+ly))?"
)
_SEEMS = rf"\b{_PERSON} (?:seems?|appears?|looks?|feels?|shows?|suggests?|express(?:es)?|conveys?|displays?)\b(?! not)"
_IS = rf"{_PERSON} (?:is|are|may|might|could|must|has|have)\b(?! not)"
_DESCRIBED = re.compile(rf"{_SEEMS}|\b{_IS}|\bi feel\b|\bi(?:'m| am) so (?!sorry)")
_RESUMED = re.compile(r"[.,;:!?]|\b(?:but|however|though|although|yet)\b")
_ANSWER = re.compile(
    rf"{_SEEMS}|(?:\b(?:but|however,?|though|although|still|yet|so|guess|say)|[;:.]) (?:perhaps |maybe )?{_IS}"
    r"|\bif i (?:had|were|have) to\b|\bbest guess\b|\bi(?:'d| would) (?:say|guess|describe|lean|go)\b"
    r"|\bi (?:guess|suspect)\b|\bi (?:think|believe) (?:that )?(?:he|she|they|the|this)\b|\bmost likely\b"
    r"|\byou (?:seem|look|appear)\b"
    r"|\bit (?:seems|appears|looks|could be|might be)\b(?! (?:that |like )?(?:you|your|there|this|i)\b)"
    r"|\b(?:suggests?|indicates?|points? to)\b"
)


def is_refusal(text: str) -> bool:
    """Whether the first 800 characters of a reply decline to answer, in English or common German, French, Spanish.

    >>> is_refusal("I'm sorry, but I can't help with that."), is_refusal("I'm sorry to hear that. They look lost.")
    (True, False)
    >>> is_refusal("She can't help smiling."), is_refusal("I can't be sure how they feel, but they seem at ease.")
    (False, False)
    """
    beginning = _plain(without_thoughts(text)[:_READ])
    refusal = _REFUSAL.search(beginning)
    if refusal is None or refusal.start() > _NEAR or _DESCRIBED.search(beginning, 0, refusal.start()):
        return False
    resumed = _RESUMED.search(beginning, refusal.end())
    return resumed is None or _ANSWER.search(beginning, resumed.start()) is None


def _plain(text: str) -> str:
    """The text on one line in one case, without quotation marks around it and without quotations inside it."""
    text = " ".join(_EMPHASIS.sub("", text.casefold().translate(_TYPOGRAPHY)).split())
    if text[:1] in ("'", '"') and (text[0] not in text[1:-1] or text[0] == "'" == text[-1]):
        text = text.strip("\"'")
    return _QUOTED.sub('""', text)
