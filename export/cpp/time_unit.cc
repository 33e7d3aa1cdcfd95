#include "time_unit.h"

#include <algorithm>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace grw {
namespace {

struct Unit {
  const char* name;
  // The longest step that indicates this unit, and units per second.
  double longest, per_second;
};

constexpr Unit kUnits[] = {
    {"milliseconds", 1e3, 1e3},
    // For 11 to 90 frames a second; microseconds this short mean 125 or more.
    {"90 kHz ticks", 8e3, 9e4},
    {"microseconds", 1e6, 1e6},
    {"nanoseconds", std::numeric_limits<double>::infinity(), 1e9},
};
// Seconds. At up to 200 frames a second, milliseconds read as seconds exceed this.
constexpr double kLeastStep = 5.0;
// Seconds. No usual gap is as long, so steps beyond it need not be even.
constexpr double kLongestGap = 1000.0;
// Steps between frames: the fewest that decide, and how many settle on seconds.
constexpr size_t kFewestSteps = 3, kMostSteps = 5;
// This many frames settle on seconds, even if they all have the same time.
constexpr size_t kMostFrames = 12;
// A step within this factor of the median is near it.
constexpr double kNear = 2.0;
// Frames a second. Steps of a higher rate make a unit implausible.
constexpr double kMostRate = 1000;

// Takes sorted steps, at most one of which is not long. Returns null if they may be
// seconds.
const Unit* SmallerUnit(const std::vector<double>& steps) {
  const size_t count = steps.size();
  if (count < kFewestSteps) return nullptr;
  const double median = steps[count / 2];
  const Unit* unit = kUnits;
  while (median > unit->longest) ++unit;
  if (count < kMostSteps && steps[0] * kMostRate < unit->per_second) return nullptr;
  const size_t near =
      std::count_if(steps.begin(), steps.end(), [median](double step) {
        return median / kNear <= step && step <= median * kNear;
      });
  return median <= kLongestGap && 2 * near <= count ? nullptr : unit;
}

std::string Question(const std::vector<double>& times, const Unit& unit, double step) {
  std::ostringstream text;
  text.precision(15);
  text << "Times of frames must be in seconds, and";
  for (size_t i = 0; i < times.size(); ++i) text << (i ? ", " : " ") << times[i];
  text << " look like " << unit.name << ": divide them by " << unit.per_second;
  text.precision(6);
  text << ". If a frame does come every " << step
       << " s, open the session with a max_gap above that.";
  return text.str();
}

}  // namespace

TimeUnit::TimeUnit(double max_gap) : least_step_(std::max(kLeastStep, max_gap)) {}

void TimeUnit::Restart() {
  times_.clear();
  settled_ = false;
}

bool TimeUnit::Check(double time) {
  if (settled_) return true;
  std::vector<double> times = times_;
  times.push_back(time);
  std::vector<double> steps;
  for (size_t i = 1; i < times.size(); ++i) {
    if (times[i] > times[i - 1]) steps.push_back(times[i] - times[i - 1]);
  }
  std::sort(steps.begin(), steps.end());
  const size_t count = std::count_if(
      steps.begin(), steps.end(), [this](double step) { return step > least_step_; });
  if (steps.size() - count < 2) {
    if (const Unit* unit = SmallerUnit(steps)) {
      throw std::runtime_error(Question(times, *unit, steps[steps.size() / 2]));
    }
    settled_ = steps.size() >= kMostSteps || times.size() >= kMostFrames;
  } else {
    settled_ = true;
  }
  times_ = std::move(times);
  return settled_ || count == 0;
}

}  // namespace grw
