"""Random numbers drawn in a graph: new ones with each replay, one sequence with what is drawn
outside, and those of the uncaptured program."""

import pytest

SOURCE = """
        warnings.simplefilter("ignore")
        def draw(replays, graphed):
            torch.manual_seed(3)
            x = torch.ones(1000, device="cuda")
            first = torch.rand(5, device="cuda")
            def body():
                return torch.rand(7, device="cuda"), torch.nn.functional.dropout(x, 0.5), torch.randn(3, device="cuda")
            seen = [first.cpu()]
            if graphed:
                body()  # compiles what is needed
                torch.manual_seed(3)
                torch.rand(5, device="cuda")
                state = torch.cuda.get_rng_state()
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph):
                    results = body()
                assert torch.equal(torch.cuda.get_rng_state(), state)  # nothing was drawn
            for i in range(replays):
                if graphed:
                    graph.replay()
                else:
                    results = body()
                seen += [r.cpu().clone() for r in results]
                if i == 1:
                    seen.append(torch.rand(4, device="cuda").cpu())
            return seen, torch.cuda.get_rng_state()
        (eager, left), (graphed, also) = draw(4, False), draw(4, True)
        assert len(eager) == len(graphed)
        for a, b in zip(eager, graphed):
            assert torch.equal(a, b), (a, b)
        assert torch.equal(left, also)
        assert not torch.equal(graphed[1], graphed[4])
        own = torch.Generator("cuda")
        torch.rand(2, device="cuda", generator=own)
        try:
            with torch.cuda.graph(torch.cuda.CUDAGraph()):
                torch.rand(2, device="cuda", generator=own)
        except RuntimeError as error:
            assert "Attempt to increase offset for a CUDA generator not in capture mode." in str(error), error
        else:
            raise AssertionError
        torch.rand(2, device="cuda", generator=own)
"""


def test_each_replay_draws_anew(run):
    run(SOURCE)


@pytest.mark.parametrize("compiled", [False, True])
def test_dropout_in_a_step(run, compiled):
    """A compiled step draws what the plain one draws."""
    run(f"""
        warnings.simplefilter("ignore")
        def train(call_of):
            torch.manual_seed(0)
            w = torch.linspace(-1, 1, 64).cuda().requires_grad_()
            optimizer = torch.optim.SGD([w], 0.1)
            def step(x):
                optimizer.zero_grad()
                y = torch.nn.functional.dropout(w * x, 0.3)
                y.backward(torch.ones_like(y))
                optimizer.step()
                return y.detach()
            call = call_of(step)
            return [call(torch.full((64,), 1.0 + i).cuda()).cpu() for i in range(8)], w.detach().cpu()
        ours, w = train(torch.compile if {compiled} else (lambda f: f))
        plain, v = train(lambda f: f)
        assert ctypes.CDLL(os.environ["FAKE"]).fake_graph_launches() == (5 if {compiled} else 0)
        assert all(torch.allclose(a, b) for a, b in zip(ours, plain)) and torch.allclose(w, v)
    """)
