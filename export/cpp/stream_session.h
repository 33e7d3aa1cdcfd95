// Runs an exported model on a stream of frames, with LiteRT.
//
// The C++ version of grw_tf/streaming. CMakeLists.txt builds it; it needs LiteRT's
// library, libLiteRt.so, and nothing else.
//
//   grw::StreamSession session("model.tflite");
//   for (...) {
//     session.Push(rgb, width, height);
//     for (const auto& [name, probability] : session.Top(3)) ...
//   }
//
// Errors are thrown as std::runtime_error, in one line. Not safe to use from several
// threads at once.

#ifndef GRW_STREAM_SESSION_H_
#define GRW_STREAM_SESSION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "events.h"
#include "frame_clock.h"
#include "frame_preparation.h"
#include "time_unit.h"

namespace grw {

class LiteRtRunner;
struct ExportedFile;

// Applies what grw-calibrate put into a file: thresholds and temperature to `Answer` and
// events, and the memory, beyond which the model forgets.
class StreamSession {
 public:
  struct Options {
    int num_threads = 1;
    // Seconds that a frame is repeated for when times jump ahead.
    double max_gap = 1.0;
    // Whether to find events, by the file's calibration, or for a model with several
    // labels by its thresholds. A model that gives logits on demand is then asked for
    // them at each step.
    bool find_events = false;
    // Rules to take instead of the file's, for answers too; not for several labels.
    std::optional<EventRules> rules;
    // Frames beyond which the model forgets, 0 for never; by default as the file was
    // calibrated.
    std::optional<int64_t> memory_frames;
    // Receives warnings; by default they go to std::cerr.
    FrameClock::Warn warn;
  };

  explicit StreamSession(const std::string& path) : StreamSession(path, Options()) {}
  StreamSession(const std::string& path, Options options);
  ~StreamSession();

  // Takes the next frame, bytes [height, width, 3], RGB, of any size. Without times, the
  // model sees every frame. With times, in seconds, it sees a frame once the next one
  // comes. Times that seem to be in a smaller unit are refused; while the first ones
  // leave that in doubt, their frames are kept until the unit is settled, or Flush.
  // Returns the probabilities if the model gives them at each step and this frame
  // completed one, otherwise nothing.
  std::optional<std::vector<float>> Push(const uint8_t* rgb, int width, int height,
                                         std::optional<double> time = std::nullopt);
  // The same for a frame [size, size, 3] that is already resized and cropped.
  std::optional<std::vector<float>> PushPrepared(
      const uint8_t* rgb, std::optional<double> time = std::nullopt);
  // Ends the video: the model sees the last of the frames with times.
  std::optional<std::vector<float>> Flush(std::optional<double> time = std::nullopt);

  // Returns the probabilities, or logits, of the frames seen so far. The probabilities of
  // a model with several labels are the sigmoid of each class.
  std::vector<float> Classify();
  const std::vector<float>& Logits();
  // Returns the k likeliest classes and their probabilities, likeliest first.
  std::vector<std::pair<std::string, float>> Top(int k = 3);
  // Returns the classes whose sigmoids reach their thresholds, and these scores, best
  // first: none, one or several. Throws for a model with a softmax, which has none.
  std::vector<std::pair<std::string, float>> Named();
  // Returns the likeliest class and its score, the probability at the file's calibrated
  // temperature. There is no class, "none of these", if the score does not reach the
  // calibrated threshold, or the class is "background". Throws for several labels.
  std::pair<std::optional<std::string>, double> Answer();
  // Returns the events found since the last call, by start. An event is found when it is
  // over and too long ago to be merged with a later one; Flush ends all. Throws if the
  // session was opened without find_events.
  std::vector<Event> Events();
  // Forgets all frames, and events that nobody has taken.
  void Reset();

  const std::vector<std::string>& labels() const { return labels_; }
  // Empty for a model with a softmax.
  const std::vector<float>& thresholds() const { return thresholds_; }
  int size() const { return size_; }
  double fps() const { return fps_; }
  int frames_per_step() const { return frames_per_step_; }
  // Whether Answer may say "none of these".
  bool may_say_none() const;
  // Steps the model has taken since the start or Reset.
  int64_t steps() const { return steps_; }

 private:
  // A frame of the stream; one that is already prepared has no width.
  struct Frame {
    std::vector<uint8_t> pixels;
    int width = 0, height = 0;
  };

  StreamSession(ExportedFile file, Options options);

  std::optional<std::vector<float>> PushFrame(const uint8_t* rgb, int width, int height,
                                              std::optional<double> time);
  std::optional<std::vector<float>> TakeKept();
  std::optional<std::vector<float>> ShowUntilNext(int ticks);
  std::optional<std::vector<float>> See(const uint8_t* square);
  std::vector<float> Scores(const std::vector<float>& logits) const;
  std::vector<double> EventScores(const std::vector<float>& logits) const;
  std::string WhatLacks() const;

  std::vector<std::string> labels_;
  std::vector<float> thresholds_;
  double temperature_;
  std::optional<EventRules> rules_;
  // States that count frames, and what they count to before a step.
  std::vector<std::string> counts_;
  double most_count_;
  int size_, frames_per_step_;
  double fps_;
  FrameClock clock_;
  TimeUnit time_unit_;
  FramePreparation preparation_;
  std::unique_ptr<LiteRtRunner> runner_;
  // Frames whose times may not be in seconds, with their times.
  std::vector<std::pair<Frame, double>> kept_;
  std::optional<Frame> shown_;
  int filled_ = 0;
  int64_t steps_ = 0;
  std::optional<std::vector<float>> logits_;
  std::optional<EventDetector> detector_;
  std::vector<Event> events_;
  // Seconds before the frame on screen that times skipped.
  double skipped_ = 0;
};

}  // namespace grw

#endif  // GRW_STREAM_SESSION_H_
