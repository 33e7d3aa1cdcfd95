// Checks the session against test vectors, tests/vectors, which hold what the Python
// session does. Worth a run on each new device.
//
//   check_vectors FOLDER

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "events.h"
#include "frame_clock.h"
#include "frame_preparation.h"
#include "json.h"
#include "stream_session.h"
#include "time_unit.h"

namespace {

using grw::Json;

std::vector<Json> Cases(const std::string& folder, const std::string& name) {
  std::ifstream file(folder + "/" + name + ".json", std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.empty()) throw std::runtime_error(folder + " holds no " + name + ".json.");
  return Json::Parse(text).items();
}

void Check(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what + " differs from Python's.");
}

// The frames of the vectors; their README gives the formula.
std::vector<uint8_t> Frame(int64_t index, int height, int width) {
  std::vector<uint8_t> pixels;
  for (int64_t row = 0; row < height; ++row) {
    for (int64_t column = 0; column < width; ++column) {
      for (int64_t channel = 0; channel < 3; ++channel) {
        pixels.push_back(static_cast<uint8_t>(
            (31 * index + 7 * row * row + 5 * column + 3 * row * column +
             89 * channel) %
            256));
      }
    }
  }
  return pixels;
}

int Integer(const Json& of, const std::string& key) {
  return static_cast<int>(of[key].integer());
}

void CheckClock(const Json& of) {
  grw::FrameClock clock(of["fps"].number(), of["max_gap"].number(), nullptr);
  const auto &times = of["times"].items(), &ticks = of["ticks"].items();
  for (size_t i = 0; i < times.size(); ++i) {
    Check(clock.Arrive(times[i].number()) == ticks[i].integer(), "A number of ticks");
  }
  std::optional<double> end;
  if (of["end"].IsNumber()) end = of["end"].number();
  Check(clock.End(end) == of["end_ticks"].integer(), "A number of ticks at the end");
}

void CheckTimeUnit(const Json& of) {
  grw::TimeUnit unit(of["max_gap"].number());
  const auto &times = of["times"].items(), &answers = of["answers"].items();
  for (size_t i = 0; i < answers.size(); ++i) {
    std::string refused;
    bool shown = false;
    try {
      shown = unit.Check(times[i].number());
    } catch (const std::runtime_error& error) {
      refused = error.what();
    }
    const std::string words = "look like " + answers[i].text() + ":";
    const bool expected = answers[i].kind() == Json::Kind::kString;
    Check(expected ? refused.find(words) != std::string::npos
                   : refused.empty() && shown == answers[i].boolean(),
          "A time's unit");
  }
}

void CheckPreparation(const Json& of) {
  const int height = Integer(of, "height"), width = Integer(of, "width");
  grw::FramePreparation preparation(of["frame_fit"].text() == "short_side",
                                    Integer(of, "resize"), Integer(of, "size"));
  const auto& pixels = preparation.Prepare(Frame(3, height, width).data(), width, height);
  const auto& expected = of["pixels"].items();
  Check(pixels.size() == expected.size(), "A prepared frame's size");
  for (size_t i = 0; i < pixels.size(); ++i) {
    Check(std::abs(pixels[i] - expected[i].number()) <= 1, "A prepared pixel");
  }
}

std::vector<double> Numbers(const Json& list) {
  std::vector<double> numbers;
  for (const Json& item : list.items()) numbers.push_back(item.number());
  return numbers;
}

// Compares events with lists of start, end, class and score.
void CheckSame(const std::vector<grw::Event>& found, const Json& expected,
               double tolerance) {
  const auto& events = expected.items();
  Check(found.size() == events.size(), "An event");
  for (size_t i = 0; i < found.size(); ++i) {
    const auto& told = events[i].items();
    Check(std::abs(found[i].start - told[0].number()) <= 1e-6 &&
              std::abs(found[i].end - told[1].number()) <= 1e-6 &&
              found[i].label == told[2].text() &&
              std::abs(found[i].score - told[3].number()) <= tolerance,
          "An event");
  }
}

grw::EventRules RulesOf(const Json& of) {
  return {of["on_threshold"].number(), of["off_threshold"].number(),
          of["least_seconds"].number(), of["merge_gap"].number()};
}

