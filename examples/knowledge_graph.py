"""Embeddings of a small knowledge graph: looked up by triples, then learned as translations.

    python examples/knowledge_graph.py            with Lampas
    python examples/knowledge_graph.py --torch    the same program with PyTorch

In TransE (Bordes et al., 2013) a true triple has head + relation near tail.
"""

from engine import arguments, torch

nn = torch.nn

CAPITALS = {
    "France": "Paris",
    "Spain": "Madrid",
    "Japan": "Tokyo",
    "Peru": "Lima",
    "Kenya": "Nairobi",
}
CONTINENTS = {
    "France": "Europe",
    "Spain": "Europe",
    "Japan": "Asia",
    "Peru": "America",
    "Kenya": "Africa",
}
RELATIONS = ("has capital", "lies in")
ENTITIES = sorted({*CAPITALS, *CAPITALS.values(), *CONTINENTS.values()})


def triples():
    """(N, 3) numbers of head, relation and tail."""
    number = {name: i for i, name in enumerate(ENTITIES)}
    facts = [(a, 0, b) for a, b in CAPITALS.items()] + [(a, 1, b) for a, b in CONTINENTS.items()]
    return torch.LongTensor([[number[a], relation, number[b]] for a, relation, b in facts])


def look_up():
    """One table for all: rows by number, a row's gradient only where it was used."""
    table = nn.Embedding(10, 3)
    print(table)
    facts = torch.LongTensor([[2, 5, 2], [0, 5, 7], [1, 6, 9], [8, 4, 3]])
    head, relation, tail = torch.chunk(facts, chunks=3, dim=1)
    print("heads", head.size(), "as a vector", head.squeeze().tolist())
    rows = table(head.squeeze())
    print(rows)
    print("rows of the table:", torch.equal(rows, table.weight[head.squeeze()]))
    table(tail.squeeze()).sum().backward()
    print("rows with a gradient:", table.weight.grad.sum(1).nonzero().flatten().tolist())


class TransE(nn.Module):
    """Distance |head + relation - tail| of triples (B, 3)."""

    def __init__(self, entities, relations, width=8):
        super().__init__()
        self.entities = nn.Embedding(entities, width, max_norm=1.0)
        self.relations = nn.Embedding(relations, width)

    def forward(self, facts):
        head, relation, tail = facts.unbind(1)
        moved = self.entities(head) + self.relations(relation)
        return (moved - self.entities(tail)).norm(dim=1)


def train(model, facts, epochs):
    """True triples come a margin closer than those with a random tail."""
    criterion = nn.MarginRankingLoss(margin=1.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for epoch in range(1, epochs + 1):
        wrong = facts.clone()
        wrong[:, 2] = torch.randint(0, len(ENTITIES), (len(facts),))
        loss = criterion(model(wrong), model(facts), torch.ones(len(facts)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if epoch % (epochs // 5) == 0:
            print(f"epoch {epoch:3}  loss {loss.item():.4f}")


@torch.no_grad()
def answers(model, facts):
    """How often the nearest entity is the true tail."""
    right = 0
    for head, relation, tail in facts.tolist():
        everything = torch.tensor([[head, relation, i] for i in range(len(ENTITIES))])
        nearest = model(everything).argmin().item()
        right += nearest == tail
        print(f"  {ENTITIES[head]} {RELATIONS[relation]} {ENTITIES[nearest]}")
    return right


def main(argv=None):
    args = arguments(__doc__, argv, writes=False, epochs=300)
    look_up()
    facts = triples()
    model = TransE(len(ENTITIES), len(RELATIONS))
    train(model, facts, args.epochs)
    right = answers(model, facts)
    print(f"{right} of {len(facts)} right")


if __name__ == "__main__":
    main()
