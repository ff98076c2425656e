"""A line search for the strong Wolfe conditions (Nocedal and Wright, section 3.5)."""


def _cubic_minimum(x1, f1, g1, x2, f2, g2, lower=None, upper=None):
    """The minimum of the cubic through two points with slopes (Nocedal and Wright, 3.59).

    It is clipped to [lower, upper], by default the points; their middle where there is none.
    """
    if lower is None:
        lower, upper = (x1, x2) if x1 <= x2 else (x2, x1)
    d1 = g1 + g2 - 3 * (f1 - f2) / (x1 - x2)
    discriminant = d1**2 - g1 * g2
    if discriminant < 0:
        return (lower + upper) / 2.0
    d2 = discriminant**0.5
    if x1 <= x2:
        minimum = x2 - (x2 - x1) * ((g2 + d2 - d1) / (g2 - g1 + 2 * d2))
    else:
        minimum = x1 - (x1 - x2) * ((g1 + d2 - d1) / (g1 - g2 + 2 * d2))
    return min(max(minimum, lower), upper)


def strong_wolfe(
    evaluate,
    length,
    direction,
    loss,
    grad,
    slope,
    c1=1e-4,
    c2=0.9,
    tolerance_change=1e-9,
    max_iterations=25,
):
    """A step length with sufficient decrease (c1) and a flat enough slope (c2).

    `evaluate(t)` gives loss and gradient at distance t; `loss`, `grad`, `slope` are those at 0.
    Gives the loss, gradient, length and the number of evaluations.
    """
    largest = direction.abs().max()
    start = (0, loss, grad, slope)  # a point: length, loss, gradient, slope

    def point(t):
        new_loss, new_grad = evaluate(t)
        return t, new_loss, new_grad, new_grad.dot(direction)

    def too_high(p):
        return p[1] > loss + c1 * p[0] * slope

    def flat(p):
        return abs(p[3]) <= -c2 * slope

    previous, current = start, point(length)
    count, iteration, bracket = 1, 0, None
    while iteration < max_iterations:
        if too_high(current) or (iteration > 0 and current[1] >= previous[1]):
            bracket = [previous, current]
            break
        if flat(current):
            return current[1], current[2], current[0], count
        if current[3] >= 0:
            bracket = [previous, current]
            break
        a, b = previous, current
        lower, upper = b[0] + 0.01 * (b[0] - a[0]), b[0] * 10
        t = _cubic_minimum(a[0], a[1], a[3], b[0], b[1], b[3], lower, upper)
        previous, current = current, point(t)
        count += 1
        iteration += 1
    if bracket is None:
        bracket = [start, current]
    best, extra = _zoom(
        bracket, point, too_high, flat, iteration, max_iterations, largest, tolerance_change
    )
    return best[1], best[2], best[0], count + extra


def _zoom(bracket, point, too_high, flat, iteration, max_iterations, largest, tolerance_change):
    """Narrow the bracket around a point that meets both conditions; the best point and count."""
    # low is the index of the end with the smaller loss.
    low = 0 if bracket[0][1] <= bracket[1][1] else 1
    stalled, done, count = False, False, 0
    while not done and iteration < max_iterations:
        first, second = bracket
        width = abs(second[0] - first[0])
        if width * largest < tolerance_change:
            break
        t = _cubic_minimum(first[0], first[1], first[3], second[0], second[1], second[3])
        t, stalled = _away_from_ends(t, first[0], second[0], stalled)
        new = point(t)
        count += 1
        iteration += 1
        high = 1 - low
        if too_high(new) or new[1] >= bracket[low][1]:
            bracket[high] = new
            low = 0 if bracket[0][1] <= bracket[1][1] else 1
        else:
            if flat(new):
                done = True
            elif new[3] * (bracket[high][0] - bracket[low][0]) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = new
    return bracket[low], count


def _away_from_ends(t, end1, end2, stalled):
    """Twice near an end, or outside, means no progress: then take a tenth of the way inside."""
    lower, upper = min(end1, end2), max(end1, end2)
    margin = 0.1 * (upper - lower)
    if min(upper - t, t - lower) >= margin:
        return t, False
    if stalled or t >= upper or t <= lower:
        return (upper - margin if abs(t - upper) < abs(t - lower) else lower + margin), False
    return t, True
