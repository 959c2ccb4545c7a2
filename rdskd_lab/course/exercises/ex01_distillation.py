"""The exercise of notebook 01: the distillation loss."""

import torch

from ..exercise import Exercise, Misconception, value_and_gradient

TEACHER = torch.tensor([[9.0, 1.0, -3.0, 2.5], [-2.0, 3.0, 2.0, 0.5], [0.0, -4.0, 6.0, 1.0]], dtype=torch.float64)
STUDENT = torch.tensor([[1.0, 0.5, -1.0, 2.0], [0.3, -0.4, 1.2, 0.0], [-1.0, 0.2, 2.0, -0.5]], dtype=torch.float64)


def distillation_loss(student, teacher, temperature):
    """L_S of logits student (N, K) and teacher (N, K) at a temperature -> () in nats times T^2."""
    log_q = (student / temperature).log_softmax(1)  # (N, K): over the classes of each image
    log_p = (teacher / temperature).log_softmax(1)
    kl = (log_p.exp() * (log_p - log_q)).sum(1)  # (N,): sum over the classes
    return temperature**2 * kl.mean()  # mean over the images


def without_the_square(student, teacher, temperature):
    return distillation_loss(student, teacher, temperature) / temperature**2


def linear_factor(student, teacher, temperature):
    return distillation_loss(student, teacher, temperature) / temperature


def the_other_way_round(student, teacher, temperature):
    return distillation_loss(teacher, student, temperature)


def mean_over_classes_too(student, teacher, temperature):
    return distillation_loss(student, teacher, temperature) / student.shape[1]


def summed_over_the_batch(student, teacher, temperature):
    return distillation_loss(student, teacher, temperature) * len(student)


def over_the_batch(student, teacher, temperature):
    log_q, log_p = ((logits / temperature).log_softmax(0) for logits in (student, teacher))
    return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(1).mean()


def only_the_teacher_softened(student, teacher, temperature):
    log_p = (teacher / temperature).log_softmax(1)
    return temperature**2 * (log_p.exp() * (log_p - student.log_softmax(1))).sum(1).mean()


def divided_after_the_softmax(student, teacher, temperature):
    q, p = student.softmax(1) / temperature, teacher.softmax(1) / temperature
    return temperature**2 * (p * (p.log() - q.log())).sum(1).mean()


def cross_entropy_instead(student, teacher, temperature):
    p = (teacher / temperature).softmax(1)
    return -(temperature**2) * (p * (student / temperature).log_softmax(1)).sum(1).mean()


def hard_labels(student, teacher, temperature):
    return torch.nn.functional.cross_entropy(student, teacher.argmax(1))


def probabilities_into_kl_div(student, teacher, temperature):
    q, p = (student / temperature).softmax(1), (teacher / temperature).softmax(1)
    return temperature**2 * torch.nn.functional.kl_div(q, p, reduction="batchmean")


def base_ten(student, teacher, temperature):
    return distillation_loss(student, teacher, temperature) / torch.log(torch.tensor(10.0, dtype=torch.float64))


def watch(answer):
    value, gradient = value_and_gradient(lambda student: answer(student, TEACHER, 4.0), STUDENT)
    plain, _ = value_and_gradient(lambda student: answer(student, TEACHER, 1.0), STUDENT)
    same, _ = value_and_gradient(lambda student: answer(student, TEACHER, 4.0), TEACHER)
    far, _ = value_and_gradient(lambda student: answer(student, 300 * TEACHER, 1.0), 300 * STUDENT)
    return {
        "the loss of three images at T = 1": plain,
        "the loss of three images at T = 4": value,
        "the loss where student and teacher agree": same,
        "its gradient at T = 4": gradient,
        "the loss where probabilities underflow (log_softmax)": far,
    }


EXERCISES = (
    Exercise(
        title="the distillation loss from scratch",
        hints=(
            "Read the formula from the inside: what is divided by T, and before or after the softmax? Then, which sum "
            "runs over the classes of one image, and what happens over the images?",
            "With log_p and log_q from log_softmax(1) of the divided logits, ln(p/q) is log_p - log_q, and p is "
            "log_p.exp(). Sum over axis 1, take the mean over the images, multiply by T squared.",
            "return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(1)... and then the mean.",
        ),
        answer=distillation_loss,
        watch=watch,
        right="It is the package's lab.distillation, and in torch T**2 * F.kl_div(log_q, log_p, "
              "reduction=\"batchmean\", log_target=True).",
        misconceptions=(
            Misconception(without_the_square, "T squared forgotten",
                "At T = 1 you are right, at T = 4 you are 16 times too small. Without the factor the gradient falls "
                "as 1/T squared, and the learning rate would have to know the temperature."),
            Misconception(linear_factor, "T for T squared",
                "At T = 1 you are right, at T = 4 you are 4 times too small: the gradient loses one factor T by the "
                "division and one because soft answers differ less, so it takes T squared to make up for both."),
            Misconception(the_other_way_round, "divergence the wrong way round",
                "You have KL(q || p). It is 0 in the same place but weighs by the student's probabilities, so classes "
                "that the student has forgotten cost nothing. The weights should be the teacher's: sum p ln(p/q)."),
            Misconception(mean_over_classes_too, "mean over the classes too",
                "You are K times too small: the sum over the classes is what makes it a divergence, only the images "
                "are averaged. In F.kl_div that is reduction=\"batchmean\"; \"mean\" divides by N and by K."),
            Misconception(summed_over_the_batch, "sum over the batch for the mean",
                "Your loss grows with the number of images. With a mean a batch of 512 pulls as hard as one of 64."),
            Misconception(over_the_batch, "softmax over the batch axis",
                "Your probabilities sum to 1 over the images of a class. Logits are (N, K), images first, so the "
                "classes of an image are axis 1."),
            Misconception(only_the_teacher_softened, "only the teacher softened",
                "You divide the teacher's logits by T but not the student's. Then a student with the teacher's own "
                "logits would not be at 0. Both answers are looked at through the same temperature."),
            Misconception(divided_after_the_softmax, "temperature after the softmax",
                "You divide the probabilities by T. They then sum to 1/T, and their ratios are as hard as before. It "
                "is the logits that are divided, before the softmax."),
            Misconception(cross_entropy_instead, "cross-entropy for the divergence",
                "You have the cross-entropy -sum p ln q. Its gradient is the same, but it is not 0 where the two "
                "agree: it ends at the teacher's own entropy, so its value does not say how far the student is."),
            Misconception(hard_labels, "the teacher's label for its answer",
                "You keep only which class the teacher prefers. That throws the soft part away, all that the small "
                "probabilities say; and there is no temperature left in it."),
            Misconception(probabilities_into_kl_div, "probabilities into F.kl_div",
                "F.kl_div wants the student's answer as logarithms: log_softmax first, probabilities of the teacher "
                "second. It does not notice when it gets the wrong thing; that your loss is negative would tell."),
            Misconception(base_ten, "log10 for ln",
                "You are 2.303 times too small everywhere: log10 where ln is meant. In torch the natural logarithm is "
                "log; the unit is then the nat."),
        ),
    ),
)  # fmt: skip
