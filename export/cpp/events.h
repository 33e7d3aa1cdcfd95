// Finds events, each of one class from a start to an end, in a stream of scores.

#ifndef GRW_EVENTS_H_
#define GRW_EVENTS_H_

#include <string>
#include <utility>
#include <vector>

namespace grw {

// No event and no answer is of this class.
inline const char kBackground[] = "background";

// When events of a model that names one class begin, end, and count.
struct EventRules {
  // Score at which an event of the likeliest class begins.
  double on_threshold;
  // Score of its class below which the event ends.
  double off_threshold;
  // Shortest event that counts.
  double least_seconds = 0.5;
  // Most seconds between two events of one class that are taken for one.
  double merge_gap = 0.5;

  // Throws std::runtime_error, in one line, if a value is out of its range.
  void Check() const;
};

struct Event {
  // In seconds since the first frame.
  double start, end;
  std::string label;
  // The highest score of the class in it.
  double score;
};

// Turns scores of steps into events. See grw_tf/streaming/events.py.
class EventDetector {
 public:
  struct Thresholds {
    // Of each class.
    std::vector<double> on, off;
    // Whether each class has its own events, whatever the others do. Otherwise there is
    // one at a time, of the likeliest class.
    bool overlap;
  };

  EventDetector(std::vector<std::string> labels, const EventRules& rules);
  EventDetector(std::vector<std::string> labels, Thresholds thresholds,
                double least_seconds, double merge_gap);

  // Takes the scores of a step from `start` to `end`, in seconds. Steps come in order.
  // Returns the events that are over and can no longer be merged with a later one.
  std::vector<Event> Push(double start, double end, const std::vector<double>& scores);
  // Ends the stream; returns the events left, and starts over.
  std::vector<Event> Finish();

 private:
  std::vector<size_t> Begin(const std::vector<double>& scores) const;
  void Close(size_t place);
  Event TakenUp(const std::string& label, double start, double end);
  std::vector<Event> TakeSettled(double now);

  std::vector<std::string> labels_;
  Thresholds thresholds_;
  double least_seconds_, merge_gap_;
  // The events that go on, with their classes, and those that ended, by start.
  std::vector<std::pair<size_t, Event>> open_;
  std::vector<Event> ended_;
};

}  // namespace grw

#endif  // GRW_EVENTS_H_
