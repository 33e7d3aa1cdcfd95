#include "frame_clock.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace grw {
namespace {

// Containers round times to a millisecond.
constexpr double kTolerance = 1e-3;
// Seconds. A longer gap is a jump of the clock.
constexpr double kLeastJump = 10.0;
// Seconds. A frame earlier by more than this was not merely stored out of order.
constexpr double kMostOutOfOrder = 1.0;

}  // namespace

void FrameClock::Restart() {
  started_ = false;
  tick_ = 0;
  interval_ = 1 / fps_;
  early_.reset();
  shift_ = former_shift_ = skipped_ = 0;
}

int FrameClock::Arrive(double time) {
  if (!std::isfinite(time)) {
    throw std::runtime_error("A frame's time must be a number of seconds.");
  }
  if (!started_) {
    started_ = true;
    first_ = last_ = time;
    return 0;
  }
  if (FitsFormer(time)) std::swap(shift_, former_shift_);
  time += shift_;
  const double gap = time - last_;
  const std::optional<double> early = std::exchange(early_, std::nullopt);
  if (gap > 0) {
    GoAhead(time);
  } else if (gap < -kMostOutOfOrder || (early && *early < time && time < last_)) {
    SetBack(time, early ? 2 : 1);
  } else {
    early_ = time;
    WarnOnce(warned_of_overlap_,
             "Times of frames overlap or run backwards: such a frame replaces the one"
             " before it.");
  }
  return TicksBefore(last_);
}

int FrameClock::End(std::optional<double> time) {
  if (time && std::isnan(*time)) {
    throw std::runtime_error("The end's time must be a number of seconds.");
  }
  if (!started_) return 0;
  const double end = time ? *time + shift_ : last_ + interval_;
  const int count = TicksBefore(std::max(ShownUntil(end), last_ + 2 * kTolerance));
  Restart();
  return count;
}

bool FrameClock::FitsFormer(double time) const {
  const double gap = time + shift_ - last_;
  const double former = time + former_shift_ - last_;
  const bool jumps = gap < -kMostOutOfOrder || gap > std::max(max_gap_, kLeastJump);
  return jumps && std::abs(former) <= kMostOutOfOrder;
}

double FrameClock::ShownUntil(double time) const {
  const double least_jump = std::max(max_gap_, kLeastJump);
  return time - last_ > least_jump ? last_ + max_gap_ : time;
}

void FrameClock::GoAhead(double time) {
  const double until = ShownUntil(time);
  if (until < time) {
    WarnOnce(warned_of_jump_,
             "Time jumps ahead: the previous frame is repeated for max_gap, and time"
             " continues from there; call Reset() where another video begins.");
    former_shift_ = shift_;
    shift_ -= time - until;
    skipped_ += time - until;
  } else {
    interval_ = time - last_;
  }
  last_ = until;
}

void FrameClock::SetBack(double time, int intervals) {
  WarnOnce(warned_of_jump_,
           "Time is set back: it continues from where it was; call Reset() where"
           " another video begins.");
  former_shift_ = shift_;
  last_ += intervals * interval_;
  shift_ += last_ - time;
}

int FrameClock::TicksBefore(double time) {
  const int64_t before = tick_;
  while (tick_ / fps_ < time - first_ - kTolerance) ++tick_;
  return static_cast<int>(tick_ - before);
}

void FrameClock::WarnOnce(bool& warned, const std::string& message) {
  if (!warned && warn_) warn_(message);
  warned = true;
}

}  // namespace grw
