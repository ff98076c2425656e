"""Hints for automatic differentiation."""

from lampas.hints.table import hint


@hint(RuntimeError, r"Trying to backward through the graph a second time")
def backward_twice(match, place):
    return (
        "backward() frees the graph. Compute the loss anew in every step, add two losses before one "
        "backward() - (loss1 + loss2).backward() - and carry states over with state.detach(). "
        "retain_graph=True keeps the graph, if two passes are meant",
        "backward() 之后计算图就释放了。每一步都要重新计算 loss；两个损失先相加再 backward()："
        "(loss1 + loss2).backward()；跨步传递的状态用 state.detach()。确实要反传两次才用 retain_graph=True",
    )


@hint(
    RuntimeError,
    r"one of the variables needed for gradient computation has been modified by an inplace "
    r"operation: \[\S+ (\[.*?\])\](?:, which is output \d+ of (\w+),)? is at version",
)
def modified(match, place):
    sizes, maker = match.groups()
    if maker in (None, "AsStrided"):  # PyTorch's Linear keeps its weight as such a view
        return (
            f"a parameter, or a view of one, of shape {sizes} was changed after the forward pass that "
            "used it. Call optimizer.step() only after the last backward() that needs it, and run the "
            "model again for the next loss; what must not be trained now: fake.detach()",
            f"形状为 {sizes} 的参数（或它的视图）在用过它的前向计算之后被改动了。optimizer.step() 要放在最后一次需要它的 "
            "backward() 之后，下一个 loss 要重新运行模型；这一步不训练的部分用 fake.detach()",
        )
    return (
        f"the result of {maker}, of shape {sizes}, is needed by backward() and was changed before it. "
        "Write x = x + y for x += y, nn.ReLU() without inplace=True, and y = x.clone() before "
        "y[i] = ...",
        f"{maker} 的结果（形状 {sizes}）在反向传播时还要用，却先被改掉了。把 x += y 写成 x = x + y，nn.ReLU() "
        "不要 inplace=True，y[i] = ... 之前先 y = x.clone()",
    )


@hint(
    RuntimeError,
    r"a (?:view of a )?leaf Variable that requires grad is being used in an in-place operation",
)
def leaf_modified(match, place):
    return (
        "a parameter is changed without recording: with torch.no_grad(): w -= lr * w.grad. To "
        "compute with it, make a new tensor: y = w + 1",
        "修改参数时不要记录梯度：with torch.no_grad(): w -= lr * w.grad。如果是参与计算，请生成新的张量：y = w + 1",
    )


@hint(RuntimeError, r"Can't call numpy\(\) on Tensor that requires grad")
def numpy_of_graph(match, place):
    return (
        "arrays have no gradient: x.detach().numpy(), or compute inside with torch.no_grad(): when "
        "you only predict; for one number x.item()",
        "数组没有梯度：x.detach().numpy()；只做预测时，在 with torch.no_grad(): 里计算；只要一个数用 x.item()",
    )


@hint(RuntimeError, r"grad can be implicitly created only for scalar outputs")
def no_scalar(match, place):
    return (
        "backward() starts at one number: loss.mean().backward() or loss.sum().backward(). A loss "
        "made with reduction='none' has one value a sample",
        "backward() 要从一个数开始：loss.mean().backward() 或 loss.sum().backward()。"
        "reduction='none' 的损失是每个样本一个值",
    )


@hint(RuntimeError, r"element \d+ of tensors does not require grad and does not have a grad_fn")
def no_graph(match, place):
    return (
        "nothing in this loss leads back to a parameter. Usual causes: torch.no_grad() around the "
        "forward pass, .detach(), .item(), .numpy() or torch.tensor(loss) on the way, argmax or "
        "rounding, frozen parameters (requires_grad=False)",
        "这个 loss 追溯不到任何参数。常见原因：前向计算放在 torch.no_grad() 里；中间用了 .detach()、.item()、"
        ".numpy() 或 torch.tensor(loss)；用了 argmax 或取整；参数被冻结（requires_grad=False）",
    )
