"""Takes the description out of a reply, whatever is wrapped around it."""

from __future__ import annotations

import re

from affectlm.line.json_answers import json_answers
from affectlm.line.prompt import conclusion
from affectlm.line.thoughts import without_thoughts

_READ = 20_000  # characters of a longer reply that are read
_LAYERS = 5  # most wrappings inside one another

_NAMES = (
    r"(?:answer|description|response|reply|assistant|output|sentence|result|beschreibung|antwort|satz|réponse|phrase"
    r"|descripción|respuesta|frase)"
)
_KEY = re.compile(rf"(?:.*[ _-])?(?:{_NAMES}|text|content|interpretation|conclusion|feeling|emotion)s?$", re.IGNORECASE)
_SECTIONS = re.compile(r"\W*(?:\d\W+)?observations?\b[*_]*\s*(?::|\n)", re.IGNORECASE)
_QUESTION = re.compile(r"\A.*\bdescribe how the person seems to feel\.", re.DOTALL | re.IGNORECASE)
_HEAD = re.compile(
    rf"\A\W{{0,20}}(?:[\w'’-]{{1,40}} ){{0,3}}{_NAMES}s?(?: ?\([^()\n]{{0,40}}\))?[*_ ]*(?::[\s*_]*|\n\s*)",
    re.IGNORECASE,
)
_PREAMBLE = re.compile(  # "Sure!", "I can help with that.", "Here is a sentence:", and any first line with a colon
    r"\A(?:(?:sure(?: thing)?|certainly|of course|absolutely|okay|ok|alright|all right|great(?: question)?|gladly"
    r"|with pleasure|yes|no problem|understood|got it|bien sûr|d'accord|natürlich|gerne?|klar|claro|por supuesto)"
    r"(?: ?[!.]+"
    r"|,(?= (?:here|i)\b)"
    r"| ?[—–:-](?=\s))\s*"
    r"|(?:i|i'd|i’d|i'll|i’ll|happy|glad)\b[^\n.!?:]{0,40}\b(?:help|assist|describe|provide"
    r"|offer)\b[^\n.!?:]{0,60}[.!:]\s*"
    r"|(?:here(?:['’]s)?|voici|hier ist|aquí)\b[^\n.!?:]{0,120}:\s*"
    r"|(?!(?:the|this|a|an|her|his|their) (?:person|face|individual)|he\b|she\b|they\b)[^\n:]{0,200}:[*_]*\s*\n\s*)",
    re.IGNORECASE,
)
_CLOSING = re.compile(  # what is said to the one who asked, and notes about the answer
    r"(?:(?<=[.!?…\"”»*)])\s|\n)[\W_]{0,9}"
    r"(?:(?:i )?(?:really )?hope (?:this|that|it)\b|(?:please )?(?:let me know|feel free|note)\b|would you\b"
    r"|do you (?:want|need)\b|if you\b|is there anything\b|please\b|word count\b|note\b|n\.b\.|disclaimer\b"
    r"|explanation\b"
    r"|reason(?:ing)?:|rationale\b|keep in mind\b|remember\b|i (?:chose|used|based|can|could|kept|have)\b|i['’](?:d"
    r"|m|ve)\b"
    r"|(?:this|the) (?:sentence|description|interpretation|response|answer|assessment)\b|based on (?:a|the) valence\b"
    r"|feedback\b|anything else\b|valence\b|\d+ words\b).*\Z",
    re.DOTALL | re.IGNORECASE,
)
_BULLET = re.compile(r"\A(?:[-•>]|\*(?!\*)|#+)\s+|```\w*|</?[a-z]{1,20}>")
_QUOTES = (
    ('"', '"'), ("'", "'"), ("“", "”"), ("„", "“"), ("‘", "’"), ("«", "»"), ("`", "`"), ("**", "**"), ("*", "*"),
    ("_", "_"),
)  # fmt: skip
_NOTHING = re.compile(
    r"\W*(?:n/?a|none|nil|null|not applicable|no (?:description|answer|response|output))?\W*", re.IGNORECASE
)


def read_description(text: str, *, sections: bool = False) -> str:
    r"""The sentences about the person, without thoughts, JSON, headings, quotation marks and words to who asked.

    Of sections it is the conclusion, or the last paragraph if there is no such heading. "N/A" says nothing.

    >>> read_description('Sure! Here is a sentence:\n\n"She seems calm."\n\nI hope this helps!')
    'She seems calm.'
    >>> read_description('{"description": "She seems calm."}')
    'She seems calm.'
    """
    text = without_thoughts(text)[:_READ]
    if sections:
        text = conclusion(text) or re.split(r"\n\s*\n", text)[-1]
    elif _SECTIONS.match(text):
        text = conclusion(text) or text
    text = _QUESTION.sub("", text)
    for _ in range(_LAYERS):
        text = _unwrapped(text)
    return "" if _NOTHING.fullmatch(text) else text


def _unwrapped(text: str) -> str:
    """The text without its outermost wrapping."""
    text = _BULLET.sub("", text).strip()
    if text[:1] in ("{", "[") and (answers := json_answers(text, _KEY)):
        return answers[-1].strip()
    text = _CLOSING.sub("", _HEAD.sub("", _PREAMBLE.sub("", text))).strip()
    for left, right in _QUOTES:
        inner = text[len(left) : -len(right)]
        if len(text) > len(left) + len(right) and text.startswith(left) and text.endswith(right):
            text = text if left in inner else inner.strip()
    return text
