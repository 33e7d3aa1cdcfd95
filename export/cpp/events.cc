#include "events.h"

#include <algorithm>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace grw {
namespace {

// Times of steps are multiples of 1 / fps, with rounding errors.
constexpr double kRounding = 1e-6;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

void Require(bool holds, const char* name, double value, const char* what) {
  if (holds) return;
  std::ostringstream message;
  message << name << " is " << value << ": " << what;
  throw std::runtime_error(message.str());
}

bool StartsBefore(const Event& one, const Event& other) {
  return one.start < other.start;
}

void Extend(Event& event, double end, double score) {
  event.end = end;
  event.score = std::max(event.score, score);
}

}  // namespace

void EventRules::Check() const {
  const char probability[] =
      "scores are probabilities, so it must be above 0 and at most 1.";
  const char seconds[] = "it must be 0 s or more.";
  Require(on_threshold > 0 && on_threshold <= 1, "on_threshold", on_threshold,
          probability);
  Require(off_threshold > 0 && off_threshold <= 1, "off_threshold", off_threshold,
          probability);
  Require(off_threshold <= on_threshold, "off_threshold", off_threshold,
          "it must not be above on_threshold, or events would end as they begin.");
  Require(least_seconds >= 0 && least_seconds < kInfinity, "least_seconds",
          least_seconds, seconds);
  Require(merge_gap >= 0 && merge_gap < kInfinity, "merge_gap", merge_gap, seconds);
}

EventDetector::EventDetector(std::vector<std::string> labels, const EventRules& rules)
    : labels_(std::move(labels)),
      thresholds_{std::vector<double>(labels_.size(), rules.on_threshold),
                  std::vector<double>(labels_.size(), rules.off_threshold), false},
      least_seconds_(rules.least_seconds),
      merge_gap_(rules.merge_gap) {}

EventDetector::EventDetector(std::vector<std::string> labels, Thresholds thresholds,
                             double least_seconds, double merge_gap)
    : labels_(std::move(labels)),
      thresholds_(std::move(thresholds)),
      least_seconds_(least_seconds),
      merge_gap_(merge_gap) {}

std::vector<Event> EventDetector::Push(double start, double end,
                                       const std::vector<double>& scores) {
  const std::vector<size_t> begin = Begin(scores);
  const auto begins = [&begin](size_t index) {
    return std::find(begin.begin(), begin.end(), index) != begin.end();
  };
  for (size_t place = 0; place < open_.size();) {
    auto& [index, event] = open_[place];
    const bool replaced = !begin.empty() && !begins(index) && !thresholds_.overlap;
    // A broken model's NaN reaches no threshold.
    const bool holds = scores[index] >= thresholds_.off[index];
    if (start > event.end + kRounding || !holds || replaced) {
      Close(place);
    } else {
      Extend(event, end, scores[index]);
      ++place;
    }
  }
  for (const size_t index : begin) {
    const bool is_open =
        std::any_of(open_.begin(), open_.end(),
                    [index](const auto& each) { return each.first == index; });
    if (is_open || labels_[index] == kBackground) continue;
    Event event = TakenUp(labels_[index], start, end);
    Extend(event, end, scores[index]);
    open_.emplace_back(index, std::move(event));
  }
  return TakeSettled(end);
}

std::vector<Event> EventDetector::Finish() {
  while (!open_.empty()) Close(0);
  std::vector<Event> events = TakeSettled(kInfinity);
  ended_.clear();
  return events;
}

// Returns the classes of which an event begins if none goes on.
std::vector<size_t> EventDetector::Begin(const std::vector<double>& scores) const {
  std::vector<size_t> begin;
  if (!thresholds_.overlap) {
    const size_t best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    if (scores[best] >= thresholds_.on[best]) begin.push_back(best);
    return begin;
  }
  for (size_t index = 0; index < scores.size(); ++index) {
    if (scores[index] >= thresholds_.on[index]) begin.push_back(index);
  }
  return begin;
}

void EventDetector::Close(size_t place) {
  ended_.push_back(std::move(open_[place].second));
  std::stable_sort(ended_.begin(), ended_.end(), StartsBefore);
  open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(place));
}

// Removes and returns the event that one of a class continues, or else returns a new one.
Event EventDetector::TakenUp(const std::string& label, double start, double end) {
  for (auto event = ended_.begin(); event != ended_.end(); ++event) {
    if (event->label == label && start - event->end <= merge_gap_ + kRounding) {
      Event earlier = std::move(*event);
      ended_.erase(event);
      return earlier;
    }
  }
  return {start, end, label, 0};
}

std::vector<Event> EventDetector::TakeSettled(double now) {
  const double settled = now - merge_gap_ - kRounding;
  const auto counts_not = [this, settled](const Event& event) {
    return event.end < settled && event.end - event.start < least_seconds_ - kRounding;
  };
  ended_.erase(std::remove_if(ended_.begin(), ended_.end(), counts_not), ended_.end());
  double first = kInfinity;
  for (const auto& [index, event] : open_) first = std::min(first, event.start);
  for (const Event& event : ended_) {
    if (event.end >= settled) first = std::min(first, event.start);
  }
  auto last = ended_.begin();
  while (last != ended_.end() && last->start < first) ++last;
  std::vector<Event> taken(std::make_move_iterator(ended_.begin()),
                           std::make_move_iterator(last));
  ended_.erase(ended_.begin(), last);
  return taken;
}

}  // namespace grw
