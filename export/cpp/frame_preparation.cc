#include "frame_preparation.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace grw {

std::vector<FramePreparation::Taps> FramePreparation::Find(int length, int resized,
                                                           bool by_area) const {
  std::vector<Taps> all;
  const int start = (resized - size_) / 2;
  const double scale = static_cast<double>(length) / resized;
  for (int i = start; i < start + size_; ++i) {
    Taps taps;
    if (by_area) {
      const double from = i * scale, to = (i + 1) * scale;
      taps.first = static_cast<int>(from);
      for (int pixel = taps.first; pixel < length && pixel < to; ++pixel) {
        const double overlap =
            std::min<double>(to, pixel + 1) - std::max<double>(from, pixel);
        taps.weights.push_back(static_cast<float>(overlap / scale));
      }
    } else {
      const double center =
          std::clamp((i + 0.5) * scale - 0.5, 0.0, static_cast<double>(length - 1));
      taps.first = static_cast<int>(center);
      const float share = static_cast<float>(center - taps.first);
      taps.weights = {1 - share};
      if (share > 0) taps.weights.push_back(share);
    }
    all.push_back(std::move(taps));
  }
  return all;
}

const std::vector<uint8_t>& FramePreparation::Prepare(const uint8_t* rgb, int width,
                                                      int height) {
  if (rgb == nullptr || width <= 0 || height <= 0) {
    throw std::runtime_error("The frame is empty.");
  }
  if (width != width_ || height != height_) {
    // A camera's frames all have one size, so the weights are computed once.
    int rows = side_, columns = side_;
    if (short_side_) {
      rows = static_cast<int>(
          std::max<int64_t>(side_, int64_t{height} * side_ / width));
      columns = static_cast<int>(
          std::max<int64_t>(side_, int64_t{width} * side_ / height));
    }
    const bool by_area = height >= rows && width >= columns;
    rows_ = Find(height, rows, by_area);
    columns_ = Find(width, columns, by_area);
    width_ = width;
    height_ = height;
  }
  line_.resize(static_cast<size_t>(width) * 3);
  square_.resize(static_cast<size_t>(size_) * size_ * 3);
  uint8_t* result = square_.data();
  for (const Taps& row : rows_) {
    std::fill(line_.begin(), line_.end(), 0.0f);
    for (size_t i = 0; i < row.weights.size(); ++i) {
      const uint8_t* pixels = rgb + (row.first + i) * static_cast<size_t>(width) * 3;
      for (size_t j = 0; j < line_.size(); ++j) line_[j] += row.weights[i] * pixels[j];
    }
    for (const Taps& column : columns_) {
      for (int channel = 0; channel < 3; ++channel) {
        float sum = 0;
        for (size_t i = 0; i < column.weights.size(); ++i) {
          sum += column.weights[i] * line_[(column.first + i) * 3 + channel];
        }
        *result++ = static_cast<uint8_t>(std::clamp(std::nearbyint(sum), 0.0f, 255.0f));
      }
    }
  }
  return square_;
}

}  // namespace grw
