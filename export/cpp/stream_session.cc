#include "stream_session.h"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <iterator>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "exported_file.h"
#include "litert_runner.h"

namespace grw {
namespace {

void Check(bool holds, const std::string& message) {
  if (!holds) throw std::runtime_error(message);
}

std::vector<float> Softmax(const std::vector<float>& logits) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  std::vector<float> shares(logits.size());
  std::transform(logits.begin(), logits.end(), shares.begin(),
                 [largest](float logit) { return std::exp(logit - largest); });
  const float sum = std::accumulate(shares.begin(), shares.end(), 0.0f);
  for (float& share : shares) share /= sum;
  return shares;
}

std::vector<float> Sigmoids(std::vector<float> logits) {
  for (float& logit : logits) logit = 1 / (1 + std::exp(-logit));
  return logits;
}

// The off-threshold of a class as a share of its threshold.
constexpr float kOffShare = 0.8f;

// Returns what finds the events of a file, by its rules or others.
EventDetector DetectorOf(const ExportedFile& file,
                         const std::optional<EventRules>& rules) {
  if (file.thresholds.empty()) {
    Check(rules.has_value(),
          file.path + " has no calibrated threshold: calibrate it with grw-calibrate, or"
                      " set rules in the program.");
    return EventDetector(file.labels, *rules);
  }
  // Scores are single precision, in which thresholds are rounded too.
  EventDetector::Thresholds thresholds{{}, {}, true};
  for (const float threshold : file.thresholds) {
    thresholds.on.push_back(threshold);
    thresholds.off.push_back(kOffShare * threshold);
  }
  const EventRules usual{1, 1};
  return EventDetector(file.labels, thresholds, usual.least_seconds, usual.merge_gap);
}

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() &&
         text.compare(text.size() - end.size(), end.size(), end) == 0;
}

StreamSession::Options Checked(StreamSession::Options options) {
  Check(options.max_gap > 0, "max_gap must be above 0 seconds, got " +
                                 std::to_string(options.max_gap) + ".");
  if (options.rules) options.rules->Check();
  Check(options.memory_frames.value_or(0) >= 0,
        "memory_frames is " + std::to_string(options.memory_frames.value_or(0)) +
            ": it must be 0 or more.");
  if (!options.warn) {
    options.warn = [](const std::string& message) { std::cerr << message << "\n"; };
  }
  return options;
}

}  // namespace

StreamSession::StreamSession(const std::string& path, Options options)
    : StreamSession(ReadExportedFile(path), Checked(std::move(options))) {}

StreamSession::StreamSession(ExportedFile file, Options options)
    : labels_(file.labels),
      thresholds_(file.thresholds),
      temperature_(file.calibration.temperature),
      rules_(options.rules ? options.rules : file.calibration.rules),
      most_count_(std::numeric_limits<double>::infinity()),
      size_(file.size),
      frames_per_step_(file.frames_per_step),
      fps_(file.fps),
      clock_(file.fps, options.max_gap, options.warn),
      time_unit_(options.max_gap),
      preparation_(file.short_side, file.resize, file.size) {
  const std::string path = file.path;
  Check(thresholds_.empty() || !options.rules,
        path + " is the file of a model with several labels at once, each with its own"
               " threshold: give no rules.");
  if (options.find_events) detector_ = DetectorOf(file, rules_);
  for (const auto& state : file.states) {
    if (EndsWith(state.name, "frame_count")) counts_.push_back(state.name);
  }
  const int64_t memory =
      options.memory_frames.value_or(file.calibration.memory_frames);
  if (memory > 0) most_count_ = std::max<int64_t>(0, memory - frames_per_step_);
  const bool records_fit = file.records_fit, passed_parity = file.passed_parity;
  try {
    runner_ = std::make_unique<LiteRtRunner>(std::move(file), options.num_threads);
  } catch (const std::runtime_error&) {
    throw;
  } catch (const std::exception& error) {
    throw std::runtime_error(path + " cannot be run (" + error.what() +
                             "): it is damaged, or there is too little memory.");
  }
  if (!records_fit) {
    options.warn(path + " was exported before frame_fit was recorded: frames are"
                        " squashed to a square, as they were then.");
  }
  if (!passed_parity) {
    options.warn(path + " was exported although it does not give its model's numbers;"
                        " its manifest.json says by how much, under parity.");
  }
}

