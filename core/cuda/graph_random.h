// Random numbers in graphs: each replay draws new ones.
#pragma once

namespace lampas::cuda {

void draw_in_graphs();  // once: sets the hooks of graph.h

}  // namespace lampas::cuda
