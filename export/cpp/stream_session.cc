// Not compiled in this repository's tests; see the header.

#include "stream_session.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <numeric>
#include <sstream>
#include <stdexcept>

#include "nlohmann/json.hpp"
#include "tensorflow/lite/interpreter.h"
#include "tensorflow/lite/interpreter_builder.h"
#include "tensorflow/lite/kernels/register.h"
#include "tensorflow/lite/model_builder.h"
#include "tensorflow/lite/signature_runner.h"

namespace grw {
namespace {

using Json = nlohmann::json;

constexpr int kNewestFormat = 2;

void Check(bool holds, const std::string& message) {
  if (!holds) throw std::runtime_error(message);
}

uint32_t Number(const std::string& bytes, size_t at, int length) {
  Check(at + length <= bytes.size(), "The zip archive in the file is cut short.");
  uint32_t number = 0;
  for (int i = length - 1; i >= 0; --i) {
    number = number << 8 | static_cast<uint8_t>(bytes[at + i]);
  }
  return number;
}

// Returns the content of an uncompressed file in the zip archive at the end of `bytes`.
std::string ReadStored(const std::string& bytes, const std::string& name,
                       const std::string& path) {
  const std::string foreign = path +
                              " has no labels and manifest: it is not an export of"
                              " grw_tf, or only a part of one.";
  const size_t end = bytes.rfind("PK\x05\x06");
  Check(end != std::string::npos, foreign);
  const int entries = Number(bytes, end + 10, 2);
  size_t entry = Number(bytes, end + 16, 4);
  for (int i = 0; i < entries; ++i) {
    Check(bytes.compare(entry, 4, "PK\x01\x02") == 0, foreign);
    const int method = Number(bytes, entry + 10, 2);
    const uint32_t size = Number(bytes, entry + 24, 4);
    const int name_length = Number(bytes, entry + 28, 2);
    const size_t header = Number(bytes, entry + 42, 4);
    if (bytes.compare(entry + 46, name_length, name) == 0) {
      Check(method == 0, path + " has a compressed manifest: export the model again.");
      const size_t start =
          header + 30 + Number(bytes, header + 26, 2) + Number(bytes, header + 28, 2);
      Check(start + size <= bytes.size(), foreign);
      return bytes.substr(start, size);
    }
    entry += 46 + name_length + Number(bytes, entry + 30, 2) +
             Number(bytes, entry + 32, 2);
  }
  throw std::runtime_error(foreign);
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

}  // namespace

// --- The model ---------------------------------------------------------------------

struct StreamSession::Model {
  struct State {
    TfLiteTensor* now;
    const TfLiteTensor* next;
    double initial_value;
  };

  std::unique_ptr<tflite::FlatBufferModel> file;
  std::unique_ptr<tflite::Interpreter> interpreter;
  tflite::SignatureRunner* step = nullptr;
  tflite::SignatureRunner* classify = nullptr;  // Null if each step gives logits.
  TfLiteTensor* image = nullptr;
  std::map<std::string, State> states;

  Model(const std::string& path, const Json& manifest, int num_threads) {
    // Verified, because TensorFlow Lite does not survive a damaged file.
    file = tflite::FlatBufferModel::VerifyAndBuildFromFile(path.c_str());
    Check(file != nullptr, path + " holds a damaged model: copy it again.");
    tflite::ops::builtin::BuiltinOpResolver resolver;
    tflite::InterpreterBuilder builder(*file, resolver);
    builder.SetNumThreads(num_threads);
    Check(builder(&interpreter) == kTfLiteOk && interpreter != nullptr,
          path + " cannot be run: it needs a newer TensorFlow Lite.");
    step = Signature("step", path);
    for (const std::string name : manifest.at("signatures")) {
      if (name == "classify") classify = Signature("classify", path);
    }
    image = step->input_tensor("image");
    Check(image != nullptr, path + " has a manifest of another model.");
    for (const Json& state : manifest.at("states")) {
      const std::string name = state.at("name");
      const State found{step->input_tensor(name.c_str()),
                        step->output_tensor(name.c_str()), state.at("initial_value")};
      Check(found.now && found.next && found.now->bytes == found.next->bytes,
            path + " has a manifest of another model: it has no state " + name + ".");
      states[name] = found;
    }
  }

