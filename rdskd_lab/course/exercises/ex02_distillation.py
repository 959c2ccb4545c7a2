"""The exercise of notebook 02: the distillation loss."""

import torch

from ..exercise import Exercise, Family, Misconception, value_and_gradient

TEACHER = torch.tensor([[9.0, 1.0, -3.0, 2.5], [-2.0, 3.0, 2.0, 0.5], [0.0, -4.0, 6.0, 1.0]], dtype=torch.float64)
STUDENT = torch.tensor([[1.0, 0.5, -1.0, 2.0], [0.3, -0.4, 1.2, 0.0], [-1.0, 0.2, 2.0, -0.5]], dtype=torch.float64)
BY = "the student's logits"


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


def only_the_student_softened(student, teacher, temperature):
    log_p = teacher.log_softmax(1)
    return temperature**2 * (log_p.exp() * (log_p - (student / temperature).log_softmax(1))).sum(1).mean()


def no_temperature(student, teacher, temperature):
    return distillation_loss(student, teacher, 1.0)


def squared_differences(student, teacher, temperature):
    q, p = (student / temperature).softmax(1), (teacher / temperature).softmax(1)
    return temperature**2 * (p - q).square().sum(1).mean()


def small_number_in_the_logarithms(epsilon):
    def answer(student, teacher, temperature):
        q, p = (student / temperature).softmax(1), (teacher / temperature).softmax(1)
        return temperature**2 * (p * ((p + epsilon).log() - (q + epsilon).log())).sum(1).mean()

    return answer


def base_ten(student, teacher, temperature):
    return distillation_loss(student, teacher, temperature) / torch.log(torch.tensor(10.0, dtype=torch.float64))


def watch(answer):
    value, gradient = value_and_gradient(lambda student: answer(student, TEACHER.clone(), 4.0), STUDENT, by=BY)
    plain, _ = value_and_gradient(lambda student: answer(student, TEACHER.clone(), 1.0), STUDENT, by=BY)
    same, _ = value_and_gradient(lambda student: answer(student, TEACHER.clone(), 4.0), TEACHER)
    far, _ = value_and_gradient(lambda student: answer(student, 300 * TEACHER, 1.0), 300 * STUDENT)
    return {
        "the loss of three images at T = 1": plain,
        "the loss of three images at T = 4": value,
        "the loss where student and teacher agree": same,
        "the gradient at T = 4": gradient,
        "the loss where probabilities underflow (log_softmax)": far,
    }


EXERCISES = (
    Exercise(
        title="the distillation loss from scratch",
        hints=(
            "Read the formula from the inside out. What is divided by T: the logits, or the probabilities? Which sum "
            "runs over the classes of one image? And what is done over the images?",
            "Compute log_p and log_q with log_softmax(1) of the divided logits. Then ln(p/q) is log_p - log_q, and p "
            "is log_p.exp(). Sum over axis 1, take the mean over the images, and multiply by T squared.",
            "return temperature**2 * (log_p.exp() * (log_p - log_q)).sum(1)... and then the mean.",
        ),
        answer=distillation_loss,
        watch=watch,
        sizes=(("the number of images", 3), ("the number of classes", 4)),
        right="This is the package's lab.distillation. In torch it is T**2 * F.kl_div(log_q, log_p, "
              "reduction=\"batchmean\", log_target=True).",
        misconceptions=(
            Misconception(without_the_square, "T squared is missing",
                "At T = 1 you are right; at T = 4 your loss is 16 times too small. Without the factor, the gradient "
                "shrinks like 1/T squared, and you would have to retune the learning rate for every temperature."),
            Misconception(linear_factor, "T instead of T squared",
                "At T = 1 you are right; at T = 4 your loss is 4 times too small. The gradient shrinks by a factor of "
                "T because you divide the logits, and by another because softened answers differ less. T squared makes "
                "up for both."),
            Misconception(the_other_way_round, "student and teacher swapped",
                "You compute KL(q || p). It is 0 in the same place, but it weights the classes by the student's "
                "probabilities, so a class that the student has forgotten costs nothing. Weight by the teacher's: sum "
                "p ln(p/q)."),
            Misconception(mean_over_classes_too, "a mean over the classes",
                "Your loss is K times too small. Sum over the classes and average over the images only. In F.kl_div "
                "this is reduction=\"batchmean\"; \"mean\" divides by N and by K."),
            Misconception(summed_over_the_batch, "a sum over the batch instead of the mean",
                "Your loss grows with the number of images. Take the mean, so that a batch of 512 pulls as hard as a "
                "batch of 64."),
            Misconception(over_the_batch, "softmax over the batch axis",
                "Your probabilities sum to 1 over the images of a class. Logits have shape (N, K), so the classes of "
                "an image lie along axis 1."),
            Misconception(only_the_teacher_softened, "only the teacher's logits divided by T",
                "You divide the teacher's logits by T but not the student's. Then a student with exactly the teacher's "
                "logits would still have a loss above 0. Divide both."),
            Misconception(only_the_student_softened, "only the student's logits divided by T",
                "You divide the student's logits by T but not the teacher's. Then a student with exactly the teacher's "
                "logits would still have a loss above 0. Divide both."),
            Misconception(no_temperature, "no temperature",
                "Your loss ignores the temperature: it is the same at T = 1 and T = 4. Divide both networks' logits by "
                "T, and multiply the result by T squared."),
            Misconception(divided_after_the_softmax, "the temperature after the softmax",
                "You divide the probabilities by T. Then they sum to 1/T, and their ratios stay the same. Divide the "
                "logits, before the softmax."),
            Misconception(cross_entropy_instead, "cross-entropy instead of the divergence",
                "You compute the cross-entropy, -sum p ln q. It has the same gradient, but it is not 0 where the two "
                "networks agree, so its value does not show how far the student is from the teacher. Subtract the "
                "teacher's entropy, -sum p ln p."),
            Misconception(hard_labels, "the teacher's label instead of its probabilities",
                "You keep only the class that the teacher prefers. This throws away the small probabilities, and the "
                "temperature with them. Use all of the teacher's probabilities."),
            Misconception(squared_differences, "squared differences instead of the divergence",
                "You compare the probabilities by squared differences. The loss here is a Kullback-Leibler divergence: "
                "the sum over the classes of p times ln(p/q)."),
            Misconception(probabilities_into_kl_div, "probabilities in F.kl_div",
                "F.kl_div expects first the logarithms of the student's probabilities, from log_softmax, and then the "
                "teacher's probabilities. It accepts anything else without complaint, but then the loss can be "
                "negative, which a divergence never is."),
            Misconception(base_ten, "log10 instead of ln",
                "Everything is 2.303 times too small: you use log10. In torch, log is the natural logarithm, and its "
                "unit is the nat."),
        ),
        families=(
            Family(small_number_in_the_logarithms, "a small number inside the logarithms changes the value",
                "You add about {number} inside the logarithms. Use log_softmax instead: it never takes the logarithm "
                "of 0, so you need not add anything."),
        ),
    ),
)  # fmt: skip
