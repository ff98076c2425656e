"""English or Spanish? Logistic regression on counts of words.

Both print the same:

    python examples/bag_of_words.py            with Lampas
    python examples/bag_of_words.py --torch    with PyTorch
"""

from engine import arguments, torch

nn = torch.nn
F = torch.nn.functional

LABELS = {"SPANISH": 0, "ENGLISH": 1}
TRAINING = [
    ("el perro come en la cocina", "SPANISH"),
    ("the dog eats in the kitchen", "ENGLISH"),
    ("no me gusta la lluvia", "SPANISH"),
    ("we do not like the rain", "ENGLISH"),
    ("creo que la idea es buena", "SPANISH"),
    ("it is a good idea to take me home", "ENGLISH"),
]
TEST = [("creo que el perro es buena idea", "SPANISH"), ("the rain is not in me", "ENGLISH")]


class BagOfWords(nn.Module):
    """Counts (B, words) to log-probabilities (B, labels)."""

    def __init__(self, words, labels):
        super().__init__()
        self.linear = nn.Linear(words, labels)

    def forward(self, counts):
        return F.log_softmax(self.linear(counts), dim=1)


def vocabulary(sentences):
    """{word: column}, in the order of first use."""
    words = dict.fromkeys(word for text, _ in sentences for word in text.split())
    return {word: column for column, word in enumerate(words)}


def counted(text, columns):
    """How often each word occurs: (1, words)."""
    counts = torch.zeros(1, len(columns))
    for word in text.split():
        counts[0, columns[word]] += 1
    return counts


def show(model, columns):
    """Probabilities of the test sentences, and the weights of one Spanish word."""
    with torch.no_grad():
        for text, label in TEST:
            spanish, english = model(counted(text, columns)).exp()[0].tolist()
            print(f"  {text!r} is {label}: Spanish {spanish:.4f}, English {english:.4f}")
        spanish, english = model.linear.weight[:, columns["creo"]].tolist()
        print(f"  weights of 'creo': Spanish {spanish:+.4f}, English {english:+.4f}")


def train(model, columns, epochs):
    criterion = nn.NLLLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(1, epochs + 1):
        total = 0.0
        for text, label in TRAINING:
            model.zero_grad()
            loss = criterion(model(counted(text, columns)), torch.LongTensor([LABELS[label]]))
            loss.backward()
            optimizer.step()
            total += loss.item()
        if epoch % (epochs // 5) == 0:
            print(f"epoch {epoch:3}  loss {total / len(TRAINING):.5f}")


def main(argv=None):
    args = arguments(__doc__, argv, writes=False, epochs=100)
    columns = vocabulary(TRAINING + TEST)
    model = BagOfWords(len(columns), len(LABELS))
    print(f"{len(columns)} words; before training:")
    show(model, columns)
    train(model, columns, args.epochs)
    print("after training:")
    show(model, columns)


if __name__ == "__main__":
    main()