  tflite::SignatureRunner* Signature(const char* name, const std::string& path) {
    tflite::SignatureRunner* runner = interpreter->GetSignatureRunner(name);
    Check(runner != nullptr && runner->AllocateTensors() == kTfLiteOk,
          path + " cannot be run: its signature " + name + " is missing or damaged.");
    return runner;
  }

  void Reset() {
    for (auto& [name, state] : states) {
      TfLiteTensor* tensor = state.now;
      const double value = state.initial_value;
      const auto fill = [tensor](auto element) {
        auto* first = reinterpret_cast<decltype(element)*>(tensor->data.raw);
        std::fill_n(first, tensor->bytes / sizeof(element), element);
      };
      switch (tensor->type) {
        case kTfLiteFloat32: fill(static_cast<float>(value)); break;
        case kTfLiteInt32: fill(static_cast<int32_t>(value)); break;
        case kTfLiteInt16: fill(static_cast<int16_t>(value)); break;
        case kTfLiteInt8: fill(static_cast<int8_t>(value)); break;
        case kTfLiteUInt8: fill(static_cast<uint8_t>(value)); break;
        default: Check(false, "State " + name + " has an unknown type.");
      }
    }
  }

  void TakeFrame(const uint8_t* square, size_t count, int index) {
    if (image->type == kTfLiteUInt8) {
      std::memcpy(image->data.raw + index * count, square, count);
    } else {
      float* target = reinterpret_cast<float*>(image->data.raw) + index * count;
      for (size_t i = 0; i < count; ++i) target[i] = square[i] / 255.0f;
    }
  }

  // Returns the logits, or nothing if `classify` gives them on demand.
  std::optional<std::vector<float>> Step() {
    Check(step->Invoke() == kTfLiteOk, "The model's step failed.");
    // This copy takes less than a millisecond for the 3 MB of MoViNet-A0.
    for (auto& [name, state] : states) {
      std::memcpy(state.now->data.raw, state.next->data.raw, state.now->bytes);
    }
    if (classify) return std::nullopt;
    return Read(step);
  }

  std::vector<float> Classify() {
    for (const char* name : classify->input_names()) {
      const TfLiteTensor* now = states.at(name).now;
      TfLiteTensor* target = classify->input_tensor(name);
      std::memcpy(target->data.raw, now->data.raw, now->bytes);
    }
    Check(classify->Invoke() == kTfLiteOk, "The model's classification failed.");
    return Read(classify);
  }

  size_t NumClasses() const {
    const TfLiteTensor* logits = (classify ? classify : step)->output_tensor("logits");
    return logits == nullptr ? 0 : logits->bytes / sizeof(float);
  }

