// A stream of frames through an exported model, on TensorFlow Lite.
//
// Not compiled against TensorFlow Lite in this repository's tests.
//
// The same as grw_tf/streaming in Python. Build it with frame_clock.cc,
// frame_preparation.cc, time_unit.cc, TensorFlow Lite (or LiteRT) for C++ and
// nlohmann/json. Labels and manifest.json are read from the zip archive that is appended
// to the .tflite file, whose entries are stored and not compressed. Unlike in Python the model's checksum is not checked: weights that are
// damaged go unnoticed.
//
//   grw::StreamSession session("model.tflite");
//   for (...) {
//     session.Push(rgb, width, height);
//     for (const auto& [name, probability] : session.Top(3)) ...
//   }
//
// Errors are thrown as std::runtime_error. Not safe to use from several threads at once.

#ifndef GRW_STREAM_SESSION_H_
#define GRW_STREAM_SESSION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "frame_clock.h"
#include "frame_preparation.h"
#include "time_unit.h"

namespace grw {

class StreamSession {
 public:
  struct Options {
    int num_threads = 1;
    // Seconds for which a frame is repeated where times jump ahead.
    double max_gap = 1.0;
    // Gets what users should know; by default it is written to std::cerr.
    FrameClock::Warn warn;
  };

  explicit StreamSession(const std::string& path) : StreamSession(path, Options()) {}
  StreamSession(const std::string& path, Options options);
  ~StreamSession();

  // Takes the next frame, bytes [height, width, 3], RGB, of any size. Without a time
  // each frame is one of the model's; with times, in seconds, a frame is taken in when
  // the next one comes. Times that look like a smaller unit are refused; while the first
  // ones leave that in doubt, their frames are kept, and taken in when it is settled, or
  // at Flush. Returns the probabilities if the model tells them at each step
  // and this frame completed one, else nothing.
  std::optional<std::vector<float>> Push(const uint8_t* rgb, int width, int height,
                                         std::optional<double> time = std::nullopt);
  // The same for a frame [size, size, 3] that is resized and cropped already.
  std::optional<std::vector<float>> PushPrepared(
      const uint8_t* rgb, std::optional<double> time = std::nullopt);
  // Takes in the last of the frames with times.
  std::optional<std::vector<float>> Flush(std::optional<double> time = std::nullopt);

  // Returns the probabilities, or logits, of what was seen so far.
  std::vector<float> Classify();
  const std::vector<float>& Logits();
  // Returns the k likeliest classes, likeliest first.
  std::vector<std::pair<std::string, float>> Top(int k = 3);
  // Forgets all frames.
  void Reset();

  const std::vector<std::string>& labels() const { return labels_; }
  int size() const { return size_; }
  double fps() const { return fps_; }
  int frames_per_step() const { return frames_per_step_; }
  // How many steps the model has taken since the start or Reset.
  int64_t steps() const { return steps_; }

 private:
  struct Model;  // TensorFlow Lite's part.

  std::optional<std::vector<float>> PushFrame(const uint8_t* square,
                                              std::optional<double> time);
  std::optional<std::vector<float>> TakeKept();
  std::optional<std::vector<float>> ShowUntilNext(int ticks);
  std::optional<std::vector<float>> See(const uint8_t* square);

  std::vector<std::string> labels_;
  int size_ = 0, frames_per_step_ = 1;
  double fps_ = 0;
  std::unique_ptr<Model> model_;
  std::unique_ptr<FrameClock> clock_;
  std::unique_ptr<TimeUnit> time_unit_;
  std::unique_ptr<FramePreparation> preparation_;
  // Frames whose times may not be seconds.
  std::vector<std::pair<std::vector<uint8_t>, double>> kept_;
  std::vector<uint8_t> shown_;
  bool is_shown_ = false;
  int filled_ = 0;
  int64_t steps_ = 0;
  std::optional<std::vector<float>> logits_;
};

}  // namespace grw

#endif  // GRW_STREAM_SESSION_H_