StreamSession::~StreamSession() = default;

std::optional<std::vector<float>> StreamSession::Push(const uint8_t* rgb, int width,
                                                      int height,
                                                      std::optional<double> time) {
  Check(rgb != nullptr && width > 0 && height > 0, "The frame is empty.");
  return PushFrame(rgb, width, height, time);
}

std::optional<std::vector<float>> StreamSession::PushPrepared(
    const uint8_t* rgb, std::optional<double> time) {
  Check(rgb != nullptr, "The frame is empty.");
  return PushFrame(rgb, 0, 0, time);
}

std::optional<std::vector<float>> StreamSession::Flush(std::optional<double> time) {
  Check(!time || !std::isnan(*time), "The end's time must be a number of seconds.");
  time_unit_.Restart();
  auto kept = TakeKept();
  skipped_ = clock_.skipped();
  auto last = ShowUntilNext(clock_.End(time));
  if (detector_) {
    auto ended = detector_->Finish();
    std::move(ended.begin(), ended.end(), std::back_inserter(events_));
  }
  return last ? last : kept;
}

std::vector<float> StreamSession::Classify() { return Scores(Logits()); }

std::vector<float> StreamSession::Scores(const std::vector<float>& logits) const {
  return thresholds_.empty() ? Softmax(logits) : Sigmoids(logits);
}

const std::vector<float>& StreamSession::Logits() {
  Check(steps_ > 0, WhatLacks());
  if (!logits_) logits_ = runner_->Classify();
  return *logits_;
}

std::vector<std::pair<std::string, float>> StreamSession::Top(int k) {
  Check(k > 0, "k is " + std::to_string(k) + ": ask for at least 1 class.");
  const std::vector<float> shares = Classify();
  std::vector<int> order(shares.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&shares](int a, int b) { return shares[a] > shares[b]; });
  order.resize(std::min<size_t>(k, order.size()));
  std::vector<std::pair<std::string, float>> top;
  for (const int index : order) top.emplace_back(labels_.at(index), shares[index]);
  return top;
}

std::vector<std::pair<std::string, float>> StreamSession::Named() {
  Check(!thresholds_.empty(),
        "This model has a softmax, of which exactly one class is right: ask for Top().");
  const std::vector<float> scores = Classify();
  std::vector<int> order;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] >= thresholds_[i]) order.push_back(static_cast<int>(i));
  }
  std::stable_sort(order.begin(), order.end(),
                   [&scores](int a, int b) { return scores[a] > scores[b]; });
  std::vector<std::pair<std::string, float>> named;
  for (const int index : order) named.emplace_back(labels_.at(index), scores[index]);
  return named;
}

bool StreamSession::may_say_none() const {
  return rules_ || std::count(labels_.begin(), labels_.end(), kBackground) > 0;
}

std::pair<std::optional<std::string>, double> StreamSession::Answer() {
  Check(thresholds_.empty(),
        "This model has several labels at once, each with its own threshold: ask for"
        " Named().");
  const std::vector<double> scores = EventScores(Logits());
  const auto best = std::max_element(scores.begin(), scores.end());
  const std::string& label = labels_.at(best - scores.begin());
  // A broken model's NaN reaches no threshold.
  if ((rules_ && !(*best >= rules_->on_threshold)) || label == kBackground) {
    return {std::nullopt, *best};
  }
  return {label, *best};
}

std::vector<Event> StreamSession::Events() {
  Check(detector_.has_value(),
        "This session finds no events: open it with find_events.");
  return std::exchange(events_, {});
}

