// Chooses which frames of a stream a model sees.

#ifndef GRW_FRAME_CLOCK_H_
#define GRW_FRAME_CLOCK_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace grw {

// Chooses frames by their times: at each tick, k / fps seconds after the first frame,
// the model sees the frame on screen. See grw_tf/frames/clock.py.
class FrameClock {
 public:
  using Warn = std::function<void(const std::string&)>;

  FrameClock(double fps, double max_gap, Warn warn)
      : fps_(fps), max_gap_(max_gap), warn_(std::move(warn)) {}

  // Takes the time of the next frame; returns how many ticks the previous one covers.
  int Arrive(double time);
  // Ends the video, at `time` or after one more interval; returns the last frame's ticks.
  int End(std::optional<double> time = std::nullopt);
  void Restart();
  // Seconds without ticks, because times jumped ahead.
  double skipped() const { return skipped_; }

 private:
  int TicksBefore(double time);
  double ShownUntil(double time) const;
  bool FitsFormer(double time) const;
  void GoAhead(double time);
  void SetBack(double time, int intervals);
  void WarnOnce(bool& warned, const std::string& message);

  double fps_, max_gap_;
  Warn warn_;
  bool started_ = false, warned_of_jump_ = false, warned_of_overlap_ = false;
  double first_ = 0, last_ = 0, interval_ = 1 / fps_;
  // Correction added to times after jumps, and its value before the last jump.
  double shift_ = 0, former_shift_ = 0;
  double skipped_ = 0;
  // Time of the last frame, if it replaced another.
  std::optional<double> early_;
  int64_t tick_ = 0;
};

}  // namespace grw

#endif  // GRW_FRAME_CLOCK_H_
