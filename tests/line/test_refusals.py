"""Whether a reply declines to answer."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from affectlm.line.refusals import is_refusal

ANSWERS = (
    "I'm sorry to hear that.",
    "I'm so sorry to hear that. The person must be going through a hard time.",
    "The person cannot believe their luck.",
    "She looks as if she can't help smiling.",
    "He seems unable to relax.",
    "I can't help but notice a smile: happiness",
    "I cannot help noticing how tense the jaw is; they look afraid.",
    "The person is unable to hide their joy.",
    "They feel they can't cope any more.",
    "Unable to relax, the person stares ahead.",
    "She can't tell whether to laugh or cry.",
    "He cannot say what troubles him, but he looks sad.",
    "The person is refusing to cry.",
    "They won't let anything spoil their mood.",
    "It seems that the person cannot help feeling anxious.",
    "I won't lie, she looks sad.",
    "I can't deny that he seems delighted.",
    "I cannot imagine a happier face.",
    "I can't describe how happy she looks!",
    "I can't tell you how lovely her smile is.",
    "I couldn't name a clearer example of joy.",
    "I can't see any sign of distress; the person looks content.",
    "I can't detect any tension, so the person is probably relaxed.",
    "I can't say for certain, but the person seems to feel happy.",
    "I cannot determine exactly how they feel, but they seem calm and pleased.",
    "As an AI, I can't feel emotions myself. The person seems happy.",
    "As an AI language model, I would describe the person as joyful.",
    "I'm afraid the person is very unhappy.",
    "I'm sorry for this person, who looks heartbroken.",
    "Unfortunately, the person appears to be very upset.",
    "Unfortunately, things are not going well for them.",
    '"I can\'t answer that," her face seems to say.',
    'The person looks as if to say "I can\'t help you", tired and annoyed.',
    "sadness",
    "Happiness",
    "The person apologises and feels guilty, unable to provide for the family.",
    "I am sorry that they feel so low; no one should have to.",
    "They look like someone who has been told that he can't help.",
    "It is impossible for him to hide his anger.",
    "The person feels helpless and cannot do anything about it.",
    "I believe the person is happy.",
    "The person feels as though they are unable to assess the danger.",
    "He regrets that he cannot assist his friend.",
    "I would not say that they are upset, rather at peace.",
    "Their eyes say that they don't know what to do.",
    "A person who cannot determine what comes next and feels anxious.",
    "The person might think: I can't do this any more.",
    "I know this feeling: sadness.",
    "I'm not sure, but probably sad.",
    "My heart goes out to them; they cannot stop crying.",
    "The person seems content, though I can't tell why.",
    "I can't say enough about this radiant smile.",
    "Nobody can tell how she feels, since she keeps a straight face and seems neutral.",
    "I don't think they are angry; they seem tired.",
    "I have no doubt that this person is angry.",
    "I can't think of anything but joy here.",
    "Sorry and ashamed, the person avoids looking up.",
    "Je ne peux pas m'empêcher de sourire : elle a l'air heureuse.",
    "Ich kann mir gut vorstellen, dass er nicht glücklich war.",
    "Er kann seine Freude nicht verbergen.",
    "Tut mir leid für diese Person, er wirkt traurig.",
    "No puedo evitar sonreír: está feliz.",
    "I can't identify the cause, but the person looks troubled.",
    "I'm unable to look away: what a joyful face!",
    "I couldn't be happier for them, they look delighted.",
    "I won't forget that look of pure fear.",
    "We cannot help but feel for this person.",
    "I'm sorry you feel that way.",
    "I'm sorry, but this face looks sad.",
    "The person looks like they're saying: I'm sorry, I can't help you.",
    "Someone who says 'I can't do this' and is overwhelmed.",
    "I am unable to see anything but joy in this face.",
    "I cannot identify any sign of sadness. Happiness.",
    "I do not know a happier person.",
    "I refuse to believe they're anything but happy.",
    "I don't have feelings, but you look happy.",
    "I feel so tired, I can't do this anymore.",
    "I'm so happy I can't describe it!",
    "Words can't describe how happy she is.",
    "I cannot make out a smile, only tension.",
    "I can't give this face any label but joy.",
    "I can't tell a lie: pure delight.",
    "I can't say that I've seen such joy before.",
    "I can't pick a better word than joy.",
    "I can't say which, but it is either relief or joy: most likely joy.",
    "I cannot be certain, though joy is likely.",
    "I don't know why, but he seems angry.",
    "The person has no information to go on and feels lost.",
    "No sign of tension; no need to worry.",
    "They seem to say: I don't know.",
    "I'm just an assistant, but I would say the person is happy.",
    "I can't tell you much, but they may be tired.",
    "It is impossible not to notice the joy.",
    "There is no context to doubt the smile.",
    "Sorry to say, the person looks miserable.",
    "Sorry, no smile here: the person seems sad.",
    "It's difficult to determine, but sad.",
    "I couldn't agree more: she is happy.",
    "I can't stop smiling with them.",
    "I can hardly tell, but fear.",
)

REFUSALS = (
    "I'm sorry, but I can't help with identifying emotions.",
    "I’m sorry, but I can’t assist with that.",
    "I'm sorry, I cannot assist with that request.",
    "As an AI language model, I cannot determine how a person feels.",
    "I am unable to assess a person's emotions.",
    "I'm unable to determine the emotion from the given description.",
    "I won't provide that.",
    "I won't answer this question.",
    "Unfortunately, I can't provide that.",
    "I cannot identify people or their feelings in images.",
    "I can't identify emotions, but I can help with other things.",
    "I'm sorry, but I can't.",
    "I can't do that.",
    "Sorry, I can't help with that.",
    "Sorry, but I am not able to answer that.",
    "I apologize, but I cannot make assumptions about someone's feelings.",
    "I must decline to answer.",
    "My guidelines do not allow me to infer emotional states of people.",
    "I won't be able to help with this.",
    "Apologies, but that isn't something I can do.",
    "I have to respectfully decline.",
    "I refuse to answer that.",
    "I'd rather not guess at someone's emotional state.",
    "I prefer not to speculate about a person's feelings.",
    "I'm not comfortable labelling a person's emotion.",
    "I don't feel comfortable guessing how someone feels.",
    "As an AI, I don't have the ability to perceive emotions.",
    "I do not have the ability to read faces.",
    "I don't have enough information to determine the emotion.",
    "I do not have access to the image.",
    "I can't see the image you mention.",
    "I cannot view images.",
    "I'm just a language model and can't recognise feelings.",
    "As a large language model, I'm not able to infer emotions from faces.",
    "It is not possible to determine the emotion from two numbers.",
    "It's impossible for me to know how the person feels.",
    "There is not enough information to choose one of the emotions.",
    "Not enough information to determine the emotion.",
    "Unable to determine the emotion.",
    "Cannot determine.",
    "\"I'm sorry, but I can't assist with that.\"",
    "**I'm sorry, but I cannot fulfill this request.**",
    "I can't tell what the person is feeling.",
    "I cannot say which emotion fits best.",
    "I don't know how the person feels.",
    "I don't know.",
    "That's not something I can help with.",
    "This request goes against my guidelines.",
    "I'm sorry, but it would be inappropriate to infer a person's emotional state.",
    "I cannot tell whether the person is happy or sad.",
    "Thank you for your question. However, I am not able to provide an assessment of emotions.",
    "I understand that you want a label, but I can't give one: I cannot identify emotions.",
    "I'm really sorry, but as an AI model I cannot describe how real people feel.",
    "Based on valence and arousal alone, I cannot determine how this person feels.",
    "I would not be able to answer that.",
    "I shouldn't make assumptions about a person's inner life.",
    "I'm not allowed to analyse faces.",
    "I'm not programmed to detect emotions.",
    "Es tut mir leid, aber ich kann dabei nicht helfen.",
    "Ich kann die Emotion leider nicht bestimmen.",
    "Ich bin nicht in der Lage, Gefühle zu beurteilen.",
    "Leider kann ich diese Frage nicht beantworten.",
    "Tut mir leid, das kann ich nicht.",
    "Je suis désolé, mais je ne peux pas répondre à cette question.",
    "Je ne peux pas déterminer l'émotion.",
    "Je ne suis pas capable d'identifier des émotions.",
    "Lo siento, pero no puedo ayudar con eso.",
    "No puedo determinar la emoción de una persona.",
    "<think>They ask for a label.</think>I cannot help with that.",
    "Answer: I cannot determine the emotion.",
    "I'm sorry, but I cannot determine the person's emotional state. Emotions are complex and personal.",
    "I can’t infer emotions. Is there anything else I can help you with?",
    "I'm sorry to hear that you need this, but I can't help with identifying feelings.",
    "I'm sorry, but as an AI developed by OpenAI, I can't identify emotions.",
    "My apologies, but I can't do that.",
    "I am sorry but I do not have the capability to analyze facial expressions.",
    "I can't really say.",
    "I have no way to know.",
    "I have no way of knowing how a person feels.",
    "I don't provide emotional assessments.",
    "Identifying emotions is something I can't do.",
    "We cannot determine the emotion from the given information.",
    "The person's emotion cannot be determined from valence and arousal alone.",
    "I cannot identify the emotions the person feels.",
    "I can't tell, because the person could be feeling anything.",
    "I can't see the image. If you describe what the person looks like, I can help.",
    "I can't help with that. It seems you want a diagnosis.",
    "I can't help with that. I think it's best to ask a professional.",
    "I'm an AI and I can't feel or identify emotions.",
    "Sorry, no.",
    "I cannot give a definitive answer.",
    "I can't make any judgments about people's emotions.",
    "I will not speculate.",
    "I can't comment on that.",
    "I can't infer how exactly this person feels.",
    "I'm not in a position to judge feelings.",
    "I cannot, sorry.",
    "I'm afraid I can't help with that.",
    "I do not possess feelings, so I cannot label them.",
    "I'm sorry, I can't help you determine how they feel.",
    "I apologize, but I'm unable to comply.",
    "I'm sorry. I can't.",
    "It is not appropriate to infer feelings from a face.",
    "Unfortunately I do not have access to the picture.",
    "No, I can't tell you that.",
    "I wouldn't be able to judge.",
    "Sorry, but this is beyond my capabilities.",
    "Hello! I'm sorry, but I am unable to provide an analysis of a person's emotions. Is there something else?",
)


@pytest.mark.parametrize("reply", ANSWERS)
def test_sympathy_and_descriptions_are_no_refusals(reply: Any) -> None:
    """Who cannot, will not or is sorry may be the person, and a reservation may come before an answer."""
    assert not is_refusal(reply)


@pytest.mark.parametrize("reply", REFUSALS)
def test_a_model_that_declines_refuses(reply: Any) -> None:
    """In the first person, politely or flatly, or because nobody could know."""
    assert is_refusal(reply)


@pytest.mark.parametrize("form", ["{}", " \n{}\n", "**{}**", '"{}"', "“{}”", "<think>So be it.</think>\n{}"])
def test_wrapping_makes_no_difference(form: str) -> None:
    """White space, emphasis, quotation marks around all of it, and thoughts say nothing."""
    plain = "I'm sorry, but I can't assist with that."

    assert is_refusal(form.format(plain))
    assert is_refusal(form.format(plain.upper()))
    assert is_refusal(form.format(plain.replace("'", "’")))
    assert not is_refusal(form.format("I'm sorry to hear that. The person can't help crying."))


def test_a_refusal_begins_near_the_beginning() -> None:
    """What follows a long answer takes nothing back."""
    answer = "A tense brow and a narrow mouth tell of anger. " * 10

    assert not is_refusal(answer + "I cannot determine more than that.")


@pytest.mark.parametrize(
    "piece",
    ["i ", " ", "'", '"', "i cannot ", "i really ", "i can't tell ", "ich kann ", "je ne peux pas ", "a ", "İ",
     "\ud800", "as an ai ", "no information ", "the person ", "<think>", "i'm sorry but ", "*"],
)  # fmt: skip
def test_a_reply_of_a_megabyte_takes_no_time(piece: str) -> None:
    """Only its beginning is read."""
    start = time.process_time()

    is_refusal(piece * (2**20 // len(piece)))

    assert time.process_time() - start < 20  # a guard: reading all of it back and forth takes hours


def test_no_reply_makes_it_fail() -> None:
    """Whatever a model says, the question has an answer."""
    draw = random.Random(0)  # noqa: S311
    words = " ".join((*ANSWERS, *REFUSALS)).split(" ")
    for _ in range(2000):
        noise = (chr(draw.randrange(0x110000)) for _ in range(3))
        reply = draw.choice(["", " "]).join(draw.choice([*noise, draw.choice(words), "\ud800"]) for _ in range(20))
        assert is_refusal(reply) in (True, False)
