"""Accuracy, agreement, recall and confusion as torchmetrics has them.

They are four one-line means of two lists of answers, so a run needs no extra package for them; torchmetrics is the
truth that they are held against here, and does itself what is more than a line (`images`).
"""

import pytest
import torch
from torch import nn

from rdskd_lab.datasets import Split
from rdskd_lab.evaluation import accuracy

K = 4


class Says(nn.Module):
    """Answers image i as `answers[i]` has it: the image carries its number."""

    def __init__(self, answers):
        super().__init__()
        self.answers, self.weight = answers, nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return nn.functional.one_hot(self.answers[x[:, 0, 0, 0].round().long()], K).float()


@pytest.fixture
def asked():
    rng = torch.Generator().manual_seed(0)
    labels, teacher, student = (torch.randint(K - 1, (250,), generator=rng) for _ in range(3))  # class 3: no image
    numbers = torch.arange(250, dtype=torch.uint8).view(-1, 1, 1, 1)
    split = Split(numbers, labels, (0.0,), (1 / 255,), tuple("abcd"), "numbers")
    return accuracy.compare(Says(teacher), Says(student), split), teacher, student, labels


def test_they_are_what_torchmetrics_says(asked):
    C = pytest.importorskip("torchmetrics.functional.classification")
    found, teacher, student, labels = asked
    right = {"num_classes": K, "average": "micro"}
    assert found["teacher_accuracy"] == pytest.approx(C.multiclass_accuracy(teacher, labels, **right).item())
    assert found["student_accuracy"] == pytest.approx(C.multiclass_accuracy(student, labels, **right).item())
    assert found["agreement"] == pytest.approx(C.multiclass_accuracy(student, teacher, **right).item())
    for who, answers in ("teacher", teacher), ("student", student):
        recall = C.multiclass_recall(answers, labels, num_classes=K, average=None)
        assert found["per_class_recall"][who][:-1] == pytest.approx(recall[:-1].tolist())
        assert found["per_class_recall"][who][-1] is None  # of a class without images torchmetrics says 0
    assert found["confusion"] == C.multiclass_confusion_matrix(student, teacher, num_classes=K).tolist()


def test_a_network_is_asked_in_eval_mode_and_stays_in_its_own():
    asked_in = []

    class Watched(Says):
        def forward(self, x):
            asked_in.append(self.training)
            return super().forward(x)

    split = Split(torch.zeros(3, 1, 1, 1, dtype=torch.uint8), torch.zeros(3).long(), (0.0,), (1.0,), tuple("abcd"), "")
    net = Watched(torch.zeros(3).long()).train()
    accuracy.answers(net, split)
    assert asked_in == [False] and net.training


def test_a_network_may_answer_more_than_logits_and_have_no_parameters():
    class Answer(nn.Module):
        def __init__(self, answer):
            super().__init__()
            self.answer = answer

        def forward(self, x):
            return self.answer(x.flatten(1)[:, :3])

    images = torch.zeros(3, 1, 8, 8, dtype=torch.uint8)
    images[range(3), 0, 0, range(3)] = 255
    split = Split(images, torch.tensor([0, 1, 0]), (0.5,), (0.5,), ("a", "b", "c"), "made")
    for answer in (lambda z: z, lambda z: (z, -z), lambda z: {"logits": z}):
        assert accuracy.accuracy(Answer(answer), split) == pytest.approx(2 / 3)
    for one in (lambda z: z[:, :1], lambda z: z[:, 0]):  # an image: no class can be read from it
        with pytest.raises(ValueError, match="a number for each class"):
            accuracy.accuracy(Answer(one), split)
