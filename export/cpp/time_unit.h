// Refuses frame times that are not in seconds.

#ifndef GRW_TIME_UNIT_H_
#define GRW_TIME_UNIT_H_

#include <vector>

namespace grw {

// Decides from the first frames of a stream whether times are in seconds or in a smaller
// unit. See grw_tf/frames/time_unit.py for the rule.
class TimeUnit {
 public:
  explicit TimeUnit(double max_gap);

  // Takes the time of the next frame. Returns whether the frame can be shown; if not,
  // its time is in doubt until a later call returns true or throws. Throws
  // std::runtime_error if times seem to be in another unit than seconds.
  bool Check(double time);
  void Restart();

 private:
  double least_step_;
  std::vector<double> times_;
  bool settled_ = false;
};

}  // namespace grw

#endif  // GRW_TIME_UNIT_H_