// Returns the scores that answers and events go by: calibrated probabilities, or for
// several labels their sigmoids.
std::vector<double> StreamSession::EventScores(const std::vector<float>& logits) const {
  if (!thresholds_.empty()) {
    const std::vector<float> scores = Sigmoids(logits);
    return {scores.begin(), scores.end()};
  }
  const double largest = *std::max_element(logits.begin(), logits.end());
  std::vector<double> scores;
  for (const float logit : logits) {
    scores.push_back(std::exp((logit - largest) / temperature_));
  }
  const double sum = std::accumulate(scores.begin(), scores.end(), 0.0);
  for (double& score : scores) score /= sum;
  return scores;
}

void StreamSession::Reset() {
  runner_->Reset();
  clock_.Restart();
  time_unit_.Restart();
  kept_.clear();
  shown_.reset();
  filled_ = 0;
  steps_ = 0;
  logits_.reset();
  if (detector_) detector_->Finish();
  events_.clear();
  skipped_ = 0;
}

std::optional<std::vector<float>> StreamSession::PushFrame(const uint8_t* rgb,
                                                           int width, int height,
                                                           std::optional<double> time) {
  if (!time) {
    Check(!shown_ && kept_.empty(),
          "This frame has no time, but those before it had: give one, or call Flush()"
          " or Reset() first.");
    return See(width ? preparation_.Prepare(rgb, width, height).data() : rgb);
  }
  Check(std::isfinite(*time), "A frame's time must be a number of seconds.");
  const bool can_be_shown = time_unit_.Check(*time);
  const size_t pixels = width ? static_cast<size_t>(width) * height
                              : static_cast<size_t>(size_) * size_;
  // Cameras write the next frame into the same memory.
  kept_.emplace_back(Frame{{rgb, rgb + pixels * 3}, width, height}, *time);
  return can_be_shown ? TakeKept() : std::nullopt;
}

std::optional<std::vector<float>> StreamSession::TakeKept() {
  std::optional<std::vector<float>> probabilities;
  for (auto& [frame, time] : std::exchange(kept_, {})) {
    skipped_ = clock_.skipped();
    auto seen = ShowUntilNext(clock_.Arrive(time));
    if (seen) probabilities = std::move(seen);
    shown_ = std::move(frame);
  }
  return probabilities;
}

std::optional<std::vector<float>> StreamSession::ShowUntilNext(int ticks) {
  std::optional<std::vector<float>> probabilities;
  const std::optional<Frame> frame = std::exchange(shown_, std::nullopt);
  if (!frame || ticks == 0) return probabilities;
  const uint8_t* square = frame->pixels.data();
  if (frame->width) {
    square = preparation_.Prepare(square, frame->width, frame->height).data();
  }
  for (int i = 0; i < ticks; ++i) {
    auto seen = See(square);
    if (seen) probabilities = std::move(seen);
  }
  return probabilities;
}

std::optional<std::vector<float>> StreamSession::See(const uint8_t* square) {
  runner_->TakeFrame(square, filled_);
  if (++filled_ < frames_per_step_) return std::nullopt;
  filled_ = 0;
  if (static_cast<double>(steps_) * frames_per_step_ > most_count_) {
    for (const std::string& name : counts_) runner_->SetState(name, most_count_);
  }
  logits_ = runner_->Step();
  ++steps_;
  if (detector_) {
    const double step_seconds = frames_per_step_ / fps_;
    const double start = static_cast<double>(steps_ - 1) * step_seconds + skipped_;
    // It asks for the logits that the model gives on demand.
    const bool on_demand = !logits_;
    auto found = detector_->Push(start, start + step_seconds, EventScores(Logits()));
    std::move(found.begin(), found.end(), std::back_inserter(events_));
    if (on_demand) return std::nullopt;
  }
  if (!logits_) return std::nullopt;
  return Scores(*logits_);
}

std::string StreamSession::WhatLacks() const {
  if (filled_) {
    return "A step of this model takes " + std::to_string(frames_per_step_) +
           " frames, and the stream has seen " + std::to_string(filled_) +
           ": push more.";
  }
  if (shown_ || !kept_.empty()) {
    return "The first frame is still on screen: push the next, or Flush().";
  }
  return "Push a frame first: the stream has seen none.";
}

}  // namespace grw
