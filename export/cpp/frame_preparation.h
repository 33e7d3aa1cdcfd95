// Resizes and crops frames for a model.

#ifndef GRW_FRAME_PREPARATION_H_
#define GRW_FRAME_PREPARATION_H_

#include <cstdint>
#include <vector>

namespace grw {

// Resizes a frame and crops the middle square of `size` pixels, as the model was
// validated. With `short_side` the frame keeps its aspect ratio and its shorter side
// becomes `side` pixels; otherwise it is squashed to `side` by `side` pixels. Pixels are
// means over their area if neither side grows, otherwise linearly interpolated.
class FramePreparation {
 public:
  FramePreparation(bool short_side, int side, int size)
      : short_side_(short_side), side_(side), size_(size) {}

  // Takes bytes [height, width, 3]; returns bytes [size, size, 3].
  const std::vector<uint8_t>& Prepare(const uint8_t* rgb, int width, int height);

 private:
  // The input pixels and weights that give one row or column of the result.
  struct Taps {
    int first;
    std::vector<float> weights;
  };
  std::vector<Taps> Find(int length, int resized, bool by_area) const;

  bool short_side_;
  int side_, size_;
  int width_ = 0, height_ = 0;
  std::vector<Taps> rows_, columns_;
  std::vector<float> line_;
  std::vector<uint8_t> square_;
};

}  // namespace grw

#endif  // GRW_FRAME_PREPARATION_H_
