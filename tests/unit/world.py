"""What a deploy hears from outside, without a network: said by the test, question by question."""

from collections import Counter
from collections.abc import Callable

from inventory.catalogue import Catalogue
from runbooks.transaction.asking import Heard, Question, Well
from tasks.probe import Answer

Answering = Callable[[Catalogue, Question], Answer | None]


class World:
    """Everything is well until `says` answers otherwise; `asked` counts each question."""

    def __init__(self) -> None:
        self.says: Answering = lambda catalogue, question: None
        self.asked: Counter[str] = Counter()

    def ask(self, catalogue: Catalogue, question: Question) -> Heard:
        self.asked[str(question)] += 1
        told = self.says(catalogue, question)
        if told is None:
            return Heard(well=Well.WELL, words="200", answer=Answer(status=200))
        dead = told.status in (None, 502)
        well = Well.DEAD if dead else Well.WELL if told.status == 200 else Well.ANSWERS
        return Heard(well=well, words=told.words, answer=told)