void CheckEvents(const Json& of) {
  std::vector<std::string> labels;
  for (const Json& label : of["labels"].items()) labels.push_back(label.text());
  const auto on = Numbers(of["on_thresholds"]), off = Numbers(of["off_thresholds"]);
  const double least = of["least_seconds"].number(), gap = of["merge_gap"].number();
  grw::EventDetector detector =
      of["several_labels"].boolean()
          ? grw::EventDetector(labels, {on, off, true}, least, gap)
          : grw::EventDetector(labels, grw::EventRules{on[0], off[0], least, gap});
  const auto& spans = of["spans"].items();
  const auto& events = of["events"].items();
  // Twice, for the end must forget all.
  for (int run = 0; run < 2; ++run) {
    for (size_t i = 0; i < spans.size(); ++i) {
      const auto span = Numbers(spans[i]);
      CheckSame(detector.Push(span[0], span[1], Numbers(of["scores"].items()[i])),
                events[i], 0);
    }
    CheckSame(detector.Finish(), events.back(), 0);
  }
}

void CheckStream(const Json& of, const std::string& folder) {
  grw::StreamSession::Options options;
  options.warn = [](const std::string&) {};
  options.find_events = of.Has("events");
  if (of["rules"].kind() == Json::Kind::kObject) options.rules = RulesOf(of["rules"]);
  grw::StreamSession session(folder + "/" + of["model"].text(), options);
  const int height = Integer(of, "height"), width = Integer(of, "width");
  const auto &times = of["times"].items(), &logits = of["logits"].items();
  const double tolerance = of["tolerance"].number();
  // Twice, for a reset must forget all.
  for (int run = 0; run < 2; ++run) {
    for (size_t i = 0; i < logits.size(); ++i) {
      std::optional<double> time;
      if (i < times.size()) time = times[i].number();
      const auto frame = Frame(static_cast<int64_t>(i), height, width);
      if (static_cast<int64_t>(i) == of["frames"].integer()) {
        session.Flush();
      } else if (of["prepared"].boolean()) {
        session.PushPrepared(frame.data(), time);
      } else {
        session.Push(frame.data(), width, height, time);
      }
      Check(session.steps() == of["steps"].items()[i].integer(), "A number of steps");
      if (session.steps() == 0) continue;
      const auto& expected = logits[i].items();
      const auto& found = session.Logits();
      Check(found.size() == expected.size(), "The number of classes");
      for (size_t j = 0; j < found.size(); ++j) {
        const double difference = std::abs(found[j] - expected[j].number());
        Check(difference <= tolerance, "A logit");
      }
      if (of.Has("answers")) {
        const auto& answer = of["answers"].items()[i].items();
        const auto [label, score] = session.Answer();
        Check(label.value_or("") == answer[0].text() &&
                  std::abs(score - answer[1].number()) <= 1e-5,
              "An answer");
      }
      if (of.Has("events")) {
        CheckSame(session.Events(), of["events"].items()[i], 1e-5);
      }
      if (!of.Has("scores")) continue;
      const auto& scores = of["scores"].items()[i].items();
      const auto given = session.Classify();
      for (size_t j = 0; j < given.size(); ++j) {
        Check(std::abs(given[j] - scores[j].number()) <= 1e-5, "A score");
      }
      const auto& names = of["named"].items()[i].items();
      auto named = session.Named();
      std::sort(named.begin(), named.end());
      Check(named.size() == names.size(), "The number of named classes");
      for (size_t j = 0; j < named.size(); ++j) {
        Check(named[j].first == names[j].text(), "A named class");
      }
    }
    session.Reset();
  }
}

template <typename Test>
void CheckAll(const std::string& folder, const std::string& name, Test test) {
  const auto cases = Cases(folder, name);
  for (const Json& each : cases) test(each);
  std::cout << name << ": " << cases.size() << " cases agree\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: check_vectors FOLDER\n";
    return 2;
  }
  const std::string folder = argv[1];
  try {
    CheckAll(folder, "clock", CheckClock);
    CheckAll(folder, "time_unit", CheckTimeUnit);
    CheckAll(folder, "preparation", CheckPreparation);
    CheckAll(folder, "events", CheckEvents);
    CheckAll(folder, "streams",
             [&folder](const Json& each) { CheckStream(each, folder); });
  } catch (const std::exception& error) {
    std::cerr << "check_vectors: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
