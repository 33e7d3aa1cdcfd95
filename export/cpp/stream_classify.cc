// Classifies a video, frame by frame, from raw frames: bytes [height, width, 3], RGB, one
// frame after another.
//
//   ffmpeg -i video.mp4 -f rawvideo -pix_fmt rgb24 - |
//     stream_classify model.tflite --width=640 --height=360 --fps=25
//
// Prints a JSON object a line for each step of the model, as grw-stream --json does, and
// writes events as grw-stream --events does.

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "frame_clock.h"
#include "json.h"
#include "stream_session.h"

namespace {

const char kUsage[] =
    R"(usage: stream_classify MODEL --width=W --height=H [--fps=F] [FLAGS]

Classifies raw RGB frames of W x H pixels, 3 bytes a pixel, from the standard input.
Prints a JSON object a line for each step of the model.

  ffmpeg -i video.mp4 -f rawvideo -pix_fmt rgb24 - |
    stream_classify model.tflite --width=640 --height=360 --fps=25

  --fps=F          Frames per second of the input; by default the model's own.
  --input=FILE     A file of raw frames; by default the standard input.
  --top=3          Number of classes to print.
  --events=FILE    File of events to write, .csv or .jsonl, or - to print them as lines of
                   JSON in place of the classes. Each is of one class, from a start to an
                   end in seconds. The model must be calibrated by grw-calibrate, or have
                   several labels.
  --num_threads=1  Number of threads.
)";

// Frames of more pixels a side are mistaken.
constexpr int kMostSide = 32768;

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Flags {
 public:
  Flags(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      std::string word = argv[i];
      if (word.rfind("--", 0) != 0) {
        if (!model.empty()) throw UsageError("There is more than one model: " + word);
        model = word;
        continue;
      }
      const size_t end = word.find('=');
      const std::string name = word.substr(2, end == std::string::npos ? end : end - 2);
      if (!values_.count(name)) throw UsageError("Unknown flag --" + name);
      if (end != std::string::npos) {
        values_[name] = word.substr(end + 1);
      } else if (++i < argc) {
        values_[name] = argv[i];
      } else {
        throw UsageError("--" + name + " has no value");
      }
    }
    if (model.empty()) throw UsageError("No model is given");
  }

  const std::string& Text(const std::string& name) const { return values_.at(name); }

  double Number(const std::string& name, double least, double most) const {
    const std::string& text = values_.at(name);
    if (text.empty()) throw UsageError("--" + name + " is missing");
    std::istringstream stream(text);
    double value = 0;
    char rest;
    if (!(stream >> value) || stream >> rest || value < least || value > most) {
      std::ostringstream message;
      message << "--" << name << " is " << text << ": it must be a number from " << least
              << " to " << most;
      throw UsageError(message.str());
    }
    return value;
  }

  int Count(const std::string& name, int most) const {
    const double value = Number(name, 1, most);
    if (value != std::floor(value)) {
      throw UsageError("--" + name + " is " + Text(name) + ": it must be whole");
    }
    return static_cast<int>(value);
  }

  std::string model;

 private:
  std::map<std::string, std::string> values_ = {
      {"width", ""}, {"height", ""}, {"fps", ""},
      {"input", ""}, {"top", "3"},   {"num_threads", "1"}, {"events", ""}};
};

struct FileCloser {
  void operator()(std::FILE* file) const {
    if (file != stdin) std::fclose(file);
  }
};

using Classes = std::vector<std::pair<std::string, float>>;

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() &&
         text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// A file of events, written line by line, so that it can be read as it grows.
class EventFile {
 public:
  // Takes a name that ends in .csv or .jsonl, or "-" for the standard output.
  explicit EventFile(const std::string& path)
      : path_(path),
        is_csv_(EndsWith(path, ".csv")),
        file_(path == "-" ? stdout : nullptr) {
    if (!file_ && !is_csv_ && !EndsWith(path, ".jsonl")) {
      throw UsageError("--events=" + path +
                       ": name a .csv or .jsonl file, or - for lines of JSON on standard"
                       " output");
    }
    if (!file_) file_.reset(std::fopen(path.c_str(), "wb"));
    Check(file_ != nullptr);
    if (is_csv_) std::fputs("start,end,class,score\r\n", file_.get());
    Check(std::fflush(file_.get()) == 0);
  }

  void Write(const grw::Event& event) {
    const char* line = is_csv_ ? "%.3f,%.3f,%s,%.6f\r\n"
                               : "{\"start\": %.3f, \"end\": %.3f, \"class\": %s,"
                                 " \"score\": %.6f}\n";
    const std::string label =
        is_csv_ ? QuotedCsv(event.label) : grw::QuotedJson(event.label);
    std::fprintf(file_.get(), line, event.start, event.end, label.c_str(), event.score);
    Check(std::fflush(file_.get()) == 0);
  }

 private:
  struct Closer {
    void operator()(std::FILE* file) const {
      if (file != stdout) std::fclose(file);
    }
  };

  void Check(bool is_written) const {
    if (!is_written) throw std::runtime_error(path_ + " cannot be written.");
  }

  static std::string QuotedCsv(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
    return quoted + '"';
  }

  std::string path_;
  bool is_csv_;
  std::unique_ptr<std::FILE, Closer> file_;
};

