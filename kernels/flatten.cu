// Each sample's matrix [rows, columns] to [columns, rows]: [N, H W, C] as stored to [N, C, H W] as
// PyTorch flattens, and back.
//
// Geometry: one block of 32 x 8 threads per tile of 32 x 32; grid x counts the tiles of all
// samples. Bytes: reads x, writes y; both in rows of up to 32 elements.
// Reference: PyTorch's golden values.
#include "element.cuh"

constexpr int TILE = 32;
constexpr int TILE_ROWS = 8;

extern "C" __global__ void __launch_bounds__(TILE* TILE_ROWS) transpose(
    const element* x, element* y, int rows, int columns) {
  // One column more than needed, so that a tile's columns lie in different banks.
  __shared__ element tile[TILE][TILE + 1];
  int tiles_across = (columns + TILE - 1) / TILE;
  int tiles_down = (rows + TILE - 1) / TILE;
  int tiles = tiles_across * tiles_down;
  int index = static_cast<int>(blockIdx.x) % tiles;
  long long sample = static_cast<long long>(blockIdx.x / tiles) * rows * columns;
  int top = index / tiles_across * TILE;
  int left = index % tiles_across * TILE;
  int across = static_cast<int>(threadIdx.x) % TILE;
  int down = static_cast<int>(threadIdx.x) / TILE;

  for (int i = down; i < TILE; i += TILE_ROWS) {
    if (top + i < rows && left + across < columns) {
      tile[i][across] = x[sample + static_cast<long long>(top + i) * columns + left + across];
    }
  }
  __syncthreads();
  for (int i = down; i < TILE; i += TILE_ROWS) {
    if (left + i < columns && top + across < rows) {
      y[sample + static_cast<long long>(left + i) * rows + top + across] = tile[across][i];
    }
  }
}