  static std::vector<float> Read(tflite::SignatureRunner* runner) {
    const TfLiteTensor* logits = runner->output_tensor("logits");
    Check(logits != nullptr && logits->type == kTfLiteFloat32,
          "The model gives no logits.");
    const float* first = reinterpret_cast<const float*>(logits->data.raw);
    return {first, first + logits->bytes / sizeof(float)};
  }
};

// --- The session -------------------------------------------------------------------

StreamSession::StreamSession(const std::string& path, Options options) try {
  std::ifstream file(path, std::ios::binary);
  Check(file.good(), path + " cannot be read.");
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::istringstream names(ReadStored(bytes, "labels.txt", path));
  for (std::string name; std::getline(names, name);) labels_.push_back(name);
  const Json manifest = Json::parse(ReadStored(bytes, "manifest.json", path));
  Check(manifest.at("format_version") <= kNewestFormat,
        path + " has a newer format: it needs a newer StreamSession.");
  if (!options.warn) {
    options.warn = [](const std::string& message) { std::cerr << message << "\n"; };
  }
  const auto parity = manifest.find("parity");
  if (parity != manifest.end() && parity->is_object() &&
      !parity->value("passed", true)) {
    options.warn(path +
                 " was exported although it does not reproduce its model's numbers.");
  }
  const Json& input = manifest.at("input");
  size_ = input.at("shape").at(1);
  fps_ = manifest.at("fps");
  frames_per_step_ = manifest.at("frames_per_step");
  clock_ = std::make_unique<FrameClock>(fps_, options.max_gap, options.warn);
  time_unit_ = std::make_unique<TimeUnit>(options.max_gap);
  std::string fit = "square";  // The behavior before files recorded it.
  if (input.contains("frame_fit")) {
    fit = input.at("frame_fit");
    Check(fit == "square" || fit == "short_side",
          path + " prepares frames in an unknown way, " + fit + ".");
  } else {
    Check(manifest.at("format_version") == 1, path + " lacks its frame_fit.");
    options.warn(path + " was exported before frame_fit was recorded: frames are"
                        " squashed to a square, as they were then.");
  }
  preparation_ = std::make_unique<FramePreparation>(fit == "short_side",
                                                    input.at("resize"), size_);
  model_ = std::make_unique<Model>(path, manifest, options.num_threads);
  Check(model_->NumClasses() == labels_.size(),
        path + " has labels of another model: export it again.");
  Reset();
} catch (const std::runtime_error&) {
  throw;
} catch (const std::exception& error) {
  // From the zip archive's offsets or nlohmann/json.
  throw std::runtime_error(path + " has a damaged manifest: " + error.what());
}

StreamSession::~StreamSession() = default;

std::optional<std::vector<float>> StreamSession::Push(const uint8_t* rgb, int width,
                                                      int height,
                                                      std::optional<double> time) {
  return PushFrame(preparation_->Prepare(rgb, width, height).data(), time);
}

std::optional<std::vector<float>> StreamSession::PushPrepared(
    const uint8_t* rgb, std::optional<double> time) {
  Check(rgb != nullptr, "The frame is empty.");
  return PushFrame(rgb, time);
}

std::optional<std::vector<float>> StreamSession::Flush(std::optional<double> time) {
  Check(!time || !std::isnan(*time), "The end's time must be a number of seconds.");
  time_unit_->Restart();
  auto kept = TakeKept();
  auto last = ShowUntilNext(clock_->End(time));
  return last ? last : kept;
}

std::vector<float> StreamSession::Classify() { return Softmax(Logits()); }

const std::vector<float>& StreamSession::Logits() {
  Check(steps_ > 0, "Push frames first: the stream has seen no whole step.");
  if (!logits_) logits_ = model_->Classify();
  return *logits_;
}

std::vector<std::pair<std::string, float>> StreamSession::Top(int k) {
  const std::vector<float> shares = Classify();
  std::vector<int> order(shares.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&shares](int a, int b) { return shares[a] > shares[b]; });
  std::vector<std::pair<std::string, float>> top;
  for (int i = 0; i < std::min<int>(k, order.size()); ++i) {
    top.emplace_back(labels_.at(order[i]), shares[order[i]]);
  }
  return top;
}

void StreamSession::Reset() {
  model_->Reset();
  clock_->Restart();
  time_unit_->Restart();
  kept_.clear();
  is_shown_ = false;
  filled_ = 0;
  steps_ = 0;
  logits_.reset();
}

std::optional<std::vector<float>> StreamSession::PushFrame(const uint8_t* square,
                                                           std::optional<double> time) {
  if (!time) {
    Check(!is_shown_ && kept_.empty(),
          "This frame has no time, but the frames before it had: give one, or call"
          " Flush() or Reset() first.");
    return See(square);
  }
  Check(std::isfinite(*time), "A frame's time must be a number of seconds.");
  const bool can_be_shown = time_unit_->Check(*time);
  const size_t bytes = static_cast<size_t>(size_) * size_ * 3;
  kept_.emplace_back(std::vector<uint8_t>(square, square + bytes), *time);
  return can_be_shown ? TakeKept() : std::nullopt;
}

std::optional<std::vector<float>> StreamSession::TakeKept() {
  std::optional<std::vector<float>> probabilities;
  for (auto& [square, time] : std::exchange(kept_, {})) {
    auto seen = ShowUntilNext(clock_->Arrive(time));
    if (seen) probabilities = std::move(seen);
    shown_ = std::move(square);
    is_shown_ = true;
  }
  return probabilities;
}

std::optional<std::vector<float>> StreamSession::ShowUntilNext(int ticks) {
  std::optional<std::vector<float>> probabilities;
  if (!is_shown_) return probabilities;
  is_shown_ = false;
  for (int i = 0; i < ticks; ++i) {
    auto seen = See(shown_.data());
    if (seen) probabilities = std::move(seen);
  }
  return probabilities;
}

std::optional<std::vector<float>> StreamSession::See(const uint8_t* square) {
  model_->TakeFrame(square, static_cast<size_t>(size_) * size_ * 3, filled_);
  if (++filled_ < frames_per_step_) return std::nullopt;
  filled_ = 0;
  logits_ = model_->Step();
  ++steps_;
  if (!logits_) return std::nullopt;
  return Softmax(*logits_);
}

}  // namespace grw