// A session, and what it costs.
class Run {
 public:
  // Events go to `events`, if it is not null; other results are printed if `prints`.
  Run(grw::StreamSession& session, int width, int height, int top, EventFile* events,
      bool prints)
      : session_(session),
        width_(width),
        height_(height),
        top_(top),
        events_(events),
        prints_(prints) {}

  // Gives a frame to the model, and prints the result of the step that it completes.
  void See(const std::vector<uint8_t>& frame, double time) {
    const int64_t steps = session_.steps();
    const auto start = std::chrono::steady_clock::now();
    session_.Push(frame.data(), width_, height_);
    const bool is_step = session_.steps() > steps;
    Result result;
    if (is_step) {
      result.top = session_.Top(top_);
      if (!session_.thresholds().empty()) {
        result.named = session_.Named();
      } else if (session_.may_say_none()) {
        result.answer = session_.Answer();
      }
    }
    spent_ += std::chrono::duration<double, std::milli>(
                  std::chrono::steady_clock::now() - start)
                  .count();
    ++frames_;
    if (!is_step) return;
    if (prints_) Print(time, result, spent_ / session_.frames_per_step());
    spent_ = 0;
    WriteEvents();
  }

  // Ends all events.
  void Finish() {
    session_.Flush();
    WriteEvents();
  }

 private:
  struct Result {
    Classes top;
    // Those that reach their thresholds, for a model with several labels.
    std::optional<Classes> named;
    // For a model that may say "none of these".
    std::optional<std::pair<std::optional<std::string>, double>> answer;
  };

  void WriteEvents() {
    if (!events_) return;
    for (const grw::Event& event : session_.Events()) events_->Write(event);
  }

  void Print(double time, const Result& result, double milliseconds) const {
    std::printf("{\"time\": %.3f, \"frame\": %lld, \"top\": ", time,
                static_cast<long long>(frames_ - 1));
    Print(result.top);
    if (result.named) {
      std::printf(", \"named\": ");
      Print(*result.named);
    }
    if (result.answer) {
      const auto& [label, score] = *result.answer;
      std::printf(", \"answer\": %s, \"score\": %.9f",
                  label ? grw::QuotedJson(*label).c_str() : "null", score);
    }
    std::printf(", \"ms\": %.3f}\n", milliseconds);
    std::fflush(stdout);
  }

  static void Print(const Classes& classes) {
    const char* between = "[";
    for (const auto& [name, probability] : classes) {
      std::printf("%s{\"class\": %s, \"probability\": %.6f}", between,
                  grw::QuotedJson(name).c_str(), static_cast<double>(probability));
      between = ", ";
    }
    std::printf(classes.empty() ? "[]" : "]");
  }

  grw::StreamSession& session_;
  int width_, height_, top_;
  EventFile* events_;
  bool prints_;
  int64_t frames_ = 0;
  double spent_ = 0;
};

void Classify(const Flags& flags) {
  const int width = flags.Count("width", kMostSide);
  const int height = flags.Count("height", kMostSide);
  const int top = flags.Count("top", 1 << 20);
  grw::StreamSession::Options options;
  options.num_threads = flags.Count("num_threads", 1024);
  const double fps = flags.Text("fps").empty() ? 0 : flags.Number("fps", 1e-3, 1e6);
  const std::string& path = flags.Text("input");
  const std::unique_ptr<std::FILE, FileCloser> input(
      path.empty() || path == "-" ? stdin : std::fopen(path.c_str(), "rb"));
  if (!input) throw std::runtime_error(path + " cannot be read.");

  const std::string& events_path = flags.Text("events");
  options.find_events = !events_path.empty();
  grw::StreamSession session(flags.model, options);
  // A model that cannot be opened leaves an earlier file as it is.
  std::optional<EventFile> events;
  if (!events_path.empty()) events.emplace(events_path);
  Run run(session, width, height, top, events ? &*events : nullptr, events_path != "-");
  const double rate = fps > 0 ? fps : session.fps();
  // The frames on screen at the model's ticks, as in training. Frames that come seldom
  // are no jump of the time.
  grw::FrameClock clock(session.fps(), 2 / rate, nullptr);
  std::vector<uint8_t> frame(static_cast<size_t>(width) * height * 3), next(frame.size());
  int64_t count = 0, ticks = 0;
  const auto see = [&](int times) {
    for (int i = 0; i < times; ++i) run.See(frame, ticks++ / session.fps());
  };
  size_t read;
  while ((read = std::fread(next.data(), 1, next.size(), input.get())) == next.size()) {
    see(clock.Arrive(count++ / rate));
    frame.swap(next);
  }
  see(clock.End());
  run.Finish();
  if (read > 0 || count == 0) {
    throw std::runtime_error(
        "The input ended within frame " + std::to_string(count) + ": " +
        std::to_string(read) + " of its " + std::to_string(next.size()) +
        " bytes came. Check --width and --height, and that it is rgb24.");
  }
  if (session.steps() == 0) {
    throw std::runtime_error("The input ended before the " +
                             std::to_string(session.frames_per_step()) +
                             " frames of a step.");
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && (std::string(argv[1]) == "--help" || std::string(argv[1]) == "-h")) {
    std::cout << kUsage;
    return 0;
  }
  try {
    Classify(Flags(argc, argv));
  } catch (const UsageError& error) {
    std::cerr << "stream_classify: " << error.what() << "; see --help.\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "stream_classify: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
